//! `sureplug measure`: from what happens, and from captures.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;

use nix::pty::openpty;
use nix::sys::signal::Signal;
use serde_json::Value;
use sureplug_board::diag::charge::ChargeMeter;
use sureplug_board::diag::pcap::{file_header, packet_header};
use sureplug_board::sys::mem_info;
use sureplug_core::rcvbuf::CustomDevice;
use sureplug_tests::daemon::{Daemon, Output, number, run, sureplug};
use sureplug_tests::kernel::{Injector, Listener, mark, own_network_namespace, raise, without_seqnum};
use sureplug_tests::vectors::KERNELS;

fn datagrams(scenario: &str) -> Vec<Vec<u8>> {
    KERNELS[2].datagrams(scenario).expect("a capture")
}

/// A capture of those phases, with 5 s between them and a millisecond between events.
fn pcap(file: &Path, phases: &[&str]) {
    let mut bytes = file_header().to_vec();
    let mut unix_us = 1_795_383_600_000_000;
    for phase in phases {
        for datagram in datagrams(phase) {
            bytes.extend(packet_header(unix_us, u16::try_from(datagram.len()).expect("a datagram")));
            bytes.extend(datagram);
            unix_us += 1_000;
        }
        unix_us += 5_000_000;
    }
    fs::write(file, bytes).expect("a capture");
}

fn replayed(phases: &[&str], options: &str) -> Output {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("plug.pcap");
    pcap(&file, phases);
    let mut command = sureplug(&format!("measure {options} --pcap"));
    command.arg(&file);
    run(command)
}

fn figures(output: &Output) -> Value {
    let [figures] = &output.objects("measure")[..] else { panic!("{output:#?}") };
    figures.clone()
}

/// What this kernel charges for them.
fn charged(scenario: &str) -> u64 {
    let mut meter = ChargeMeter::new(4_096).expect("a meter");
    let charges =
        datagrams(scenario).into_iter().map(|d| u64::from(meter.charge(d.len()).expect("a charge")));
    charges.sum()
}

#[test]
fn this_kernel_charges_what_the_meter_states() {
    let Some(_turn) = own_network_namespace("the charge of real events") else { return };
    let mut meter = ChargeMeter::new(4_096).expect("a meter");
    for padding in (0..1_700).step_by(61) {
        let listener = Listener::unbound();
        listener.bind(1);
        let arguments: Vec<_> = (0..padding / 50).map(|n| format!("K{n}={}", "x".repeat(40))).collect();
        raise("change", &mark(), &arguments.join(" "));
        let queued = mem_info(listener.as_fd()).expect("figures").queued;
        let datagram = listener.receive().expect("the event");
        assert_eq!(meter.charge(datagram.len()).expect("a charge"), queued, "{} bytes", datagram.len());
    }
}

#[test]
fn a_capture_gives_events_charges_cycle_and_a_profile_that_a_build_takes() {
    for (device, events) in [("kbd", [20, 19]), ("storage_ss_mbr4", [21, 20]), ("hub8_storage", [173, 164])] {
        let phases = ["plug", "unplug"].map(|phase| format!("{device}_{phase}"));
        let output = replayed(&[&phases[0], &phases[1]], "--json --ports 2 --max-stall-ms 500");
        output.assert_fine();
        let found = figures(&output);
        assert_eq!([number(&found, "plug_events"), number(&found, "unplug_events")], events, "{device}");
        assert_eq!(
            [number(&found, "plug_bytes"), number(&found, "unplug_bytes")],
            [charged(&phases[0]), charged(&phases[1])]
        );
        assert_eq!(found["is_charge_measured"], Value::Bool(true));
        assert_eq!(number(&found, "shortest_cycle_ms"), 210 + events[0] + events[1] - 2);
        let devpath = number(&found, "devpath_max_bytes");
        assert_eq!(found["devpath"].as_str().map(str::len), usize::try_from(devpath).ok());
        assert_eq!(output.objects("charged").len() as u64, events[0] + events[1]);
        let custom = found["port_device"].as_str().expect("a device");
        CustomDevice::parse(custom).expect("it parses");

        // The recommended profile yields the stated buffer.
        let size = run(sureplug(&format!(
            "size --json --ports 2 --max-stall-ms 500 --port-device {custom} --devpath-max {devpath}"
        )));
        assert_eq!(number(&size.object(), "wanted_bytes"), number(&found, "wanted_bytes"), "{device}");

        let text = replayed(&[&phases[0], &phases[1]], "--ports 2 --max-stall-ms 500").stdout;
        for line in [
            format!("plug: {} events, {} B charged", events[0], charged(&phases[0])),
            format!("unplug: {} events, {} B charged", events[1], charged(&phases[1])),
            "SUREPLUG_USB_PORTS=2".to_owned(),
            format!("SUREPLUG_PORT_DEVICE={custom}"),
            "SUREPLUG_MAX_STALL_MS=500".to_owned(),
            format!("SUREPLUG_DEVPATH_MAX={devpath}"),
            format!("resulting receive buffer: {} B", number(&found, "wanted_bytes")),
        ] {
            assert!(text.contains(&line), "{line} in {text:#?}");
        }
    }
}

