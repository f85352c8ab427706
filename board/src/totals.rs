//! What is counted from start to end.

use sureplug_core::uevent::Uevent;

use crate::intake::{Noticed, Record};
use crate::sinks::Line;

/// What was counted. Everything that the kernel sent to the socket is in exactly one of `received`, `lost`,
/// `malformed` and `truncated`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// What ended the daemon.
    pub ended_by: &'static str,
    /// Well-formed events of the kernel.
    pub received: u64,
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
    /// Lines that the reader of the output did not take.
    pub output_dropped: u64,
}

impl Totals {
    /// Counts a record, and makes of it what is to be said.
    pub fn count<'r>(&mut self, record: Record<'r>) -> Line<'r> {
        let at = record.at;
        match record.what {
            Noticed::Event(datagram) => match Uevent::from_kernel(datagram) {
                Ok(uevent) => {
                    self.received += 1;
                    Line::Event { at, uevent }
                }
                Err(error) => {
                    self.malformed += 1;
                    Line::Malformed { at, error, length: datagram.len() }
                }
            },
            Noticed::Overrun { dropped, queued, effective } => {
                self.lost += u64::from(dropped);
                Line::Overrun { at, dropped, queued, effective }
            }
            Noticed::Truncated => {
                self.truncated += 1;
                Line::Truncated { at }
            }
            Noticed::Foreign(sender) => Line::Foreign { at, sender },
        }
    }
}
