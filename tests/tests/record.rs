//! `sureplug record` and `sureplug decode`: what the kernel sent is in the file, and comes out of it again.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;
use sureplug_board::diag::pcap::{
    FILE_HEADER_BYTES, HEADERS_BYTES, PACKET_HEADER_BYTES, file_header, packet_header,
};
use sureplug_tests::captured::captured;
use sureplug_tests::daemon::{Daemon, Output, json, number, run, sureplug};
use sureplug_tests::kernel::{Injector, SmallDisk, own_network_namespace, without_seqnum};
use sureplug_tests::privilege::not_run;
use sureplug_tests::vectors::KERNELS;

/// The captured events of one plug.
fn plug() -> Vec<Vec<u8>> {
    KERNELS[2].datagrams("storage_ss_mbr4_plug").expect("a capture")
}

/// A file as `record` writes it.
fn pcap(datagrams: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = file_header().to_vec();
    for (second, datagram) in (1_795_383_600..).zip(datagrams) {
        bytes.extend(packet_header(
            second * 1_000_000 + 7,
            u16::try_from(datagram.len()).expect("a datagram"),
        ));
        bytes.extend(datagram);
    }
    bytes
}

/// The datagrams of a file, which has nothing else.
fn datagrams(bytes: &[u8]) -> Vec<Vec<u8>> {
    assert_eq!(bytes[..FILE_HEADER_BYTES], file_header());
    let mut rest = &bytes[FILE_HEADER_BYTES..];
    let mut datagrams = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[8..12].try_into().expect("a length")) as usize;
        datagrams.push(rest[HEADERS_BYTES..PACKET_HEADER_BYTES + length].to_vec());
        rest = &rest[PACKET_HEADER_BYTES + length..];
    }
    datagrams
}

/// Records while `then` happens, and until a signal, or the end that `then` brought.
fn recorded(file: &Path, options: &str, signal: Option<Signal>, then: impl FnOnce()) -> Output {
    let mut command = sureplug(&format!("record {options}"));
    command.arg(file);
    let mut daemon = Daemon::start(command);
    daemon.wait_until_it_reads();
    then();
    if let Some(signal) = signal {
        daemon.wait_until_drained();
        daemon.signal(signal);
    }
    daemon.wait()
}

fn inject(datagrams: &[Vec<u8>]) {
    let injector = Injector::new();
    for datagram in datagrams {
        injector.send(without_seqnum(datagram));
    }
}

fn decoded(file: &Path, options: &str) -> Output {
    let mut command = sureplug(&format!("decode {options}"));
    command.arg(file);
    run(command)
}

#[test]
fn record_and_decode_keep_the_kernels_order() {
    let Some(_turn) = own_network_namespace("a recording") else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("plug.pcap");
    let before = std::time::SystemTime::now();
    let output = recorded(&file, "", Some(Signal::SIGINT), || inject(&plug()));
    let bytes = fs::read(&file).expect("the file");
    let said = format!("sureplug: recorded 21 events in {} bytes; 0 lost", bytes.len());
    assert_eq!((output.code, &output.stderr[..]), (Some(0), &[said][..]));
    let found = datagrams(&bytes);
    assert!(found.iter().map(|d| without_seqnum(d)).eq(plug().iter().map(|d| without_seqnum(d))));

    let output = decoded(&file, "--json");
    output.assert_fine();
    let events = output.objects("event");
    let keys: Vec<_> = events.iter().map(|event| event["devpath"].as_str().expect("a devpath")).collect();
    let wanted: Vec<_> =
        plug().iter().map(|d| String::from_utf8(property(d, "DEVPATH")).expect("UTF-8")).collect();
    assert_eq!(keys, wanted);
    let since_1970 =
        |time: std::time::SystemTime| time.duration_since(std::time::UNIX_EPOCH).expect("after").as_micros();
    let mut last = since_1970(before) - 1_000;
    for event in events {
        let at = number(&event, "unix_us").into();
        assert!(last <= at && at <= since_1970(std::time::SystemTime::now()) + 1_000, "{event}");
        assert_eq!(event["properties"]["SUBSYSTEM"], event["subsystem"]);
        last = at;
    }
    let text = decoded(&file, "").stdout;
    assert_eq!(text.len(), 21);
    assert!(
        text[0].contains("] add usb /devices/platform/") && text[0].ends_with(" bus/usb/002/002"),
        "{text:#?}"
    );
    assert!(decoded(&file, "-v").stdout.len() > 100);
}

fn property(datagram: &[u8], key: &str) -> Vec<u8> {
    let mut properties = datagram.split(|byte| *byte == 0);
    properties.find_map(|p| p.strip_prefix(key.as_bytes())?.strip_prefix(b"=")).expect("a property").to_vec()
}

