//! The command line: help, versions, exit codes, and messages about mistakes.

use std::fs::{self, OpenOptions};

use sureplug_tests::daemon::{Daemon, Output, root, run, sureplug};
use sureplug_tests::usb_tree::UsbTree;

fn assert_usage_error(line: &str, sentence: &str) {
    let output = run(sureplug(line));
    assert_eq!(output.code, Some(2), "{line}: {output:#?}");
    assert_eq!(output.stdout, [""; 0], "{line}");
    assert_eq!(output.stderr, [format!("sureplug: {sentence}; see sureplug --help")], "{line}");
}

#[test]
fn help_is_there_wherever_it_is_asked_for() {
    for (line, topic) in [
        ("--help", "sureplug: "),
        ("-h", "sureplug: "),
        ("help", "sureplug: "),
        ("--json --ports 4 --help", "sureplug: "),
        ("--help size", "sureplug: "),
        ("run --help", "sureplug run: "),
        ("run --ports 4 -vh", "sureplug run: "),
        ("help run", "sureplug run: "),
        ("size --help", "sureplug size: "),
        ("size --json -h", "sureplug size: "),
        ("help size", "sureplug size: "),
    ] {
        let output = run(sureplug(line));
        output.assert_fine();
        assert!(output.stdout[0].starts_with(topic), "{line}: {}", output.stdout[0]);
        assert!(output.stdout.iter().any(|line| line.starts_with("Usage: sureplug")), "{line}");
        assert!(output.stdout.iter().any(|line| line.starts_with("Exit codes: 0 ")), "{line}");
    }
}

