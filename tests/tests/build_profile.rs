//! An image's profile is fixed when it is built: impossible values end the build, good ones are what the
//! program starts with.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::json;
use sureplug_tests::daemon::{build, cargo, number, run, unprivileged_program};
use sureplug_tests::kernel::Clamped;
use sureplug_tests::usb_tree::UsbTree;

/// Builds with that environment, in a directory of their own: what they depend on is built once. A build
/// that fails leaves the program of the one that does not.
fn built(environment: &[(&str, &str)]) -> Result<PathBuf, String> {
    let mut command = cargo("build");
    command.args(["--package", "sureplug-board", "--target-dir"]);
    command.arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("profiles"));
    // Colours would split the message.
    command.env("CARGO_TERM_COLOR", "never").envs(environment.iter().copied());
    build(command)
}

/// The program of an image whose board needs more than an unprivileged process gets.
fn image() -> &'static Path {
    static IMAGE: LazyLock<PathBuf> = LazyLock::new(|| {
        let environment = [
            ("SUREPLUG_USB_PORTS", "100"),
            ("SUREPLUG_PORT_DEVICE", "keyboard"),
            ("SUREPLUG_MAX_STALL_MS", "60000"),
            ("SUREPLUG_DEVPATH_MAX", "120"),
            ("SUREPLUG_SUBSYSTEMS", "usb input  hid"),
        ];
        built(&environment).unwrap_or_else(|stderr| panic!("{stderr}"))
    });
    &IMAGE
}

fn with_arguments(arguments: &str) -> Command {
    let mut command = Command::new(image());
    command.args(arguments.split_whitespace());
    command
}

fn assert_no_build(environment: &[(&str, &str)], sentences: &[impl AsRef<str>]) {
    match built(environment) {
        Ok(_) => panic!("{environment:?} builds"),
        Err(stderr) => {
            for sentence in sentences.iter().map(AsRef::as_ref) {
                assert!(stderr.contains(sentence), "{environment:?}: {sentence}: {stderr}");
            }
        }
    }
}

#[test]
fn bad_values_end_the_build_each_with_its_name_and_range() {
    let all = [
        (
            "SUREPLUG_USB_PORTS",
            &["0", "128", "", "four", " 4", "4294967297"][..],
            "a whole number from 1 to 127, such as 4",
        ),
        ("SUREPLUG_DEVICES_PER_PORT", &["0", "128", "two"], "a whole number from 1 to 127, such as 8"),
        (
            "SUREPLUG_MAX_STALL_MS",
            &["0", "600001", "1s"],
            "a whole number of milliseconds from 1 to 600000, such as 1000",
        ),
        (
            "SUREPLUG_DEVPATH_MAX",
            &["15", "1001", "-96"],
            "a whole number of bytes from 16 to 1000, such as 96",
        ),
        (
            "SUREPLUG_PORT_DEVICE",
            &["", "toaster", "Storage", "custom:0x180@900"],
            "hub, mouse, keyboard, storage, card-reader, serial, audio, ethernet, uas, phone, smart-card, \
             hub8 or custom:EVENTSxBYTES[+EVENTSxBYTES...]@CYCLE_MS",
        ),
        (
            "SUREPLUG_SUBSYSTEMS",
            &[
                "",
                "usb all",
                "usb a/b",
                "a-name-of-more-than-thirty-two-bytes",
                "a b c d e f g h i j k l m n o p q",
            ],
            "at most 16 names of subsystems of up to 32 bytes, separated by blanks, or `all`",
        ),
    ];
    // One build names all that are bad, so the first values of all are tried together, then the second, and so on.
    for turn in 0..all.iter().map(|(_, values, _)| values.len()).max().expect("variables") {
        let bad =
            all.iter().filter_map(|(variable, values, wanted)| Some((*variable, *values.get(turn)?, wanted)));
        let environment: Vec<_> = bad.clone().map(|(variable, value, _)| (variable, value)).collect();
        let sentences: Vec<_> =
            bad.map(|(variable, _, wanted)| format!("{variable} must be {wanted}")).collect();
        assert_no_build(&environment, &sentences);
    }
}

#[test]
fn more_devices_than_a_bus_has_addresses_end_the_build() {
    let sentence =
        "SUREPLUG_USB_PORTS times the devices of SUREPLUG_PORT_DEVICE exceeds the 127 of a USB bus";
    assert_no_build(&[("SUREPLUG_USB_PORTS", "15"), ("SUREPLUG_PORT_DEVICE", "hub8")], &[sentence]);
    assert_no_build(&[("SUREPLUG_USB_PORTS", "7"), ("SUREPLUG_DEVICES_PER_PORT", "21")], &[sentence]);
}

#[test]
fn a_budget_beyond_what_a_socket_can_have_ends_the_build() {
    let sentence = "SUREPLUG_USB_PORTS, SUREPLUG_PORT_DEVICE, SUREPLUG_MAX_STALL_MS and SUREPLUG_DEVPATH_MAX together \
                    need a larger buffer than a socket can have: lower one of them";
    assert_no_build(&[("SUREPLUG_USB_PORTS", "127"), ("SUREPLUG_MAX_STALL_MS", "600000")], &[sentence]);
}

#[test]
fn the_profile_of_the_build_is_what_the_program_starts_with() {
    let size = run(with_arguments("size --json")).object();
    assert_eq!((&size["ports_stated"], &size["port_device"]), (&json!(true), &json!("keyboard")));
    let figures = ["ports", "max_stall_ms", "devpath_max_bytes"].map(|key| number(&size, key));
    assert_eq!(figures, [100, 60_000, 120]);
    assert_eq!(size["subsystems"], "usb input hid");
}

#[test]
fn options_override_the_profile_of_the_build() {
    let line = "size --json --ports 3 --port-device mouse --max-stall-ms 5 --devpath-max 64 --subsystem net";
    let size = run(with_arguments(line)).object();
    assert_eq!((&size["ports_stated"], &size["port_device"]), (&json!(true), &json!("mouse")));
    let figures = ["ports", "max_stall_ms", "devpath_max_bytes"].map(|key| number(&size, key));
    assert_eq!(figures, [3, 5, 64]);
    assert_eq!(size["subsystems"], "net");
}

#[test]
fn i1_an_image_refuses_a_buffer_that_is_too_small() {
    let wanted = number(&run(with_arguments("size --json")).object(), "wanted_bytes");
    let Some(clamped) = Clamped::below(wanted, "the refusal of an image") else { return };
    let output = run(unprivileged_program(image(), ""));
    assert_eq!((output.code, output.stdout.len()), (Some(3), 0), "{output:#?}");
    let sentence = format!(
        "sureplug: the receive buffer is too small: wanted {wanted} bytes, the kernel gave {}",
        2 * clamped.rmem_max
    );
    assert!(output.stderr[0].starts_with(&sentence), "{output:#?}");
}

#[test]
fn i1_an_image_refuses_a_board_with_more_ports() {
    let tree = UsbTree::new().root_hub("usb1", 101);
    let output = run(with_arguments(&format!("run --sysfs {}", tree.path().display())));
    assert_eq!((output.code, output.stdout.len()), (Some(3), 0), "{output:#?}");
    let sentence = "it states 100 USB ports, but sysfs shows 101 of the board's own";
    assert!(output.stderr.iter().any(|line| line.contains(sentence)), "{output:#?}");
}
