//! `sureplug list`: shows the present devices.

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
use crate::report::OUT_OF_DATE;
use crate::report::object::Object;
use crate::sysfs::{self, Reading};

pub(super) const COMMAND: Command = Command {
    usage: "list",
    summary: "show the devices of a running daemon as a tree; without one, read sysfs",
    help: "\
Without --subsystem it shows all subsystems that the daemon watches. Each line has the subsystem, vendor and
product, driver and device node.

Exit codes: 0 success, 2 wrong usage, 3 refused.",
    run,
};

fn run(options: &Options) -> Result<Exit, Failure> {
    let path = options.socket();
    let (source, devices, is_out_of_date) = match of_daemon(options) {
        Err(error) if is_unserved(&error) => {
            complain(&format_args!("no daemon serves {}; reading sysfs instead", path.display()));
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
    let devices = devices.iter().filter_map(|(_, datagram)| Uevent::parse(datagram).ok());
    if options.json {
        print_with(|out| json(out, source, is_out_of_date, devices))
    } else {
        print_with(|out| tree(out, devices))
    }
}

/// The error if sysfs is not mounted.
const NO_SYSFS: &str = "no sysfs is mounted here; mount it, or name its directory with --sysfs";

/// The datagrams of devices, sorted by a key that places children between their parent and its next
/// sibling. A flat list, because a `BTreeMap` costs 8 KiB of flash.
type DeviceList = Vec<(Vec<u8>, Vec<u8>)>;

/// Replaces the state of a device, or removes a device that is gone.
fn note(devices: &mut DeviceList, uevent: &Uevent<'_>, is_present: bool) {
    let rank: Vec<u8> = uevent.devpath().iter().map(|&byte| if byte == b'/' { 0 } else { byte }).collect();
    let place = devices.binary_search_by(|(other, _)| other.cmp(&rank));
    if let Ok(at) = place {
        devices.remove(at);
    }
    if is_present {
        let (Ok(at) | Err(at)) = place;
        devices.insert(at, (rank, uevent.datagram().into()));
    }
}

/// Returns the vendor and product of a USB device.
fn id(device: &Uevent<'_>) -> Option<String> {
    let id = device.product().filter(|_| device.devtype() == Some(b"usb_device"))?;
    Some(format!("{:04x}:{:04x}", id.vendor, id.product))
}

/// Returns the devices, and whether the daemon knows them to be out of date.
fn of_daemon(options: &Options) -> io::Result<(DeviceList, bool)> {
    let mut client = Client::select(options.socket(), "LIST", options.named())?;
    let mut devices = DeviceList::new();
    let mut end = None;
    receive_all(&mut client, |message| match message.kind() {
        PacketKind::Event(entry) if entry.tracked => {
            note(&mut devices, &entry.uevent, entry.uevent.action() != Action::Remove);
        }
        // After a reset, or if the request arrived late, the previous devices are void.
        PacketKind::Begin { .. } | PacketKind::Reset => {
            devices.clear();
            end = None;
        }
        PacketKind::End => end = Some(message.is_out_of_date()),
        _ => {}
    })?;
    end.map(|is_out_of_date| (devices, is_out_of_date))
        .ok_or_else(|| io::Error::other("the daemon closed the connection"))
}

fn of_sysfs(options: &Options) -> io::Result<DeviceList> {
    let mut sysfs = sysfs::Devices::open(&options.sysfs, options.named().clone())?;
    if !sysfs.is_mounted() {
        return Err(io::Error::new(io::ErrorKind::NotFound, NO_SYSFS));
    }
    // Any socket identifies the network namespace of this process.
    sysfs.compare_namespace(UnixDatagram::unbound()?.as_fd());
    if sysfs.is_foreign() {
        complain(&"warning: sysfs belongs to another network namespace: no network devices are listed");
    }
    let mut devices = scan(&mut sysfs);
    if sysfs.is_undecided() {
        // Gives a device that is being added time to become complete.
        thread::sleep(Duration::from_millis(100));
        devices = scan(&mut sysfs);
    }
    if let Some(missing) = sysfs.missing() {
        complain(&format_args!("warning: sysfs could not be read: {missing}; devices may be missing"));
    }
    let mut read = 0;
    while let Some(fault) = sysfs.next_forged(&mut read) {
        complain(&format_args!("warning: {fault}"));
    }
    if sysfs.forgery_count() > 0 {
        let lines = sysfs.forgery_count();
        complain(&format_args!(
            "warning: ignored {lines} lines of uevent files that the kernel did not write"
        ));
    }
    Ok(devices)
}

fn scan(sysfs: &mut sysfs::Devices) -> DeviceList {
    let mut devices = DeviceList::new();
    sysfs.rewind();
    while sysfs.advance().is_some() {
        if let Reading::Present { uevent, .. } = sysfs.read() {
            // A class and a bus may both list the device.
            note(&mut devices, &uevent, true);
        }
    }
    devices
}

/// Writes each device below its nearest listed ancestor, which need not be its parent.
fn tree<'d>(out: &mut String, devices: impl Iterator<Item = Uevent<'d>>) -> fmt::Result {
    let mut above: Vec<&[u8]> = Vec::new();
    for device in devices {
        let devpath = device.devpath();
        let below = |above: &&[u8]| devpath.strip_prefix(*above).and_then(|rest| rest.strip_prefix(b"/"));
        while above.last().is_some_and(|last| below(last).is_none()) {
            above.pop();
        }
        let name = above.last().and_then(below).unwrap_or(devpath);
        let (indent, subsystem) = (2 * above.len(), device.subsystem().unwrap_or_default());
        write!(out, "{:indent$}{} {}", "", EscapedWord(name), EscapedWord(subsystem))?;
        if let Some(id) = id(&device) {
            write!(out, " {id}")?;
        }
        if let Some(driver) = device.driver() {
            write!(out, " ({})", EscapedWord(driver))?;
        }
        if let Some(node) = device.devname() {
            write!(out, " /dev/{}", EscapedWord(node))?;
        }
        out.push('\n');
        above.push(devpath);
    }
    Ok(())
}

fn json<'d>(
    out: &mut String,
    source: &str,
    is_out_of_date: bool,
    mut devices: impl Iterator<Item = Uevent<'d>>,
) -> fmt::Result {
    devices.try_for_each(|device| {
        let mut object = Object::begin(out, "device");
        object
            .display("source", &source)
            .boolean("out_of_date", is_out_of_date)
            .bytes("devpath", device.devpath())
            .bytes("subsystem", device.subsystem().unwrap_or_default());
        if let Some(id) = id(&device) {
            object.display("id", &id);
        }
        for (key, value) in [("driver", device.driver()), ("node", device.devname())] {
            if let Some(value) = value {
                object.bytes(key, value);
            }
        }
        object.end()
    })
}
