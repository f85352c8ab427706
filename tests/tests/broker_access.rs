//! The socket in the file system: its owner, and who has access.

use std::fs::{self, File};
use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::unistd::Uid;
use sureplug_tests::application::Application;
use sureplug_tests::daemon::{Daemon, Output, run, sureplug};
use sureplug_tests::served::Served;

fn refused(path: &Path, further: &str) -> Output {
    let mut command = sureplug(&format!("run {further} --socket"));
    command.arg(path);
    let output = run(command);
    assert_eq!((output.code, output.stdout.len()), (Some(3), 0), "{output:?}");
    output
}

/// A daemon that serves a path.
fn start_at(path: &Path) -> Daemon {
    let mut command = sureplug("run --socket");
    command.arg(path);
    let daemon = Daemon::start(command);
    daemon.wait_until_scanned();
    daemon
}

#[test]
fn only_owner_and_group_may_connect_and_the_socket_goes_with_the_daemon() {
    let served = Served::start("");
    let file = fs::metadata(served.path()).expect("a socket");
    assert!(file.file_type().is_socket());
    assert_eq!((file.permissions().mode() & 0o7777, file.uid()), (0o660, Uid::effective().as_raw()));
    let path = served.path();
    served.finish().assert_fine();
    assert!(!path.exists());
}

#[test]
fn the_group_is_by_name_or_number() {
    if !Uid::effective().is_root() {
        return sureplug_tests::privilege::not_run("the socket's group", "it needs root");
    }
    for (group, number) in [("tty", 5), ("4711", 4711)] {
        let served = Served::start(&format!("--socket-group {group}"));
        let file = fs::metadata(served.path()).expect("a socket");
        assert_eq!((file.gid(), file.permissions().mode() & 0o7777), (number, 0o660));
    }
    let output = run(sureplug("run --socket-group nobody-has-this-name"));
    assert_eq!(output.code, Some(2));
    assert!(output.stderr[0].contains("neither a group in /etc/group nor a number"), "{output:?}");
}

#[test]
fn a_stale_socket_is_replaced() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("events");
    let killed = start_at(&path);
    killed.signal(Signal::SIGKILL);
    let _ = killed.wait();
    assert!(path.exists(), "a killed daemon leaves its socket");
    let daemon = start_at(&path);
    let mut application = Application::connect(&path, "LIST").expect("the new one listens");
    application.receive_until_marker("end");
    daemon.finish().assert_fine();
}

#[test]
fn a_live_socket_is_not_replaced() {
    let served = Served::start("");
    let mut application = served.connect("");
    application.receive_until_marker("end");
    for _ in 0..2 {
        let output = refused(&served.path(), "");
        assert!(output.stderr[0].contains("another daemon uses it"), "{output:?}");
    }
    served.connect("LIST").receive_until_marker("end");
    // Another program's file of any type is left alone too.
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("events");
    let _listener = UnixListener::bind(&path).expect("a socket");
    assert!(refused(&path, "").stderr[0].contains("another daemon uses it"));
    assert!(path.exists());
}

#[test]
fn of_many_that_start_together_one_gets_the_path() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("events");
    // A stale one, which each of them may want to replace.
    drop(UnixListener::bind(&path).expect("a socket"));
    let daemons: Vec<_> = (0..8)
        .map(|_| {
            let mut command = sureplug("run --socket");
            command.arg(&path);
            Daemon::start(command)
        })
        .collect();
    thread::sleep(Duration::from_secs(1));
    Application::connect(&path, "LIST").expect("one of them listens").receive_until_marker("end");
    let mut refusals = 0;
    for daemon in daemons {
        daemon.end();
        let output = daemon.wait();
        refusals += usize::from(output.code == Some(3));
    }
    assert_eq!(refusals, 7);
}

#[test]
fn broker_leaves_files_that_are_no_socket_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("events");
    fs::write(&path, "precious").expect("a file");
    assert!(refused(&path, "").stderr[0].contains("not a socket; remove the file"));
    assert_eq!(fs::read_to_string(&path).expect("a file"), "precious");
    let nowhere = directory.path().join("no/such/directory/events");
    let parent = nowhere.parent().expect("a directory").display().to_string();
    let refusal = &refused(&nowhere, "").stderr[0];
    assert!(refusal.contains(&format!("cannot create the directory {parent}: No such file")), "{refusal}");
    let long = directory.path().join("x".repeat(108));
    assert!(refused(&long, "").stderr[0].contains("has at most 107 bytes"));
}

#[test]
fn a_daemon_leaves_nothing_behind() {
    let directory = tempfile::tempdir().expect("a directory");
    let left = || fs::read_dir(&directory).expect("a directory").flatten().map(|file| file.file_name());
    // In a directory that was there, and in one that it made.
    for (path, is_made) in [("events", false), ("made/events", true)] {
        let path = directory.path().join(path);
        let daemon = start_at(&path);
        assert!(path.exists() && path.with_extension("lock").exists());
        daemon.finish().assert_fine();
        assert_eq!(left().collect::<Vec<_>>(), [""; 0], "{}", path.display());
        // Nor does one that is refused, or that follows one that was killed.
        let live = start_at(&path);
        refused(&path, "");
        live.signal(Signal::SIGKILL);
        let _ = live.wait();
        start_at(&path).finish().assert_fine();
        // A directory that this one found is not its own.
        if is_made {
            fs::remove_dir(path.parent().expect("a directory")).expect("an empty directory");
        }
        assert_eq!(left().collect::<Vec<_>>(), [""; 0], "{}", path.display());
    }
    // What others put there stays, and so does its directory.
    let path = directory.path().join("shared/events");
    let daemon = start_at(&path);
    fs::write(path.with_file_name("precious"), "").expect("a file");
    daemon.finish().assert_fine();
    assert!(path.with_file_name("precious").exists());
}

/// Whether this kernel can refuse descriptors: since 6.16.
fn refuses_descriptors() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("the kernel's release");
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse::<u32>().ok());
    numbers.next() > Some(Some(6)) || (release.starts_with("6.") && numbers.next() >= Some(Some(16)))
}

#[test]
fn i5_descriptors_are_refused_where_the_kernel_can() {
    let served = Served::start("");
    let application = served.connect("");
    let null = File::open("/dev/null").expect("the device");
    let sent = sendmsg::<()>(
        application.as_fd().as_raw_fd(),
        &[IoSlice::new(b"SNAPSHOT=no")],
        &[ControlMessage::ScmRights(&[null.as_raw_fd()])],
        MsgFlags::MSG_NOSIGNAL,
        None,
    );
    assert_eq!(sent, if refuses_descriptors() { Err(Errno::EPERM) } else { Ok(11) });
    served.connect("LIST").receive_until_marker("end");
    served.finish().assert_fine();
}

#[test]
fn a_daemon_that_ends_leaves_the_socket_of_another_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("events");
    let first = start_at(&path);
    fs::remove_file(&path).expect("its socket");
    fs::remove_file(directory.path().join("events.lock")).expect("its lock");
    let second = start_at(&path);
    first.finish().assert_fine();
    let mut application = Application::connect(&path, "LIST").expect("the second listens");
    application.receive_until_marker("end");
    second.finish().assert_fine();
    assert!(!path.exists());
}
