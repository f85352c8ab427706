//! What an event costs from the socket to the counters: the processor time, user and system, of the
//! daemon without output, against that of the least that anyone can do, a loop that receives and
//! discards. Fails if it is more times as much than is promised.
//!
//! Both are processes of their own, fed with the same injected events in turn. The kernel's work of
//! sending is the sender's, that of receiving is theirs.

use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{array, env, fs, mem, ptr, thread};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, setsockopt, socket, sockopt,
};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use sureplug_board::intake::Intake;
use sureplug_board::netlink::{BATCH_MESSAGES, UeventSocket};
use sureplug_board::sinks::Undersized;
use sureplug_board::totals::Totals;
use sureplug_board::worker::Worker;
use sureplug_core::limits::MAX_DATAGRAM_BYTES;
use sureplug_core::selection::Selection;
use sureplug_tests::kernel::{Injector, own_network_namespace, without_seqnum};
use sureplug_tests::timing::median;
use sureplug_tests::vectors::KERNELS;

/// Times as much as receiving and discarding, at most, while both read a storm as it comes.
const LIMIT: f64 = 1.5;
/// Odd, so that the median is one of them.
const ROUNDS: usize = 15;
const BURSTS: usize = 30;
/// Tries to measure something without others' events.
const UNDISTURBED_WITHIN: usize = 20;
/// Whoever is still busy so long after the last event has no end.
const DEADLINE: Duration = Duration::from_secs(20);
/// Whatever either is late, nothing may be lost.
const RCVBUF_BYTES: usize = 64 << 20;

/// What the bench calls itself with, to be one of the contestants.
const CONTESTANTS: [&str; 2] = ["--receive-and-discard", "--sureplug"];

