//! Table and journal together: events and scans go in, and every consumer reads the same stream.
//!
//! ```
//! use sureplug_core::stream::journal::{Lag, Packet, Told};
//! use sureplug_core::stream::table::{Directory, Scope};
//! use sureplug_core::selection::Selection;
//! use sureplug_core::stream::Stream;
//! use sureplug_core::uevent::{Action, Uevent};
//!
//! let mut stream = Stream::<8, 2048, 1024, 1>::new();
//! let consumer = stream.join(Selection::ALL, Lag::Hold).expect("a place");
//! let datagram = b"add@/devices/usb2/2-1\0ACTION=add\0DEVPATH=/devices/usb2/2-1\0SUBSYSTEM=usb\0SEQNUM=9\0";
//! stream.event(0, &Uevent::parse(datagram)?, Scope::Tracked, Directory::Unknown);
//!
//! let mut packet = Packet::new();
//! let Some(Told::Event(entry)) = stream.next(consumer, 0, &mut packet) else { panic!() };
//! assert_eq!(entry.uevent.action(), Action::Add);
//! assert!(stream.next(consumer, 0, &mut packet).is_none());
//! # Ok::<(), sureplug_core::uevent::ParseError>(())
//! ```

pub mod journal;
pub mod schedule;
pub mod table;
mod zeroable;

use core::num::NonZeroU64;

use crate::limits::MAX_DATAGRAM_BYTES;
use crate::protocol::{has_own, without_own};
use crate::selection::Selection;
use crate::stream::journal::{ConsumerId, Journal, Lag, Packet, Told};
use crate::stream::table::{Directory, Look, Origin, Outcome, Presence, ScanKind, Scope, Transition};
use crate::uevent::Uevent;

/// A table of `SLOTS` devices with `BYTES` for what they say, a journal of `RING` bytes, and up to
/// `CONSUMERS` who read it.
///
/// A `stamp` is whatever the caller wants to get back with what it put in; the daemon takes nanoseconds
/// since boot.
pub struct Stream<const SLOTS: usize, const BYTES: usize, const RING: usize, const CONSUMERS: usize> {
    presence: Presence<SLOTS, BYTES>,
    journal: Journal<SLOTS, RING, CONSUMERS>,
}

impl<const SLOTS: usize, const BYTES: usize, const RING: usize, const CONSUMERS: usize>
    Stream<SLOTS, BYTES, RING, CONSUMERS>
{
    /// Without devices and consumers.
    #[must_use]
    pub const fn new() -> Self {
        Self { presence: Presence::new(), journal: Journal::new() }
    }

    /// The table.
    #[must_use]
    pub const fn presence(&self) -> &Presence<SLOTS, BYTES> {
        &self.presence
    }

    /// The journal.
    #[must_use]
    pub const fn journal(&self) -> &Journal<SLOTS, RING, CONSUMERS> {
        &self.journal
    }

    /// Applies an event of the kernel: see [`Presence::apply`].
    ///
    /// Its properties whose key begins with `SUREPLUG_` go no further: what is told under such a key is this stream's
    /// own, to every consumer alike.
    pub fn event(&mut self, stamp: u64, uevent: &Uevent<'_>, scope: Scope, directory: Directory) {
        if has_own(uevent) {
            let mut buffer = [0; MAX_DATAGRAM_BYTES];
            self.apply(stamp, &without_own(uevent, &mut buffer), scope, directory);
        } else {
            self.apply(stamp, uevent, scope, directory);
        }
    }

    fn apply(&mut self, stamp: u64, uevent: &Uevent<'_>, scope: Scope, directory: Directory) {
        let Self { presence, journal } = self;
        if scope == Scope::Tracked {
            journal.make_room(presence, uevent, directory.inode());
        }
        presence.apply(uevent, scope, directory, &mut |transition| journal.push(stamp, &transition));
    }

    /// See [`Presence::begin_scan`].
    pub fn begin_scan(&mut self, kind: ScanKind) {
        self.presence.begin_scan(kind);
    }

    /// See [`Presence::look_at`].
    pub fn look_at(&mut self, devpath: &[u8]) {
        self.presence.look_at(devpath);
    }

    /// See [`Presence::look_at_unseen`].
    pub fn look_at_unseen(&mut self) -> Option<(&[u8], &[u8])> {
        self.presence.look_at_unseen()
    }

    /// See [`Presence::saw`]. What has no place in the table is told at the start as it is.
    pub fn saw(&mut self, stamp: u64, uevent: &Uevent<'_>, inode: u64) -> Look {
        self.journal.make_room(&mut self.presence, uevent, NonZeroU64::new(inode));
        let look = self.presence.saw(uevent, inode);
        if look == Look::Unfit && self.presence.is_starting() {
            self.journal.push(stamp, &Transition::Untracked { origin: Origin::Scan, uevent: *uevent });
        }
        look
    }

    /// See [`Presence::gone`].
    pub fn gone(&mut self) -> Look {
        self.presence.gone()
    }

    /// See [`Presence::end_scan`].
    pub fn end_scan(&mut self, stamp: u64) -> Outcome {
        let Self { presence, journal } = self;
        presence.end_scan(&mut |transition| journal.push(stamp, &transition))
    }

    /// See [`Journal::join`].
    pub fn join(&mut self, selection: Selection, lag: Lag) -> Option<ConsumerId> {
        self.journal.join(selection, lag)
    }

    /// See [`Journal::take_as_told`].
    pub fn take_as_told(&mut self, id: ConsumerId) {
        self.journal.take_as_told(id, &mut self.presence);
    }

    /// See [`Journal::mark_current`].
    pub fn mark_current(&mut self, id: ConsumerId) {
        self.journal.mark_current(id);
    }

    /// See [`Journal::leave`].
    pub fn leave(&mut self, id: ConsumerId) {
        self.journal.leave(id, &mut self.presence);
    }

    /// See [`Journal::next`].
    pub fn next<'p>(&mut self, id: ConsumerId, now: u64, packet: &'p mut Packet) -> Option<Told<'p>> {
        self.journal.next(id, &mut self.presence, now, packet)
    }

    /// See [`Journal::reset`].
    pub fn reset(&mut self, id: ConsumerId) {
        self.journal.reset(id, &mut self.presence);
    }
}

impl<const SLOTS: usize, const BYTES: usize, const RING: usize, const CONSUMERS: usize> Default
    for Stream<SLOTS, BYTES, RING, CONSUMERS>
{
    fn default() -> Self {
        Self::new()
    }
}
