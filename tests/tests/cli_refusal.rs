//! I1: an image does not start with a smaller buffer than its board needs, and reports what is
//! missing, word for word.

use std::process::Command;

use serde_json::Value;
use sureplug_tests::daemon::{Daemon, Output, json, number, run, sureplug, unprivileged};
use sureplug_tests::kernel::Clamped;
use sureplug_tests::usb_tree::UsbTree;

const REFUSED: &str =
    "sureplug: refused to start because events could be lost; use --allow-undersized to start anyway";

/// This sysfs, and a socket that no other test has.
fn with_sysfs(tree: &UsbTree) -> String {
    format!("--sysfs {0} --socket {0}/events", tree.path().display())
}

/// More than an unprivileged process gets.
struct TooLarge {
    options: String,
    size: Value,
    clamped: Clamped,
}

impl TooLarge {
    /// Nearly the largest budget that a socket can have; `None` if the test cannot run.
    fn with(ports: &str, test: &str) -> Option<Self> {
        let options = format!("{ports} --port-device keyboard --max-stall-ms 60000");
        let size = run(sureplug(&format!("size --json {options}"))).object();
        let clamped = Clamped::below(number(&size, "wanted_bytes"), test)?;
        Some(Self { options, size, clamped })
    }

    /// The sentence about a buffer that the kernel clamped.
    fn shortfall(&self) -> String {
        let rmem_max = self.clamped.rmem_max;
        let [wanted, request] = ["wanted_bytes", "request_bytes"].map(|key| number(&self.size, key));
        format!(
            "the receive buffer is too small: wanted {wanted} bytes, the kernel gave {} (net.core.rmem_max = {rmem_max}, \
             which the kernel doubles). Either give sureplug CAP_NET_ADMIN (AmbientCapabilities=CAP_NET_ADMIN in its \
             unit, or `setcap cap_net_admin+ep` on its file), or raise the limit: sysctl -w \
             net.core.rmem_max={request}",
            2 * rmem_max
        )
    }
}

#[test]
fn i1_a_clamped_buffer_is_refused_with_both_cures() {
    let Some(board) = TooLarge::with("--ports 127", "the refusal of a clamped buffer") else { return };
    let options = &board.options;
    for line in [format!("run {options}"), format!("{options} --json"), format!("-v {options}")] {
        let output = run(unprivileged(&line));
        assert_eq!((output.code, output.stdout.len()), (Some(3), 0), "{output:#?}");
        assert_eq!(output.stderr, [format!("sureplug: {}", board.shortfall()), REFUSED.into()]);
    }
}

#[test]
fn i1_size_finds_what_run_refuses() {
    let Some(board) = TooLarge::with("--ports 127", "the finding of a clamped buffer") else { return };
    let options = &board.options;
    let output = run(unprivileged(&format!("size {options}")));
    assert_eq!(output.code, Some(1));
    assert_eq!(output.stdout.last(), Some(&format!("- {}", board.shortfall())));
    let output = run(unprivileged(&format!("size --json {options}")));
    assert_eq!(output.object()["findings"][0], *board.shortfall());
}

#[test]
fn i1_allow_undersized_starts_and_warns() {
    let Some(board) = TooLarge::with("--ports 127", "the start with a clamped buffer") else { return };
    let options = &board.options;
    let daemon = Daemon::start(unprivileged(&format!("{options} --allow-undersized")));
    let warning = daemon.wait_for_line(|line| line.starts_with("sureplug: warning: "));
    assert_eq!(warning, format!("sureplug: warning: {}; events can be lost", board.shortfall()));
    let output = daemon.finish();
    output.assert_fine();
    // After profile, budget, buffer and subsystems: the warning is printed at the start.
    assert_eq!(output.stdout[4], warning);

    let daemon = Daemon::start(unprivileged(&format!("run --json {options} --allow-undersized")));
    daemon.wait_for_line(|line| json(line)["kind"] == "undersized");
    let output = daemon.finish();
    output.assert_fine();
    assert_eq!(json(&output.stdout[1])["message"], *board.shortfall());
}

#[test]
fn i1_clamped_buffer_is_a_warning_without_stated_ports() {
    let tree = UsbTree::new().root_hub("usb1", 120);
    let Some(board) =
        TooLarge::with(&format!("--sysfs {}", tree.path().display()), "the warning of a clamped buffer")
    else {
        return;
    };
    let options = &board.options;
    let daemon = Daemon::start(unprivileged(options));
    let warning = daemon.wait_for_line(|line| line.starts_with("sureplug: warning: "));
    assert_eq!(warning, format!("sureplug: warning: {}; events can be lost", board.shortfall()));
    daemon.finish().assert_fine();
}

#[test]
fn i1_a_board_with_more_ports_than_stated_is_refused() {
    let tree = UsbTree::new().root_hub("usb1", 2).hub("1-1", 5, "fixed");
    let sysfs = with_sysfs(&tree);
    let sentence = "the profile is too small for this board: it states 4 USB ports, but sysfs shows 6 of the board's own. \
                    Build the image with SUREPLUG_USB_PORTS=6, or start with --ports 6";
    let output = run(sureplug(&format!("run --ports 4 {sysfs}")));
    assert_eq!((output.code, output.stdout.len()), (Some(3), 0), "{output:#?}");
    assert_eq!(output.stderr, [format!("sureplug: {sentence}"), REFUSED.into()]);

    let daemon = Daemon::start(sureplug(&format!("run --ports 4 --allow-undersized {sysfs}")));
    let warning = daemon.wait_for_line(|line| line.contains("warning"));
    assert_eq!(warning, format!("sureplug: warning: {sentence}; events can be lost"));
    daemon.finish().assert_fine();
}

