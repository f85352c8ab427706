//! `sureplug audit`: lists the listeners to uevents, and those that lose some.

use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::thread;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{setsockopt, sockopt};
use serde_json::Value;
use sureplug_core::rcvbuf::SkbAbi;
use sureplug_tests::daemon::{Output, number, run, sureplug, unprivileged};
use sureplug_tests::kernel::{Culprit, Injector, Listener, own_network_namespace, without_seqnum};
use sureplug_tests::privilege::not_run;
use sureplug_tests::vectors::KERNELS;

/// One plug of a stick, as it was captured.
fn plug() -> Vec<Vec<u8>> {
    KERNELS[2].datagrams("storage_ss_mbr4_plug").expect("a capture")
}

fn flood() {
    let injector = Injector::new();
    for datagram in plug() {
        injector.send(without_seqnum(&datagram));
    }
}

/// The sockets of a process.
fn of(output: &Output, pid: u32) -> Vec<Value> {
    let sockets = output.objects("socket").into_iter();
    sockets.filter(|socket| owners(socket).any(|(owner, _)| owner == u64::from(pid))).collect()
}

/// Process and descriptor of each owner.
fn owners(socket: &Value) -> impl Iterator<Item = (u64, u64)> {
    let owners = socket["owners"].as_array().expect("owners").iter();
    owners.map(|owner| (number(owner, "pid"), number(owner, "fd")))
}

fn summary(output: &Output) -> Value {
    let [summary] = &output.objects("audit")[..] else { panic!("{output:#?}") };
    summary.clone()
}

#[test]
fn the_culprit_is_named_with_its_buffer_and_its_drops() {
    let Some(_turn) = own_network_namespace("the audit of the culprit") else { return };
    let mut culprit = Culprit::start();
    culprit.stop();
    flood();
    let output = run(sureplug("audit --json"));
    let [socket] = &of(&output, culprit.pid())[..] else { panic!("{output:#?}") };

    let floor = u64::from(SkbAbi::BOUND.rcvbuf_floor());
    assert_eq!(socket["owners"][0]["command"], Culprit::COMMAND);
    assert_eq!(number(socket, "effective_bytes"), floor);
    assert_eq!((number(socket, "port"), &socket["groups"]), (culprit.pid().into(), &serde_json::json!([1])));
    let (queued, drops) = (number(socket, "queued_bytes"), number(socket, "drops"));
    assert!((1..=floor + 4_352).contains(&queued), "{socket}");
    assert!((plug().len() as u64 - 4..plug().len() as u64).contains(&drops), "{socket}");
    let verdict = format!("floor: asked for {} or less; overrun now; lost {drops} so far", floor / 2);
    assert_eq!(socket["verdict"], verdict.as_str());
    assert_eq!((output.code, number(&summary(&output), "findings")), (Some(1), 1), "{output:#?}");

    let text = run(sureplug("audit"));
    let row = text.stdout.iter().position(|line| line.contains(Culprit::COMMAND)).expect("its row");
    let fields: Vec<_> = text.stdout[row].split_whitespace().collect();
    let (pid, floor, queued, drops) =
        (culprit.pid().to_string(), floor.to_string(), queued.to_string(), drops.to_string());
    assert_eq!(fields, [&pid, fields[1], Culprit::COMMAND, "1", &pid, &floor, &queued, &drops]);
    assert!(text.stdout[row + 1].trim_start().starts_with(&verdict), "{text:#?}");
    assert_eq!(text.code, Some(1));

    // As the application itself sees it.
    culprit.go_on();
    // An event that it waited for when it was stopped may come first.
    assert!((0..4).any(|_| culprit.line() == "recv: errno 105"));
}

#[test]
fn the_kernels_own_end_is_recognised_and_not_accused() {
    let Some(_turn) = own_network_namespace("the audit of a namespace without listeners") else { return };
    let output = run(sureplug("audit --json"));
    let [kernel] = &output.objects("socket")[..] else { panic!("{output:#?}") };
    assert_eq!((&kernel["is_the_kernels"], &kernel["is_finding"]), (&Value::Bool(true), &Value::Bool(false)));
    assert_eq!(kernel["verdict"], "the kernel's own");
    assert_eq!((output.code, number(&summary(&output), "unknown_owners")), (Some(0), 0));
}

