//! Inside a user namespace the kernel's messages come with another uid: they are believed all the same.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sureplug_tests::kernel::{mark, raise};
use sureplug_tests::privilege::turn_to_raise;

/// Ends with the test, whatever happens.
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
