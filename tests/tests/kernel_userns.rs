//! Inside a user namespace the kernel's messages come with another uid: they are believed nevertheless.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sureplug_tests::daemon::{Daemon, run, sureplug};
use sureplug_tests::kernel::{mark, raise};
use sureplug_tests::privilege::turn_to_raise;

/// Ends with the test in any case.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the test's own binary again inside namespaces, where it prints each property of what it receives.
fn received_inside(unshare: &[&str]) -> Result<(), String> {
    let mut child = Command::new("unshare")
        .args(unshare)
        .arg("--")
        .arg(env!("CARGO_BIN_EXE_print_uevents"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare, of util-linux");
    let stdout = child.stdout.take().expect("its output");
    let _ended = Ended(child);
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|l| sender.send(l))
    });
    let mut seen = Vec::new();
    let next = || lines.recv_timeout(Duration::from_secs(20));
    let ready = next().map_err(|_| String::from("it does not start"))?;
    let mark = mark();
    raise("change", &mark, "");
    while let Ok(line) = next() {
        if line.contains(&mark) {
            return Ok(());
        }
        if line.starts_with("foreign") {
            return Err(format!("{line}; {ready}"));
        }
        seen.push(line);
    }
    Err(format!("nothing came; {ready}; {seen:?}"))
}

#[test]
fn i7_the_kernel_is_believed_where_root_has_another_number_and_where_it_has_none() {
    let Some(_turn) = turn_to_raise("user namespaces") else { return };
    // The kernel's root is 0 here, 1000 there, and not mapped at all in the last: the overflow uid.
    for unshare in [&["--user", "--map-user=0"][..], &["--user", "--map-user=1000"], &["--user"]] {
        if let Err(why) = received_inside(unshare) {
            panic!("unshare {unshare:?}: {why}");
        }
    }
}

/// Starts a daemon inside namespaces, and returns its state and whether it warns.
fn state_inside(unshare: &[&str]) -> (String, bool) {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("events");
    let daemon = sureplug("run --json --allow-undersized --subsystem usb --socket");
    let mut command = Command::new("unshare");
    // As the only child of `unshare`, which ends with it.
    command.args(unshare).arg("--").arg(daemon.get_program()).args(daemon.get_args()).arg(&socket);
    let daemon = Daemon::start(command);
    daemon.wait_until_scanned();
    let status = run({
        let mut command = sureplug("status --json --socket");
        command.arg(&socket);
        command
    });
    let figures = status.objects("status").into_iter().find(|part| part["part"] == "daemon");
    let state = figures.expect("figures")["state"].as_str().unwrap_or_default().to_owned();
    let output = daemon.finish();
    output.assert_fine();
    (state, !output.objects("restricted").is_empty())
}

#[test]
fn i9_restricted_namespace_is_never_steady() {
    let Some(_turn) = turn_to_raise("a network namespace of a user namespace") else { return };
    for (unshare, state) in [
        (&["--user", "--map-root-user", "--net"][..], "restricted"),
        (&["--user", "--map-root-user"], "steady"),
        // The owner of the network namespace is an ancestor, which the kernel does not name.
        (&["--user", "--map-root-user", "--net", "unshare", "--user", "--map-root-user"], "restricted"),
        (&["--user", "--map-root-user", "unshare", "--user", "--map-root-user"], "steady"),
        (&["--net"], "steady"),
    ] {
        assert_eq!(state_inside(unshare), (state.to_owned(), state == "restricted"), "{unshare:?}");
    }
}