#[test]
fn a_capture_of_half_a_cycle_states_what_is_missing() {
    for (phases, wanted) in [
        (&["kbd_plug"][..], "the capture has no unplug"),
        (&["kbd_unplug"], "the capture has no plug"),
        (&[], "the capture has no plug"),
    ] {
        let output = replayed(phases, "--json");
        assert_eq!(output.code, Some(1), "{output:#?}");
        assert!(output.stderr[0].contains(wanted), "{output:#?}");
    }
    let missing = run(sureplug("measure --pcap /nonexistent/plug.pcap"));
    assert_eq!(missing.code, Some(3));
    assert!(missing.stderr[0].contains("/nonexistent/plug.pcap: No such file"), "{missing:#?}");
}

fn inject(scenario: &str) {
    let injector = Injector::new();
    for datagram in datagrams(scenario) {
        injector.send(without_seqnum(&datagram));
    }
}

/// As a person does it, at a serial console: the prompts, a plug, an unplug, the figures.
#[test]
fn measure_instructs_a_person() {
    let Some(_turn) = own_network_namespace("a measurement at a console") else { return };
    let ends = openpty(None, None).expect("a terminal");
    let mut daemon = Daemon::start_into(sureplug("measure --ports 1"), ends.slave);
    daemon.read_from(File::from(ends.master));
    let line = |text: &'static str| move |line: &str| line.trim_end() == text;
    daemon.wait_for_line(line("sureplug: plug in the device, into a port of the board itself"));
    inject("storage_ss_mbr4_plug");
    daemon.wait_for_line(line("sureplug: unplug it"));
    inject("storage_ss_mbr4_unplug");
    let output = daemon.wait();
    assert_eq!((output.code, &output.stderr[..]), (Some(0), &[][..]));
    let text: Vec<_> = output.stdout.iter().map(|line| line.trim_end()).collect();
    assert!(text.iter().any(|line| line.starts_with("plug: 21 events, ")), "{text:#?}");
    assert!(text.iter().any(|line| line.starts_with("unplug: 20 events, ")), "{text:#?}");
    assert!(text.iter().any(|line| line.starts_with("SUREPLUG_PORT_DEVICE=custom:")), "{text:#?}");
    assert!(text.iter().all(|line| line.starts_with("SUREPLUG_PORT_DEVICE") || !line.contains('\x1b')));
}

#[test]
fn interrupted_measurement_prints_no_figures() {
    let Some(_turn) = own_network_namespace("a measurement that is given up") else { return };
    let daemon = Daemon::start(sureplug("measure --json"));
    daemon.wait_for_line(|line| line.contains(r#""kind":"prompt""#));
    inject("kbd_plug");
    daemon.wait_for_line(|line| line.contains("unplug it"));
    daemon.signal(Signal::SIGINT);
    let output = daemon.wait();
    assert_eq!((output.code, output.objects("measure").len()), (Some(1), 0));
    assert_eq!(output.stderr, ["sureplug: ended before the device was unplugged"]);
}
