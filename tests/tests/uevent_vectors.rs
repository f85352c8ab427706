//! The wire format against what real kernels sent.

use sureplug_core::limits::MAX_DATAGRAM_BYTES;
use sureplug_core::uevent::{Action, ParseError, ParseFault, Product, Uevent, UeventBuf};
use sureplug_tests::captured::captured;
use sureplug_tests::oracle::Oracle;
use sureplug_tests::vectors::KERNELS;

#[test]
fn every_captured_uevent_parses_and_encodes_to_the_same_bytes() {
    let all = captured();
    assert_eq!(all.len(), 2_901);
    let mut buffer = [0; MAX_DATAGRAM_BYTES];
    for event in &all {
        let uevent = Uevent::parse(&event.datagram).unwrap_or_else(|e| panic!("{}: {e}", event.place));
        assert_eq!(uevent.encode(&mut buffer), Ok(&event.datagram[..]), "{}", event.place);
        let kept = UeventBuf::<768>::copy_of(&uevent).unwrap_or_else(|e| panic!("{}: {e}", event.place));
        assert_eq!(kept.as_uevent(), uevent, "{}", event.place);
        assert_eq!(kept.as_uevent().encode(&mut buffer), Ok(&event.datagram[..]), "{}", event.place);
    }
}

#[test]
fn every_captured_uevent_has_what_the_kernel_always_sends() {
    for event in captured() {
        let uevent = Uevent::parse(&event.datagram).expect(&event.place);
        assert!(!matches!(uevent.action(), Action::Other(_)), "{}", event.place);
        assert!(uevent.subsystem().is_some() && uevent.seqnum().is_some(), "{}", event.place);
        let keys: Vec<_> = uevent.properties().map(|p| p.key).collect();
        assert_eq!(keys[..3], [&b"ACTION"[..], b"DEVPATH", b"SUBSYSTEM"], "{}", event.place);
        assert_eq!(keys.last(), Some(&&b"SEQNUM"[..]), "{}", event.place);
    }
}

#[test]
fn every_captured_uevent_reads_as_the_oracle_reads_it() {
    for event in captured() {
        let uevent = Uevent::parse(&event.datagram).expect(&event.place);
        let oracle = Oracle::read(&event.datagram).expect(&event.place);
        assert_eq!(uevent.action().as_bytes(), oracle.action, "{}", event.place);
        assert_eq!(uevent.devpath(), oracle.devpath, "{}", event.place);
        let properties = uevent.properties().map(|p| (p.key.to_vec(), p.value.to_vec()));
        assert!(properties.eq(oracle.properties), "{}", event.place);
    }
}

#[test]
fn a_captured_uevent_that_was_cut_anywhere_is_known_as_cut() {
    for event in captured() {
        let whole = &event.datagram;
        assert_eq!(Uevent::from_kernel(whole), Uevent::parse(whole), "{}", event.place);
        // Elsewhere the last byte is no NUL, which is an error for any uevent.
        let behind_nuls = (1..whole.len()).filter(|&length| whole[length - 1] == 0);
        for length in behind_nuls {
            let cut = Uevent::from_kernel(&whole[..length]);
            assert_eq!(
                cut,
                Err(ParseError { offset: length, fault: ParseFault::NoSeqnum }),
                "{}",
                event.place
            );
        }
    }
}

fn datagram(kernel: &str, scenario: &str, index: usize) -> Vec<u8> {
    let kernel = KERNELS.into_iter().find(|k| k.folder == kernel).expect("a kernel of that name");
    kernel.datagrams(scenario).expect("a capture of that name").remove(index)
}