#[test]
fn sizes_are_compared_with_the_budget_of_this_board() {
    let Some(_turn) = own_network_namespace("the audit of sizes") else { return };
    let wanted = number(&run(sureplug("size --json --ports 1")).object(), "wanted_bytes");
    let below = Listener::with_rcvbuf(100_000, 1);
    let default = Listener::unbound();
    default.bind(1);
    let enough = Listener::unbound();
    // More than is wanted, which may be the default.
    let bytes = usize::try_from(wanted / 2 + 4_096).expect("a size");
    setsockopt(&enough, sockopt::RcvBufForce, &bytes).expect("FORCE");
    enough.bind(1);
    // It joins the group and has no port: not the kernel's, although that has none either.
    let unbound = Listener::unbound();
    unbound.join(1);
    // It sends only.
    let sender = Injector::new();
    sender.send(b"change@/devices/x\0ACTION=change\0DEVPATH=/devices/x\0SUBSYSTEM=x\0");

    let output = run(sureplug("audit --json --ports 1"));
    let sockets = output.objects("socket");
    let verdicts: Vec<_> = sockets.iter().map(|s| s["verdict"].as_str().expect("a verdict")).collect();
    let too_small = format!("below this board's budget (wants {wanted})");
    // A default that is large is what the budget wants.
    let is_small = number(&summary(&output), "rmem_default_bytes") < wanted;
    let the_default = if is_small { format!("the default; {too_small}") } else { "the default".into() };
    for (verdict, times) in
        [(&*too_small, 1), (&the_default, 2), ("fits", 1), ("listens to nothing", 1), ("the kernel's own", 1)]
    {
        assert_eq!(
            verdicts.iter().filter(|found| **found == verdict).count(),
            times,
            "{verdict}: {verdicts:#?}"
        );
    }
    let findings = number(&summary(&output), "findings");
    assert_eq!((output.code, findings), (Some(1), if is_small { 3 } else { 1 }));
    drop((below, default, unbound));
    let output = run(sureplug("audit --json --ports 1"));
    assert_eq!((output.code, output.objects("socket").len()), (Some(0), 3), "{output:#?}");
}

#[test]
fn all_owners_of_a_shared_descriptor_are_named() {
    let Some(_turn) = own_network_namespace("the audit of a shared descriptor") else { return };
    let shared = Listener::with_rcvbuf(1024, 1);
    fcntl(&shared, FcntlArg::F_SETFD(FdFlag::empty())).expect("a descriptor to inherit");
    let mut child = Command::new("sleep").arg("60").spawn().expect("a child");
    fcntl(&shared, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).expect("none any more");
    let output = run(sureplug("audit --json"));
    let text = run(sureplug("audit"));
    let (ours, theirs) = (std::process::id(), child.id());
    child.kill().and_then(|()| child.wait()).expect("it ends");

    let [socket] = &of(&output, theirs)[..] else { panic!("{output:#?}") };
    let mut pids: Vec<_> = owners(socket).map(|(pid, _)| pid).collect();
    pids.sort_unstable();
    let mut wanted = [u64::from(ours), theirs.into()];
    wanted.sort_unstable();
    assert_eq!(pids, wanted);
    assert_eq!(number(&summary(&output), "findings"), 1, "once, not for each owner");
    assert!(text.stdout.iter().any(|line| line.ends_with("shares it")), "{text:#?}");
}

