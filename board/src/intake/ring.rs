//! The ring between the two threads: whole records in fixed memory, allocated once.

use std::ops::Range;

use rtrb::{Consumer, Producer, RingBuffer};
use sureplug_core::limits::MAX_DATAGRAM_BYTES;
use sureplug_core::sender::Sender;

use crate::boot_time::BootTime;

/// Bytes of the ring: some 350 events of usual length. Behind it the kernel's buffer waits.
const RING_BYTES: usize = 128 * 1024;

/// What stands in front of a record's datagram: tag, three numbers, stamp, length.
const HEADER_BYTES: usize = LENGTH.end;
const TAG: usize = 0;
const NUMBERS: Range<usize> = 1..13;
const STAMP: Range<usize> = 13..21;
const LENGTH: Range<usize> = 21..23;

const EVENT: u8 = 0;
const OVERRUN: u8 = 1;
const TRUNCATED: u8 = 2;
const FOREIGN: u8 = 3;
const FOREIGN_NO_UID: u8 = 4;

/// Bytes that one record takes at most.
const MAX_RECORD_BYTES: usize = HEADER_BYTES + MAX_DATAGRAM_BYTES;

/// One thing that the intake noticed, with the time at which it read the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// When.
    pub at: BootTime,
    /// What.
    pub what: Noticed<'a>,
}

/// What the intake noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noticed<'a> {
    /// The kernel sent this datagram.
    Event(&'a [u8]),
    /// The kernel did not queue events.
    Overrun {
        /// How many; at least that many where the kernel has no drop counter.
        dropped: u32,
        /// Bytes that were queued when it was noticed.
        queued: u32,
        /// The effective receive buffer in bytes.
        effective: u32,
    },
    /// An event of the kernel did not fit into a datagram's buffer.
    Truncated,
    /// The first message that was not the kernel's; the others are only counted.
    Foreign(Sender),
}

/// The intake's end.
#[derive(Debug)]
pub(super) struct Writer(Producer<u8>);

/// The worker's end.
#[derive(Debug)]
pub struct Reader {
    ring: Consumer<u8>,
    /// The record that is being looked at, in one piece.
    record: Box<[u8; MAX_RECORD_BYTES]>,
}

/// Allocates a ring.
#[must_use]
pub(super) fn ring() -> (Writer, Reader) {
    let (producer, consumer) = RingBuffer::new(RING_BYTES);
    (Writer(producer), Reader { ring: consumer, record: Box::new([0; MAX_RECORD_BYTES]) })
}

impl Writer {
    /// How many records fit for certain.
    #[must_use]
    pub(super) fn room(&self) -> usize {
        self.0.slots() / MAX_RECORD_BYTES
    }

    /// Writes a record; the caller has seen [`room`](Self::room) for it.
    pub(super) fn push(&mut self, record: Record<'_>) {
        let (tag, numbers, datagram): (_, [u32; 3], &[u8]) = match record.what {
            Noticed::Event(datagram) => (EVENT, [0; 3], datagram),
            Noticed::Overrun { dropped, queued, effective } => (OVERRUN, [dropped, queued, effective], &[]),
            Noticed::Truncated => (TRUNCATED, [0; 3], &[]),
            Noticed::Foreign(Sender { port, groups, uid: Some(uid) }) => (FOREIGN, [port, groups, uid], &[]),
            Noticed::Foreign(Sender { port, groups, uid: None }) => (FOREIGN_NO_UID, [port, groups, 0], &[]),
        };
        let mut header = [0; HEADER_BYTES];
        header[TAG] = tag;
        for (place, number) in header[NUMBERS].chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_ne_bytes());
        }
        header[STAMP].copy_from_slice(&record.at.as_nanos().to_ne_bytes());
        header[LENGTH].copy_from_slice(&u16::try_from(datagram.len()).unwrap_or(u16::MAX).to_ne_bytes());
        let pushed = self.0.push_entire_slice(&header).and_then(|()| self.0.push_entire_slice(datagram));
        debug_assert!(pushed.is_ok(), "a record was pushed without room for it");
    }
}

impl Reader {
    /// Takes the oldest record.
    pub fn pop(&mut self) -> Option<Record<'_>> {
        // The writer pushes the header first: it is taken only when the datagram is there as well.
        let header: [u8; HEADER_BYTES] = {
            let chunk = self.ring.read_chunk(HEADER_BYTES).ok()?;
            let (first, second) = chunk.as_slices();
            let mut bytes = first.iter().chain(second);
            std::array::from_fn(|_| bytes.next().copied().unwrap_or(0))
        };
        let length = usize::from(u16::from_ne_bytes(array(&header[LENGTH])));
        if self.ring.slots() < HEADER_BYTES + length {
            return None;
        }
        let record = &mut self.record[..HEADER_BYTES + length];
        self.ring.pop_entire_slice(record).ok()?;
        let mut numbers = header[NUMBERS].chunks_exact(4).map(|bytes| u32::from_ne_bytes(array(bytes)));
        let mut number = || numbers.next().unwrap_or(0);
        let what = match header[TAG] {
            EVENT => Noticed::Event(&record[HEADER_BYTES..]),
            OVERRUN => Noticed::Overrun { dropped: number(), queued: number(), effective: number() },
            TRUNCATED => Noticed::Truncated,
            tag => {
                let (port, groups, uid) = (number(), number(), number());
                Noticed::Foreign(Sender { port, groups, uid: (tag == FOREIGN).then_some(uid) })
            }
        };
        Some(Record { at: BootTime::from_nanos(u64::from_ne_bytes(array(&header[STAMP]))), what })
    }

    /// Whether nothing is there to take.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }
}

/// The caller gives a slice of `N` bytes.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    std::array::from_fn(|i| bytes[i])
}

#[cfg(test)]
mod tests {
    use std::thread;

    use sureplug_core::sender::Sender;

    use super::{Noticed, Record, ring};
    use crate::boot_time::BootTime;

    fn records() -> impl Iterator<Item = (u64, Vec<u8>)> {
        (0..50_000u64).map(|i| (i, vec![i.to_ne_bytes()[0]; usize::try_from(i * 37 % 4097).unwrap()]))
    }

    #[test]
    fn every_record_comes_out_as_it_went_in() {
        let (mut writer, mut reader) = ring();
        let sender = Sender { port: 7, groups: 2, uid: Some(1000) };
        for what in [
            Noticed::Event(b"add@/devices/x\0"),
            Noticed::Event(&[]),
            Noticed::Overrun { dropped: u32::MAX, queued: 2176, effective: 2304 },
            Noticed::Truncated,
            Noticed::Foreign(sender),
            Noticed::Foreign(Sender { uid: None, ..sender }),
        ] {
            let record = Record { at: BootTime::from_nanos(u64::MAX), what };
            writer.push(record);
            assert_eq!(reader.pop(), Some(record));
            assert_eq!(reader.pop(), None);
        }
    }

    #[test]
    fn nothing_is_lost_or_mixed_between_two_threads() {
        let (mut writer, mut reader) = ring();
        thread::scope(|scope| {
            scope.spawn(move || {
                for (stamp, datagram) in records() {
                    while writer.room() == 0 {
                        thread::yield_now();
                    }
                    writer.push(Record { at: BootTime::from_nanos(stamp), what: Noticed::Event(&datagram) });
                }
            });
            for (stamp, datagram) in records() {
                loop {
                    if let Some(record) = reader.pop() {
                        let wanted = Noticed::Event(&datagram);
                        assert_eq!(record, Record { at: BootTime::from_nanos(stamp), what: wanted });
                        break;
                    }
                    thread::yield_now();
                }
            }
        });
    }
}
