//! The guarantee inside one's own program, without a daemon.

mod open;

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use nix::poll::PollTimeout;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::timer::{Expiration, TimerSetTimeFlags};
use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};
use sureplug_core::protocol::{self, BrokerPacket, MAX_PACKET_BYTES, PacketKind};
use sureplug_core::selection::Selection;
use sureplug_core::stream::{Agreement, ConsumerId, Delivery, DeliveryBuffer, DeviceEvent, Lag};
use sureplug_core::time::Instant;

pub(crate) use open::{Prepared, prepare};
pub use open::{WatchError, WatcherBuilder};

use crate::doorbell::poll_in;
use crate::engine::Engine;
use crate::time::monotonic_now;

/// Records taken from the ring before the consumer reads on: so few that the journal holds what follows from them.
const RECORDS_A_STEP: usize = 16;

/// How long events may put off a scan that is due.
const MAX_SCAN_DELAY: Duration = Duration::from_secs(1);

/// Receives the kernel's uevents without losing one silently.
///
/// A watcher first yields an `add` for each device that is present, then [`Item::SnapshotEnd`], then live events. If the
/// kernel drops events, it yields [`Item::Lost`] with their number, scans sysfs, and yields the difference.
///
/// [`open`](WatcherBuilder::open) allocates all memory and starts a thread that only reads the socket; the thread ends when
/// the watcher is dropped. Several watchers can be open at once. A watcher can move to another thread. After `fork(2)` only
/// the parent may use it: the child has no thread that reads.
///
/// Nothing is yielded before sysfs is mounted at `/sys`. The types of an event, such as
/// [`Action`](sureplug_core::uevent::Action), are those of the crate `sureplug-core`.
///
/// A watcher that is not read cannot resync. The receive buffer and the ring in front of it hold what a burst at each port
/// raises within [`max_stall`](WatcherBuilder::max_stall), one second unless stated: read it at least that often.
///
/// # In an event loop
///
/// The descriptor of [`AsFd`] is readable while [`try_next`](Self::try_next) has work. Poll it for input, then call `try_next`,
/// at best until it returns `None`:
///
/// ```no_run
/// # use std::os::fd::AsFd;
/// # use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
/// # let mut watcher = sureplug_board::Watcher::builder().open()?;
/// loop {
///     while let Some(item) = watcher.try_next()? {
///         println!("{item:?}");
///     }
///     poll(&mut [PollFd::new(watcher.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE)?;
/// }
/// # #[allow(unreachable_code)]
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// An event loop that reports edges must call it until then. With mio, register `SourceFd(&watcher.as_raw_fd())` for
/// `Interest::READABLE`; with tokio, wrap the watcher in an `AsyncFd`:
///
/// ```ignore
/// // `AsyncFd::with_interest` before tokio 1.54.
/// // SAFETY: a watcher has the same descriptor, and keeps it open, as long as it lives.
/// let mut watcher = unsafe { AsyncFd::register_with_interest(watcher, Interest::READABLE) }?;
/// loop {
///     let mut guard = watcher.readable_mut().await?;
///     while let Some(item) = guard.get_inner_mut().try_next()? {
///         println!("{item:?}");
///     }
///     guard.clear_ready();
/// }
/// ```
pub struct Watcher {
    /// It has some 9 kB, which are not moved with the watcher.
    engine: Box<Engine>,
    /// `None` until the first scan has ended: what it finds is the snapshot.
    consumer: Option<ConsumerId>,
    selection: Selection,
    buffer: Box<DeliveryBuffer>,
    /// The event that is handed out, as a packet of the broker would carry it.
    packet: Box<[u8; MAX_PACKET_BYTES]>,
    /// Readable when there is something to do: the intake's doorbell and the timer of the next scan.
    poll: Epoll,
    timer: TimerFd,
    effective_bytes: u32,
    /// Events dropped or damaged that were handed out as [`Item::Lost`], and those that were noticed.
    lost: Lost,
}

/// What a [`Watcher`] yields.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Item<'w> {
    /// An event. Per devpath `add` and `remove` alternate, beginning with `add`; other actions come between. Events that are
    /// not [`tracked`](DeviceEvent::tracked) are exempt: those of no class or bus, and of devices that exceed the table.
    Event(DeviceEvent<'w>),
    /// All present devices have been announced: live events follow.
    SnapshotEnd,
    /// The kernel dropped events of this socket, or they arrived damaged. The difference follows: removals, additions, and a
    /// `change` for each device that stayed.
    Lost {
        /// How many, at least.
        events: u64,
    },
    /// More events were applied at once than the watcher's memory holds. The difference follows, then
    /// [`SnapshotEnd`](Self::SnapshotEnd).
    Missed {
        /// How many.
        events: u64,
    },
}