#[test]
fn every_capture_comes_out_as_it_went_in() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("all.pcap");
    let all: Vec<_> = captured().into_iter().map(|captured| captured.datagram).collect();
    fs::write(&file, pcap(&all)).expect("the file");
    let output = decoded(&file, "--json");
    output.assert_fine();
    assert_eq!(output.stdout.len(), all.len());
    for (line, datagram) in output.stdout.iter().zip(&all) {
        let event = json(line);
        assert_eq!(event["kind"], "event");
        assert_eq!(
            event["properties"]["SEQNUM"].as_str().map(str::as_bytes),
            Some(&property(datagram, "SEQNUM")[..])
        );
    }
}

#[test]
fn tshark_reads_it_without_error_and_shows_the_bytes() {
    let test = "tshark on a recording";
    if Command::new("tshark").arg("--version").output().is_err() {
        return not_run(test, "there is no tshark");
    }
    let Some(_turn) = own_network_namespace(test) else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("plug.pcap");
    recorded(&file, "", Some(Signal::SIGTERM), || inject(&plug()));
    let mut tshark = Command::new("tshark");
    let output = tshark.arg("-r").arg(&file).args(["-x", "-V"]).output().expect("tshark runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let said: Vec<_> = said.lines().filter(|line| !line.starts_with("Running as user \"root\"")).collect();
    assert!(output.status.success() && said.is_empty(), "{said:?}");
    let shown = String::from_utf8_lossy(&output.stdout);
    for trouble in ["Malformed", "malformed", "Truncated", "Expert Info (Error"] {
        assert!(!shown.contains(trouble), "{trouble} in {shown}");
    }
    assert_eq!(shown.matches("Frame Number: ").count(), 21);
    assert!(shown.contains("Linux netlink (cooked header)"), "{shown}");
    // The hexadecimal dump has all bytes, after the cooked header.
    let dump: Vec<u8> = shown
        .lines()
        .filter(|line| line.get(4..6) == Some("  ") && u16::from_str_radix(&line[..4], 16).is_ok())
        .flat_map(|line| {
            line[6..line.len().min(53)]
                .split_whitespace()
                .map(|byte| u8::from_str_radix(byte, 16).expect("a byte"))
        })
        .collect();
    let wanted = fs::read(&file).expect("the file");
    let mut packets = Vec::new();
    for datagram in datagrams(&wanted) {
        packets.extend_from_slice(
            &packet_header(0, u16::try_from(datagram.len()).expect("a datagram"))[PACKET_HEADER_BYTES..],
        );
        packets.extend_from_slice(&datagram);
    }
    assert_eq!(dump, packets);
}

#[test]
fn a_damaged_file_gives_everything_before_the_damage_and_states_where_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("damaged.pcap");
    let plug = plug();
    let whole = pcap(&plug[..3]);
    let third = FILE_HEADER_BYTES + 2 * HEADERS_BYTES + plug[0].len() + plug[1].len();
    // Cut anywhere: all packets that are whole are shown.
    for end in (0..whole.len()).step_by(13).chain(whole.len() - 3..whole.len()) {
        fs::write(&file, &whole[..end]).expect("the file");
        let output = decoded(&file, "--json");
        let starts = [FILE_HEADER_BYTES, FILE_HEADER_BYTES + HEADERS_BYTES + plug[0].len(), third];
        let ends = [starts[1], starts[2], whole.len()];
        let complete = ends.iter().filter(|packet| **packet <= end).count();
        assert_eq!(output.objects("event").len(), complete, "{end}");
        if starts.contains(&end) {
            output.assert_fine();
            continue;
        }
        let offset = if end < FILE_HEADER_BYTES { 0 } else { starts[complete] };
        assert_eq!(output.code, Some(1), "{end}: {output:#?}");
        let wanted = format!(": damaged at byte {offset}: the file ends after {} of ", end - offset);
        assert!(output.stderr[0].contains(&wanted), "{end}: {output:#?}");
    }
    let damage = |at: usize, byte: u8, shown: usize, wanted: &str| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        fs::write(&file, bytes).expect("the file");
        let output = decoded(&file, "--json");
        assert_eq!((output.code, output.objects("event").len()), (Some(1), shown), "{wanted}: {output:#?}");
        assert!(output.stderr[0].contains(wanted), "{wanted}: {output:#?}");
    };
    damage(0, 0, 0, "damaged at byte 0: no capture in the format of libpcap: it begins with 0xa1b2c300");
    damage(20, 1, 0, "damaged at byte 0: link type 1, wanted 253");
    damage(third + 11, 1, 2, &format!("damaged at byte {third}: a packet of 16777"));
    damage(third + 9, 0xff, 2, &format!("damaged at byte {third}: the file ends after "));
}

