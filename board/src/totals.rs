//! What is counted from start to end.

/// What was counted. Everything that the kernel sent to the socket is in exactly one of `received`, `lost`,
/// `malformed` and `truncated`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// What ended the daemon.
    pub ended_by: &'static str,
    /// Well-formed events of the kernel.
    pub received: u64,
    /// Those of them that are of subsystems which nobody wants, and were left out.
    pub unselected: u64,
    /// Events that the kernel did not queue.
    pub lost: u64,
    /// Events of the kernel that did not parse.
    pub malformed: u64,
    /// Events of the kernel whose end was cut off.
    pub truncated: u64,
    /// Messages that were not the kernel's.
    pub foreign: u64,
    /// Bytes that were queued at most.
    pub peak_queued: u64,
    /// The effective receive buffer in bytes.
    pub effective: u32,
    /// The longest time in microseconds for which the socket went unread.
    pub longest_stall_us: u64,
    /// The stall that the profile allows.
    pub max_stall_ms: u32,
    /// Scans after a loss.
    pub repairs: u64,
    /// When the last loss was noticed, in microseconds since boot; 0 if there was none.
    pub last_loss_us: u64,
    /// How much was lost then.
    pub last_loss_events: u64,
    /// How long the scan took that made it good, in microseconds.
    pub last_repair_us: u64,
    /// Devices that are present.
    pub devices: u64,
    /// Devices that had no place in the table, each time that they were met.
    pub untracked: u64,
    /// Events that were overwritten before the output took them.
    pub output_missed: u64,
    /// Lines that the output did not take.
    pub output_dropped: u64,
}
