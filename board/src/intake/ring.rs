//! The ring between the two threads: records in fixed memory, allocated once. A second ring holds the
//! bytes of the datagrams, which are written before their record and freed after it.

use rtrb::{Consumer, Producer, RingBuffer};
use sureplug_core::limits::MAX_DATAGRAM_BYTES;
use sureplug_core::netlink::Sender;
use sureplug_core::time::Instant;

/// Bytes of datagrams, about 190 events of usual length. The kernel's buffer holds more.
const RING_BYTES: usize = 64 * 1024;

/// Records: more than the events that fit, unless they are very short.
const RECORDS: usize = 512;

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

/// A record in the ring.
#[derive(Debug)]
enum RingRecord {
    /// A datagram of that many bytes, the next one in the other ring.
    Event {
        at: Instant,
        bytes: usize,
    },
    Other(Observation<'static>),
}

/// The intake's end.
#[derive(Debug)]
pub(super) struct RingWriter {
    records: Producer<RingRecord>,
    datagrams: Producer<u8>,
}

/// The engine's end.
#[derive(Debug)]
pub(super) struct RingReader {
    records: Consumer<RingRecord>,
    datagrams: Consumer<u8>,
    /// A datagram that wraps around the ring's end, joined.
    wrapped: Vec<u8>,
}

/// Allocates a ring.
pub(super) fn ring() -> (RingWriter, RingReader) {
    let (write_records, read_records) = RingBuffer::new(RECORDS);
    let (write_datagrams, read_datagrams) = RingBuffer::new(RING_BYTES);
    let wrapped = Vec::with_capacity(MAX_DATAGRAM_BYTES);
    (
        RingWriter { records: write_records, datagrams: write_datagrams },
        RingReader { records: read_records, datagrams: read_datagrams, wrapped },
    )
}

impl RingWriter {
    /// Returns how many records certainly fit.
    pub(super) fn room(&self) -> usize {
        self.records.slots().min(self.datagrams.slots() / MAX_DATAGRAM_BYTES)
    }

    /// Returns `true` if the reader should be woken now so that room is available in time.
    pub(super) fn is_filling_up(&self) -> bool {
        self.records.slots() < RECORDS / 4 || self.datagrams.slots() < RING_BYTES / 4
    }

    /// Adds a datagram of the kernel. The caller must have checked [`room`](Self::room).
    pub(super) fn push_event(&mut self, at: Instant, datagram: &[u8]) {
        let pushed = self.datagrams.push_entire_slice(datagram);
        debug_assert!(pushed.is_ok(), "a datagram was pushed without room for it");
        self.push_record(RingRecord::Event { at, bytes: datagram.len() });
    }

    /// Adds a record without a datagram, on the same condition.
    pub(super) fn push(&mut self, at: Instant, what: Observed<'static>) {
        self.push_record(RingRecord::Other(Observation { at, what }));
    }

    fn push_record(&mut self, record: RingRecord) {
        let pushed = self.records.push(record);
        debug_assert!(pushed.is_ok(), "a record was pushed without room for it");
    }
}

impl RingReader {
    /// Takes up to `limit` records, the oldest first, and returns their number.
    pub(super) fn take(&mut self, limit: usize, mut each: impl FnMut(Observation<'_>)) -> usize {
        let mut taken = 0;
        while taken < limit {
            match self.records.pop() {
                Ok(RingRecord::Event { at, bytes }) => {
                    let Ok(chunk) = self.datagrams.read_chunk(bytes) else { break };
                    let (front, behind) = chunk.as_slices();
                    let datagram = if behind.is_empty() {
                        front
                    } else {
                        self.wrapped.clear();
                        self.wrapped.extend_from_slice(front);
                        self.wrapped.extend_from_slice(behind);
                        &self.wrapped
                    };
                    each(Observation { at, what: Observed::Event(datagram) });
                    chunk.commit_all();
                }
                Ok(RingRecord::Other(observation)) => each(observation),
                Err(_) => break,
            }
            taken += 1;
        }
        taken
    }

    /// Returns `true` if there are no records.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use sureplug_core::netlink::Sender;

    use super::{Observation, Observed, RECORDS, RingWriter, ring};
    use sureplug_core::time::Instant;

    const BATCH: usize = 3;

    fn push(writer: &mut RingWriter, Observation { at, what }: Observation<'_>) {
        match what {
            Observed::Event(datagram) => writer.push_event(at, datagram),
            Observed::Overrun { dropped, queued, effective } => {
                writer.push(at, Observed::Overrun { dropped, queued, effective });
            }
            Observed::Truncated => writer.push(at, Observed::Truncated),
            Observed::Foreign(sender) => writer.push(at, Observed::Foreign(sender)),
        }
    }

    /// Returns records of every length, enough to reach the end of the ring in every way.
    fn records() -> impl Iterator<Item = (u64, Vec<u8>)> {
        (0..50_000u64).map(|i| (i, vec![i.to_ne_bytes()[0]; usize::try_from(i * 37 % 4097).unwrap()]))
    }

    #[test]
    fn every_record_comes_out_as_it_went_in() {
        let (mut writer, mut reader) = ring();
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
            push(&mut writer, wanted);
            assert!(!reader.is_empty());
            assert_eq!(reader.take(9, |record| assert_eq!(record, wanted)), 1);
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn ring_keeps_untaken_records() {
        let (mut writer, mut reader) = ring();
        let at = Instant::BOOT;
        for datagram in [&b"first"[..], b"second", b"third"] {
            writer.push_event(at, datagram);
        }
        let mut seen = Vec::new();
        for limit in [2, 0, 1] {
            let taken = reader.take(limit, |record| seen.push(format!("{:?}", record.what)));
            assert_eq!(taken, limit);
        }
        assert_eq!(seen.len(), 3);
        assert!(seen[2].starts_with("Event([116, 104, 105, 114, 100"), "{seen:?}");
    }

    #[test]
    fn room_ends_with_the_records_if_datagrams_are_short() {
        let (mut writer, mut reader) = ring();
        let mut pushed = 0;
        while writer.room() > 0 {
            writer.push_event(Instant::BOOT, b"a@b");
            pushed += 1;
        }
        assert!(pushed == RECORDS && writer.is_filling_up());
        assert_eq!(
            reader.take(usize::MAX, |record| assert_eq!(record.what, Observed::Event(b"a@b"))),
            RECORDS
        );
        assert!(writer.room() > 0 && !writer.is_filling_up());
    }

    #[test]
    fn nothing_is_lost_or_mixed_between_two_threads() {
        let (mut writer, mut reader) = ring();
        thread::scope(|scope| {
            scope.spawn(move || {
                let all: Vec<_> = records().collect();
                for batch in all.chunks(BATCH) {
                    while writer.room() < BATCH {
                        thread::yield_now();
                    }
                    for (stamp, datagram) in batch {
                        writer.push_event(Instant::from_nanos(*stamp), datagram);
                    }
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
