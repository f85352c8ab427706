//! A watcher in the event loops of others: as its documentation shows it.

use std::io;
use std::os::fd::AsRawFd;

use mio::unix::SourceFd;
use mio::{Events, Poll, Token};
use sureplug_board::{Item, Watcher};
use sureplug_core::uevent::Action;
use sureplug_tests::kernel::devices::NetDevice;
use sureplug_tests::kernel::own_sysfs;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What a program does with its items: it makes and removes devices of its own, each when it learns of the last change.
struct Program {
    device: Option<NetDevice>,
    rounds: u32,
}

impl Program {
    fn new() -> Self {
        Self { device: None, rounds: 0 }
    }

    /// Returns `false` when it has seen enough.
    fn take(&mut self, item: &Item<'_>) -> bool {
        let (is_ours, action) = match item {
            Item::Event(event) => (event.uevent.devpath().ends_with(b"/loop0"), Some(event.uevent.action())),
            Item::SnapshotEnd => (true, None),
            _ => panic!("{item:?}"),
        };
        match action {
            Some(Action::Add) if is_ours => {
                self.device.take().expect("it came once").destroy().expect("it is gone");
            }
            Some(Action::Remove) | None if is_ours => {
                self.rounds += 1;
                self.device = Some(NetDevice::tap("loop0").expect("a device"));
            }
            _ => {}
        }
        self.rounds <= 20
    }
}

fn watcher() -> Watcher {
    Watcher::builder().subsystem("net").open().expect("a watcher")
}

#[test]
fn a_watcher_works_in_a_loop_of_mio() {
    let Some(_turn) = own_sysfs("a watcher in mio") else { return };
    let (mut watcher, mut program) = (watcher(), Program::new());
    let mut poll = Poll::new().expect("a poll");
    poll.registry()
        .register(&mut SourceFd(&watcher.as_raw_fd()), Token(0), mio::Interest::READABLE)
        .expect("a source");
    let mut events = Events::with_capacity(4);
    'program: loop {
        poll.poll(&mut events, None).expect("a poll");
        while let Some(item) = watcher.try_next().expect("a watcher") {
            if !program.take(&item) {
                break 'program;
            }
        }
    }
}

#[test]
fn a_watcher_works_in_a_loop_of_tokio() {
    async fn run(mut program: Program) -> io::Result<()> {
        // SAFETY: a watcher has the same descriptor, and keeps it open, as long as it lives.
        let mut watcher = unsafe { AsyncFd::register_with_interest(watcher(), Interest::READABLE) }?;
        loop {
            let mut guard = watcher.readable_mut().await?;
            while let Some(item) = guard.get_inner_mut().try_next()? {
                if !program.take(&item) {
                    return Ok(());
                }
            }
            guard.clear_ready();
        }
    }
    let Some(_turn) = own_sysfs("a watcher in tokio") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    runtime.block_on(run(Program::new())).expect("it ends by itself");
}
