//! `sureplug status`: the figures of a running daemon.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, UnixAddr, accept, bind, connect, listen, send,
    socket,
};
use serde_json::Value;
use sureplug_board::client::Client;
use sureplug_tests::daemon::{Daemon, Output, number, run, sureplug};
use sureplug_tests::kernel::{Injector, own_sysfs};
use sureplug_tests::served::Served;

fn command(line: &str, socket: &Path) -> Command {
    let mut command = sureplug(line);
    command.arg("--socket").arg(socket);
    command
}

fn part(output: &Output, name: &str) -> Vec<Value> {
    let parts = output.objects("status").into_iter();
    parts.filter(|part| part["part"] == name).collect()
}

#[test]
fn a_daemon_states_what_it_counted_and_what_happened_at_its_ports() {
    let Some(_turn) = own_sysfs("the status of a daemon") else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("events");
    let mut daemon =
        Daemon::start(command("run --json --ports 3 --port-device uas --max-stall-ms 700", &socket));
    daemon.wait_until_it_reads();
    daemon.wait_until_scanned();
    let injector = Injector::new();
    let usb = |action: &str, more: &str| {
        let path = "/devices/pci0000:00/usb1/1-4";
        format!("{action}@{path}\0ACTION={action}\0DEVPATH={path}\0SUBSYSTEM=usb\0DEVTYPE=usb_device\0{more}")
    };
    for _ in 0..3 {
        injector.send(usb("add", "").as_bytes());
        injector.send(usb("remove", "").as_bytes());
    }
    injector.send(
        usb("change", "OVER_CURRENT_PORT=/devices/usb1/1-0:1.0/usb1-port2\0OVER_CURRENT_COUNT=5\0")
            .as_bytes(),
    );
    let mut client = Client::stream(&socket, &["usb"], false).expect("a client");
    client.receive().expect("it is served");
    daemon.wait_for_line(|line| line.contains("OVER_CURRENT_COUNT"));

    let output = run(command("status --json", &socket));
    output.assert_fine();
    let size = run(sureplug("size --json --ports 3 --port-device uas --max-stall-ms 700")).object();
    let [found] = &part(&output, "daemon")[..] else { panic!("{output:#?}") };
    for (key, wanted) in [
        ("received", 7),
        ("lost", 0),
        ("last_loss_events", 0),
        ("max_stall_ms", 700),
        ("ports", 3),
        ("clients", 1),
        ("pid", daemon.pid().into()),
        ("wanted_bytes", number(&size, "wanted_bytes")),
    ] {
        assert!(
            number(found, key) >= wanted && (wanted == 0 || number(found, key) < wanted + 100),
            "{key}: {found}"
        );
    }
    assert_eq!((&found["state"], &found["profile"]), (&"steady".into(), &"stated".into()));
    assert_eq!(
        (&found["port_device"], &found["version"]),
        (&"uas".into(), &env!("CARGO_PKG_VERSION").into())
    );
    let [client_part] = &part(&output, "client")[..] else { panic!("{output:#?}") };
    assert_eq!(number(client_part, "pid"), u64::from(std::process::id()));
    assert_eq!((number(client_part, "missed_events"), number(client_part, "lag_events")), (0, 0));
    let (used, all) = (number(found, "table_used_bytes"), number(found, "table_bytes"));
    assert!(0 < used && used < all, "{found}");
    let ports = part(&output, "port");
    let at = |name: &str| ports.iter().find(|port| port["port"] == name).expect("a port");
    assert_eq!([number(at("1-4"), "plugs"), number(at("1-4"), "flaps")], [3, 3]);
    assert_eq!(number(at("1-2"), "over_currents"), 5);

    let text = run(command("status", &socket)).stdout;
    assert_eq!(text[0], "daemon");
    for (key, figure) in [("max_stall_ms", 700), ("table_used_bytes", used), ("lag_events", 0)] {
        assert!(text.contains(&format!("  {key:<24} {figure}")), "{text:#?}");
    }
    drop(client);
    daemon.finish().assert_fine();
}

