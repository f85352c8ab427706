//! `--log kmsg` and `--log syslog`: what matters, and not too much of it, beside the system's own lines.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use sureplug_board::report::Notice;
use sureplug_board::service::log::{LogKind, SystemLog};
use sureplug_board::time::monotonic_now;
use sureplug_tests::daemon::{Daemon, run, sureplug};
use sureplug_tests::kernel::namespace::own_mounts;
use sureplug_tests::kernel::{Injector, own_network_namespace};
use sureplug_tests::receive::receive;

/// Cut short, as another process's filter does it: it has no last NUL.
const DAMAGED: &[u8] = b"add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=usb\0=broken\0";

fn start(log: &str) -> Daemon {
    let mut daemon = Daemon::start(sureplug(&format!("--json --log {log}")));
    daemon.wait_until_it_reads();
    daemon.wait_until_scanned();
    daemon
}

/// The records of the kernel's log from now on: as they come, without waiting.
struct Kmsg(fs::File);

impl Kmsg {
    fn from_here() -> Self {
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(nix::libc::O_NONBLOCK)
            .open("/dev/kmsg")
            .expect("the kernel's log");
        std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).expect("its end");
        Self(file)
    }

    fn ours(&mut self) -> Vec<String> {
        let mut records = Vec::new();
        let mut record = [0; 8_192];
        while let Ok(length) = self.0.read(&mut record) {
            records.push(String::from_utf8_lossy(&record[..length]).into_owned());
        }
        records.retain(|record| record.contains("sureplug: "));
        records
    }
}

#[test]
fn a_loss_stands_in_the_kernels_log() {
    let Some(_turn) = own_network_namespace("a loss in the kernel's log") else { return };
    let mut kmsg = Kmsg::from_here();
    let daemon = start("kmsg");
    Injector::new().send(DAMAGED);
    daemon.wait_for_line(|line| line.contains(r#"{"kind":"damaged","#));
    daemon.finish().assert_fine();
    let records = kmsg.ours();
    // The priority: facility daemon, severity warning.
    let record = records.iter().find(|record| record.contains("malformed: an event of the kernel"));
    assert!(record.is_some_and(|record| record.starts_with("28,")), "{records:#?}");
    assert!(
        records.iter().any(|record| record.contains("damaged: ") && record.contains("repaired: ")),
        "{records:#?}"
    );
    assert!(records.iter().all(|record| !record.contains("sureplug: sureplug: ")), "{records:#?}");
}

#[test]
fn a_flood_is_held_back_and_counted() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("log");
    let reader = UnixDatagram::bind(&path).expect("a syslog");
    reader.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    let mut log = SystemLog::open_at(LogKind::Syslog, &path).expect("a log");
    let flood =
        |log: &mut SystemLog| (0..500).for_each(|_| log.write(&Notice::Truncated { at: monotonic_now() }));
    let lines = || {
        let mut lines = Vec::new();
        let mut line = [0; 2_000];
        while let Ok(length) = receive(&reader, &mut line) {
            lines.push(String::from_utf8_lossy(&line[..length]).into_owned());
        }
        lines
    };
    // What waits for a reader is bounded by this sysctl of the network namespace; what is beyond it is lost.
    let limit = fs::read_to_string("/proc/sys/net/unix/max_dgram_qlen").expect("a sysctl");
    let fits = limit.trim().parse::<usize>().expect("a number") + 1;
    flood(&mut log);
    let first = lines();
    assert_eq!(first.len(), fits.min(10), "{first:#?}");
    assert!(
        first.iter().all(|line| line.starts_with("<28>sureplug: [") && line.contains("] truncated: ")),
        "{first:#?}"
    );
    std::thread::sleep(Duration::from_millis(5_100));
    flood(&mut log);
    let second = lines();
    assert_eq!((second.len(), &*second[0]), (fits.min(11), "<28>sureplug: 490 lines suppressed"));
    // A log whose reader has gone does no harm.
    drop(reader);
    flood(&mut log);
}

#[test]
fn system_log_never_delays_the_daemon() {
    let Some(_turn) = own_network_namespace("a loss in the system's log") else { return };
    own_mounts().expect("mounts of its own");
    let directory = tempfile::tempdir().expect("a directory");
    mount(Some("tmpfs"), "/dev", Some("tmpfs"), MsFlags::empty(), None::<&str>).expect("a /dev of its own");
    let mode = Mode::S_IRUSR | Mode::S_IWUSR;
    mknod("/dev/null", SFlag::S_IFCHR, mode, makedev(1, 3)).expect("what is started reads from it");
    let reader = UnixDatagram::bind("/dev/log").expect("a syslog");
    reader.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let daemon = start("syslog");
    let injector = Injector::new();
    injector.send(DAMAGED);
    let mut line = [0; 2_000];
    let length = loop {
        let length = receive(&reader, &mut line).expect("a line");
        if String::from_utf8_lossy(&line[..length]).contains("malformed: ") {
            break length;
        }
    };
    assert!(line[..length].starts_with(b"<28>sureplug: ["), "{}", line[..length].escape_ascii());
    // The reader has gone: the daemon continues.
    for _ in 0..2_000 {
        injector.send(DAMAGED);
    }
    daemon.finish().assert_fine();
    drop(directory);
    // A log that never existed is reported.
    fs::remove_file("/dev/log").ok();
    let nobody = start("syslog").finish();
    assert_eq!(nobody.code, Some(0));
    assert!(nobody.stderr[0].contains("warning: no daemon reads /dev/log: "), "{nobody:#?}");
    let output = run(sureplug("--log kmsg"));
    assert_eq!(output.code, Some(3));
    assert!(output.stderr[0].contains("cannot open the log: "), "{output:#?}");
}
