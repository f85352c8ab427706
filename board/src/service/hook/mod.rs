//! Runs a program for each event, like the kernel's former hotplug helper, but one at a time.
//!
//! A hook is a consumer like any other: a slow one lags and receives the delta, lost removals
//! included. The engine does not wait for it, and starts it without allocating.
//!
//! Events of the subsystem `firmware` do not wait for other runs. A run that loads a driver may
//! itself be waiting for a firmware run (`fw_load_sysfs_fallback` in
//! `drivers/base/firmware_loader/fallback.c`). A separate consumer therefore reads them ahead of
//! the other events.

mod environment;
mod names;
mod run;

use std::ffi::{CString, NulError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{EpollEvent, EpollFlags};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{AccessFlags, access};
use sureplug_core::selection::Selection;
use sureplug_core::stream::{ConsumerId, Delivery, Lag};
use sureplug_core::time::Instant;
use sureplug_core::uevent::Uevent;

pub use environment::{MAX_ENVIRONMENT_BYTES, environment};
pub use names::is_allowed;
use run::{Program, Slot};

use crate::engine::capacity::BoardStream;
use crate::engine::{Context, Service};
use crate::report::{Notice, RunEnd};
use crate::sys;

/// The subsystem whose events do not wait for other runs.
const FIRMWARE: &[u8] = b"firmware";

/// The most concurrent runs for events of [`FIRMWARE`]. Further events wait.
const FIRMWARE_RUNS: usize = 4;

/// The default timeout of a run in milliseconds.
pub const DEFAULT_TIMEOUT_MS: u32 = 10_000;

/// The events that run the program.
#[derive(Clone, Debug)]
pub struct Wants {
    /// The subsystems whose events run it.
    pub selection: Selection,
    /// The property that an event must have.
    pub property: Option<Box<[u8]>>,
}

impl Wants {
    fn admit(&self, uevent: &Uevent<'_>) -> bool {
        self.property.as_deref().is_none_or(|key| uevent.property(key).is_some())
    }
}

/// A program and its runs.
#[derive(Debug)]
pub struct Hook {
    program: Program,
    wants: Wants,
    children: SignalFd,
    lanes: [Lane; 2],
    /// Missed events that no run has reported to the program yet.
    unpassed: u64,
}

/// A consumer whose events are delivered in order, with slots for their runs.
#[derive(Debug)]
struct Lane {
    is_firmware: bool,
    /// `None` before it joins the stream, or if no event of the lane is wanted.
    consumer: Option<ConsumerId>,
    /// Events that it missed.
    missed: u64,
    slots: Box<[Slot]>,
}

impl Lane {
    fn new(is_firmware: bool, runs: usize) -> Self {
        let slots = (0..runs).map(|_| Slot::new()).collect();
        Self { is_firmware, consumer: None, missed: 0, slots }
    }
}

impl Hook {
    /// Prepares the hook. Must be called before other threads start, because it blocks `SIGCHLD` in
    /// this thread and in those started later.
    ///
    /// # Errors
    ///
    /// Returns the system's error if the program is not an executable file, or if a descriptor
    /// cannot be opened.
    pub fn open(program: &Path, timeout_ms: u32, wants: Wants) -> io::Result<Self> {
        // The program runs in `/`, where a relative path would be wrong.
        let path = std::path::absolute(program)?;
        access(&path, AccessFlags::X_OK)?;
        if !path.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        sys::enable_child_signals()?;
        let children = SigSet::from_iter([Signal::SIGCHLD]);
        children.thread_block()?;
        let children = SignalFd::with_flags(&children, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|_: NulError| Errno::EINVAL)?;
        let program = Program::new(path, Duration::from_millis(timeout_ms.into()))?;
        program.epoll.add(&children, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        Ok(Self {
            program,
            wants,
            children,
            lanes: [Lane::new(false, 1), Lane::new(true, FIRMWARE_RUNS)],
            unpassed: 0,
        })
    }
}

impl Service for Hook {
    fn join(&mut self, stream: &mut BoardStream) {
        let Self { wants, lanes: [others, firmware], .. } = self;
        others.consumer = stream.join(wants.selection.clone(), Lag::Hold);
        if wants.selection.admits(Some(FIRMWARE)) {
            firmware.consumer = stream.join(Selection::of(&[FIRMWARE]).unwrap_or(Selection::ALL), Lag::Hold);
        }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.program.epoll.0.as_fd())
    }

    fn deadline(&self) -> Option<Instant> {
        self.lanes.iter().flat_map(|lane| &lane.slots).filter_map(Slot::deadline).min()
    }

    fn runs_programs(&self) -> bool {
        true
    }

    /// Reads the runs' output, records ended runs, and kills those that exceed the timeout.
    fn ready(&mut self, context: &mut Context<'_>) {
        let Self { program, children, lanes, .. } = self;
        while let Ok(Some(_)) = children.read_signal() {}
        // As PID 1 this process also reaps processes that earlier runs left behind.
        while let Some((pid, status)) = sys::reap() {
            lanes.iter_mut().flat_map(|lane| &mut lane.slots).for_each(|slot| slot.note_end(pid, status));
        }
        lanes.iter_mut().flat_map(|lane| &mut lane.slots).for_each(|slot| slot.check(program, context));
    }

    /// Runs the program for the next events while a slot is free.
    fn deliver(&mut self, context: &mut Context<'_>) {
        let Self { program, wants, lanes, unpassed, .. } = self;
        for Lane { is_firmware, consumer, missed, slots } in lanes {
            let Some(consumer) = *consumer else { continue };
            while let Some(slot) = slots.iter_mut().find(|slot| slot.is_free()) {
                match context.stream.next(consumer, context.now, context.packet) {
                    None => break,
                    Some(Delivery::Missed { steps }) => {
                        *missed += steps;
                        // What both lanes missed counts once.
                        let events = missed.saturating_sub(context.totals.hook_missed);
                        if events > 0 {
                            context.totals.hook_missed += events;
                            *unpassed += events;
                            context.note(Notice::HookMissed { at: context.now, events });
                        }
                    }
                    Some(Delivery::SnapshotEnd | Delivery::Reset) => {}
                    Some(Delivery::Event(entry)) => {
                        context.has_delivered = true;
                        let is_other = (entry.uevent.subsystem() == Some(FIRMWARE)) != *is_firmware;
                        if is_other || !wants.admit(&entry.uevent) {
                            continue;
                        }
                        context.totals.hook_runs += 1;
                        match slot.start(program, &entry, context.totals.hook_runs, *unpassed) {
                            Ok(()) => *unpassed = 0,
                            Err(errno) => slot.report(RunEnd::NotStarted(errno), program, context),
                        }
                    }
                }
            }
        }
    }
}
