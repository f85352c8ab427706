//! From the journal to the console: lines, as many as it takes.

use std::os::fd::AsFd;
use std::time::Duration;

use sureplug_core::stream::{Agreement, Delivery};
use sureplug_core::time::Instant;

use super::Worker;
use crate::report::Line;
use crate::service::broker::Broker;
use crate::service::hook::Hook;
use crate::time::monotonic_now;

/// How often a daemon that runs with too little says so, while events come.
const REMIND_AFTER: Duration = Duration::from_secs(60);

/// How often lines are tried again that could not be written, while something happens: a disk may be full for long.
const RESTART_AFTER: Duration = Duration::from_secs(1);

impl Worker {
    /// Says what is to be said, as long as there is room for it; whether that is all.
    pub(super) fn pump(&mut self) -> bool {
        self.tell_others();
        let Self { console: Some(console), consumer: Some(consumer), .. } = self else { return true };
        let consumer = *consumer;
        let now = monotonic_now();
        if console.is_torn() && now.since(self.restarted) >= RESTART_AFTER {
            // What was said is gone, and nobody knows how much of it was read.
            self.restarted = now;
            self.tracker.stream.reset(consumer);
            console.restart();
        }
        let (mut has_told, mut is_all) = (false, false);
        while console.is_ready() {
            let read_steps = self.tracker.stream.read_steps(consumer);
            if let Some(notice) = self.tracker.next_notice(read_steps) {
                console.say(&notice);
            } else if let Some(trouble) = self.devices.take_trouble() {
                console.say(&Line::Unreadable { path: trouble.path, error: trouble.error });
            } else if let Some(forgery) = self.devices.take_forgery() {
                console.say(&Line::Forged(forgery));
                if self.devices.is_forgery_waiting() {
                    self.tracker.schedule.event(now);
                }
            } else if let Some(report) = self.hook.as_mut().and_then(Hook::take_report) {
                console.say(&Line::Hook(report));
            } else {
                match self.tracker.stream.next(consumer, now, &mut self.packet) {
                    Some(Delivery::Event(entry)) => {
                        has_told = true;
                        console.say(&Line::Event(entry));
                    }
                    Some(Delivery::Missed { steps }) => {
                        self.tracker.totals.output_missed += steps;
                        console.say(&Line::Missed { events: steps, is_ending: false });
                    }
                    // Nobody asked for that.
                    Some(Delivery::SnapshotEnd) => {}
                    Some(Delivery::Reset) => console.say(&Line::Reset),
                    None => {
                        // Tombstones that waited for this reader may have made room.
                        if has_told && self.tracker.stream.is_overflowing() {
                            self.tracker.schedule.event(now);
                        }
                        is_all = true;
                        break;
                    }
                }
            }
        }
        console.flush();
        is_all
    }

    /// Tells log, hook and clients what is to be told, as far as each of them takes it.
    fn tell_others(&mut self) {
        let now = monotonic_now();
        let Self { hook, tracker, packet, devices, .. } = self;
        if let (Some(log), Some(forgery)) = (&mut tracker.log, devices.take_unlogged_forgery()) {
            log.say(&Line::Forged(forgery));
        }
        let mut has_told = hook.as_mut().is_some_and(|hook| hook.tell(&mut tracker.stream, now, packet));
        let missed = hook.as_mut().map_or(0, Hook::take_missed);
        if missed > 0 {
            tracker.note(Line::HookMissed { at: now, events: missed });
        }
        has_told |= self.serve_clients(now);
        // Tombstones that waited for them may have made room.
        if has_told && self.tracker.stream.is_overflowing() {
            self.tracker.schedule.event(now);
        }
    }

    fn serve_clients(&mut self, now: Instant) -> bool {
        let is_asked = self.broker.as_ref().is_some_and(Broker::is_asked);
        let figures = is_asked.then(|| self.figures());
        let Self { broker: Some(broker), tracker, packet, .. } = self else { return false };
        let is_current = tracker.schedule.agreement() == Agreement::Steady;
        let has_told = broker.tell(&mut tracker.stream, is_current, now, packet);
        if let Some(figures) = figures {
            broker.answer(&mut tracker.stream, &figures);
        }
        has_told
    }

    /// Lets clients in, and hears what they ask for.
    pub(super) fn hear_clients(&mut self, has_news: bool) {
        let Self { broker: Some(broker), tracker, .. } = self else { return };
        let now = monotonic_now();
        if has_news || broker.wake_at().is_some_and(|at| at <= now) {
            broker.listen(&mut tracker.stream, now);
        }
    }

    /// Hears of a hook's run.
    pub(super) fn hear_hook(&mut self, has_news: bool) {
        let Some(hook) = &mut self.hook else { return };
        let now = monotonic_now();
        if has_news || hook.wake_at().is_some_and(|at| at <= now) {
            hook.listen(now);
        }
    }

    /// Says again, once in a while, that events can be lost.
    pub(super) fn remind(&mut self) {
        let now = monotonic_now();
        if self.undersized.is_any() && now.since(self.reminded) >= REMIND_AFTER {
            self.reminded = now;
            let Some(console) = &mut self.console else { return };
            if console.is_ready() {
                console.say(&Line::Undersized(&self.undersized));
            }
        }
    }

    /// Says what is left, for as long as the reader of the output takes anything.
    pub(super) fn say_the_rest(&mut self) {
        self.tracker.give_up();
        while !self.pump() {
            let Some(console) = &mut self.console else { return };
            // There may be room by now.
            if !console.is_ready() && !console.wait_for_reader(self.signals.as_fd()) {
                return;
            }
        }
    }

    /// Returns how many events the output will not get, and was not told of yet: they were overwritten, or came while
    /// lines could not be written, after which it begins anew.
    pub(super) fn missed_and_unsaid(&self) -> u64 {
        let (Some(consumer), Some(console)) = (self.consumer, &self.console) else { return 0 };
        let stream = &self.tracker.stream;
        let waiting = stream.steps() - stream.read_steps(consumer);
        let is_cut = console.is_torn() || stream.is_overrun(consumer);
        stream.missed(consumer) + if is_cut { waiting } else { 0 }
    }

    /// What the stream has for the reader of the output, and was not said.
    pub(super) fn unsaid_steps(&self) -> u64 {
        self.consumer.map_or(0, |consumer| self.tracker.stream.unread(consumer))
    }
}
