//! The line of a loss, from the program that an image has, with a buffer that is far too small.

use std::path::Path;

use nix::sys::signal::Signal;
use sureplug_tests::daemon::{Daemon, json, number, stamp, unprivileged};
use sureplug_tests::kernel::devices::NetDevice;
use sureplug_tests::kernel::{Injector, ReceiveLimit, own_sysfs};
use sureplug_tests::sysfs_truth::assert_true;

/// Starts the daemon as the user `nobody`, so that the sysctl limits its buffer. The limit is next to
/// nothing until it has its socket.
fn start(limit: &ReceiveLimit, options: &str) -> Daemon {
    let _lowered = limit.lowered();
    let daemon =
        Daemon::start(unprivileged(&format!("run --subsystem all --ports 1 --allow-undersized {options}")));
    daemon.wait_until_scanned();
    daemon
}

/// A burst that it sleeps through.
fn overrun(daemon: &Daemon) {
    let injector = Injector::new();
    daemon.stop();
    for _ in 0..2_000 {
        injector.send(b"change@/module/x\0ACTION=change\0DEVPATH=/module/x\0SUBSYSTEM=module\0");
    }
}

#[test]
fn i2_i3_an_overrun_is_one_line_with_the_sockets_figures_and_what_was_repaired() {
    let limit = ReceiveLimit::open();
    let Some(_turn) = own_sysfs("the line of a loss") else { return };
    let limit = limit.expect("sysctls of the first network namespace");
    let (first, gone) = (NetDevice::tap("first").expect("a tap"), NetDevice::tap("gone").expect("a tap"));
    for json_lines in [false, true] {
        let daemon = start(&limit, if json_lines { "--json" } else { "" });
        overrun(&daemon);
        let added = NetDevice::tap("added").expect("a tap");
        daemon.signal(Signal::SIGCONT);
        if json_lines {
            let line = daemon.wait_for_line(|line| json(line)["kind"] == "overrun");
            let line = json(&line);
            assert!(number(&line, "dropped") > 1_000 && line["repaired"] == true, "{line}");
            assert_eq!(
                (number(&line, "added"), number(&line, "removed"), number(&line, "damaged")),
                (1, 0, 0)
            );
            assert!((1_000..=4_608).contains(&number(&line, "queued_bytes")), "{line}");
            assert_eq!(number(&line, "effective_bytes"), 4_608, "{line}");
            let output = daemon.finish();
            output.assert_fine();
            assert_true(&output.fold(), Path::new("/sys"), "behind an overrun");
            let is_kept = |event: &&serde_json::Value| {
                event["action"] == "change" && event["properties"]["SUREPLUG_ORIGIN"] == "repair"
            };
            let kept = output.objects("event").iter().filter(is_kept).count() as u64;
            assert!(kept >= number(&line, "kept"), "what stayed is told: {kept} of {line}");
        } else {
            let line = daemon.wait_for_line(|line| line.contains("] overrun: "));
            let (_, text) = stamp(&line).expect("a stamp");
            let figures: Vec<u64> = text
                .split(|character: char| !character.is_ascii_digit())
                .filter_map(|digits| digits.parse().ok())
                .collect();
            let [dropped, queued, effective, added, removed, replaced, kept, ms, tenth] = figures[..] else {
                panic!("{line}")
            };
            let wanted = format!(
                "overrun: kernel dropped {dropped} (queued {queued} of {effective} B); repaired: {added} added, \
                 {removed} removed, {replaced} replaced, {kept} kept, in {ms}.{tenth} ms"
            );
            assert_eq!(text, wanted);
            assert!(dropped > 1_000 && queued <= effective && effective == 4_608, "{line}");
            assert_eq!((added, removed, replaced), (1, 0, 0), "{line}");
            let output = daemon.finish();
            output.assert_fine();
            let lines = output.stdout.iter().filter(|line| line.contains("] overrun: ")).count();
            assert!(lines >= 1 && output.stdout.iter().any(|line| line.ends_with("net/added (repair)")));
        }
        drop(added);
    }
    drop((first, gone));
}