#[test]
fn usb_device_has_its_numbers_and_no_driver() {
    let datagram = datagram("5.10-arm64", "kbd_plug", 0);
    let uevent = Uevent::parse(&datagram).expect("a uevent");
    assert_eq!(uevent.action(), Action::Add);
    assert_eq!(uevent.devpath(), b"/devices/platform/4010000000.pcie/pci0000:00/0000:00:01.0/usb1/1-1");
    assert_eq!(uevent.subsystem(), Some(&b"usb"[..]));
    assert_eq!(uevent.devtype(), Some(&b"usb_device"[..]));
    assert_eq!(uevent.devname(), Some(&b"bus/usb/001/002"[..]));
    assert_eq!((uevent.major(), uevent.minor()), (Some(189), Some(1)));
    assert_eq!((uevent.busnum(), uevent.devnum()), (Some(1), Some(2)));
    assert_eq!(uevent.product(), Some(Product { vendor: 0x627, product: 1, bcd_device: 0 }));
    assert_eq!(uevent.seqnum(), Some(8_858));
    assert_eq!((uevent.driver(), uevent.modalias(), uevent.diskseq()), (None, None, None));
    assert_eq!(uevent.properties().count(), 12);
    assert_eq!(uevent.property(b"TYPE"), Some(&b"0/0/0"[..]));
    assert_eq!(uevent.datagram(), datagram);
}

#[test]
fn usb_interface_has_a_modalias_and_no_numbers() {
    let datagram = datagram("5.10-arm64", "kbd_plug", 2);
    let uevent = Uevent::parse(&datagram).expect("a uevent");
    assert_eq!(uevent.devtype(), Some(&b"usb_interface"[..]));
    assert_eq!(uevent.modalias(), Some(&b"usb:v0627p0001d0000dc00dsc00dp00ic03isc01ip01in00"[..]));
    assert_eq!(uevent.product().map(|p| p.vendor), Some(0x627));
    assert_eq!((uevent.busnum(), uevent.devnum(), uevent.major()), (None, None, None));
}

#[test]
fn a_driver_that_takes_a_device() {
    let datagram = datagram("5.10-arm64", "kbd_plug", 17);
    let uevent = Uevent::parse(&datagram).expect("a uevent");
    assert_eq!(uevent.action(), Action::Bind);
    assert_eq!(uevent.driver(), Some(&b"hid-generic"[..]));
    assert_eq!(uevent.property(b"HID_NAME"), Some(&b"QEMU QEMU USB Keyboard"[..]));
}

#[test]
fn an_input_device_has_a_product_of_four_parts() {
    let datagram = datagram("5.10-arm64", "kbd_plug", 5);
    let uevent = Uevent::parse(&datagram).expect("a uevent");
    assert_eq!(uevent.property(b"PRODUCT"), Some(&b"3/627/1/111"[..]));
    assert_eq!(uevent.product(), None);
}

#[test]
fn diskseq_belongs_to_the_disk_where_the_kernel_has_it() {
    let partition = datagram("5.10-arm64", "storage_ss_mbr4_plug", 16);
    let partition = Uevent::parse(&partition).expect("a uevent");
    assert_eq!(partition.devtype(), Some(&b"partition"[..]));
    assert_eq!(partition.devname(), Some(&b"sda1"[..]));
    assert_eq!((partition.major(), partition.minor()), (Some(8), Some(1)));
    assert_eq!(partition.property(b"PARTN"), Some(&b"1"[..]));
    assert_eq!(partition.diskseq(), None, "5.10 has none yet");

    let disk = datagram("6.1-arm64", "hub8_mixed_plug", 92);
    let disk = Uevent::parse(&disk).expect("a uevent");
    assert_eq!((disk.devtype(), disk.diskseq()), (Some(&b"disk"[..]), Some(11)));
}

#[test]
fn a_network_interface_that_user_space_asked_for() {
    let datagram = datagram("6.1-arm64", "coldplug_devices", 97);
    let uevent = Uevent::parse(&datagram).expect("a uevent");
    assert_eq!(uevent.subsystem(), Some(&b"net"[..]));
    assert_eq!(uevent.ifindex(), Some(1));
    assert_eq!(uevent.property(b"INTERFACE"), Some(&b"lo"[..]));
    assert_eq!(uevent.synth_uuid(), Some(&b"0"[..]));
    assert_eq!((uevent.major(), uevent.devpath_old()), (None, None));
}