/// Counts of events that were dropped or damaged.
#[derive(Clone, Copy, Debug, Default)]
struct Lost {
    reported: u64,
    noticed: u64,
    /// The step of the stream behind which the newest of them were noticed.
    behind: u64,
}

/// An item without what it borrows.
#[derive(Clone, Copy)]
enum Fetched {
    Nothing,
    Lost(u64),
    Missed(u64),
    SnapshotEnd,
    /// Bytes of the event in [`Watcher::packet`].
    Event(usize),
}

impl Lost {
    /// Notes what the engine has counted since the last time, before it resyncs that.
    fn notice(&mut self, engine: &Engine) {
        let noticed = engine.tracker.totals.damaged_or_lost();
        if noticed > self.noticed {
            (self.noticed, self.behind) = (noticed, engine.tracker.stream.steps());
        }
    }
}

impl Watcher {
    /// Returns a builder.
    #[must_use]
    pub fn builder() -> WatcherBuilder {
        WatcherBuilder::new()
    }

    fn start(engine: Box<Engine>, selection: Selection, effective_bytes: u32) -> io::Result<Self> {
        let poll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let timer =
            TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)?;
        poll.add(engine.intake.doorbell(), EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        poll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, 1))?;
        let mut watcher = Self {
            engine,
            consumer: None,
            selection,
            buffer: Box::new(DeliveryBuffer::new()),
            packet: Box::new([0; MAX_PACKET_BYTES]),
            poll,
            timer,
            effective_bytes,
            lost: Lost::default(),
        };
        // The first scan is due: the descriptor is readable from the start.
        watcher.set_timer(Some(Instant::BOOT.after(Duration::from_nanos(1))))?;
        Ok(watcher)
    }

    /// Waits for the next item.
    ///
    /// # Errors
    ///
    /// Returns the system's error if the socket or `poll(2)` fails. A scan that cannot read everything is no error: it is
    /// repeated, and [`is_steady`](Self::is_steady) returns `false` until then.
    // It never ends, and its items borrow from it: no iterator.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> io::Result<Item<'_>> {
        loop {
            match self.fetch()? {
                Fetched::Nothing => self.sleep(PollTimeout::NONE)?,
                fetched => return self.item(fetched).ok_or_else(|| io::ErrorKind::InvalidData.into()),
            }
        }
    }

    /// Waits for the next item for `timeout` at most, known to the millisecond. Returns `None` if none came.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn next_within(&mut self, timeout: Duration) -> io::Result<Option<Item<'_>>> {
        let end = monotonic_now().after(timeout);
        loop {
            let fetched = self.fetch()?;
            let left = end.since(monotonic_now());
            if !matches!(fetched, Fetched::Nothing) || left.is_zero() {
                return Ok(self.item(fetched));
            }
            let whole = left.saturating_add(Duration::from_micros(999));
            self.sleep(PollTimeout::try_from(whole).unwrap_or(PollTimeout::MAX))?;
        }
    }

    /// Returns the next item without waiting for events; `None` if there is none: [poll](AsFd::as_fd) for the next.
    ///
    /// A scan of sysfs, at the start, after a loss and after each burst, runs within the call. It takes a few milliseconds,
    /// and 100 more while the kernel is adding or removing a device.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn try_next(&mut self) -> io::Result<Option<Item<'_>>> {
        let fetched = self.fetch()?;
        Ok(self.item(fetched))
    }

    /// Returns `true` if what was yielded, once all is read, agrees with sysfs as far as events and scans show. Never so if
    /// some events cannot arrive here, as in a container's network namespace, or if sysfs cannot be read.
    #[must_use]
    pub fn is_steady(&self) -> bool {
        let Engine { tracker, devices, is_restricted, .. } = &*self.engine;
        let is_limited = *is_restricted || devices.is_foreign() || tracker.missing.is_some();
        !is_limited && tracker.schedule.agreement() == Agreement::Steady
    }

    /// Returns the receive buffer's size in bytes, as the kernel reads it back.
    #[must_use]
    pub const fn effective_bytes(&self) -> u32 {
        self.effective_bytes
    }

    /// Puts the next item into the packet. The doorbell is silenced only if there is none, so that the descriptor stays
    /// readable for an event loop that takes one item a turn.
    fn fetch(&mut self) -> io::Result<Fetched> {
        loop {
            if let Some(fetched) = self.fetch_lost().or_else(|| self.fetch_delivery()) {
                return Ok(fetched);
            }
            if !self.advance()? {
                let intake = &self.engine.intake;
                intake.doorbell().disarm(true);
                intake.doorbell().arm();
                if intake.is_empty() && !intake.has_ended() {
                    self.set_timer(self.engine.tracker.schedule.wake_at())?;
                    return Ok(Fetched::Nothing);
                }
                intake.doorbell().ring();
            }
        }
    }

    /// Applies what the intake has read, and scans sysfs if that is due. Returns `false` if there was nothing to do.
    fn advance(&mut self) -> io::Result<bool> {
        let Self { engine, lost, .. } = self;
        let has_ended = engine.intake.has_ended();
        let taken = engine.drain(RECORDS_A_STEP);
        lost.notice(engine);
        // What was sent before is delivered first, unless it never ends.
        let latest = engine.tracker.schedule.wake_at().map(|at| at.after(MAX_SCAN_DELAY));
        let may_scan = taken < RECORDS_A_STEP || latest.is_some_and(|latest| monotonic_now() >= latest);
        let has_scanned = may_scan && engine.scan_if_due(&mut |engine| lost.notice(engine))?;
        if has_scanned {
            // A scan may have silenced the doorbell, and the descriptor stays readable while items are left.
            engine.intake.doorbell().arm();
            engine.intake.doorbell().ring();
        }
        let mut has_advanced = taken > 0 || has_scanned;
        let Engine { intake, tracker, .. } = &mut *self.engine;
        if has_ended && !has_advanced {
            intake.join()?;
            return Err(io::Error::other("the uevent socket has failed"));
        }
        if self.consumer.is_none() && tracker.schedule.agreement() != Agreement::Starting {
            self.consumer = tracker.stream.join(self.selection.clone(), Lag::Hold);
            self.consumer.iter().for_each(|&id| tracker.stream.mark_snapshot_end(id));
            has_advanced = true;
        }
        Ok(has_advanced)
    }

    /// Hands out a loss once the consumer has read what came before.
    fn fetch_lost(&mut self) -> Option<Fetched> {
        let Lost { reported, noticed, behind } = self.lost;
        let is_due = noticed > reported && self.engine.tracker.stream.read_steps(self.consumer?) >= behind;
        is_due.then(|| {
            self.lost.reported = noticed;
            Fetched::Lost(noticed - reported)
        })
    }

    fn fetch_delivery(&mut self) -> Option<Fetched> {
        let Self { engine, packet, buffer, .. } = self;
        Some(match engine.tracker.stream.next(self.consumer?, monotonic_now(), buffer)? {
            Delivery::Event(event) => Fetched::Event(protocol::event(packet, &event, 0).len()),
            Delivery::Missed { steps } => Fetched::Missed(steps),
            // Its tombstones are held for it: it is never reset.
            Delivery::SnapshotEnd | Delivery::Reset => Fetched::SnapshotEnd,
        })
    }

    fn item(&self, fetched: Fetched) -> Option<Item<'_>> {
        match fetched {
            Fetched::Nothing => None,
            Fetched::Lost(events) => Some(Item::Lost { events }),
            Fetched::Missed(events) => Some(Item::Missed { events }),
            Fetched::SnapshotEnd => Some(Item::SnapshotEnd),
            Fetched::Event(length) => match BrokerPacket::parse(&self.packet[..length]).ok()?.kind() {
                PacketKind::Event(event) => Some(Item::Event(event)),
                _ => None,
            },
        }
    }

    fn sleep(&self, timeout: PollTimeout) -> io::Result<()> {
        poll_in([self.as_fd()], timeout).map(|_| ())
    }

    /// Has the descriptor become readable at that time. What the timer showed before is taken back.
    fn set_timer(&mut self, at: Option<Instant>) -> io::Result<()> {
        match at {
            // A time of zero would stop it.
            Some(at) => {
                let at = Duration::from_micros(at.as_micros().max(1));
                self.timer.set(Expiration::OneShot(at.into()), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
            }
            None => self.timer.unset()?,
        }
        Ok(())
    }
}

impl AsFd for Watcher {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poll.0.as_fd()
    }
}

/// For event loops that take no [`AsFd`], such as tokio's `AsyncFd`.
impl AsRawFd for Watcher {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let devices = self.engine.tracker.stream.devices();
        f.debug_struct("Watcher").field("devices", &devices).field("lost", &self.lost).finish_non_exhaustive()
    }
}
