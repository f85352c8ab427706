//! What is read of one device.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use sureplug_board::sysfs::{Devices, Reading};
use sureplug_core::limits::{MAX_PROPERTIES, MAX_PROPERTY_BYTES};

use crate::tree::{Tree, devpaths, text};

#[test]
fn a_device_that_has_vanished_is_gone() {
    let tree = Tree::new();
    tree.link("../../devices/a", "class/c/a");
    let mut devices = tree.open();
    assert_eq!(devices.advance(), Some(&b"/devices/a"[..]));
    assert_eq!(devices.read(), Reading::Gone, "a link that dangles");
    tree.make_dir("devices/a");
    assert_eq!(devices.read(), Reading::Gone, "no uevent file");
    assert_eq!(devices.read_at(b"/devices/a/b", b"c"), Reading::Gone);
    fs::write(tree.path("devices/a/file"), "").expect("a file");
    assert_eq!(devices.read_at(b"/devices/a/file/b", b"c"), Reading::Gone, "ENOTDIR");
    assert_eq!(devices.missing(), None);
}

#[test]
fn a_device_is_read_at_its_place_without_having_been_found() {
    let tree = Tree::new();
    tree.device("/devices/a", "A=1\n");
    tree.device("/devices/b", "B=1\n");
    tree.link("../../devices/a", "class/c/a");
    let mut devices = tree.open();
    assert!(devices.advance().is_some());
    let b = "add@/devices/b: ACTION=add DEVPATH=/devices/b SUBSYSTEM=usb B=1";
    assert_eq!(text(devices.read_at(b"/devices/b", b"usb")), b);
    assert_eq!(text(devices.read_at(b"/devices/b", b"")), b.replace(" SUBSYSTEM=usb", ""));
    let inode = fs::metadata(tree.path("devices/b")).expect("a directory").ino();
    assert!(
        matches!(devices.read_at(b"/devices/b", b"usb"), Reading::Present { inode: i, .. } if i == inode)
    );
    assert!(text(devices.read()).starts_with("add@/devices/a: "), "what was found is found still");
}

#[test]
fn an_alias_does_not_change_what_a_device_is_of() {
    let tree = Tree::new();
    tree.device("/devices/i2c-0", "");
    tree.link("../../bus/i2c", "devices/i2c-0/subsystem");
    tree.link("../../devices/i2c-0", "class/i2c-adapter/i2c-0");
    tree.link("../../../devices/i2c-0", "bus/i2c/devices/i2c-0");
    let mut devices = tree.open();
    for _ in 0..2 {
        assert!(devices.advance().is_some());
        assert!(text(devices.read()).ends_with(" SUBSYSTEM=i2c"));
    }
    assert_eq!(devices.advance(), None);
}

#[test]
fn the_lines_of_the_file_become_properties() {
    let tree = Tree::new();
    let read = |uevent: &[u8]| {
        let all = tree.read_one(uevent);
        let place = "add@/devices/a: ACTION=add DEVPATH=/devices/a SUBSYSTEM=c";
        all.strip_prefix(place).unwrap_or_else(|| panic!("{all}")).trim_start().to_owned()
    };
    assert_eq!(read(b""), "");
    assert_eq!(read(b"A=1\nB=2\n"), "A=1 B=2");
    assert_eq!(read(b"A=1\nB=2"), "A=1 B=2", "the last line without its end");
    assert_eq!(read(b"A==x=y\nB=\n"), "A==x=y B=");
    assert_eq!(read(b"A\n\n=1\nB=2\n"), "B=2", "no `=`, nothing, no key");
    assert_eq!(read(b"A=\xff\xfe\n"), r"A=\xff\xfe");
    assert_eq!(read(b"A=1\nA=2\n"), "A=1");
    assert_eq!(read(b"ACTION=x\nDEVPATH=y\nSUBSYSTEM=z\nSEQNUM=1\nA=1\nACTIONS=2\n"), "A=1 ACTIONS=2");
}

#[test]
fn a_file_that_no_kernel_makes_is_unreadable() {
    let tree = Tree::new();
    let lines =
        |count| (0..count).flat_map(|number| format!("A{number}=1\n").into_bytes()).collect::<Vec<_>>();
    let page = [lines(2), vec![b'x'; 4_096 - 10]].concat();
    assert!(tree.read_one(&page).ends_with(" A0=1 A1=1"));
    for (uevent, why) in [
        ([&page[..], b"\n"].concat(), "longer than a page"),
        (b"A=1\0\n".to_vec(), "a NUL in a value"),
        (b"A\0B=1\n".to_vec(), "a NUL in a key"),
        (lines(MAX_PROPERTIES - 3 + 1), "too many properties"),
        ([b"A=", &[b'x'; 2_004][..]].concat(), "too long a property"),
    ] {
        assert_eq!(tree.read_one(&uevent), "Unreadable", "{why}");
    }
    assert!(tree.read_one(lines(MAX_PROPERTIES - 3)).ends_with("=1"), "as many as there may be");
}

#[test]
fn fifo_in_place_of_a_file_does_not_block() {
    let tree = Tree::new();
    tree.link("../../devices/a", "class/c/a");
    tree.make_dir("devices/a");
    tree.device("/devices/b", "B=1\n");
    let file = tree.path("devices/a/uevent");
    let mut devices = tree.open();
    assert!(devices.advance().is_some());

    mkfifo(&file, Mode::S_IRWXU).expect("a pipe");
    assert!(text(devices.read()).ends_with(" SUBSYSTEM=c"), "a pipe without a writer");
    let writer = fs::File::options().read(true).write(true).open(&file).expect("a writer");
    assert_eq!(devices.read(), Reading::Unreadable, "a pipe with one");
    drop(writer);
    fs::remove_file(&file).expect("the pipe");
    symlink("../b/uevent", &file).expect("a link");
    assert_eq!(devices.read(), Reading::Unreadable, "a link");
    fs::remove_file(&file).expect("the link");
    fs::create_dir(&file).expect("a directory");
    assert_eq!(devices.read(), Reading::Unreadable, "a directory");
}

