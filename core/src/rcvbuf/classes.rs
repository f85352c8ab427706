//! Plug profiles of device classes, made from captured uevents.
//!
//! Generated: `cargo run --bin plug_profiles` in `tests/` writes this file. Where kernels and boards differ in a
//! length, it holds the largest.

use super::profile::{EventShape, EventShapes, PlugProfile};

const fn e(count: u16, base_len: u16, devpath_copies: u8, name_copies: u8) -> EventShape {
    EventShape { base_len, count, devpath_copies, name_copies }
}

const fn profile(
    devices: u8,
    shortest_cycle_ms: u32,
    plug: &'static [EventShape],
    unplug: &'static [EventShape],
) -> PlugProfile<'static> {
    PlugProfile { plug: EventShapes(plug), unplug: EventShapes(unplug), devices, copies: 1, shortest_cycle_ms }
}

/// Scenario `hub` on 6.1-arm64, 6.1-armhf.
///
/// Cycle: 374 ms is the shortest seen.
pub(super) const HUB: PlugProfile<'static> = profile(1, 300, &[
    e(1, 162, 2, 0), e(1, 175, 2, 0), e(1, 179, 2, 0), e(1, 186, 2, 2), e(1, 199, 2, 2),
], &[
    e(2, 168, 2, 0), e(1, 133, 2, 2), e(1, 192, 2, 2),
]);

/// Scenario `mouse` on 6.1-arm64, 6.1-armhf.
///
/// Cycle: 399 ms is the shortest seen.
pub(super) const MOUSE: PlugProfile<'static> = profile(1, 300, &[
    e(1, 157, 2, 0), e(1, 170, 2, 0), e(1, 174, 2, 0), e(1, 164, 2, 2), e(2, 178, 2, 2),
    e(1, 181, 2, 2), e(1, 197, 2, 2), e(1, 263, 2, 2), e(1, 284, 2, 2), e(1, 370, 2, 2),
], &[
    e(2, 163, 2, 0), e(1, 128, 2, 2), e(1, 170, 2, 2), e(2, 184, 2, 2), e(1, 187, 2, 2),
    e(1, 227, 2, 2), e(1, 269, 2, 2), e(1, 376, 2, 2),
]);

/// Scenario `kbd` on 5.10-arm64, 5.10-armhf, 6.1-arm64, 6.1-armhf, 6.12-arm64.
///
/// Cycle: 512 ms is the shortest seen.
pub(super) const KEYBOARD: PlugProfile<'static> = profile(1, 400, &[
    e(1, 80, 2, 0), e(1, 157, 2, 0), e(1, 170, 2, 0), e(1, 174, 2, 0), e(1, 150, 2, 2),
    e(2, 156, 2, 2), e(1, 158, 2, 2), e(1, 162, 2, 2), e(1, 164, 2, 2), e(1, 177, 2, 2),
    e(1, 178, 2, 2), e(1, 181, 2, 2), e(1, 182, 2, 2), e(1, 185, 2, 2), e(1, 191, 2, 2),
    e(1, 197, 2, 2), e(1, 266, 2, 2), e(1, 287, 2, 2), e(1, 568, 2, 2),
], &[
    e(1, 86, 2, 0), e(2, 163, 2, 0), e(1, 128, 2, 2), e(1, 156, 2, 2), e(2, 162, 2, 2),
    e(1, 164, 2, 2), e(1, 168, 2, 2), e(1, 169, 2, 2), e(1, 170, 2, 2), e(1, 175, 2, 2),
    e(1, 177, 2, 2), e(1, 181, 2, 2), e(1, 184, 2, 2), e(1, 187, 2, 2), e(1, 230, 2, 2),
    e(1, 272, 2, 2), e(1, 574, 2, 2),
]);

