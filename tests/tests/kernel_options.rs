//! The kernel options that an image needs are those of the system calls and files that the program uses. The list is the
//! Yocto fragment; the Buildroot package is compared with it in `recipes/test_buildroot.py`, the manual here.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use sureplug_tests::daemon::{root, run, sureplug};
use sureplug_tests::served::Served;

/// What a line of strace has that needs an option (`kernel/sys_ni.c`, and where the files are made).
const NEEDS: &[(&str, &str)] = &[
    ("epoll_", "CONFIG_EPOLL"),
    ("signalfd", "CONFIG_SIGNALFD"),
    ("eventfd", "CONFIG_EVENTFD"),
    ("timerfd_", "CONFIG_TIMERFD"),
    ("timer_create(", "CONFIG_POSIX_TIMERS"),
    ("inotify_", "CONFIG_INOTIFY_USER"),
    ("fanotify_", "CONFIG_FANOTIFY"),
    ("flock(", "CONFIG_FILE_LOCKING"),
    ("memfd_create(", "CONFIG_MEMFD_CREATE"),
    ("io_uring_", "CONFIG_IO_URING"),
    ("name_to_handle_at(", "CONFIG_FHANDLE"),
    ("bpf(", "CONFIG_BPF_SYSCALL"),
    ("seccomp(", "CONFIG_SECCOMP"),
    ("mq_open(", "CONFIG_POSIX_MQUEUE"),
    ("shmget(", "CONFIG_SYSVIPC"),
    ("AF_NETLINK", "CONFIG_NET"),
    ("AF_UNIX", "CONFIG_UNIX"),
    ("NETLINK_SOCK_DIAG", "CONFIG_NETLINK_DIAG"),
    ("\"/proc/sys/", "CONFIG_PROC_SYSCTL"),
    ("\"/proc/", "CONFIG_PROC_FS"),
    ("\"/sys\"", "CONFIG_SYSFS"),
];

/// Options that an image needs even if strace does not see it: for `/run` and `/dev`, and for a
/// lock held by another thread, which is a matter of chance.
const ALWAYS: [&str; 3] = ["CONFIG_TMPFS", "CONFIG_DEVTMPFS", "CONFIG_FUTEX"];

/// A program under strace, which is not its parent, so that it ends as it does without.
fn traced(trace: &Path, program: &Command) -> Command {
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-A", "-qq", "-o"]).arg(trace);
    command.arg(program.get_program()).args(program.get_args());
    command
}

/// The options without which the calls of the program and its commands would fail.
fn used() -> BTreeSet<&'static str> {
    let directory = tempfile::tempdir().expect("a directory");
    let trace = directory.path().join("trace");
    let metrics = directory.path().join("metrics");
    let daemon = Served::start_with(|path| {
        let mut program = sureplug("run --json --ports 1 --log syslog --hook /bin/true");
        program.arg("--metrics").arg(metrics).arg("--socket").arg(path);
        traced(&trace, &program)
    });
    for command in ["status", "list"] {
        let mut command = sureplug(command);
        command.arg("--socket").arg(daemon.path());
        assert_eq!(run(traced(&trace, &command)).code, Some(0));
    }
    assert_eq!(daemon.finish().code, Some(0));
    let _ = run(traced(&trace, &sureplug("audit")));
    let trace = fs::read_to_string(trace).expect("what strace saw");
    // Each line begins with the number of a process.
    let calls = trace.lines().filter_map(|line| Some(line.split_once(' ')?.1.trim_start()));
    let calls: Vec<_> = calls.collect();
    assert!(calls.len() > 1_000, "strace saw little: {trace}");
    let is_used = |needle: &str| {
        let is_call = !needle.starts_with(['"', 'A', 'N']);
        calls.iter().any(|call| if is_call { call.starts_with(needle) } else { call.contains(needle) })
    };
    NEEDS.iter().filter(|(needle, _)| is_used(needle)).map(|&(_, option)| option).collect()
}

/// The options of a text's lines that begin so.
fn options<'t>(text: &'t str, begin: &str) -> BTreeSet<&'t str> {
    let lines = text.lines().filter(|line| line.starts_with(begin));
    let words = lines.flat_map(|line| line.split(|char: char| !char.is_ascii_alphanumeric() && char != '_'));
    words.filter(|word| word.starts_with("CONFIG_")).collect()
}

#[test]
fn kernel_options_are_those_that_the_program_uses() {
    let layer = root().join("yocto/meta-sureplug/recipes-kernel/linux/files/sureplug.cfg");
    let fragment = fs::read_to_string(layer).expect("the fragment");
    let listed = options(&fragment, "CONFIG_");
    let wanted: BTreeSet<_> = used().into_iter().chain(ALWAYS).collect();
    assert_eq!(listed, wanted, "left: the fragment, right: what is used");

    let manual = fs::read_to_string(root().join("board/MANUAL.md")).expect("the manual");
    let table = options(&manual, "| `CONFIG_");
    let missing: Vec<_> = listed.difference(&table).chain(&[]).collect();
    assert!(missing.is_empty(), "the manual lacks {missing:?}");
}
