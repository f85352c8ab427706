//! What may become of an event in a hook's environment.

use proptest::prelude::*;
use sureplug_core::hook::{MAX_ENVIRONMENT_BYTES, environment, is_allowed};
use sureplug_core::journal::Entry;
use sureplug_core::presence::Origin;
use sureplug_core::uevent::{Action, Uevent};

fn variables(datagram: &[u8], seqnum: u64) -> Vec<String> {
    let uevent = Uevent::parse(datagram).expect("a uevent");
    let entry =
        Entry { stamp: 0, origin: Origin::Repair, tracked: false, kernel_action: Some(Action::Move), uevent };
    let mut buffer = [0; MAX_ENVIRONMENT_BYTES];
    let block = environment(&mut buffer, &entry, seqnum);
    assert!(block.ends_with(b"\0"));
    let text = String::from_utf8_lossy(&block[..block.len() - 1]).into_owned();
    text.split('\0').map(str::to_owned).collect()
}

#[test]
fn the_contract_of_the_kernels_helper() {
    let datagram =
        b"add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=usb\0DEVNAME=a b\0EMPTY=\0SEQNUM=4711\0";
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
        "EMPTY=",
        "SUREPLUG_KERNEL_SEQNUM=4711",
    ];
    assert_eq!(variables(datagram, 7), wanted);
    assert!(variables(b"add@/x\0A=1\0", u64::MAX).contains(&format!("SEQNUM={}", u64::MAX)));
}

#[test]
fn nothing_of_an_event_changes_how_a_program_works() {
    for key in [
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "LD_AUDIT",
        "PATH",
        "HOME",
        "IFS",
        "ENV",
        "BASH_ENV",
        "BASH_FUNC_ls",
        "PS4",
        "SHELLOPTS",
        "CDPATH",
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
        "NODE_OPTIONS",
        "LUA_PATH",
        "SHELL",
        "",
        "1A",
        "A-B",
        "A B",
        "A.B",
        "BASH_FUNC_x()",
        "BASH_FUNC_x%%",
        "\u{e4}",
    ] {
        assert!(!is_allowed(key.as_bytes()), "{key}");
        if !key.is_empty() {
            let datagram = format!("add@/x\0ACTION=add\0{key}=evil\0");
            let variables = variables(datagram.as_bytes(), 1);
            assert!(variables.iter().all(|variable| !variable.contains("evil")), "{variables:?}");
        }
    }
    // What devices have is not refused by the way.
    for key in [
        "ACTION",
        "DEVPATH",
        "MODALIAS",
        "OF_COMPATIBLE_0",
        "POWER_SUPPLY_NAME",
        "PRODUCT",
        "PROP",
        "PHYS",
        "KEY",
        "EV",
        "HID_ID",
        "TYPE",
        "SYNTH_UUID",
        "PSEUDO",
        "PS",
        "PS12",
        "_x",
        "a1",
        "DEVMODE",
        "PARTNAME",
        "USEC",
    ] {
        assert!(is_allowed(key.as_bytes()), "{key}");
    }
}

#[test]
fn the_first_of_a_key_counts_and_none_is_forged() {
    let datagram = b"add@/x\0ACTION=add\0K=1\0K=2\0SUREPLUG_ORIGIN=kernel\0SUREPLUG_NEW=1\0SUREPLUG_KERNEL_SEQNUM=9\0SEQNUM=5\0SEQNUM=6\0";
    let variables = variables(datagram, 1);
    let of =
        |key: &str| -> Vec<_> { variables.iter().filter(|text| text.starts_with(key)).cloned().collect() };
    assert_eq!((of("K="), of("SUREPLUG_NEW")), (vec!["K=1".into()], vec![]));
    assert_eq!(of("SUREPLUG_ORIGIN"), ["SUREPLUG_ORIGIN=repair"]);
    assert_eq!(
        (of("SUREPLUG_KERNEL"), of("SEQNUM")),
        (vec!["SUREPLUG_KERNEL_SEQNUM=5".into()], vec!["SEQNUM=1".into()])
    );
}

proptest! {
    #[test]
    fn whatever_comes_is_an_environment_without_surprises(
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
        prop_assert!(keys[2..].iter().all(|key| is_allowed(key.as_bytes())));
        keys.sort_unstable();
        keys.dedup();
        prop_assert_eq!(keys.len(), variables.len());
    }
}
