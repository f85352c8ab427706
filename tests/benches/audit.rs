//! How long an audit of 2,000 sockets and 500 processes takes, against what has to be done in any case: `ss -f netlink`
//! and one walk of `/proc/*/fd`. Fails if it makes more system calls than its limit.

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use sureplug_tests::daemon::{run, sureplug};
use sureplug_tests::kernel::{Listener, own_network_namespace};
use sureplug_tests::limits::{AUDIT, system_calls};

const SOCKETS: usize = 2_000;
const PROCESSES: usize = 500;
/// Odd, so that the median is one of them.
const ROUNDS: usize = 7;

/// What the bench calls itself with, to walk and end.
const WALK: &str = "--walk";

fn main() -> ExitCode {
    if env::args().any(|argument| argument == WALK) {
        println!("{} descriptors", walk());
        return ExitCode::SUCCESS;
    }
    let Some(_turn) = own_network_namespace("the bench of an audit") else { return ExitCode::SUCCESS };
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("more descriptors");
    let _listeners: Vec<_> = (0..SOCKETS).map(|_| Listener::with_rcvbuf(1024, 1)).collect();
    let mut processes: Vec<_> = (0..PROCESSES)
        .map(|_| Command::new("sleep").arg("600").stdout(Stdio::null()).spawn().expect("a process"))
        .collect();
    let listed = run(sureplug("audit --json")).objects("socket").len();
    assert_eq!(listed, SOCKETS + 1, "with the kernel's own");

    let (mut audits, mut others) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        audits.push(time(|| {
            let mut audit = sureplug("audit");
            audit.stdout(Stdio::null()).status().expect("it runs");
        }));
        others.push(time(|| {
            let mut ss = Command::new("ss");
            ss.args(["-a", "-f", "netlink", "-m"]).stdout(Stdio::null()).status().expect("ss runs");
            assert!(walk() >= SOCKETS);
        }));
    }
    let calls = |command: &Command| system_calls(command).values().sum::<u64>();
    let mut ss = Command::new("ss");
    ss.args(["-a", "-f", "netlink", "-m"]);
    let mut walk = Command::new(env::current_exe().expect("this program"));
    walk.arg(WALK);
    let (ours, theirs) = (calls(&sureplug("audit")), calls(&ss) + calls(&walk));
    for process in &mut processes {
        process.kill().and_then(|()| process.wait()).expect("it ends");
    }
    let (audit, other) = (median(audits), median(others));
    let ratio = audit.as_secs_f64() / other.as_secs_f64();
    println!("median of {ROUNDS}: {SOCKETS} sockets, {PROCESSES} processes");
    println!("sureplug audit               {:>7.2} ms", audit.as_secs_f64() * 1e3);
    println!("ss -f netlink, /proc/*/fd    {:>7.2} ms", other.as_secs_f64() * 1e3);
    println!("{ratio:.2} times as long; {ours} system calls, and {theirs}");
    let number = |calls| f64::from(u32::try_from(calls).expect("some thousands"));
    if AUDIT.is_kept(number(ours) / number(theirs)) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Reads where each descriptor of each process points to, and counts them.
fn walk() -> usize {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let descriptors = processes.filter_map(|process| fs::read_dir(process.path().join("fd")).ok());
    descriptors.flatten().flatten().filter(|descriptor| fs::read_link(descriptor.path()).is_ok()).count()
}

fn time(what: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    what();
    begun.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
