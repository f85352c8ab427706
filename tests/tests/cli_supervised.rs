//! Readiness and watchdog, as supervisors expect them.

use std::io::{Read, pipe};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use sureplug_tests::daemon::{Daemon, run, sureplug};
use sureplug_tests::receive::receive;

fn daemon(directory: &tempfile::TempDir, further: &str) -> Command {
    let mut command = sureplug(further);
    command.arg("--socket").arg(directory.path().join("events"));
    command
}

fn notification(socket: &UnixDatagram) -> String {
    let mut text = [0; 100];
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let length = receive(socket, &mut text).expect("a message");
    String::from_utf8_lossy(&text[..length]).into_owned()
}

#[test]
fn systemd_is_notified_of_readiness_and_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let name = format!("sureplug-test-{}", std::process::id());
    let abstract_name = SocketAddr::from_abstract_name(&name).expect("a name");
    for (socket, variable) in [
        (UnixDatagram::bind(&path).expect("a socket"), path.display().to_string()),
        (UnixDatagram::bind_addr(&abstract_name).expect("a socket"), format!("@{name}")),
    ] {
        let mut command = daemon(&directory, "run");
        command.env("NOTIFY_SOCKET", &variable);
        let daemon = Daemon::start(command);
        assert_eq!(notification(&socket), "READY=1");
        // It serves by then.
        assert!(directory.path().join("events").exists());
        daemon.wait_until_scanned();
        daemon.finish().assert_fine();
        assert_eq!(notification(&socket), "STOPPING=1");
    }
}

#[test]
fn watchdog_is_notified_twice_per_interval() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    let mut command = daemon(&directory, "run");
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000");
    let daemon = Daemon::start(command);
    let (mut beats, begun) = (0, Instant::now());
    while begun.elapsed() < Duration::from_secs(2) {
        beats += usize::from(notification(&socket) == "WATCHDOG=1");
    }
    assert!((8..=14).contains(&beats), "{beats} in 2 s");
    daemon.finish().assert_fine();
    // What is for another process is not for this one.
    let mut command = self::daemon(&directory, "run");
    while socket.set_nonblocking(true).is_ok() && socket.recv(&mut [0; 100]).is_ok() {}
    socket.set_nonblocking(false).expect("it blocks");
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "10000").env("WATCHDOG_PID", "1");
    let daemon = Daemon::start(command);
    assert_eq!(notification(&socket), "READY=1");
    std::thread::sleep(Duration::from_millis(300));
    daemon.finish().assert_fine();
    assert_eq!(notification(&socket), "STOPPING=1");
}

#[test]
fn other_supervisors_get_a_line_on_a_descriptor() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut reader, writer) = pipe().expect("a pipe");
    fcntl(&writer, FcntlArg::F_SETFD(FdFlag::empty())).expect("it is inherited");
    let daemon = Daemon::start(daemon(&directory, &format!("run --ready-fd {}", writer.as_raw_fd())));
    drop(writer);
    let mut text = String::new();
    // To its end: it is closed then.
    reader.read_to_string(&mut text).expect("a line");
    assert_eq!(text, "\n");
    daemon.wait_until_scanned();
    daemon.finish().assert_fine();
}

#[test]
fn unusable_supervisor_is_reported_before_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = run(daemon(&directory, "run --ready-fd 777"));
    assert_eq!((output.code, output.stdout.len()), (Some(3), 0), "{output:?}");
    assert!(output.stderr[0].contains("--ready-fd"), "{output:?}");
    // Nor is one of the daemon's own taken for it.
    for number in 3..8 {
        let untaken = daemon(&directory, &format!("run --ready-fd {number}"));
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" 3>&- 4>&- 5>&- 6>&- 7>&-"]);
        command.arg(untaken.get_program()).args(untaken.get_args());
        let output = run(command);
        assert_eq!((output.code, output.stdout.len()), (Some(3), 0), "{number}: {output:?}");
    }
    let mut command = daemon(&directory, "run");
    let output = run({
        command.env("NOTIFY_SOCKET", directory.path().join("none"));
        command
    });
    assert_eq!(output.code, Some(3));
    assert_eq!(run(sureplug("run --ready-fd 2")).code, Some(2));
}