/// How the events come.
#[derive(Clone, Copy)]
enum Load {
    /// Each burst while the contestant is stopped, as by something more urgent.
    Queued,
    /// All without a pause while the contestant reads.
    Live,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    if let Some(contestant) = CONTESTANTS.iter().position(|name| arguments.iter().any(|a| a == name)) {
        compete(contestant);
        return ExitCode::SUCCESS;
    }
    let Some(_turn) = own_network_namespace("the bench of the whole path") else { return ExitCode::SUCCESS };
    let burst = burst();
    println!("{ROUNDS} rounds of {BURSTS} bursts of {} events", burst.len());
    let queued = compare("bursts, queued", Load::Queued, &burst);
    let live = compare("a storm, live", Load::Live, &burst);
    println!(
        "live: {live:.2} times receiving and discarding (at most {LIMIT} is promised); queued, where the loop pays \
         for neither a wake-up nor the sender's credentials: {queued:.2} (not promised)"
    );
    if live <= LIMIT { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A hub with eight sticks comes and goes: the worst single plug that has captures.
fn burst() -> Vec<Vec<u8>> {
    let kernel = KERNELS.iter().find(|kernel| kernel.folder == "6.1-arm64").expect("captures of this kernel");
    ["hub8_storage_plug", "hub8_storage_unplug"]
        .iter()
        .flat_map(|scenario| kernel.datagrams(scenario).expect("a capture"))
        .map(|datagram| without_seqnum(&datagram).to_vec())
        .collect()
}

/// Prints both contestants' costs; returns how many times the first one's the second's are.
fn compare(name: &str, load: Load, burst: &[Vec<u8>]) -> f64 {
    let rounds: Vec<[f64; 2]> = (0..ROUNDS)
        .map(|round| {
            // Whoever is first in a round is second in the next.
            let mut costs = [0.0; 2];
            for turn in [round % 2, (round + 1) % 2] {
                costs[turn] = cost(turn, load, burst);
            }
            costs
        })
        .collect();
    let [bare, whole] = array::from_fn(|i| median(rounds.iter().map(|costs| costs[i]).collect()));
    let ratio = median(rounds.iter().map(|costs| costs[1] / costs[0]).collect());
    println!("{name:<16} sureplug {whole:>7.0} ns an event   discarding {bare:>7.0} ns   {ratio:.2} times");
    ratio
}

/// Nanoseconds of the processor that one event costs a contestant.
fn cost(contestant: usize, load: Load, burst: &[Vec<u8>]) -> f64 {
    // A namespace sees the devices' own events as well: if some came, that was another load.
    (0..UNDISTURBED_WITHIN).find_map(|_| try_cost(contestant, load, burst)).expect("no other events")
}

fn try_cost(contestant: usize, load: Load, burst: &[Vec<u8>]) -> Option<f64> {
    let mut child = Running::start(contestant);
    let spent = match load {
        // Being stopped costs as well, and more for two threads than for one; it is no part of an event.
        Load::Queued => {
            let for_stops = child.spends(|child| child.take_stopped(&[]));
            let for_all = child.spends(|child| child.take_stopped(burst));
            for_all.saturating_sub(for_stops)
        }
        Load::Live => child.spends(|child| (0..BURSTS).for_each(|_| child.inject(burst))),
    };
    let events = u32::try_from(BURSTS * burst.len()).expect("thousands");
    let received = child.end();
    assert!(received >= events, "{} of {events} events were lost", events - received);
    (received == events).then(|| spent.as_secs_f64() * 1e9 / f64::from(events))
}

/// A contestant's process.
struct Running {
    child: Child,
    pid: Pid,
    said: BufReader<ChildStdout>,
    injector: Injector,
}

impl Running {
    fn start(contestant: usize) -> Self {
        let mut child = Command::new(env::current_exe().expect("the bench's own path"))
            .arg(CONTESTANTS[contestant])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a contestant");
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
        let said = BufReader::new(child.stdout.take().expect("it was piped"));
        let mut running = Self { child, pid, said, injector: Injector::new() };
        assert_eq!(running.line(), "ready");
        running
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("what the contestant says");
        line.trim_end().to_owned()
    }

    /// The processor time that `feed` and its consequences make it take.
    fn spends(&self, feed: impl FnOnce(&Self)) -> Duration {
        let before = self.settled();
        feed(self);
        self.settled().saturating_sub(before)
    }

    /// Waits until it does nothing any more; returns the processor time that it has taken.
    fn settled(&self) -> Duration {
        let clock = clock_getcpuclockid(self.pid).expect("a running process has a clock");
        let taken = || Duration::from(clock.now().expect("its time"));
        let mut last = taken();
        let end = Instant::now() + DEADLINE;
        loop {
            assert!(Instant::now() < end, "the contestant is busy without an event");
            thread::sleep(Duration::from_millis(2));
            let now = taken();
            // On a busy machine it may only be waiting for its turn.
            if mem::replace(&mut last, now) == now && self.sleeps() {
                return now;
            }
        }
    }

    /// Whether all its threads sleep: the state behind the name in `proc_pid_stat(5)`.
    fn sleeps(&self) -> bool {
        fs::read_dir(format!("/proc/{}/task", self.pid)).expect("its threads").all(|thread| {
            let stat = fs::read_to_string(thread.expect("a thread").path().join("stat")).expect("its state");
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S'))
        })
    }

    fn inject(&self, burst: &[Vec<u8>]) {
        for event in burst {
            self.injector.send(event);
        }
    }

    /// Each burst is queued while it is stopped, and taken before the next.
    fn take_stopped(&self, burst: &[Vec<u8>]) {
        for _ in 0..BURSTS {
            kill(self.pid, Signal::SIGSTOP).expect("the contestant stops");
            let stopped = waitpid(self.pid, Some(WaitPidFlag::WUNTRACED));
            assert_eq!(stopped, Ok(WaitStatus::Stopped(self.pid, Signal::SIGSTOP)));
            self.inject(burst);
            kill(self.pid, Signal::SIGCONT).expect("the contestant continues");
            self.settled();
        }
    }

    /// Ends it; returns how many events it received.
    fn end(&mut self) -> u32 {
        kill(self.pid, Signal::SIGTERM).expect("the contestant ends");
        let received = self.line().parse().expect("how many it received");
        assert!(self.child.wait().expect("an exit code").success());
        received
    }
}

impl Drop for Running {
    /// It must not outlive a bench that fails.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is a contestant until SIGTERM comes, and prints how many events it received.
fn compete(contestant: usize) {
    let ending = SigSet::from_iter([Signal::SIGTERM]);
    ending.thread_block().expect("a signal that can be blocked");
    let signals =
        SignalFd::with_flags(&ending, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).expect("a signalfd");
    let socket = uevent_socket();
    let received = if contestant == 0 {
        println!("ready");
        receive_and_discard(&socket, &signals)
    } else {
        let socket = UeventSocket::adopt(socket).expect("a uevent socket");
        let intake = Intake::start(socket).expect("a thread");
        let sysfs = Path::new("/sys");
        let worker = Worker::new(
            intake,
            sysfs,
            None,
            signals,
            Undersized::default(),
            Totals::default(),
            Selection::ALL,
        )
        .expect("a worker");
        println!("ready");
        worker.run().expect("an end by the signal").received
    };
    println!("{received}");
}

fn uevent_socket() -> OwnedFd {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let protocol = SockProtocol::NetlinkKObjectUEvent;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol).expect("a uevent socket");
    setsockopt(&socket, sockopt::RcvBufForce, &RCVBUF_BYTES).expect("SO_RCVBUFFORCE");
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 1)).expect("bind");
    socket
}

/// Neither addresses nor credentials are asked for, and everything is set up once: less cannot be done.
fn receive_and_discard(socket: &OwnedFd, signals: &SignalFd) -> u64 {
    let mut buffers = vec![[0u8; MAX_DATAGRAM_BYTES]; BATCH_MESSAGES];
    let mut slices: Vec<libc::iovec> = buffers
        .iter_mut()
        .map(|buffer| libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() })
        .collect();
    let mut messages: Vec<libc::mmsghdr> = slices
        .iter_mut()
        .map(|slice| {
            // SAFETY: all zero is a message header that asks for nothing.
            let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
            message.msg_hdr.msg_iov = slice;
            message.msg_hdr.msg_iovlen = 1;
            message
        })
        .collect();
    let count = libc::c_uint::try_from(messages.len()).expect("a few");
    let mut received = 0;
    loop {
        let mut fds = [socket.as_fd(), signals.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        poll(&mut fds, PollTimeout::NONE).expect("poll");
        let ends = fds[1].any() == Some(true);
        // SAFETY: the headers and the buffers that they point to outlive the call, and nothing else uses
        // them.
        while let Ok(n @ 1..) = u64::try_from(unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        }) {
            received += n;
        }
        if ends {
            return received;
        }
    }
}
