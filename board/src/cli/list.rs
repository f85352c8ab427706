use std::fmt::{self, Write};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::thread;
use std::time::Duration;

use sureplug_core::protocol::PacketKind;
use sureplug_core::uevent::{Action, Escaped, EscapedWord, Uevent};

use super::Exit;
use super::monitor::{is_nobody, receive_soon};
use super::options::Options;
use super::output::{complain, print};
use crate::client::Client;
use crate::report::OUT_OF_DATE;
use crate::report::object::Object;
use crate::sysfs::{Devices, Reading};

/// Shows the devices that a daemon knows, or that sysfs shows where none runs.
pub(super) fn list(options: &Options) -> Exit {
    let path = options.socket();
    let (source, devices) = match of_daemon(path, options) {
        Err(error) if is_nobody(&error) => {
            complain(&format_args!("no daemon serves {}: read from sysfs", path.display()));
            ("sysfs", of_sysfs(options).map(|devices| (devices, false)))
        }
        other => ("daemon", other),
    };
    match devices {
        Ok((mut devices, is_out_of_date)) => {
            if is_out_of_date {
                complain(&format_args!("warning: {OUT_OF_DATE}"));
            }
            // A parent before its children, and these before its next brother.
            let key = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
            devices.sort_by(|a, b| a.devpath.iter().map(key).cmp(b.devpath.iter().map(key)));
            let mut text = String::new();
            // A String takes whatever is written.
            let _ = if options.board.json {
                json(&mut text, source, is_out_of_date, &devices)
            } else {
                tree(&mut text, &devices)
            };
            print(&text)
        }
        Err(error) => {
            let place = if source == "daemon" { path } else { &options.board.sysfs };
            complain(&format_args!("{}: {error}", place.display()));
            Exit::Refused
        }
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

/// The devices, and whether the daemon knows them to be out of date.
fn of_daemon(path: &Path, options: &Options) -> io::Result<(Vec<Device>, bool)> {
    let mut client = Client::select(path, "LIST", &options.named)?;
    let mut devices: Vec<Device> = Vec::new();
    let (mut is_whole, mut is_out_of_date) = (false, false);
    while let Some(message) = receive_soon(&mut client)? {
        match message.kind() {
            PacketKind::Event(entry) if entry.tracked => {
                let is_it = |device: &Device| device.devpath == entry.uevent.devpath();
                match (entry.uevent.action(), devices.iter().position(is_it)) {
                    (Action::Remove, Some(place)) => drop(devices.swap_remove(place)),
                    (Action::Remove, None) => {}
                    (_, Some(place)) => devices[place] = Device::of(&entry.uevent),
                    (_, None) => devices.push(Device::of(&entry.uevent)),
                }
            }
            PacketKind::Error { message, .. } => return Err(io::Error::other(Escaped(message).to_string())),
            // What came before, if the request came late, is void.
            PacketKind::Begin { .. } | PacketKind::Reset => {
                devices.clear();
                is_whole = false;
            }
            PacketKind::End => {
                is_whole = true;
                is_out_of_date = message.is_out_of_date();
            }
            _ => {}
        }
    }
    if is_whole { Ok((devices, is_out_of_date)) } else { Err(io::Error::other("the daemon has hung up")) }
}

fn of_sysfs(options: &Options) -> io::Result<Vec<Device>> {
    let mut sysfs = Devices::open(&options.board.sysfs, options.named.clone())?;
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
    for Device { devpath, subsystem, id, driver, node } in devices {
        let mut object = Object::begin(out, "device")?
            .display("source", &source)?
            .boolean("out_of_date", is_out_of_date)?
            .bytes("devpath", devpath)?
            .bytes("subsystem", subsystem)?;
        if let Some([vendor, product]) = id {
            object = object.display("id", &format_args!("{vendor:04x}:{product:04x}"))?;
        }
        for (key, value) in [("driver", driver), ("node", node)] {
            if let Some(value) = value {
                object = object.bytes(key, value)?;
            }
        }
        object.end()?;
    }
    Ok(())
}
