//! The worker's own way to the socket: who reads an event, and that nothing waits for a worker that does something else.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::PollTimeout;
use nix::unistd::pipe;
use sureplug_board::intake::{Intake, Noticed};
use sureplug_board::netlink::UeventSocket;
use sureplug_tests::kernel::{Injector, Listener, own_network_namespace};

/// An intake with a shortcut, and what its worker waits for beside it, which never comes.
struct Worker {
    intake: Intake,
    quiet: OwnedFd,
    _open: OwnedFd,
    expected: usize,
}

impl Worker {
    fn start() -> Self {
        let socket = UeventSocket::adopt(Listener::with_rcvbuf(1 << 20, 1).into_fd()).expect("a socket");
        let (quiet, open) = pipe().expect("a pipe");
        let intake = Intake::start_with_shortcut(socket).expect("an intake");
        Self { intake, quiet, _open: open, expected: 0 }
    }

    /// Sleeps until something has come.
    fn wait(&mut self) {
        if self.intake.begin_wait() {
            let others = [self.quiet.as_fd(); 4];
            self.intake.wait_and_read(others, PollTimeout::from(5_000u16)).expect("a wait");
        }
    }

    /// Takes what there is; how many events that were. They come in order.
    fn take(&mut self) -> usize {
        let expected = &mut self.expected;
        self.intake.take(usize::MAX, |record| {
            let Noticed::Event(datagram) = record.what else { panic!("{record:?}") };
            assert!(datagram.starts_with(&event(*expected)), "not number {expected}");
            *expected += 1;
        })
    }

    /// Takes so many more, without ever waiting as a worker does.
    fn take_awake(&mut self, count: usize) {
        let end = self.expected + count;
        let give_up = Instant::now() + Duration::from_secs(10);
        while self.expected < end {
            if self.take() == 0 {
                assert!(Instant::now() < give_up, "{} of {end} came", self.expected);
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.intake.request_stop();
        let ended = self.intake.join();
        assert!(ended.is_ok() || thread::panicking(), "{ended:?}");
    }
}

fn event(number: usize) -> Vec<u8> {
    format!("add@/devices/virtual/alone\0ACTION=add\0NUMBER={number:06}\0").into_bytes()
}

/// How often the thread that reads has gone to sleep.
fn sleeps_of_the_intake() -> u64 {
    let tasks =
        fs::read_dir("/proc/self/task").expect("this process").map(|task| task.expect("a thread").path());
    let mut intakes =
        tasks.filter(|task| fs::read_to_string(task.join("comm")).is_ok_and(|name| name == "intake\n"));
    let status = fs::read_to_string(intakes.next().expect("an intake").join("status")).expect("its status");
    assert_eq!(intakes.next(), None, "one intake");
    let line =
        status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).expect("a count");
    line.trim().parse().expect("a number")
}

#[test]
fn events_that_come_alone_are_read_by_the_worker_itself() {
    const EVENTS: usize = 200;
    let Some(_turn) = own_network_namespace("events that come alone") else { return };
    let mut worker = Worker::start();
    let injector = Injector::new();
    thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..EVENTS {
                thread::sleep(Duration::from_millis(2));
                injector.send(&event(number));
            }
        });
        worker.wait();
        let before = sleeps_of_the_intake();
        while worker.expected < EVENTS {
            worker.wait();
            worker.take();
        }
        // It looks once in a while whether the process was stopped.
        let sleeps = sleeps_of_the_intake() - before;
        assert!(sleeps < EVENTS as u64 / 3, "the intake was woken {sleeps} times for {EVENTS} events");
    });
}

#[test]
fn i5_a_worker_that_does_something_else_delays_no_reading() {
    let Some(_turn) = own_network_namespace("a worker that does something else") else { return };
    let mut worker = Worker::start();
    let injector = Injector::new();
    for round in 0..20 {
        // The worker reads one itself, since it sleeps, and then sleeps no more.
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(3));
                injector.send(&event(worker_number(round)));
            });
            worker.wait();
        });
        worker.take_awake(1);
        assert!(worker.intake.is_caught_up().expect("a look"), "it knows that this was all");
        for number in 1..=10 {
            thread::sleep(Duration::from_micros(500));
            injector.send(&event(worker_number(round) + number));
        }
        worker.take_awake(10);
    }
}

/// The first event of a round of eleven.
const fn worker_number(round: usize) -> usize {
    round * 11
}

#[test]
fn what_comes_with_an_event_is_read_by_the_intake() {
    const BURST: usize = 40;
    let Some(_turn) = own_network_namespace("what comes with an event") else { return };
    let mut worker = Worker::start();
    let injector = Injector::new();
    for round in 0..50 {
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(2));
                (0..BURST).for_each(|number| injector.send(&event(round * BURST + number)));
            });
            worker.wait();
        });
        worker.take_awake(BURST);
    }
}
