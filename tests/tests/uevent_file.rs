//! What is read from `uevent` files: nothing that a device writes becomes another key, and nothing honest is lost.

use std::fmt::Write;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sureplug_board::sysfs::uevent_file::{Facts, FilePart, read, text_files};
use sureplug_tests::captured::captured;
use sureplug_tests::uevent_file::{Written, check_bytes};

use sureplug_core::uevent::Uevent;

/// The serial number that an emulated mouse was given.
const SERIAL: &[u8] = b"A\nMODALIAS=evil_module\nDEVNAME=sda\nMAJOR=8";

fn keys(written: &Written) -> String {
    written.read().0.keys().map(String::as_str).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_serial_number_forges_no_property_of_a_hid_device() {
    let mouse = Written::hid([b"QEMU QEMU USB Mouse", b"usb-0000:00:02.0-1/input0", SERIAL], false);
    mouse.check();
    assert_eq!(keys(&mouse), "DRIVER HID_ID HID_NAME HID_PHYS HID_UNIQ MODALIAS");
    let (properties, refused) = mouse.read();
    assert_eq!(properties["MODALIAS"], b"hid:b0003g0001v00000627p00000001");
    assert_eq!(refused, [&b"MODALIAS=evil_module"[..], b"DEVNAME=sda", b"MAJOR=8"]);
}

#[test]
fn a_serial_number_forges_no_property_of_an_input_device() {
    let mouse = Written::input(
        [Some(b"QEMU QEMU USB Mouse"), Some(b"usb-0000:00:02.0-1/input0"), Some(SERIAL)],
        true,
    );
    mouse.check();
    assert_eq!(keys(&mouse), "EV KEY MODALIAS NAME PHYS PRODUCT PROP UNIQ");
    assert_eq!(
        mouse.read().0["UNIQ"],
        [b"\"", SERIAL, b"\""].concat(),
        "the whole value, as in a live event"
    );
}

#[test]
fn text_that_looks_like_the_kernels_own_forges_nothing() {
    let lines: [&[u8]; 14] = [
        b"x\nHID_ID=1",
        b"x\nHID_PHYS=y",
        b"x\nHID_UNIQ=y\nHID_PHYS=z",
        b"x\nMODALIAS=hid:b0003g0001v00000627p00000001\nHID_FIRMWARE_VERSION=0x9",
        b"x\"\nUNIQ=\"y",
        b"x\"\nPHYS=\"y\"\nUNIQ=\"z",
        b"x\"\nPROP=0\nEV=ff\nKEY=1\nMODALIAS=input:b0003v0627p0001e0110-e0",
        b"x\nPOWER_SUPPLY_ONLINE=0\nPOWER_SUPPLY_TYPE=Mains",
        b"x\nMMC_NAME=y\nMODALIAS=mmc:block",
        b"x\nSDIO_INFO2=y",
        b"\nA=1",
        b"\n\n\n",
        b"\n=\nx",
        b"x\nACTION=remove\nDEVPATH=/\nSUBSYSTEM=block\nSEQNUM=1\nSUREPLUG_ORIGIN=kernel\nSYNTH_UUID=0\nDRIVER=evil",
    ];
    for text in lines {
        for place in 0..3 {
            let mut texts: [&[u8]; 3] = [b"one", b"two", b"three"];
            texts[place] = text;
            Written::hid(texts, false).check();
            Written::hid(texts, true).check();
            for has_keys in [false, true] {
                Written::input(texts.map(Some), has_keys).check();
                for missing in 0..3 {
                    let mut texts = texts.map(Some);
                    texts[missing] = None;
                    Written::input(texts, has_keys).check();
                }
            }
        }
        Written::battery(text, text).check();
        Written::channel(text).check();
        Written::card(Some(text), &[]).check();
        Written::card(Some(b"SD16G"), &[text, b"two"]).check();
        Written::card(None, &[text]).check();
        Written::card(None, &[b"one", text]).check();
    }
}

#[test]
fn honest_devices_lose_nothing() {
    let texts: [&[u8]; 3] = [b"QEMU \"USB\" Keyboard=", b"", b"\xff\xfe"];
    for flag in [false, true] {
        Written::hid(texts, flag).check();
        Written::input(texts.map(Some), flag).check();
        Written::input([Some(texts[0]), None, None], flag).check();
    }
    Written::battery(b"hid-e4:17:d8/1-battery", b"Pad").check();
    Written::card(Some(b"SD16G"), &[]).check();
    Written::card(Some(b"SD16G"), &[b"one", b"two"]).check();
    Written::channel(b"rpmsg-tty").check();
    Written::interface().check();
    Written::disk().check();
}

/// Reads what a file would show of a captured event, whose `uevent` file has the same lines in the same order.
fn lost(uevent: &Uevent<'_>, with_files: bool) -> Vec<String> {
    const OF_EVENT: [&[u8]; 6] = [b"ACTION", b"DEVPATH", b"SUBSYSTEM", b"SEQNUM", b"SYNTH_UUID", b"SDEV_UA"];
    // A change of an LED's trigger has a property that no file has.
    let is_of_file = |key: &[u8]| !OF_EVENT.contains(&key) && key != b"TRIGGER";
    let all = || uevent.properties().filter(|property| is_of_file(property.key));
    let file: Vec<u8> = all().flat_map(|p| [p.key, b"=", p.value, b"\n"].concat()).collect();
    let line = |key: &[u8]| uevent.property(key).map(|value| [value, b"\n"].concat());
    let dev =
        uevent.major().zip(uevent.minor()).map(|(major, minor)| format!("{major}:{minor}\n").into_bytes());
    let modalias = line(b"MODALIAS").filter(|_| !matches!(uevent.subsystem(), Some(b"cpu" | b"amba")));
    let mut facts = Facts {
        subsystem: uevent.subsystem().unwrap_or_default(),
        name: uevent.devpath().rsplit(|byte| *byte == b'/').next().unwrap_or_default(),
        driver: uevent.driver(),
        dev: dev.as_deref(),
        modalias: modalias.as_deref(),
        ..Facts::default()
    };
    let texts: Vec<_> = ["NAME", "PHYS", "UNIQ"]
        .map(|key| {
            uevent.property(key.as_bytes()).map_or(b"\n".to_vec(), |v| [v.trim_ascii(), b"\n"].concat())
        })
        .map(|quoted| quoted.iter().copied().filter(|byte| *byte != b'"').collect::<Vec<u8>>())
        .into();
    if with_files {
        for (place, (file, text)) in facts.texts.iter_mut().zip(text_files(facts.subsystem).zip(&texts)) {
            *place = file.map(|_| text.as_slice());
        }
    }
    // That of a processor ends with a line feed, which no line can hold.
    let mut lost: Vec<_> =
        all().map(|property| property.to_string().trim_end_matches("\\x0a").to_owned()).collect();
    read(&file, &facts, &mut |part| match part {
        FilePart::Property { key, value } => {
            let property = sureplug_core::uevent::Property { key, value }.to_string();
            let index = lost.iter().position(|wanted| *wanted == property);
            lost.remove(index.unwrap_or_else(|| panic!("{property} is no property of {uevent}")));
        }
        FilePart::Refused(line) => panic!("{uevent}: {}", line.escape_ascii()),
    });
    lost
}

#[test]
fn scan_reads_every_property_of_the_captured_events() {
    let mut events = 0;
    for captured in captured() {
        let uevent = Uevent::parse(&captured.datagram).expect("a captured event");
        for with_files in [false, true] {
            assert_eq!(lost(&uevent, with_files), Vec::<String>::new(), "{}: {uevent}", captured.place);
        }
        events += 1;
    }
    assert!(events > 500, "{events}");
}

fn read_text(file: &[u8], facts: &Facts<'_>) -> String {
    let mut text = String::new();
    // Two lifetimes: the file and the facts live as long as the call.
    read_into(file, facts, &mut text);
    text.trim_start().to_owned()
}

fn read_into<'t>(file: &'t [u8], facts: &Facts<'t>, text: &mut String) {
    read(file, facts, &mut |part| match part {
        FilePart::Property { key, value } => {
            write!(text, " {}={}", key.escape_ascii(), value.escape_ascii()).expect("a string");
        }
        FilePart::Refused(line) => write!(text, " !{}", line.escape_ascii()).expect("a string"),
    });
}

