//! A scan of sysfs while events continue.

use std::io;
use std::time::Duration;

use nix::poll::PollTimeout;
use sureplug_core::stream::{Look, ScanKind};

use super::tracker::Tracker;
use super::{Engine, RECORDS_A_TURN};
use crate::intake::Intake;
use crate::report::Notice;
use crate::sysfs::Reading;
use crate::time::monotonic_now;

/// How often a device is looked at if events keep arriving in between.
const LOOKS: usize = 3;

/// How long events may delay a look. In an endless storm the look counts nevertheless: later events
/// correct what it takes too early.
const CATCH_UP_WITHIN: Duration = Duration::from_millis(5);

/// How long a device may lack files while the kernel adds or removes it: far longer than that
/// takes.
const PARTIAL_WITHIN: Duration = Duration::from_millis(100);

impl Engine {
    /// Brings the table in line with sysfs, as far as sysfs can be read. Without sysfs the scan is
    /// postponed.
    pub(super) fn scan(&mut self, kind: ScanKind, deliver: &mut dyn FnMut(&mut Self)) -> io::Result<()> {
        if !self.devices.reopen() {
            self.tracker.put_off_scan();
            return Ok(());
        }
        if kind == ScanKind::Start {
            self.devices.compare_namespace(self.intake.socket());
            self.look_at_namespace();
            if let Some(helper) = self.devices.uevent_helper() {
                self.tracker.note(Notice::UeventHelper { helper, has_hook: self.runs_programs });
            }
        }
        let scan = self.tracker.begin_scan(kind);
        self.look_at_all(deliver)?;
        if self.devices.is_undecided() {
            self.wait_for_events(PARTIAL_WITHIN, deliver)?;
            self.look_at_all(deliver)?;
        }
        self.look_at_unseen(deliver)?;
        self.look_at_namespace();
        if self.devices.is_undecided() {
            self.tracker.schedule.event(monotonic_now());
        }
        self.devices.rest();
        self.tracker.end_scan(&scan, self.devices.missing());
        Ok(())
    }

    /// Looks at each device that sysfs lists.
    fn look_at_all(&mut self, deliver: &mut dyn FnMut(&mut Self)) -> io::Result<()> {
        self.devices.rewind();
        while let Some(devpath) = self.devices.advance() {
            self.tracker.stream.look_at(devpath);
            for _ in 0..LOOKS {
                let Self { intake, tracker, devices, .. } = self;
                if look(intake, tracker, devices.read())? != Look::Touched {
                    break;
                }
            }
            deliver(self);
        }
        Ok(())
    }

    /// Looks at each known device that was not listed.
    fn look_at_unseen(&mut self, deliver: &mut dyn FnMut(&mut Self)) -> io::Result<()> {
        loop {
            let Self { intake, tracker, devices, .. } = self;
            let Some((devpath, subsystem)) = tracker.stream.look_at_unseen() else { return Ok(()) };
            let reading = devices.read_unseen(devpath, subsystem, intake.socket());
            look(intake, tracker, reading)?;
            deliver(self);
        }
    }

    /// Continues with events for a while within a scan.
    fn wait_for_events(&mut self, span: Duration, deliver: &mut dyn FnMut(&mut Self)) -> io::Result<()> {
        let end = monotonic_now().after(span);
        while monotonic_now() < end {
            self.drain(RECORDS_A_TURN);
            deliver(self);
            self.intake.wait_or(None, PollTimeout::from(10u8))?;
        }
        Ok(())
    }

    /// Reports once that sysfs belongs to another network namespace.
    fn look_at_namespace(&mut self) {
        if self.devices.is_foreign() {
            self.tracker.find_foreign();
        }
    }
}

/// Takes a device as read, unless an earlier event may be newer.
fn look(intake: &mut Intake, tracker: &mut Tracker, reading: Reading<'_>) -> io::Result<Look> {
    catch_up(intake, tracker)?;
    Ok(match reading {
        Reading::Present { inode, uevent } => tracker.stream.saw(monotonic_now(), &uevent, inode),
        Reading::Gone => tracker.stream.gone(),
        Reading::Partial | Reading::Unreadable => Look::Taken,
    })
}

/// Applies all events sent before this call.
fn catch_up(intake: &mut Intake, tracker: &mut Tracker) -> io::Result<()> {
    let mut give_up_at = None;
    loop {
        intake.take(RECORDS_A_TURN, |record| tracker.record(record));
        if intake.is_caught_up()? {
            return Ok(());
        }
        let now = monotonic_now();
        if now >= *give_up_at.get_or_insert_with(|| now.after(CATCH_UP_WITHIN)) {
            return Ok(());
        }
        intake.wait_or(None, PollTimeout::from(1u8))?;
    }
}
