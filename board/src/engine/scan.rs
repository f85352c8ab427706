//! Scans sysfs while events continue to arrive.

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

/// The most looks at one device whose events keep arriving.
const LOOKS: usize = 3;

/// The longest that events may delay a look. In a storm without a pause the look counts anyway:
/// later events correct an early result.
const CATCH_UP_WITHIN: Duration = Duration::from_millis(5);

/// The time allowed for the kernel to create or remove a device's files. The kernel needs far less.
const PARTIAL_WITHIN: Duration = Duration::from_millis(100);

impl Engine {
    /// Brings the table in line with sysfs, as far as sysfs can be read. Postpones the scan if
    /// sysfs is not mounted.
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

    /// Looks at each known device that sysfs did not list.
    fn look_at_unseen(&mut self, deliver: &mut dyn FnMut(&mut Self)) -> io::Result<()> {
        loop {
            let Self { intake, tracker, devices, .. } = self;
            let Some((devpath, subsystem)) = tracker.stream.look_at_unseen() else { return Ok(()) };
            let reading = devices.read_unseen(devpath, subsystem, intake.socket());
            look(intake, tracker, reading)?;
            deliver(self);
        }
    }

    /// Processes events for a while within a scan.
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
            self.tracker.note_foreign();
        }
    }
}

/// Applies all events sent so far, and then what was read of a device. An event about the device may
/// be newer than the reading, which is dropped then.
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