#[test]
fn a_libudev_listener_has_two_sockets() {
    let test = "the audit of a libudev listener";
    let Some(_turn) = own_network_namespace(test) else { return };
    let started = Command::new("udevadm").arg("monitor").stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let Ok(mut monitor) = started else { return not_run(test, "there is no udevadm") };
    let mut sockets = Vec::new();
    for _ in 0..200 {
        sockets = of(&run(sureplug("audit --json")), monitor.id());
        if sockets.len() == 2 {
            break;
        }
        thread::sleep(std::time::Duration::from_millis(20));
    }
    monitor.kill().and_then(|()| monitor.wait()).expect("it ends");
    let mut groups: Vec<_> = sockets.iter().map(|socket| socket["groups"].to_string()).collect();
    groups.sort_unstable();
    assert_eq!(groups, ["[1]", "[2]"], "the kernel's events, and udevd's: {sockets:#?}");
    for socket in sockets {
        assert_eq!(socket["owners"][0]["command"], "udevadm");
        assert!(number(&socket, "effective_bytes") > 0 && socket["is_the_kernels"] == Value::Bool(false));
    }
}

#[test]
fn without_privileges_owners_are_unknown_and_counted() {
    let Some(_turn) = own_network_namespace("an audit without privileges") else { return };
    let culprit = Culprit::start();
    let output = run(unprivileged("audit --json"));
    let sockets = output.objects("socket");
    let theirs =
        sockets.iter().find(|socket| number(socket, "port") == u64::from(culprit.pid())).expect("its socket");
    assert_eq!(theirs["owners"], serde_json::json!([]));
    assert_eq!(number(theirs, "effective_bytes"), u64::from(SkbAbi::BOUND.rcvbuf_floor()));
    let summary = summary(&output);
    assert_eq!(number(&summary, "unknown_owners"), 1, "{output:#?}");
    assert!(number(&summary, "unreadable_processes") > 0);
    assert_eq!(output.code, Some(1));
    let text = run(unprivileged("audit")).stdout;
    assert!(text.iter().any(|line| line.contains("(unknown)")), "{text:#?}");
    let last = text.last().expect("lines");
    assert!(
        last.starts_with("the owners of 1 sockets are unknown: ") && last.ends_with("by root only"),
        "{last}"
    );
}

#[test]
fn a_kernel_without_sock_diag_has_all_but_the_sizes() {
    let Some(_turn) = own_network_namespace("an audit without NETLINK_SOCK_DIAG") else { return };
    let culprit = Culprit::start();
    culprit.stop();
    flood();
    let drops = number(&of(&run(sureplug("audit --json")), culprit.pid())[0], "drops");
    // It sends nothing else.
    let daemon = sureplug("audit --json");
    let mut strace = Command::new("strace");
    strace.args(["-o", "/dev/null", "-e", "inject=sendto:error=ECONNREFUSED"]);
    strace.arg(daemon.get_program()).args(daemon.get_args());
    let output = run(strace);
    let [socket] = &of(&output, culprit.pid())[..] else { panic!("{output:#?}") };
    assert_eq!(socket["effective_bytes"], Value::Null);
    assert_eq!(number(socket, "drops"), drops);
    assert_eq!(socket["verdict"], format!("size unknown; lost {drops} so far").as_str());
    assert_eq!(summary(&output)["has_sizes"], Value::Bool(false));
    assert_eq!(output.code, Some(1), "it has drops");
}

#[test]
fn two_thousand_sockets_are_each_listed_once() {
    let Some(_turn) = own_network_namespace("the audit of 2,000 sockets") else { return };
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("more descriptors");
    let listeners: Vec<_> = (0..2_000).map(|_| Listener::with_rcvbuf(1024, 1)).collect();
    let output = run(sureplug("audit --json"));
    let ours = of(&output, std::process::id());
    assert_eq!(ours.len(), 2_000);
    let mut found: Vec<_> = ours.iter().flat_map(owners).map(|(_, fd)| fd).collect();
    found.sort_unstable();
    let mut wanted: Vec<_> = listeners.iter().map(fd_number).collect();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "each descriptor once");
    assert_eq!(number(&summary(&output), "findings"), 2_000);
}

fn fd_number(fd: impl AsFd) -> u64 {
    use std::os::fd::AsRawFd;
    fd.as_fd().as_raw_fd().try_into().expect("a descriptor")
}