#[test]
fn the_leading_block_counts_and_nothing_like_it_behind() {
    let facts = Facts { subsystem: b"c", dev: Some(b"8:16\n"), driver: Some(b"sd"), ..Facts::default() };
    let block =
        b"MAJOR=8\nMINOR=16\nDEVNAME=sdb\nDEVMODE=0660\nDEVUID=1\nDEVGID=2\nDEVTYPE=disk\nDRIVER=sd\n";
    let read_block = "MAJOR=8 MINOR=16 DEVNAME=sdb DEVMODE=0660 DEVUID=1 DEVGID=2 DEVTYPE=disk DRIVER=sd";
    assert_eq!(read_text(block, &facts), read_block);
    let twice = [&block[..], b"DISKSEQ=9\n", block].concat();
    assert_eq!(
        read_text(&twice, &facts),
        format!("{read_block} DISKSEQ=9 !{}", read_block.replace(' ', " !")),
        "again after another key"
    );
    for dev in [None, Some(&b"8:1\n"[..]), Some(b"81:6\n"), Some(b""), Some(b"8:16\n8:16\n")] {
        let text = read_text(block, &Facts { dev, ..facts });
        assert!(text.starts_with("!MAJOR=8 !MINOR=16 !DEVNAME=sdb !DEVMODE=0660 "), "{text}");
        assert!(text.ends_with(" DEVTYPE=disk DRIVER=sd"), "{text}");
    }
    assert_eq!(read_text(b"DRIVER=other\nA=1\n", &facts), "DRIVER=sd A=1", "the link");
    assert_eq!(read_text(b"DRIVER=other\nA=1\n", &Facts { driver: None, ..facts }), "A=1", "no link");
    assert_eq!(read_text(b"A=1\nDRIVER=sd\n", &facts), "DRIVER=sd A=1 !DRIVER=sd");
}