#[test]
fn i1_the_board_that_was_stated_starts_without_a_warning() {
    let tree = UsbTree::new().root_hub("usb1", 2).hub("1-1", 5, "fixed");
    for (ports, origin) in [("", "counted, at least 4"), ("--ports 6", "stated")] {
        let line = format!("run {ports} {}", with_sysfs(&tree));
        let mut daemon = Daemon::start(sureplug(&line));
        daemon.wait_until_it_reads();
        let output = daemon.finish();
        output.assert_fine();
        let profile = format!("sureplug: profile: 6 USB ports ({origin}), storage in each, ");
        assert!(output.stdout[0].starts_with(&profile), "{output:#?}");
        assert!(!output.stdout.iter().any(|line| line.contains("warning")), "{output:#?}");
    }
}

#[test]
fn i1_a_users_hub_is_no_reason_to_refuse() {
    let tree = UsbTree::new().root_hub("usb1", 2).hub("1-1", 7, "removable");
    let mut daemon = Daemon::start(sureplug(&format!("--ports 2 {}", with_sysfs(&tree))));
    daemon.wait_until_it_reads();
    let output = daemon.finish();
    output.assert_fine();
    assert!(!output.stdout.iter().any(|line| line.contains("warning")), "{output:#?}");
}

#[test]
fn a_longer_devpath_than_stated_is_only_warned_of() {
    let tree = UsbTree::new().root_hub("usb1", 2);
    let mut daemon = Daemon::start(sureplug(&format!("--ports 2 --devpath-max 20 {}", with_sysfs(&tree))));
    daemon.wait_until_it_reads();
    let output = daemon.finish();
    output.assert_fine();
    let found = "/devices/pci0000:00/0000:00:14.0/usb1/1-2".len();
    let warning = format!(
        "sureplug: warning: the profile is too small for this board: it states devpaths of up to 20 bytes, but sysfs shows \
         ports with {found}. Build the image with SUREPLUG_DEVPATH_MAX={found}, or start with --devpath-max {found}; \
         events can be lost"
    );
    assert_eq!(output.stdout[4], warning);
}

#[test]
fn a_start_without_descriptors_states_what_failed_and_the_limit() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().display();
    // From one beside the standard ones, which the dynamic linker needs.
    for limit in 4..14 {
        let started = sureplug(&format!("run --ports 1 --hook /bin/true --socket {path}/events"));
        let mut command = Command::new("sh");
        // Those that the caller of the tests left open would count.
        let close = "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-";
        command.args(["-c", &format!("{close}; ulimit -n {limit}; exec \"$0\" \"$@\"")]);
        command.arg(started.get_program()).args(started.get_args());
        let output = run(command);
        assert_eq!(output.code, Some(3), "{limit}: {output:#?}");
        let line = output.stderr.last().expect("a line");
        let wanted =
            format!("(os error 24); RLIMIT_NOFILE allows this process {limit} descriptors: raise it");
        assert!(line.contains(&wanted) && !line.starts_with("sureplug: Too many"), "{limit}: {output:#?}");
    }
}

/// Runs a command with this limit of descriptors, and without standard input, whose number the
/// dynamic linker takes.
fn with_descriptors(limit: u32, line: &str) -> Output {
    let wanted = sureplug(line);
    let mut command = Command::new("sh");
    // Those that the caller of the tests left open would count.
    let close = "exec 0<&- 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-";
    command.args(["-c", &format!("{close}; ulimit -n {limit}; exec \"$0\" \"$@\"")]);
    command.arg(wanted.get_program()).args(wanted.get_args());
    run(command)
}

#[test]
fn each_command_without_descriptors_states_the_limit() {
    let tree = UsbTree::new().root_hub("usb1", 2);
    let sysfs = tree.path().display();
    let capture = tree.path().join("capture");
    std::fs::write(&capture, []).expect("a capture");
    let capture = capture.display();
    // Up to a limit with which it would wait for events.
    for (line, limits) in [
        (format!("list --sysfs {sysfs} --socket {sysfs}/events"), 3..8),
        (format!("status --socket {sysfs}/events"), 3..8),
        (format!("monitor --socket {sysfs}/events"), 3..4),
        (format!("monitor --direct --sysfs {sysfs}"), 3..6),
        (String::from("size"), 3..8),
        (String::from("audit"), 3..8),
        (String::from("measure"), 3..4),
        (format!("measure --pcap {capture}"), 3..8),
        (format!("record {capture}"), 3..5),
        (format!("decode {capture}"), 3..8),
    ] {
        let mut refusals = 0;
        for limit in limits {
            let output = with_descriptors(limit, &line);
            for stated in output.stderr.iter().filter(|line| line.contains("Too many open files")) {
                let wanted = format!("; RLIMIT_NOFILE allows this process {limit} descriptors: raise it");
                assert!(stated.contains(&wanted), "{line}, {limit}: {output:#?}");
                refusals += 1;
            }
            assert!(!output.stderr.iter().any(|line| line.contains("uncategorized")), "{line}: {output:#?}");
        }
        assert!(refusals > 0, "{line}");
    }
}
