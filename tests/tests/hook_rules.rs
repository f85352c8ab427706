//! What may become of an event in a hook's environment.

use proptest::prelude::*;
use sureplug_board::service::hook::{MAX_ENVIRONMENT_BYTES, environment, is_allowed};
use sureplug_core::stream::{DeviceEvent, Origin};
use sureplug_core::time::Instant;
use sureplug_core::uevent::{Action, Uevent};
use sureplug_tests::captured::captured;

fn variables(datagram: &[u8], seqnum: u64) -> Vec<String> {
    let uevent = Uevent::parse(datagram).expect("a uevent");
    let entry = DeviceEvent {
        stamp: Instant::BOOT,
        origin: Origin::Resync,
        tracked: false,
        kernel_action: Some(Action::Move),
        uevent,
    };
    let mut buffer = [0; MAX_ENVIRONMENT_BYTES];
    let block = environment(&mut buffer, &entry, seqnum, 0);
    assert!(block.ends_with(b"\0"));
    let text = String::from_utf8_lossy(&block[..block.len() - 1]).into_owned();
    text.split('\0').map(str::to_owned).collect()
}

#[test]
fn the_contract_of_the_kernels_helper() {
    let datagram =
        b"add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=usb\0DEVNAME=a b\0EMPTY=\0PHYS=\0SEQNUM=4711\0";
    let wanted = [
        "PATH=/sbin:/bin:/usr/sbin:/usr/bin",
        "HOME=/",
        "SEQNUM=7",
        "SUREPLUG_ORIGIN=repair",
        "SUREPLUG_ACTION=move",
        "SUREPLUG_TRACKED=no",
        "ACTION=add",
        "DEVPATH=/devices/x",
        "SUBSYSTEM=usb",
        "DEVNAME=a b",
        "UEVENT_EMPTY=",
        "PHYS=",
        "SUREPLUG_KERNEL_SEQNUM=4711",
    ];
    assert_eq!(variables(datagram, 7), wanted);
    assert!(variables(b"add@/x\0A=1\0", u64::MAX).contains(&format!("SEQNUM={}", u64::MAX)));
}

/// What shells, loaders, libraries, interpreters and tools take settings from.
const DANGEROUS: [&str; 62] = [
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
    "PATH",
    "HOME",
    "IFS",
    "ENV",
    "BASH_ENV",
    "BASH_FUNC_ls",
    "BASHOPTS",
    "PS1",
    "PS4",
    "SHELLOPTS",
    "CDPATH",
    "OPTIND",
    "OPTARG",
    "PPID",
    "LINENO",
    "GLIBC_TUNABLES",
    "MALLOC_CHECK_",
    "PYTHONPATH",
    "PERL5OPT",
    "PERL5LIB",
    "RUBYOPT",
    "GCONV_PATH",
    "LC_ALL",
    "LANG",
    "TZ",
    "MODPROBE_OPTIONS",
    "TMPDIR",
    "TMP",
    "TEMP",
    "NODE_OPTIONS",
    "LUA_PATH",
    "LUA_INIT",
    "SHELL",
    "TAR_OPTIONS",
    "MAKEFLAGS",
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
    "LISTEN_PID",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "LIBMOUNT_FSTAB",
    "LIBMOUNT_DEBUG",
    "_JAVA_OPTIONS",
    "JAVA_TOOL_OPTIONS",
    "CLASSPATH",
    "GIT_SSH_COMMAND",
    "DBUS_SYSTEM_BUS_ADDRESS",
    "SYSTEMD_LOG_LEVEL",
    "DM_DISABLE_UDEV",
    "BLKID_FILE",
    "E2FSPROGS_FAKE_TIME",
    "GREP_OPTIONS",
    "LESSOPEN",
    "PAGER",
    "EDITOR",
    "http_proxy",
    "TERM",
    "_",
    "MODE_",
];

#[test]
fn nothing_of_an_event_changes_how_a_program_works() {
    for key in DANGEROUS {
        assert!(!is_allowed(key.as_bytes()), "{key}");
        let datagram = format!("add@/x\0ACTION=add\0{key}=evil\0");
        let evil: Vec<_> = variables(datagram.as_bytes(), 1)
            .into_iter()
            .filter(|variable| variable.contains("evil"))
            .collect();
        assert_eq!(evil, [format!("UEVENT_{key}=evil")]);
    }
}

#[test]
fn keys_that_name_no_variable_are_counted() {
    let datagram = "add@/x\0ACTION=add\0A-B=evil\0A B=evil\0BASH_FUNC_x()=evil\0BASH_FUNC_x%%=evil\0\u{e4}=evil\x001A=ok\0";
    let variables = variables(datagram.as_bytes(), 1);
    assert!(variables.iter().all(|variable| !variable.contains("evil")), "{variables:?}");
    assert!(variables.contains(&"UEVENT_1A=ok".to_owned()), "{variables:?}");
    assert!(variables.contains(&"SUREPLUG_OMITTED=5".to_owned()), "{variables:?}");
}

