//! The ring between the two threads: whole records in fixed memory, allocated once.

use std::ops::Range;

use rtrb::{Consumer, Producer, RingBuffer};
use sureplug_core::bytes::array;
use sureplug_core::limits::MAX_DATAGRAM_BYTES;
use sureplug_core::netlink::Sender;
use sureplug_core::time::Instant;

/// Bytes of the ring, about 170 events of usual length. The kernel's buffer holds more.
const RING_BYTES: usize = 64 * 1024;

/// Bytes before a record's datagram: tag, three numbers, stamp, length.
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

/// The most bytes of one record.
const MAX_RECORD_BYTES: usize = HEADER_BYTES + MAX_DATAGRAM_BYTES;

/// One observation of the intake, with the time at which it read the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation<'a> {
    /// The time.
    pub at: Instant,
    /// The observation.
    pub what: Observed<'a>,
}

/// The kinds of observations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed<'a> {
    /// A datagram of the kernel.
    Event(&'a [u8]),
    /// The kernel dropped events.
    Overrun {
        /// Their number; a lower bound if the kernel has no drop counter.
        dropped: u32,
        /// Bytes queued when this was noticed.
        queued: u32,
        /// The effective receive buffer in bytes.
        effective: u32,
    },
    /// An event of the kernel exceeded the datagram buffer.
    Truncated,
    /// The first message of another sender. Further ones are only counted.
    Foreign(Sender),
}

/// The intake's end.
#[derive(Debug)]
pub(super) struct Writer {
    ring: Producer<u8>,
    /// Records that are published together: the threads share the bounds of the ring, and each
    /// change of them costs both.
    staged: Vec<u8>,
}

/// The engine's end.
#[derive(Debug)]
pub(super) struct Reader {
    ring: Consumer<u8>,
    /// A record that wraps around the ring's end, joined.
    wrapped: Box<[u8; MAX_RECORD_BYTES]>,
}

/// Allocates a ring. At most `batch` records are published together.
pub(super) fn ring(batch: usize) -> (Writer, Reader) {
    let (producer, consumer) = RingBuffer::new(RING_BYTES);
    (
        Writer { ring: producer, staged: Vec::with_capacity(batch * MAX_RECORD_BYTES) },
        Reader { ring: consumer, wrapped: Box::new([0; MAX_RECORD_BYTES]) },
    )
}

impl Writer {
    /// Returns how many records certainly fit.
    pub(super) fn room(&self) -> usize {
        self.ring.slots() / MAX_RECORD_BYTES
    }

    /// Returns `true` if the reader should be woken now so that room is available in time.
    pub(super) fn is_filling_up(&self) -> bool {
        self.ring.slots() < RING_BYTES / 4
    }

    /// Stages a record. The caller must have checked [`room`](Self::room), and publishes it.
    pub(super) fn push(&mut self, record: Observation<'_>) {
        let (tag, numbers, datagram): (_, [u32; 3], &[u8]) = match record.what {
            Observed::Event(datagram) => (EVENT, [0; 3], datagram),
            Observed::Overrun { dropped, queued, effective } => (OVERRUN, [dropped, queued, effective], &[]),
            Observed::Truncated => (TRUNCATED, [0; 3], &[]),
            Observed::Foreign(Sender { port, groups, uid: Some(uid) }) => (FOREIGN, [port, groups, uid], &[]),
            Observed::Foreign(Sender { port, groups, uid: None }) => (FOREIGN_NO_UID, [port, groups, 0], &[]),
        };
        let mut header = [0; HEADER_BYTES];
        header[TAG] = tag;
        for (place, number) in header[NUMBERS].chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_ne_bytes());
        }
        header[STAMP].copy_from_slice(&record.at.as_nanos().to_ne_bytes());
        header[LENGTH].copy_from_slice(&u16::try_from(datagram.len()).unwrap_or(u16::MAX).to_ne_bytes());
        debug_assert!(self.staged.len() + HEADER_BYTES + datagram.len() <= self.staged.capacity());
        self.staged.extend_from_slice(&header);
        self.staged.extend_from_slice(datagram);
    }

    /// Publishes the staged records to the reader. Returns `true` if there were any.
    pub(super) fn publish(&mut self) -> bool {
        let published = self.ring.push_entire_slice(&self.staged);
        debug_assert!(published.is_ok(), "records were pushed without room for them");
        let any = !self.staged.is_empty();
        self.staged.clear();
        any
    }
}

impl Reader {
    /// Takes up to `limit` records, the oldest first, and returns their number.
    pub(super) fn take(&mut self, limit: usize, mut each: impl FnMut(Observation<'_>)) -> usize {
        let Ok(chunk) = self.ring.read_chunk(self.ring.slots()) else { return 0 };
        let (first, second) = chunk.as_slices();
        let mut bytes = Pieces { first, second, wrapped: &mut self.wrapped };
        let (mut taken, mut at) = (0, 0);
        while taken < limit && at < first.len() + second.len() {
            let header: [u8; HEADER_BYTES] = array(bytes.get(at..at + HEADER_BYTES));
            let length = usize::from(u16::from_ne_bytes(array(&header[LENGTH])));
            at += HEADER_BYTES;
            each(record(&header, bytes.get(at..at + length)));
            at += length;
            taken += 1;
        }
        chunk.commit(at);
        taken
    }

    /// Returns `true` if there are no records.
    pub(super) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }
}

