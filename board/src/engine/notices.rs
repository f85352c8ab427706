//! Notices for the operator, in a ring that each output reads at its own pace.

use std::collections::VecDeque;

use crate::report::{HookRun, Notice};

/// Notices that are kept. They are few, since each stands for many events.
const MAX_NOTICES: usize = 32;

/// The last notices, and where each stands in the stream.
pub struct Notices {
    /// Behind how many steps of the stream each comes.
    ring: VecDeque<(u64, Notice<'static>)>,
    /// Notices that were overwritten: the number of the oldest one that is kept.
    first: u64,
    /// The report of a program's run that the output has not shown yet.
    pub(crate) run: Option<HookRun>,
}

impl Notices {
    pub(super) fn new() -> Self {
        Self { ring: VecDeque::with_capacity(MAX_NOTICES), first: 0, run: None }
    }

    /// Adds a notice behind `steps` of the stream. The oldest makes room for it.
    pub fn add(&mut self, steps: u64, notice: Notice<'static>) {
        if self.ring.len() == MAX_NOTICES {
            self.ring.pop_front();
            self.first += 1;
        }
        self.ring.push_back((steps, notice));
    }

    /// Returns the next notice for a reader that has read so many steps of the stream. What the ring has overwritten comes
    /// as [`Notice::OutputDropped`].
    pub fn next(&self, reader: &mut NoticeReader, read_steps: u64) -> Option<Notice<'static>> {
        let lines = self.overwritten(reader);
        if lines > 0 {
            reader.next = self.first;
            reader.missed += lines;
            return Some(Notice::OutputDropped { lines });
        }
        let index = usize::try_from(reader.next - self.first).ok()?;
        let (_, notice) = self.ring.get(index).filter(|(steps, _)| *steps <= read_steps)?;
        reader.next += 1;
        Some(*notice)
    }

    /// Returns the notices that were overwritten before a reader learned of them.
    pub(crate) const fn overwritten(&self, reader: &NoticeReader) -> u64 {
        self.first.saturating_sub(reader.next)
    }

    /// Returns the notices that wait for a reader.
    pub(crate) fn waiting(&self, reader: &NoticeReader) -> u64 {
        self.first + self.ring.len() as u64 - reader.next.max(self.first)
    }
}

/// How far an output has read the notices.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoticeReader {
    next: u64,
    /// Notices that were overwritten before.
    pub(crate) missed: u64,
}

#[cfg(test)]
mod tests {
    use super::{MAX_NOTICES, NoticeReader, Notices};
    use crate::report::Notice;

    #[test]
    fn a_slow_reader_learns_how_many_notices_it_missed() {
        let (mut notices, mut slow, mut quick) =
            (Notices::new(), NoticeReader::default(), NoticeReader::default());
        for _ in 0..MAX_NOTICES + 3 {
            notices.add(7, Notice::Restricted);
            assert!(notices.next(&mut quick, 6).is_none());
            assert!(matches!(notices.next(&mut quick, 7), Some(Notice::Restricted)));
        }
        assert_eq!((notices.overwritten(&slow), notices.waiting(&slow)), (3, MAX_NOTICES as u64));
        assert!(matches!(notices.next(&mut slow, 0), Some(Notice::OutputDropped { lines: 3 })));
        let read = (0..99).take_while(|_| notices.next(&mut slow, 7).is_some()).count();
        assert_eq!((read, slow.missed, notices.waiting(&slow)), (MAX_NOTICES, 3, 0));
    }
}