/// A program that serves a socket with one packet after the other, until its client is gone. Returns how many it sent.
fn serve_without_end(
    path: &Path,
    packet: impl Fn(u32) -> Vec<u8> + Send + 'static,
) -> thread::JoinHandle<u32> {
    let listener =
        socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
    bind(listener.as_raw_fd(), &UnixAddr::new(path).expect("an address")).expect("bound");
    listen(&listener, Backlog::new(1).expect("a backlog")).expect("listening");
    thread::spawn(move || {
        // SAFETY: accept(2) has just returned it.
        let client = unsafe { OwnedFd::from_raw_fd(accept(listener.as_raw_fd()).expect("a client")) };
        let sends = |number: &u32| send(client.as_raw_fd(), &packet(*number), MsgFlags::MSG_NOSIGNAL).is_ok();
        (0..10_000_000).take_while(sends).last().expect("a packet")
    })
}

#[test]
fn an_answer_that_does_not_end_is_given_up() {
    let directory = tempfile::tempdir().expect("a directory");
    let padding = "x".repeat(1_500);
    let status = move |number| {
        format!(
            "status@/sureplug/daemon\0ACTION=status\0DEVPATH=/sureplug/daemon\0SUBSYSTEM=sureplug\0A={padding}\0\
             SUREPLUG_SEQ={number}\0"
        )
        .into_bytes()
    };
    let device = |number| {
        let path = format!("/devices/usb1/{number}");
        format!(
            "add@{path}\0ACTION=add\0DEVPATH={path}\0SUBSYSTEM=usb\0SUREPLUG_ORIGIN=scan\0SUREPLUG_SEQ={number}\0"
        )
        .into_bytes()
    };
    let [for_status, for_list] = ["status", "list"].map(|name| directory.path().join(name));
    let servers = [serve_without_end(&for_status, status), serve_without_end(&for_list, device)];
    for (what, path) in [("status", &for_status), ("list", &for_list)] {
        let output = run(command(what, path));
        assert_eq!((output.code, output.stdout.len()), (Some(3), 0), "{what}");
        assert!(output.stderr[0].contains("the answer does not end"), "{what}: {output:?}");
    }
    for server in servers {
        let sent = server.join().expect("no panic");
        assert!(sent < 40_000, "{sent} packets");
    }
}

#[test]
fn a_daemon_that_accepts_no_connection_is_given_up() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("events");
    let address = UnixAddr::new(&path).expect("an address");
    let unix = |flags| socket(AddressFamily::Unix, SockType::SeqPacket, flags, None).expect("a socket");
    let listener = unix(SockFlag::SOCK_CLOEXEC);
    bind(listener.as_raw_fd(), &address).expect("bound");
    listen(&listener, Backlog::new(1).expect("a backlog")).expect("listening");
    let waiting: Vec<_> = (0..8)
        .map(|_| unix(SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK))
        .take_while(|client| connect(client.as_raw_fd(), &address).is_ok())
        .collect();
    assert!(waiting.len() < 8, "the backlog is full");
    let (ended, end) = mpsc::channel::<()>();
    // A client that still waits for the daemon by then is refused.
    let daemon = thread::spawn(move || {
        let _ = end.recv_timeout(Duration::from_secs(60));
        drop(listener);
    });
    let asked = ["status", "list", "monitor"].map(|what| {
        let command = command(what, &path);
        (what, thread::spawn(|| run(command)))
    });
    for (what, asked) in asked {
        let output = asked.join().expect("no panic");
        assert_eq!((output.code, output.stdout.len()), (Some(3), 0), "{what}: {output:?}");
        assert!(output.stderr[0].contains("has not answered for 10 s: it is stopped"), "{what}: {output:?}");
    }
    drop(ended);
    daemon.join().expect("no panic");
}

#[test]
fn status_reports_a_missing_daemon() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = run(command("status --json", &directory.path().join("events")));
    assert_eq!((output.code, output.stdout.len()), (Some(3), 0));
    assert!(output.stderr[0].contains("no daemon serves there: start `sureplug run`"), "{output:#?}");
}

#[test]
fn status_reports_a_stopped_daemon() {
    let served = Served::start("");
    served.daemon.stop();
    let asked: Vec<_> = ["status", "list", "monitor"]
        .into_iter()
        .map(|what| {
            let mut command = sureplug(&format!("{what} --socket"));
            command.arg(served.path());
            thread::spawn(|| run(command))
        })
        .collect();
    for asked in asked {
        let output = asked.join().expect("no panic");
        assert_eq!((output.code, output.stdout.len()), (Some(3), 0), "{output:?}");
        assert!(output.stderr[0].contains("has not answered for 10 s: it is stopped"), "{output:?}");
    }
    served.daemon.signal(Signal::SIGCONT);
    served.finish().assert_fine();
}