#[test]
fn a_devpath_is_read_up_to_the_length_of_an_event() {
    let tree = Tree::new();
    // A device without a subsystem also has `ACTION=add` and `DEVPATH=`, each with a NUL.
    let longest = MAX_PROPERTY_BYTES - "ACTION=add".len() - "DEVPATH=".len() - 2;
    for (length, is_readable) in [(1_030, true), (longest, true), (longest + 1, false), (2_047, false)] {
        let mut devpath = format!("/devices/{length}");
        while length - devpath.len() > 256 {
            devpath = format!("{devpath}/{:x>200}", "");
        }
        devpath = format!("{devpath}/{:y>width$}", "", width = length - devpath.len() - 1);
        assert_eq!(devpath.len(), length);
        tree.device(&devpath, "");
        let mut devices = tree.open();
        let reading = devices.read_at(devpath.as_bytes(), b"");
        assert_eq!(matches!(reading, Reading::Present { .. }), is_readable, "{length}: {reading:?}");
        assert_eq!(reading == Reading::Unreadable, !is_readable, "{length}");
        tree.link(format!("../..{devpath}"), format!("class/c/{length}"));
        assert!(devpaths(&mut devices).contains(&devpath.into_bytes()));
    }
    let mut devices = tree.open();
    assert_eq!(devices.read_at(&[b'/'; 5_000], b"c"), Reading::Unreadable, "longer than any path");
    assert_eq!(devices.read_at(b"/devices/a\0", b"c"), Reading::Unreadable, "no path");
    assert_eq!(devices.missing().map(|missing| missing.count), Some(2));
}

#[test]
fn i4_a_device_that_is_being_added_is_left_to_its_event_or_to_the_next_scan() {
    let lines = "MAJOR=8\nMINOR=1\nDEVNAME=x\nMODALIAS=c:x\n";
    for (missing, whole) in
        [("dev", "SUBSYSTEM=c MODALIAS=c:x"), ("modalias", "SUBSYSTEM=c MAJOR=8 MINOR=1 DEVNAME=x")]
    {
        let tree = Tree::new();
        tree.device("/devices/a", lines);
        tree.link("../../devices/a", "class/c/a");
        let files = [("dev", "8:1\n"), ("modalias", "c:x\n")];
        let make = |name, text| fs::write(tree.path("devices/a").join(name), text).expect("a file");
        for (name, text) in files.into_iter().filter(|(name, _)| *name != missing) {
            make(name, text);
        }
        let mut devices = tree.open();
        let scan = |devices: &mut Devices| {
            devices.rewind();
            assert!(devices.advance().is_some());
            text(devices.read())
        };
        assert_eq!((scan(&mut devices), devices.is_undecided()), ("Partial".into(), true), "{missing}");
        assert_eq!(devices.read_at(b"/devices/a", b"c"), Reading::Partial, "{missing}, and is not gone");
        assert_eq!(devices.forgery_count(), 0);
        let late = scan(&mut devices);
        assert!(late.ends_with(whole) && !devices.is_undecided(), "it stays so: {late}");
        assert!(devices.forgery_count() > 0, "{missing}");

        let mut devices = tree.open();
        assert_eq!(scan(&mut devices), "Partial");
        let (name, text) = files.into_iter().find(|(name, _)| *name == missing).expect("a file");
        make(name, text);
        let late = scan(&mut devices);
        assert!(late.ends_with("MAJOR=8 MINOR=1 DEVNAME=x MODALIAS=c:x"), "{late}");
        assert_eq!((devices.is_undecided(), devices.forgery_count()), (false, 0));
    }
}

#[test]
fn a_device_is_read_with_its_links_and_attributes() {
    let tree = Tree::new();
    tree.device(
        "/devices/input1",
        "PRODUCT=1\nNAME=\"A\nMAJOR=8\"\nPROP=0\nEV=1\nMODALIAS=evil\nMODALIAS=input:x\n",
    );
    tree.link("../../class/input", "devices/input1/subsystem");
    tree.link("../../bus/usb/drivers/d", "devices/input1/driver");
    tree.link("../../devices/input1", "class/input/input1");
    for (file, text) in [("modalias", "input:x\n"), ("name", "A\nMAJOR=8\n"), ("phys", "\n"), ("uniq", "\n")]
    {
        fs::write(tree.path("devices/input1").join(file), text).expect("a file");
    }
    let mut devices = tree.open();
    for scan in 1..=2 {
        devices.rewind();
        assert!(devices.advance().is_some());
        let expected =
            r#"SUBSYSTEM=input DRIVER=d PRODUCT=1 NAME=\"A\nMAJOR=8\" PROP=0 EV=1 MODALIAS=input:x"#;
        let text = text(devices.read());
        assert!(text.ends_with(expected), "{text}");
        assert_eq!(devices.forgery_count(), scan);
        let mut read = 0;
        let forged = devices.next_forged(&mut read).expect("a fault");
        let (path, line) = (&forged.path[..], forged.what.as_bytes());
        assert_eq!((path, line), (&b"/devices/input1"[..], &b"MODALIAS=evil"[..]));
        assert!(devices.next_forged(&mut read).is_none(), "once");
    }
}