#[test]
fn decode_reports_damage_and_goes_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("mixed.pcap");
    let mut bytes = pcap(&[plug()[0].clone(), b"no event at all".to_vec(), plug()[1].clone(), vec![1, 2, 3]]);
    // The last is of NETLINK_ROUTE.
    let protocol = bytes.len() - 3 - 16 - 1;
    bytes[protocol] = 0;
    fs::write(&file, bytes).expect("the file");
    let output = decoded(&file, "--json");
    assert_eq!(output.code, Some(1), "not all is whole");
    let kinds: Vec<_> = output.stdout.iter().map(|line| json(line)["kind"].clone()).collect();
    assert_eq!(kinds, ["event", "malformed", "event"].map(Value::from));
    let at = FILE_HEADER_BYTES + HEADERS_BYTES + plug()[0].len();
    assert_eq!(number(&output.objects("malformed")[0], "file_offset"), at as u64);
    assert_eq!(output.stderr, ["sureplug: skipped 1 messages that are not kernel uevents"]);
    let text = decoded(&file, "");
    assert!(
        text.stdout[1].starts_with(&format!("malformed: 15 bytes at byte {at} of the file: ")),
        "{text:#?}"
    );
    let missing = decoded(&directory.path().join("nothing.pcap"), "");
    assert_eq!(missing.code, Some(3));
    assert!(missing.stderr[0].contains("nothing.pcap: No such file"), "{missing:#?}");
}

#[test]
fn messages_of_the_uevent_protocol_that_are_no_uevents_are_counted_as_others() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("nlmon.pcap");
    let mut bytes = pcap(&plug()[..1]);
    // As an `nlmon` device writes them: the type of the packet, and the message without a header.
    let mut append = |packet_type: u8, message: &[u8]| {
        let length = u32::try_from(16 + message.len()).expect("a length").to_le_bytes();
        bytes.extend([[0; 4], [0; 4], length, length].concat());
        bytes.extend([0, packet_type, 3, 0x38, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 15]);
        bytes.extend(message);
    };
    append(6, &plug()[1]);
    append(6, b"libudev\0\xfe\xed\xca\xfe\0\0\0\x28and more");
    // An acknowledgement: `struct nlmsghdr` of type NLMSG_ERROR, and `struct nlmsgerr` with 0.
    append(6, &[&[36, 0, 0, 0, 2, 0, 0, 1][..], &[7; 8], &[0; 4], &[7; 16]].concat());
    // What it acknowledges, which the kernel then sends with a SEQNUM.
    let request = without_seqnum(&plug()[2]).to_vec();
    let length = u32::try_from(16 + request.len()).expect("a length").to_le_bytes();
    append(7, &[&length[..], &[16, 0, 5, 0], &[7; 8], &request].concat());
    fs::write(&file, &bytes).expect("the file");
    let output = decoded(&file, "--json");
    assert_eq!(
        (output.code, output.objects("event").len(), output.stdout.len()),
        (Some(0), 2, 2),
        "{output:#?}"
    );
    assert_eq!(output.stderr, ["sureplug: skipped 3 messages that are not kernel uevents"]);
}

#[test]
fn event_without_a_seqnum_is_malformed_as_for_run() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("cut.pcap");
    fs::write(&file, pcap(&[plug()[0].clone(), without_seqnum(&plug()[1]).to_vec()])).expect("the file");
    let output = decoded(&file, "--json");
    assert_eq!((output.code, output.objects("event").len()), (Some(1), 1), "{output:#?}");
    assert!(
        output.objects("malformed")[0]["message"].as_str().is_some_and(|m| m.contains("SEQNUM")),
        "{output:#?}"
    );
}

#[test]
fn a_recording_ends_before_it_is_larger_than_it_may_be() {
    let Some(_turn) = own_network_namespace("a bounded recording") else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("bounded.pcap");
    let output = recorded(&file, "--max-bytes 4096", None, || inject(&plug()));
    let bytes = fs::read(&file).expect("the file");
    let found = datagrams(&bytes);
    assert!(
        bytes.len() <= 4_096 && bytes.len() + HEADERS_BYTES + plug()[found.len()].len() > 4_096,
        "{}",
        bytes.len()
    );
    assert_eq!((output.code, output.stderr.len()), (Some(0), 2));
    assert_eq!(output.stderr[1], "sureplug: stopped at --max-bytes 4096");
    assert!(found.iter().zip(plug()).all(|(found, sent)| without_seqnum(found) == without_seqnum(&sent)));
}

#[test]
fn a_full_disk_ends_the_recording_with_whole_events() {
    let Some(_turn) = own_network_namespace("a recording on a full disk") else { return };
    let disk = SmallDisk::mount();
    let file = disk.path().join("full.pcap");
    let output = recorded(&file, "", None, || (0..4).for_each(|_| inject(&plug())));
    assert_eq!(output.code, Some(3), "{output:#?}");
    assert!(
        output
            .stderr
            .iter()
            .any(|line| line.contains("No space left on device") && line.contains("full.pcap")),
        "{output:#?}"
    );
    let bytes = fs::read(&file).expect("the file");
    let found = datagrams(&bytes);
    assert!(
        found.len() > 40 && bytes.len() <= SmallDisk::BYTES,
        "{} events, {} bytes",
        found.len(),
        bytes.len()
    );
    assert_eq!(
        output.stderr[0],
        format!("sureplug: recorded {} events in {} bytes; 0 lost", found.len(), bytes.len())
    );
    let decoded = decoded(&file, "--json");
    decoded.assert_fine();
    assert_eq!(decoded.stdout.len(), found.len());
}