/// The contents of the ring: two slices if they wrap around its end.
struct Pieces<'a> {
    first: &'a [u8],
    second: &'a [u8],
    wrapped: &'a mut [u8; MAX_RECORD_BYTES],
}

impl Pieces<'_> {
    /// Returns bytes as one slice.
    fn get(&mut self, range: Range<usize>) -> &[u8] {
        let end = self.first.len();
        if range.end <= end {
            return &self.first[range];
        }
        if range.start >= end {
            return &self.second[range.start - end..range.end - end];
        }
        let (before, behind) = (&self.first[range.start..], &self.second[..range.end - end]);
        self.wrapped[..before.len()].copy_from_slice(before);
        self.wrapped[before.len()..range.len()].copy_from_slice(behind);
        &self.wrapped[..range.len()]
    }
}

fn record<'r>(header: &[u8; HEADER_BYTES], datagram: &'r [u8]) -> Observation<'r> {
    let mut numbers = header[NUMBERS].chunks_exact(4).map(|bytes| u32::from_ne_bytes(array(bytes)));
    let mut number = || numbers.next().unwrap_or(0);
    let what = match header[TAG] {
        EVENT => Observed::Event(datagram),
        OVERRUN => Observed::Overrun { dropped: number(), queued: number(), effective: number() },
        TRUNCATED => Observed::Truncated,
        tag => {
            let (port, groups, uid) = (number(), number(), number());
            Observed::Foreign(Sender { port, groups, uid: (tag == FOREIGN).then_some(uid) })
        }
    };
    Observation { at: Instant::from_nanos(u64::from_ne_bytes(array(&header[STAMP]))), what }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use sureplug_core::netlink::Sender;

    use super::{Observation, Observed, ring};
    use sureplug_core::time::Instant;

    const BATCH: usize = 3;

    /// So many that the ring's end is met in every way, and of every length.
    fn records() -> impl Iterator<Item = (u64, Vec<u8>)> {
        (0..50_000u64).map(|i| (i, vec![i.to_ne_bytes()[0]; usize::try_from(i * 37 % 4097).unwrap()]))
    }

    #[test]
    fn every_record_comes_out_as_it_went_in() {
        let (mut writer, mut reader) = ring(BATCH);
        let sender = Sender { port: 7, groups: 2, uid: Some(1000) };
        for what in [
            Observed::Event(b"add@/devices/x\0"),
            Observed::Event(&[]),
            Observed::Overrun { dropped: u32::MAX, queued: 2176, effective: 2304 },
            Observed::Truncated,
            Observed::Foreign(sender),
            Observed::Foreign(Sender { uid: None, ..sender }),
        ] {
            let wanted = Observation { at: Instant::from_nanos(u64::MAX), what };
            writer.push(wanted);
            assert_eq!(reader.take(1, |record| panic!("{record:?} was not published")), 0);
            assert!(writer.publish() && !writer.publish());
            assert!(!reader.is_empty());
            assert_eq!(reader.take(9, |record| assert_eq!(record, wanted)), 1);
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn ring_keeps_untaken_records() {
        let (mut writer, mut reader) = ring(BATCH);
        let at = Instant::BOOT;
        for datagram in [&b"first"[..], b"second", b"third"] {
            writer.push(Observation { at, what: Observed::Event(datagram) });
        }
        writer.publish();
        let mut seen = Vec::new();
        for limit in [2, 0, 1] {
            let taken = reader.take(limit, |record| seen.push(format!("{:?}", record.what)));
            assert_eq!(taken, limit);
        }
        assert_eq!(seen.len(), 3);
        assert!(seen[2].starts_with("Event([116, 104, 105, 114, 100"), "{seen:?}");
    }

    #[test]
    fn nothing_is_lost_or_mixed_between_two_threads() {
        let (mut writer, mut reader) = ring(BATCH);
        thread::scope(|scope| {
            scope.spawn(move || {
                let all: Vec<_> = records().collect();
                for batch in all.chunks(BATCH) {
                    while writer.room() < BATCH {
                        thread::yield_now();
                    }
                    for (stamp, datagram) in batch {
                        let at = Instant::from_nanos(*stamp);
                        writer.push(Observation { at, what: Observed::Event(datagram) });
                    }
                    writer.publish();
                }
            });
            let mut wanted = records();
            let mut left = records().count();
            while left > 0 {
                left -= reader.take(7, |record| {
                    let (stamp, datagram) = wanted.next().unwrap();
                    let what = Observed::Event(&datagram);
                    assert_eq!(record, Observation { at: Instant::from_nanos(stamp), what });
                });
                thread::yield_now();
            }
        });
    }
}
