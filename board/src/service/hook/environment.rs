//! The environment of a hook. It follows the contract of the kernel's former hotplug helper
//! (`call_usermodehelper_exec` in `lib/kobject_uevent.c`): the subsystem as the argument, the
//! properties as the environment.

use std::fmt::Write;

use heapless::String;
use sureplug_core::bytes::append;
use sureplug_core::stream::{DeviceEvent, OWN_PREFIX};
use sureplug_core::uevent::Property;

use super::names::is_allowed;

/// The largest environment in bytes.
pub const MAX_ENVIRONMENT_BYTES: usize = 4_352;

/// The variables of every run, the same as those of the kernel's helper.
const BASE: [(&[u8], &[u8]); 2] = [(b"PATH", b"/sbin:/bin:/usr/sbin:/usr/bin"), (b"HOME", b"/")];

/// The prefix for keys that the kernel is not known to send.
const PREFIX: &[u8] = b"UEVENT_";

/// Returns `true` if a key can end a variable's name (`3.235 Name` in POSIX, Base Definitions).
fn is_word(key: &[u8]) -> bool {
    !key.is_empty() && key.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Writes the environment for an event: variables `KEY=value`, each terminated by a NUL.
///
/// - `SEQNUM` is `seqnum`, which counts the runs without gaps: some programs wait for each other
///   by it. `SUREPLUG_KERNEL_SEQNUM` is the kernel's number.
/// - `SUREPLUG_MISSED` is `missed`, the number of events missed before this one, unless it is 0.
/// - `SUREPLUG_OMITTED` counts the properties that do not fit, or whose key cannot be part of a
///   variable's name.
///
/// The first of several properties with the same key is used.
pub fn environment<'b>(
    buffer: &'b mut [u8; MAX_ENVIRONMENT_BYTES],
    entry: &DeviceEvent<'_>,
    seqnum: u64,
    missed: u64,
) -> &'b [u8] {
    let mut block = Block { buffer, length: 0 };
    for (key, value) in BASE {
        block.set(&[], key, value);
    }
    block.set(&[], b"SEQNUM", decimal(seqnum).as_bytes());
    if missed > 0 {
        block.set(&[], b"SUREPLUG_MISSED", decimal(missed).as_bytes());
    }
    for Property { key, value } in entry.added_properties() {
        block.set(&[], key, value);
    }
    let mut omitted = 0;
    for Property { key, value } in entry.uevent.properties() {
        let fits = match key {
            b"SEQNUM" => block.set(&[], b"SUREPLUG_KERNEL_SEQNUM", value),
            key if key.starts_with(OWN_PREFIX) => true,
            key if is_allowed(key) => block.set(&[], key, value),
            key if is_word(key) => block.set(PREFIX, key, value),
            _ => false,
        };
        omitted += u64::from(!fits);
    }
    if omitted > 0 {
        block.set(&[], b"SUREPLUG_OMITTED", decimal(omitted).as_bytes());
    }
    let Block { buffer, length } = block;
    &buffer[..length]
}

struct Block<'b> {
    buffer: &'b mut [u8; MAX_ENVIRONMENT_BYTES],
    length: usize,
}

impl Block<'_> {
    /// Sets a variable unless it is set already. Returns `false` if there is no room.
    fn set(&mut self, prefix: &[u8], key: &[u8], value: &[u8]) -> bool {
        let is_key = |variable: &[u8]| {
            let rest = variable.strip_prefix(prefix).and_then(|rest| rest.strip_prefix(key));
            rest.is_some_and(|rest| rest.first() == Some(&b'='))
        };
        if self.buffer[..self.length].split(|byte| *byte == 0).any(is_key) {
            return true;
        }
        append(self.buffer, &mut self.length, &[prefix, key, b"=", value, b"\0"])
    }
}

fn decimal(number: u64) -> String<20> {
    let mut digits = String::new();
    // 20 digits hold any `u64`.
    let _ = write!(digits, "{number}");
    digits
}