/// Scenario `storage_ss_mbr4` on 5.10-arm64, 5.10-armhf, 6.1-arm64, 6.1-armhf, 6.12-arm64.
///
/// Cycle: 1384 ms is the shortest seen.
pub(super) const STORAGE: PlugProfile<'static> = profile(1, 1200, &[
    e(1, 95, 0, 0), e(1, 127, 0, 0), e(1, 160, 2, 0), e(1, 173, 2, 0), e(1, 88, 2, 2),
    e(1, 107, 2, 2), e(1, 114, 2, 2), e(2, 151, 2, 2), e(1, 157, 2, 2), e(1, 163, 2, 2),
    e(1, 171, 2, 2), e(1, 181, 2, 2), e(1, 182, 2, 2), e(1, 183, 2, 2), e(1, 199, 2, 2),
    e(1, 204, 2, 2), e(4, 206, 2, 2),
], &[
    e(1, 101, 0, 0), e(1, 133, 0, 0), e(2, 166, 2, 0), e(1, 94, 2, 2), e(1, 113, 2, 2),
    e(1, 120, 2, 2), e(1, 130, 2, 2), e(1, 136, 2, 2), e(2, 157, 2, 2), e(1, 163, 2, 2),
    e(1, 177, 2, 2), e(1, 187, 2, 2), e(1, 188, 2, 2), e(1, 189, 2, 2), e(4, 212, 2, 2),
]);

/// Scenario `bot_2lun` on 5.10-arm64, 5.10-armhf, 6.12-arm64.
///
/// Cycle: 1384 ms is the shortest seen.
pub(super) const CARD_READER: PlugProfile<'static> = profile(1, 1200, &[
    e(1, 95, 0, 0), e(1, 97, 0, 0), e(1, 127, 0, 0), e(1, 160, 2, 0), e(1, 173, 2, 0),
    e(1, 88, 2, 2), e(1, 107, 2, 2), e(1, 114, 2, 2), e(4, 151, 2, 2), e(2, 157, 2, 2),
    e(2, 163, 2, 2), e(2, 171, 2, 2), e(2, 181, 2, 2), e(1, 182, 2, 2), e(2, 183, 2, 2),
    e(1, 199, 2, 2), e(1, 204, 2, 2), e(4, 206, 2, 2), e(4, 207, 2, 2),
], &[
    e(1, 101, 0, 0), e(1, 103, 0, 0), e(1, 133, 0, 0), e(2, 166, 2, 0), e(1, 94, 2, 2),
    e(1, 113, 2, 2), e(1, 120, 2, 2), e(1, 130, 2, 2), e(2, 136, 2, 2), e(4, 157, 2, 2),
    e(2, 163, 2, 2), e(2, 177, 2, 2), e(2, 187, 2, 2), e(1, 188, 2, 2), e(2, 189, 2, 2),
    e(4, 212, 2, 2), e(4, 213, 2, 2),
]);

/// Scenario `serial` on 6.1-arm64, 6.1-armhf.
///
/// Cycle: 397 ms is the shortest seen.
pub(super) const SERIAL: PlugProfile<'static> = profile(1, 300, &[
    e(1, 163, 2, 0), e(1, 176, 2, 0), e(1, 180, 2, 0), e(1, 80, 2, 2), e(1, 98, 2, 2),
    e(1, 131, 2, 2), e(1, 192, 2, 2), e(1, 210, 2, 2),
], &[
    e(2, 169, 2, 0), e(2, 86, 2, 2), e(1, 137, 2, 2), e(1, 139, 2, 2), e(1, 198, 2, 2),
]);

/// Scenario `audio` on 6.1-arm64, 6.1-armhf.
///
/// Cycle: 423 ms is the shortest seen.
pub(super) const AUDIO: PlugProfile<'static> = profile(1, 300, &[
    e(1, 159, 2, 0), e(1, 172, 2, 0), e(1, 83, 2, 2), e(1, 143, 2, 2), e(1, 152, 2, 2),
    e(1, 182, 2, 2), e(1, 203, 2, 2), e(2, 205, 2, 2),
], &[
    e(2, 165, 2, 0), e(1, 89, 2, 2), e(2, 129, 2, 2), e(1, 149, 2, 2), e(1, 158, 2, 2),
    e(2, 188, 2, 2),
]);

/// Scenario `net` on 6.1-arm64, 6.1-armhf.
///
/// Cycle: 398 ms is the shortest seen.
pub(super) const ETHERNET: PlugProfile<'static> = profile(1, 300, &[
    e(1, 161, 2, 0), e(1, 174, 2, 0), e(1, 100, 2, 2), e(2, 102, 2, 2), e(1, 184, 2, 2),
    e(1, 202, 2, 2), e(1, 203, 2, 2), e(1, 204, 2, 2),
], &[
    e(2, 167, 2, 0), e(1, 106, 2, 2), e(2, 108, 2, 2), e(1, 131, 2, 2), e(1, 132, 2, 2),
    e(1, 190, 2, 2), e(1, 191, 2, 2),
]);