#[test]
fn environment_holds_all_properties_with_prefixed_names() {
    let properties: Vec<String> = (0..62).map(|number| format!("K{number:02}={:x>27}\0", "")).collect();
    let datagram = format!("add@/x\0ACTION=add\0{}", properties.concat());
    let variables = variables(datagram.as_bytes(), 1);
    assert_eq!(variables.iter().filter(|variable| variable.starts_with("UEVENT_K")).count(), 62, "all fit");
}

#[test]
fn every_key_of_the_captures_keeps_its_name() {
    let mut keys = std::collections::BTreeSet::new();
    for captured in captured() {
        let uevent = Uevent::parse(&captured.datagram).expect("a captured event");
        keys.extend(uevent.properties().map(|property| String::from_utf8_lossy(property.key).into_owned()));
    }
    assert!(keys.len() > 30, "{keys:?}");
    for key in keys {
        assert!(is_allowed(key.as_bytes()), "{key}");
    }
    // And of those that no board here has.
    for key in [
        "POWER_SUPPLY_STATUS",
        "OF_COMPATIBLE_0",
        "OF_COMPATIBLE_N",
        "MMC_NAME",
        "PARTUUID",
        "SYNTH_ARG_A",
        "FF",
        "BATTYPE",
        "BATACTION",
        "LOCKTABLE",
        "CU_TYPE",
        "SMSG_TEXT",
        "MEDIA",
        "DRIVENAME",
        "BAY_EVENT",
        "USB_CHARGER_STATE",
        "RFKILL_HW_BLOCK_REASON",
        "GREYBUS_ID",
    ] {
        assert!(is_allowed(key.as_bytes()), "{key}");
    }
}

#[test]
fn environment_states_missed_events() {
    let uevent = Uevent::parse(b"add@/x\0ACTION=add\0SUREPLUG_MISSED=9\0").expect("a uevent");
    let entry = DeviceEvent {
        stamp: Instant::BOOT,
        origin: Origin::Resync,
        tracked: true,
        kernel_action: None,
        uevent,
    };
    let mut buffer = [0; MAX_ENVIRONMENT_BYTES];
    let block = environment(&mut buffer, &entry, 4, 17);
    assert_eq!(
        block.split(|byte| *byte == 0).filter(|part| part.starts_with(b"SUREPLUG_MISSED=")).count(),
        1
    );
    assert!(block.windows(19).any(|part| part == b"\0SUREPLUG_MISSED=17"), "{}", block.escape_ascii());
    let block = environment(&mut buffer, &entry, 4, 0);
    assert!(!block.windows(15).any(|part| part == b"SUREPLUG_MISSED"), "{}", block.escape_ascii());
}

#[test]
fn the_first_of_a_key_counts_and_none_is_forged() {
    let datagram = b"add@/x\0ACTION=add\0K=1\0K=2\0SUREPLUG_ORIGIN=kernel\0SUREPLUG_NEW=1\0SUREPLUG_KERNEL_SEQNUM=9\0SEQNUM=5\0SEQNUM=6\0";
    let variables = variables(datagram, 1);
    let of =
        |key: &str| -> Vec<_> { variables.iter().filter(|text| text.starts_with(key)).cloned().collect() };
    assert_eq!((of("UEVENT_K="), of("SUREPLUG_NEW")), (vec!["UEVENT_K=1".into()], vec![]));
    assert_eq!(of("SUREPLUG_ORIGIN"), ["SUREPLUG_ORIGIN=repair"]);
    assert_eq!(
        (of("SUREPLUG_KERNEL"), of("SEQNUM")),
        (vec!["SUREPLUG_KERNEL_SEQNUM=5".into()], vec!["SEQNUM=1".into()])
    );
}

proptest! {
    #[test]
    fn any_event_makes_a_safe_environment(
        properties in prop::collection::vec(("[A-Z_]{1,8}|LD_[A-Z]{1,5}|[a-z =%()-]{1,5}", "[^\\x00]{0,20}"), 0..40)
    ) {
        let mut text = String::from("add@/x\0");
        for (key, value) in properties {
            text.extend([&key.replace('=', ""), "=", &value, "\0"]);
        }
        prop_assume!(Uevent::parse(text.as_bytes()).is_ok());
        let variables = variables(text.as_bytes(), 3);
        prop_assert_eq!(&variables[..2], ["PATH=/sbin:/bin:/usr/sbin:/usr/bin", "HOME=/"]);
        let mut keys: Vec<_> = variables.iter().map(|text| text.split_once('=').expect("a variable").0).collect();
        let is_ours = |key: &str| key.starts_with("UEVENT_") || key.starts_with("SUREPLUG_");
        prop_assert!(keys[2..].iter().all(|key| is_allowed(key.as_bytes()) || is_ours(key)));
        keys.sort_unstable();
        keys.dedup();
        prop_assert_eq!(keys.len(), variables.len());
    }
}
