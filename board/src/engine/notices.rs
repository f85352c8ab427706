//! Keeps notices for the operator in a ring that each output reads at its own pace.

use std::collections::VecDeque;

use crate::report::{HookRun, Notice};

/// The most notices kept. Few suffice, since each stands for many events.
const MAX_NOTICES: usize = 32;

/// The last notices, and the position of each in the stream.
pub struct Notices {
    /// Each notice with the number of steps that precede it.
    ring: VecDeque<(u64, Notice<'static>)>,
    /// The number of the oldest notice in the ring. As many were overwritten.
    first: u64,
    /// The report of a program's run that the output has not shown yet.
    pub(crate) run: Option<HookRun>,
}

impl Notices {
    pub(super) fn new() -> Self {
        Self { ring: VecDeque::with_capacity(MAX_NOTICES), first: 0, run: None }
    }

    /// Adds a notice after `steps` steps of the stream. A full ring drops its oldest notice.
    pub fn add(&mut self, steps: u64, notice: Notice<'static>) {
        if self.ring.len() == MAX_NOTICES {
            self.ring.pop_front();
            self.first += 1;
        }
        self.ring.push_back((steps, notice));
    }

    /// Returns the next notice for a reader that has read `read_steps` steps of the stream. One
    /// [`Notice::OutputDropped`] stands for all notices overwritten before the reader read them.
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

    /// Returns the number of notices that were overwritten before a reader read them.
    pub(crate) const fn overwritten(&self, reader: &NoticeReader) -> u64 {
        self.first.saturating_sub(reader.next)
    }

    /// Returns the number of notices in the ring that a reader has not read.
    pub(crate) fn waiting(&self, reader: &NoticeReader) -> u64 {
        self.first + self.ring.len() as u64 - reader.next.max(self.first)
    }
}

/// An output's position in the notices.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoticeReader {
    next: u64,
    /// The number of notices that it missed.
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
