//! Defines what a filter must do with a datagram, independently of instructions.

use sureplug_core::selection::Selection;

/// Why a datagram is accepted, or that it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its subsystem is in the set.
    InSet,
    /// Its header is longer than the filter reaches.
    TooLong,
    /// The kernel sends no such thing.
    Foreign,
    /// It ends within a subsystem that could become one of the set.
    Cut,
    /// Its subsystem is another.
    Refused,
}

/// The verdict on a datagram, by a filter with this reach in bytes.
#[must_use]
pub fn verdict(datagram: &[u8], selection: &Selection, reach: u32) -> Verdict {
    // A word that is not whole is not looked at.
    let within = &datagram[..datagram.len().min(reach as usize)];
    let Some(header) = within.iter().position(|&byte| byte == 0) else {
        return if datagram.len() < 2 * within.len() { Verdict::Foreign } else { Verdict::TooLong };
    };
    let (_, behind) = datagram.split_at(header);
    let is_kernels = datagram.len() >= 2 * header + b"\0ACTION=DEVPATH=\0SUBSYSTEM=x\0SEQNUM=1\0".len()
        && behind.starts_with(b"\0ACTION=")
        && datagram[2 * header + 16..].starts_with(b"\0SUBSYSTEM=");
    if !is_kernels {
        return Verdict::Foreign;
    }
    let value = &datagram[2 * header + 27..];
    let mut cut = false;
    for name in selection.names() {
        let terminated = [name, b"\0"].concat();
        if value.starts_with(&terminated) {
            return Verdict::InSet;
        }
        cut |= value.len() < terminated.len() && value[..8] == terminated[..8];
    }
    if cut { Verdict::Cut } else { Verdict::Refused }
}

/// The kernel's own form: `action@devpath`, then the properties that it writes first, then these.
#[must_use]
pub fn datagram(action: &[u8], devpath: &[u8], subsystem: &[u8], rest: &[u8]) -> Vec<u8> {
    [
        action,
        b"@",
        devpath,
        b"\0ACTION=",
        action,
        b"\0DEVPATH=",
        devpath,
        b"\0SUBSYSTEM=",
        subsystem,
        b"\0",
        rest,
    ]
    .concat()
}
