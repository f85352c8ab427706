//! Runs a program for each event, one at a time, like the kernel's former hotplug helper.
//!
//! A hook is a consumer like any other: a slow one lags and gets the delta, lost removals included.
//! The engine does not wait for it, and allocates nothing to start it.
//!
//! Events of the subsystem `firmware` do not wait for other runs: a run that loads a driver ends
//! only once such an event's run has given the driver its firmware (`fw_load_sysfs_fallback` in
//! `drivers/base/firmware_loader/fallback.c`). A separate consumer reads them ahead of the other
//! events.

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

/// The most runs for events of [`FIRMWARE`] at the same time. Further ones wait.
const FIRMWARE_RUNS: usize = 4;

/// The default for the longest duration of a run in milliseconds.
pub const DEFAULT_TIMEOUT_MS: u32 = 10_000;

/// The events for which a program is run.
#[derive(Clone, Debug)]
pub struct Wants {
    /// Those of these subsystems.
    pub selection: Selection,
    /// Only those with this property.
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
}

/// The events in order, with room for their runs.
#[derive(Debug)]
struct Lane {
    is_firmware: bool,
    /// `None` before it joins the stream, or if the program is not run for its events.
    consumer: Option<ConsumerId>,
    /// Events that it missed and that the program has not been notified of.
    unpassed: u64,
    slots: Box<[Slot]>,
}

impl Lane {
    fn new(is_firmware: bool, runs: usize) -> Self {
        let slots = (0..runs).map(|_| Slot::new()).collect();
        Self { is_firmware, consumer: None, unpassed: 0, slots }
    }
}

impl Hook {
    /// Prepares the hook. Blocks `SIGCHLD` in this thread, so it must be called before there are
    /// other threads.
    ///
    /// # Errors
    ///
    /// Returns the system's error if the program cannot be run, or if no descriptor is left.
    pub fn open(program: &Path, timeout_ms: u32, wants: Wants) -> io::Result<Self> {
        // The program is started in `/`.
        let path = std::path::absolute(program)?;
        access(&path, AccessFlags::X_OK)?;
        if !path.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        sys::enable_child_signals()?;
        let children = SigSet::from_iter([Signal::SIGCHLD]);
        children.thread_block()?;
        let children = SignalFd::with_flags(&children, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|_: NulError| Errno::EINVAL)?;
        let program = Program::new(path, Duration::from_millis(timeout_ms.into()))?;
        program.epoll.add(&children, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        Ok(Self { program, wants, children, lanes: [Lane::new(false, 1), Lane::new(true, FIRMWARE_RUNS)] })
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

    /// Notes runs that have ended, reads their output, and ends those that take too long.
    fn ready(&mut self, context: &mut Context<'_>) {
        let Self { program, children, lanes, .. } = self;
        while let Ok(Some(_)) = children.read_signal() {}
        // As PID 1 this process also reaps what earlier runs have left behind.
        while let Some((pid, status)) = sys::reap() {
            lanes.iter_mut().flat_map(|lane| &mut lane.slots).for_each(|slot| slot.note_end(pid, status));
        }
        lanes.iter_mut().flat_map(|lane| &mut lane.slots).for_each(|slot| slot.check(program, context));
    }

    /// Runs the program for the next events if there is room for their runs.
    fn deliver(&mut self, context: &mut Context<'_>) {
        let Self { program, wants, lanes, .. } = self;
        for Lane { is_firmware, consumer, unpassed, slots } in lanes {
            let Some(consumer) = *consumer else { continue };
            while let Some(slot) = slots.iter_mut().find(|slot| slot.is_free()) {
                match context.stream.next(consumer, context.now, context.packet) {
                    None => break,
                    Some(Delivery::Missed { steps }) => {
                        context.totals.hook_missed += steps;
                        *unpassed += steps;
                        context.note(Notice::HookMissed { at: context.now, events: steps });
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