#[test]
fn a_module_comes_from_its_file() {
    let facts = Facts { subsystem: b"c", modalias: Some(b"c:real\n"), ..Facts::default() };
    assert_eq!(read_text(b"A=1\nMODALIAS=c:real\n", &facts), "A=1 MODALIAS=c:real");
    assert_eq!(read_text(b"A=1\nMODALIAS=evil\n", &facts), "A=1 !MODALIAS=evil MODALIAS=c:real");
    assert_eq!(read_text(b"MODALIAS=evil\n", &Facts { modalias: None, ..facts }), "!MODALIAS=evil");
    // A device of ACPI may have two.
    let two = Facts { modalias: Some(b"acpi:X:\nof:N\n"), ..facts };
    assert_eq!(read_text(b"MODALIAS=acpi:X:\nMODALIAS=of:N\n", &two), "MODALIAS=acpi:X:");
    // A processor has none of its own.
    let cpu = Facts { subsystem: b"cpu", modalias: None, ..facts };
    assert_eq!(read_text(b"MODALIAS=cpu:x\n", &cpu), "MODALIAS=cpu:x");
}

#[test]
fn a_repeated_key_and_no_property_are_refused() {
    let facts = Facts { subsystem: b"c", ..Facts::default() };
    assert_eq!(
        read_text(b"A=1\nA=2\n\n=3\nB\nC=\nSUREPLUG_X=1", &facts),
        "A=1 !A=2 ! !=3 !B C= !SUREPLUG_X=1"
    );
    assert_eq!(read_text(b"", &facts), "");
}

/// Parts of lines that an attacker would use, and those of honest text.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    let fragments: Vec<&[u8]> = vec![
        b"\n",
        b"\n",
        b"\"",
        b"\"\n",
        b"=",
        b"A",
        b" ",
        b"\xff",
        b"/",
        b"MODALIAS=",
        b"mmc:block",
        b"HID_ID=",
        b"HID_NAME=",
        b"HID_PHYS=",
        b"HID_UNIQ=",
        b"HID_FIRMWARE_VERSION=",
        b"hid:b0003g0001v00000627p00000001",
        b"NAME=\"",
        b"PHYS=\"",
        b"UNIQ=\"",
        b"PROP=",
        b"EV=",
        b"KEY=",
        b"PRODUCT=",
        b"MMC_NAME=",
        b"MMC_TYPE=SDIO",
        b"SDIO_INFO1=",
        b"SDIO_INFO2=",
        b"POWER_SUPPLY_NAME=",
        b"POWER_SUPPLY_ONLINE=",
        b"MAJOR=8",
        b"MINOR=0",
        b"DEVNAME=sda",
        b"DRIVER=",
        b"SUREPLUG_ORIGIN=",
    ];
    select(fragments).prop_map(<[u8]>::to_vec)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_becomes_another_key(kind: u8, texts in vec(vec(fragment(), 0..8), 3)) {
        let texts: Vec<_> = texts.into_iter().map(|parts| parts.concat()).collect();
        check_bytes(&[&[kind][..], &texts.join(&0)].concat());
    }
}

#[test]
fn an_alias_that_a_bus_shows_in_no_file_is_the_kernels() {
    for (subsystem, line) in [
        (&b"tee"[..], &b"MODALIAS=tee:1"[..]),
        (b"bcma", b"MODALIAS=bcma:m04BFid0800rev02cl00"),
        (b"slimbus", b"MODALIAS=slim:217:60:1"),
        (b"mipi-dsi", b"MODALIAS=mipi-dsi:panel"),
        (b"spmi", b"MODALIAS=of:NpmicT(null)Cx"),
        (b"mcb", b"MODALIAS=mcb:16z025"),
        (b"ssb", b"MODALIAS=ssb:v4243id0812rev0D"),
        (b"mhi", b"MODALIAS=mhi:QMI"),
        (b"aprbus", b"MODALIAS=apr:pm8"),
        (b"coreboot", b"MODALIAS=coreboot:t00000019"),
    ] {
        let file = [line, b"\n"].concat();
        let facts = Facts { subsystem, ..Facts::default() };
        assert_eq!(read_text(&file, &facts).as_bytes(), line);
    }
}

#[test]
fn reader_refuses_lines_behind_an_alias_of_another_processor() {
    for subsystem in [&b"rpmsg"[..], b"thunderbolt", b"fsl-mc"] {
        let facts = Facts { subsystem, modalias: Some(b"bus:a\n"), ..Facts::default() };
        assert_eq!(read_text(b"MODALIAS=bus:a\nPRODUCT=1\n", &facts), "!PRODUCT=1 MODALIAS=bus:a");
    }
}