#[test]
fn help_fits_a_terminal_and_names_every_option() {
    let help: Vec<_> =
        ["--help", "run --help", "size --help"].map(|line| run(sureplug(line)).stdout).concat();
    assert!(help.iter().all(|line| line.len() <= 110), "{help:#?}");
    for option in [
        "--ports N",
        "--port-device CLASS",
        "--max-stall-ms MS",
        "--devpath-max BYTES",
        "--subsystem NAME",
        "--sysfs DIR",
        "--json",
        "--allow-undersized",
        "-v, --verbose",
        "-h, --help",
        "-V, --version",
    ] {
        assert!(help.iter().any(|line| line.trim_start().starts_with(option)), "{option}");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
    let version = manifest.lines().find_map(|line| line.strip_prefix("version = ")).expect("a version");
    for line in ["--version", "-V", "run --version", "size -V", "--json --version"] {
        let output = run(sureplug(line));
        output.assert_fine();
        assert_eq!(output.stdout, [format!("sureplug {}", version.trim_matches('"'))], "{line}");
    }
}

#[test]
fn an_unknown_word_is_named_and_the_nearest_suggested() {
    for (line, sentence) in [
        ("--prots 4", "unknown option `--prots`; did you mean `--ports`?"),
        ("run --verbse", "unknown option `--verbse`; did you mean `--verbose`?"),
        ("--allow-undersize", "unknown option `--allow-undersize`; did you mean `--allow-undersized`?"),
        ("size --jsn", "unknown option `--jsn`; did you mean `--json`?"),
        ("size --max-stal-ms 5", "unknown option `--max-stal-ms`; did you mean `--max-stall-ms`?"),
        ("--colour", "unknown option `--colour`"),
        ("run -x", "unknown option `-x`"),
        ("rum", "unknown command `rum`; did you mean `run`?"),
        ("help sise", "unknown command `sise`; did you mean `size`?"),
        ("audit-everything", "unknown command `audit-everything`"),
    ] {
        assert_usage_error(line, sentence);
    }
}

#[test]
fn options_of_one_command_are_none_of_another() {
    let verbose = "`--verbose` is an option of `run`, `monitor` and `decode`";
    for line in ["size -v", "size --verbose", "--verbose size", "-v size --json", "list -v"] {
        assert_usage_error(line, verbose);
    }
    for option in ["--allow-undersized", "--socket-group 7", "--hook /bin/true", "--led x", "--ready-fd 3"] {
        let name = option.split(' ').next().expect("a name");
        for command in ["size", "monitor", "list"] {
            assert_usage_error(&format!("{command} {option}"), &format!("`{name}` is an option of `run`"));
        }
    }
    assert_usage_error("--direct", "`--direct` is an option of `monitor`");
    assert_usage_error(
        "size --socket /x",
        "`--socket` is an option of `run`, `monitor`, `list` and `status`",
    );
}

#[test]
fn a_bad_value_is_named_with_its_option_and_the_range() {
    for (option, value, sentence) in [
        ("--ports", "0", "0 is out of range: write a number from 1 to 127"),
        ("--ports", "128", "128 is out of range: write a number from 1 to 127"),
        ("--ports", "4294967300", "4294967295 is out of range: write a number from 1 to 127"),
        ("--ports", "4x", "byte 1: not a decimal number: write digits only"),
        ("--max-stall-ms", "600001", "600001 is out of range: write a number from 1 to 600000"),
        ("--max-stall-ms", "-1", "byte 0: not a decimal number: write digits only"),
        ("--devpath-max", "15", "15 is out of range: write a number from 16 to 1000"),
        ("--devpath-max", "1001", "1001 is out of range: write a number from 16 to 1000"),
        (
            "--port-device",
            "toaster",
            "unknown device class: write hub, mouse, keyboard, storage, card-reader, serial, audio, ethernet, uas, \
             phone, smart-card, hub8 or custom:EVENTSxBYTES[+EVENTSxBYTES...]@CYCLE_MS, which `sureplug measure` prints \
             for any other device",
        ),
    ] {
        assert_usage_error(&format!("{option} {value}"), &format!("{option} {value}: {sentence}"));
        assert_usage_error(&format!("size {option}={value}"), &format!("{option} {value}: {sentence}"));
    }
}

#[test]
fn missing_and_extra_arguments_are_reported() {
    for (line, sentence) in [
        ("--ports", "`--ports` needs a value"),
        ("--json=yes", "`--json` takes no value"),
        ("run size", "unexpected argument `size`"),
        ("size 4", "unexpected argument `4`"),
    ] {
        assert_usage_error(line, sentence);
    }
}

#[test]
fn figures_that_are_impossible_together_are_wrong_usage() {
    let tree = UsbTree::new();
    for command in ["run", "size"] {
        let line = format!("{command} --sysfs {} --port-device hub8 --ports", tree.path().display());
        let Output { code, stderr, .. } = run(sureplug(&format!("{line} 15")));
        assert_eq!(code, Some(2));
        let wanted = "sureplug: 15 ports with 9 devices each, but 127 addresses (127 per USB bus): declare at most \
                      14 ports, or fewer devices in each";
        assert_eq!(stderr, [wanted]);
    }
    // What it advises works.
    let advised = format!("size --sysfs {} --port-device hub8 --ports 14", tree.path().display());
    assert_eq!(run(sureplug(&advised)).code, Some(0));
}

#[test]
fn exit_1_is_a_finding_that_the_output_names() {
    let tree = UsbTree::new().root_hub("usb1", 5);
    let output = run(sureplug(&format!("size --ports 2 --sysfs {}", tree.path().display())));
    assert_eq!(output.code, Some(1), "{output:#?}");
    assert_eq!(output.stderr, [""; 0]);
    assert!(output.stdout.contains(&String::from("verdict: it does not fit")), "{output:#?}");
    let finding = "- the profile is too small for this board: it states 2 USB ports, but sysfs shows 5 of the board's own. \
                   Build the image with SUREPLUG_USB_PORTS=5, or start with --ports 5";
    assert_eq!(output.stdout.last().map(String::as_str), Some(finding));
}

#[test]
fn exit_3_is_a_refusal_of_the_system() {
    for line in ["--help", "--version", "size", "size --json"] {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
        let output = Daemon::start_into(sureplug(line), full).wait();
        assert_eq!(output.code, Some(3), "{line}");
        let wanted = "sureplug: cannot write to standard output: No space left on device (os error 28)";
        assert_eq!(output.stderr, [wanted], "{line}");
    }
}