/// Scenario `uas_mbr4` on 6.1-arm64, 6.1-armhf.
///
/// Cycle: 676 ms is the shortest seen.
pub(super) const UAS: PlugProfile<'static> = profile(1, 600, &[
    e(1, 95, 0, 0), e(1, 127, 0, 0), e(1, 160, 2, 0), e(1, 173, 2, 0), e(1, 88, 2, 2),
    e(1, 107, 2, 2), e(1, 114, 2, 2), e(2, 151, 2, 2), e(1, 157, 2, 2), e(1, 163, 2, 2),
    e(1, 171, 2, 2), e(1, 181, 2, 2), e(1, 182, 2, 2), e(1, 183, 2, 2), e(1, 196, 2, 2),
    e(1, 199, 2, 2), e(4, 206, 2, 2),
], &[
    e(1, 101, 0, 0), e(1, 133, 0, 0), e(2, 166, 2, 0), e(1, 94, 2, 2), e(1, 113, 2, 2),
    e(1, 120, 2, 2), e(1, 130, 2, 2), e(1, 136, 2, 2), e(2, 157, 2, 2), e(1, 163, 2, 2),
    e(1, 177, 2, 2), e(1, 187, 2, 2), e(1, 188, 2, 2), e(1, 189, 2, 2), e(4, 212, 2, 2),
]);

/// Scenario `mtp` on 5.10-arm64, 5.10-armhf, 6.12-arm64.
///
/// Cycle: 374 ms is the shortest seen.
pub(super) const PHONE: PlugProfile<'static> = profile(1, 300, &[
    e(1, 158, 2, 0), e(1, 171, 2, 0), e(1, 175, 2, 0), e(1, 182, 2, 2),
], &[
    e(2, 164, 2, 0), e(1, 188, 2, 2),
]);

/// Scenario `ccid` on 5.10-arm64, 5.10-armhf, 6.12-arm64.
///
/// Cycle: 374 ms is the shortest seen.
pub(super) const SMART_CARD: PlugProfile<'static> = profile(1, 300, &[
    e(1, 161, 2, 0), e(1, 174, 2, 0), e(1, 178, 2, 0), e(1, 185, 2, 2),
], &[
    e(2, 167, 2, 0), e(1, 191, 2, 2),
]);

/// Scenario `hub8_storage` on 6.1-arm64, 6.1-armhf.
///
/// Cycle: 2619 ms is the shortest seen.
pub(super) const HUB8: PlugProfile<'static> = profile(9, 2300, &[
    e(1, 95, 0, 0), e(6, 97, 0, 0), e(1, 99, 0, 0), e(8, 127, 0, 0), e(1, 163, 2, 0),
    e(1, 176, 2, 0), e(1, 180, 2, 0), e(8, 165, 2, 2), e(8, 178, 2, 2), e(1, 186, 2, 2),
    e(1, 199, 2, 2), e(8, 98, 2, 4), e(8, 117, 2, 4), e(8, 124, 2, 4), e(16, 161, 2, 4),
    e(8, 167, 2, 4), e(8, 173, 2, 4), e(8, 181, 2, 4), e(8, 191, 2, 4), e(9, 193, 2, 4),
    e(6, 194, 2, 4), e(1, 195, 2, 4), e(8, 209, 2, 4), e(8, 214, 2, 4), e(4, 217, 2, 4),
    e(23, 218, 2, 4), e(5, 219, 2, 4),
], &[
    e(1, 101, 0, 0), e(6, 103, 0, 0), e(1, 105, 0, 0), e(8, 133, 0, 0), e(2, 169, 2, 0),
    e(1, 133, 2, 2), e(16, 171, 2, 2), e(1, 192, 2, 2), e(8, 104, 2, 4), e(8, 123, 2, 4),
    e(8, 130, 2, 4), e(8, 140, 2, 4), e(8, 146, 2, 4), e(16, 167, 2, 4), e(8, 173, 2, 4),
    e(8, 187, 2, 4), e(8, 197, 2, 4), e(9, 199, 2, 4), e(6, 200, 2, 4), e(1, 201, 2, 4),
    e(4, 223, 2, 4), e(23, 224, 2, 4), e(5, 225, 2, 4),
]);
