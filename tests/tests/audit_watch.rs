//! `sureplug audit --watch`: on a terminal it fits, elsewhere it is lines.

use std::fs::File;
use std::os::fd::AsRawFd;

use nix::pty::{Winsize, openpty};
use nix::sys::signal::Signal;
use sureplug_tests::daemon::{Daemon, json, number, sureplug};
use sureplug_tests::kernel::{Culprit, Injector, Listener, own_network_namespace};

const ROWS: usize = 24;
const COLUMNS: usize = 80;
const EVENT: &[u8] = b"change@/devices/x\0ACTION=change\0DEVPATH=/devices/x\0SUBSYSTEM=x\0";

fn wait(daemon: Daemon, signal: Signal) -> sureplug_tests::daemon::Output {
    daemon.signal(signal);
    daemon.wait()
}

/// The screens that were drawn, each as its lines.
fn screens(lines: &[String]) -> Vec<Vec<String>> {
    let text = lines.join("\n");
    text.split("\x1b[H")
        .skip(1)
        .map(|screen| {
            let shown = screen.split_once("\x1b[J").map_or(screen, |(shown, _)| shown);
            shown
                .lines()
                .map(|line| {
                    line.trim_end_matches('\r').trim_end_matches("\x1b[K").trim_end_matches('\r').to_owned()
                })
                .collect()
        })
        .collect()
}

/// A terminal that reports its size, and one that does not, like a serial console.
#[test]
fn a_screen_fits_the_console_whatever_is_to_be_shown() {
    let Some(_turn) = own_network_namespace("an audit's screen") else { return };
    let culprit = Culprit::start();
    let _others: Vec<_> = (0..60).map(|_| Listener::with_rcvbuf(50_000, 3)).collect();
    for size in [None, Some(Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 })] {
        let ends = openpty(size.as_ref(), None).expect("a terminal");
        let mut daemon =
            Daemon::start_into(sureplug("audit --watch --ports 127 --port-device hub"), ends.slave);
        daemon.read_from(File::from(ends.master));
        let mut drawn = 0;
        daemon.wait_for_line(|line| {
            drawn += usize::from(line.contains("\x1b[J"));
            drawn == 2
        });
        culprit.stop();
        let injector = Injector::new();
        (0..40).for_each(|_| injector.send(EVENT));
        daemon.wait_for_line(|line| {
            line.contains(Culprit::COMMAND)
                && !line.split('\x1b').next().is_some_and(|row| row.ends_with(" 0"))
        });
        culprit.go_on();
        let output = wait(daemon, Signal::SIGINT);
        assert_eq!((output.code, &output.stderr[..]), (Some(1), &[][..]));
        let screens = screens(&output.stdout);
        assert!(screens.len() >= 3, "{screens:#?}");
        for screen in &screens[..screens.len() - 1] {
            assert!(screen.len() < ROWS, "{screen:#?}");
            assert!(screen.iter().all(|line| line.chars().count() < COLUMNS), "{screen:#?}");
            assert!(screen[0].starts_with("62 uevent sockets, 61 findings; "), "{screen:#?}");
            assert!(screen.last().is_some_and(|line| line.starts_with("        and ")), "{screen:#?}");
        }
    }
}

#[test]
fn elsewhere_it_is_lines_with_drops_a_second() {
    let Some(_turn) = own_network_namespace("an audit's lines") else { return };
    let slow = Listener::with_rcvbuf(1024, 1);
    let injector = Injector::new();
    let daemon = Daemon::start(sureplug("audit --watch --json"));
    let port = |line: &str| json(line)["owners"][0]["pid"].as_u64() == Some(std::process::id().into());
    let (seen, line) = daemon.wait_for_line_from(0, port);
    assert_eq!(number(&json(&line), "drops_per_s"), 0);
    (0..100).for_each(|_| injector.send(EVENT));
    let drops = u64::from(slow.mem_info().drops);
    let (seen, line) =
        daemon.wait_for_line_from(seen + 1, |line| port(line) && number(&json(line), "drops") > 0);
    let rate = number(&json(&line), "drops_per_s");
    assert!((drops / 4..=drops).contains(&rate), "{rate} a second of {drops}");
    // What was lost stays, and no more is.
    daemon.wait_for_line_from(seen + 1, |line| port(line) && number(&json(line), "drops_per_s") == 0);
    let output = wait(daemon, Signal::SIGTERM);
    assert_eq!(output.code, Some(1));

    let daemon = Daemon::start(sureplug("audit --watch"));
    let mut looks = 0;
    daemon.wait_for_line(|line| {
        assert!(!line.contains('\x1b'), "{line}");
        looks += usize::from(line.contains("uevent sockets, 1 findings"));
        looks == 2
    });
    assert_eq!(wait(daemon, Signal::SIGTERM).code, Some(1));
    assert!(slow.into_fd().as_raw_fd() > 0);
}
