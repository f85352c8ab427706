//! `sureplug list`: the devices that are present.

use std::fmt::{self, Write};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::thread;
use std::time::Duration;

use sureplug_core::protocol::PacketKind;
use sureplug_core::uevent::{Action, EscapedWord, Uevent};

use super::monitor::{is_unserved, receive_all};
use super::options::Options;
use super::{Command, Exit, Failure, complain, print_with};
use crate::client::Client;
use crate::order::sort_by_key;
use crate::report::OUT_OF_DATE;
use crate::report::object::Object;
use crate::sysfs::{Devices, Reading};

pub(super) const COMMAND: Command = Command {
    name: "list",
    has_file: false,
    summary: "show the devices that a running daemon knows as a tree; without one, read sysfs",
    help: "\
Without --subsystem it shows all that the daemon watches. Each line has subsystem, vendor and product, driver
and device node.

Exit codes: 0 success, 2 wrong usage, 3 refused.",
    run,
};

fn run(options: &Options) -> Result<Exit, Failure> {
    let path = options.socket();
    let (source, mut devices, is_out_of_date) = match of_daemon(options) {
        Err(error) if is_unserved(&error) => {
            complain(&format_args!("no daemon serves {}: read from sysfs", path.display()));
            let devices = of_sysfs(options).map_err(|error| Failure::at(&options.sysfs, &error))?;
            ("sysfs", devices, false)
        }
        answer => {
            let (devices, is_out_of_date) = answer.map_err(|error| Failure::at(path, &error))?;
            ("daemon", devices, is_out_of_date)
        }
    };
    if is_out_of_date {
        complain(&format_args!("warning: {OUT_OF_DATE}"));
    }
    // A parent before its children, and these before its next sibling.
    let rank = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
    sort_by_key(&mut devices, |device| device.devpath.iter().map(rank).collect::<Vec<_>>());
    let devices = &devices[..];
    if options.json {
        print_with(|out| json(out, source, is_out_of_date, devices))
    } else {
        print_with(|out| tree(out, devices))
    }
}

/// Why sysfs shows nothing.
const NO_SYSFS: &str =
    "no sysfs is mounted where it should be; mount it, or name another directory with --sysfs";

/// What is shown of a device.
struct Device {
    devpath: Vec<u8>,
    subsystem: Vec<u8>,
    /// Vendor and product of a USB device.
    id: Option<[u16; 2]>,
    driver: Option<Vec<u8>>,
    /// Below `/dev`.
    node: Option<Vec<u8>>,
}

impl Device {
    fn of(uevent: &Uevent<'_>) -> Self {
        let id = uevent.product().filter(|_| uevent.devtype() == Some(b"usb_device"));
        Self {
            devpath: uevent.devpath().into(),
            subsystem: uevent.subsystem().unwrap_or_default().into(),
            id: id.map(|id| [id.vendor, id.product]),
            driver: uevent.driver().map(Into::into),
            node: uevent.devname().map(Into::into),
        }
    }
}

/// Returns the devices, and whether the daemon knows them to be out of date.
fn of_daemon(options: &Options) -> io::Result<(Vec<Device>, bool)> {
    let mut client = Client::select(options.socket(), "LIST", options.named())?;
    let mut devices: Vec<Device> = Vec::new();
    let mut end = None;
    receive_all(&mut client, |message| match message.kind() {
        PacketKind::Event(entry) if entry.tracked => {
            devices.retain(|device| device.devpath != entry.uevent.devpath());
            if entry.uevent.action() != Action::Remove {
                devices.push(Device::of(&entry.uevent));
            }
        }
        // What came before, if the request came late, is void.
        PacketKind::Begin { .. } | PacketKind::Reset => {
            devices.clear();
            end = None;
        }
        PacketKind::End => end = Some(message.is_out_of_date()),
        _ => {}
    })?;
    end.map(|is_out_of_date| (devices, is_out_of_date))
        .ok_or_else(|| io::Error::other("the daemon has hung up"))
}

fn of_sysfs(options: &Options) -> io::Result<Vec<Device>> {
    let mut sysfs = Devices::open(&options.sysfs, options.named().clone())?;
    if !sysfs.is_mounted() {
        return Err(io::Error::new(io::ErrorKind::NotFound, NO_SYSFS));
    }
    // Any socket answers for the network namespace of this process.
    sysfs.compare_namespace(UnixDatagram::unbound()?.as_fd());
    if sysfs.is_foreign() {
        complain(&"warning: sysfs belongs to another network namespace: no network devices are listed");
    }
    let mut devices = scan(&mut sysfs);
    if sysfs.is_undecided() {
        // A device that was being added is whole then.
        thread::sleep(Duration::from_millis(100));
        devices = scan(&mut sysfs);
    }
    if let Some(missing) = sysfs.missing() {
        complain(&format_args!("warning: sysfs could not be read: {missing}; devices may be missing"));
    }
    if sysfs.forgery_count() > 0 {
        let lines = sysfs.forgery_count();
        complain(&format_args!(
            "warning: ignored {lines} lines of uevent files that the kernel did not write"
        ));
    }
    Ok(devices)
}

fn scan(sysfs: &mut Devices) -> Vec<Device> {
    let mut devices: Vec<Device> = Vec::new();
    sysfs.rewind();
    while sysfs.advance().is_some() {
        if let Reading::Present { uevent, .. } = sysfs.read() {
            // A class and a bus may both list it.
            if devices.iter().all(|device| device.devpath != uevent.devpath()) {
                devices.push(Device::of(&uevent));
            }
        }
        if let Some(forgery) = sysfs.take_forgery() {
            complain(&format_args!("warning: {forgery}"));
        }
    }
    devices
}

/// Each device below the nearest one above it, which need not be its parent.
fn tree(out: &mut String, devices: &[Device]) -> fmt::Result {
    let mut above: Vec<&[u8]> = Vec::new();
    for Device { devpath, subsystem, id, driver, node } in devices {
        let below = |above: &&[u8]| devpath.strip_prefix(*above).and_then(|rest| rest.strip_prefix(b"/"));
        while above.last().is_some_and(|last| below(last).is_none()) {
            above.pop();
        }
        let name = above.last().and_then(below).unwrap_or(devpath);
        write!(
            out,
            "{:indent$}{} {}",
            "",
            EscapedWord(name),
            EscapedWord(subsystem),
            indent = 2 * above.len()
        )?;
        if let Some([vendor, product]) = id {
            write!(out, " {vendor:04x}:{product:04x}")?;
        }
        if let Some(driver) = driver {
            write!(out, " ({})", EscapedWord(driver))?;
        }
        if let Some(node) = node {
            write!(out, " /dev/{}", EscapedWord(node))?;
        }
        out.push('\n');
        above.push(devpath);
    }
    Ok(())
}

fn json(out: &mut String, source: &str, is_out_of_date: bool, devices: &[Device]) -> fmt::Result {
    devices.iter().try_for_each(|Device { devpath, subsystem, id, driver, node }| {
        let mut object = Object::begin(out, "device");
        object
            .display("source", &source)
            .boolean("out_of_date", is_out_of_date)
            .bytes("devpath", devpath)
            .bytes("subsystem", subsystem);
        if let Some([vendor, product]) = id {
            object.display("id", &format_args!("{vendor:04x}:{product:04x}"));
        }
        for (key, value) in [("driver", driver), ("node", node)] {
            if let Some(value) = value {
                object.bytes(key, value);
            }
        }
        object.end()
    })
}
