//! What the length of a captured event consists of.

use crate::vectors::{KERNELS, Kernel};

/// The scenario whose devpath stands in for one of which only lengths are kept: the same port of the same board.
pub const SIBLING: &str = "storage_ss_mbr4";

/// Bytes that an event has at least beyond two copies of a devpath: `add@`, `ACTION=add`, `DEVPATH=`, `SUBSYSTEM=`,
/// `SEQNUM=` with one character each, and five NULs.
const LEAST_BESIDE_DEVPATHS: usize = "add@ACTION=addDEVPATH=SUBSYSTEM=xSEQNUM=1".len() + 5;

/// One phase of a scenario on one kernel: what the lengths of its events consist of.
#[derive(Clone, Debug)]
pub struct Anatomy {
    /// Bytes of the plugged device's devpath.
    pub devpath_len: u16,
    /// Bytes of the port's name.
    pub port_name_len: u8,
    /// Digits of the largest `SEQNUM`.
    pub seqnum_digits: u8,
    /// The events, in order.
    pub events: Vec<EventAnatomy>,
}

/// What the length of one event consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventAnatomy {
    /// Copies of the devpath.
    pub devpath_copies: u8,
    /// Further copies of the port's name.
    pub name_copies: u8,
    /// All other bytes, without the digits of `SEQNUM`.
    pub base_len: u16,
    /// Is it an event of the plugged device itself?
    pub of_device: bool,
}

/// Takes the events of one phase apart, or `None` if this kernel has no capture of it. Where no kernel has the
/// datagrams, their lengths must do.
///
/// # Panics
///
/// If an event holds the devpath neither twice nor never.
#[must_use]
pub fn anatomy(kernel: &Kernel, scenario: &str, phase: &str) -> Option<Anatomy> {
    let scenario = format!("{scenario}_{phase}");
    if KERNELS.iter().any(|kernel| kernel.datagrams(&scenario).is_some()) {
        return Some(of_datagrams(&kernel.datagrams(&scenario)?));
    }
    of_lengths(kernel, &scenario, phase)
}

fn of_datagrams(datagrams: &[Vec<u8>]) -> Anatomy {
    let devpath = datagrams
        .iter()
        .filter(|datagram| occurrences(datagram, b"DEVTYPE=usb_device\0") == 1)
        .map(|datagram| property(datagram, b"DEVPATH="))
        .min_by_key(|devpath| devpath.len())
        .expect("an event of a USB device");
    let name = devpath.rsplit(|byte| *byte == b'/').next().expect("a port's name");
    let mut seqnum_digits = 0;
    let events = datagrams
        .iter()
        .map(|datagram| {
            let digits = property(datagram, b"SEQNUM=").len();
            seqnum_digits = seqnum_digits.max(digits);
            let devpath_copies = occurrences(datagram, devpath);
            assert!([0, 2].contains(&devpath_copies), "{devpath_copies} copies of the devpath");
            let rest = without(datagram, devpath);
            let name_copies = names(&rest, name);
            let base_len = rest.len() - name_copies * name.len() - digits;
            let of_device = property(datagram, b"DEVPATH=") == devpath;
            EventAnatomy {
                devpath_copies: small(devpath_copies),
                name_copies: small(name_copies),
                base_len: small(base_len),
                of_device,
            }
        })
        .collect();
    Anatomy {
        devpath_len: small(devpath.len()),
        port_name_len: small(name.len()),
        seqnum_digits: small(seqnum_digits),
        events,
    }
}

/// Returns the scenario with datagrams whose device was in the same port, and has the same events of its own.
fn sibling(scenario: &str) -> &'static str {
    // A stick is on the bus for faster devices.
    if scenario.starts_with("bot_") { SIBLING } else { "kbd" }
}

/// Only lengths are known. The sibling gives the devpath's length and those of the plugged device's own
/// events, which differ by the length of `PRODUCT`. An event that is too short for two devpaths has none, and all
/// others are below the port's name.
fn of_lengths(kernel: &Kernel, scenario: &str, phase: &str) -> Option<Anatomy> {
    let rows: Vec<_> = kernel.charges().into_iter().filter(|row| row.scenario == scenario).collect();
    let seqnum_digits = rows.iter().map(|row| row.seqnum.len()).max()?;
    let sibling = of_datagrams(&kernel.datagrams(&format!("{}_{phase}", sibling(scenario)))?);
    // A plug begins with the device's own event, and an unplug ends with it.
    let (row, event) = match phase {
        "plug" => (rows.first()?, sibling.events.first()?),
        _ => (rows.last()?, sibling.events.last()?),
    };
    let outer = 2 * sibling.devpath_len + event.base_len;
    let longer: u16 = small(row.len as usize - row.seqnum.len() - usize::from(outer));
    let own: Vec<u16> =
        sibling.events.iter().filter(|event| event.of_device).map(|event| event.base_len + longer).collect();
    let devpaths = 2 * usize::from(sibling.devpath_len);
    let names = 2 * usize::from(sibling.port_name_len);
    let events: Vec<_> = rows
        .iter()
        .map(|row| {
            let len = row.len as usize - row.seqnum.len();
            if len < devpaths + LEAST_BESIDE_DEVPATHS {
                let base_len = small(len);
                return EventAnatomy { devpath_copies: 0, name_copies: 0, base_len, of_device: false };
            }
            let below: u16 = small(len - devpaths);
            if own.contains(&below) {
                return EventAnatomy { devpath_copies: 2, name_copies: 0, base_len: below, of_device: true };
            }
            let base_len = small(len - devpaths - names);
            EventAnatomy { devpath_copies: 2, name_copies: 2, base_len, of_device: false }
        })
        .collect();
    let found = events.iter().filter(|event| event.of_device).count();
    assert_eq!(found, own.len(), "{}: events of the device in {scenario}", kernel.folder);
    Some(Anatomy { seqnum_digits: small(seqnum_digits), events, ..sibling })
}

fn property<'a>(datagram: &'a [u8], key: &[u8]) -> &'a [u8] {
    datagram
        .split(|byte| *byte == 0)
        .find_map(|property| property.strip_prefix(key))
        .unwrap_or_else(|| panic!("no {}", key.escape_ascii()))
}

fn occurrences(text: &[u8], part: &[u8]) -> usize {
    text.windows(part.len()).filter(|window| *window == part).count()
}

fn without(text: &[u8], part: &[u8]) -> Vec<u8> {
    let mut rest = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(part) {
            at += part.len();
        } else {
            rest.push(text[at]);
            at += 1;
        }
    }
    rest
}

/// Copies of the name that are not part of a longer number.
fn names(text: &[u8], name: &[u8]) -> usize {
    (0..text.len())
        .filter(|at| text[*at..].starts_with(name))
        .filter(|at| !at.checked_sub(1).is_some_and(|before| text[before].is_ascii_digit()))
        .filter(|at| !text.get(at + name.len()).is_some_and(u8::is_ascii_digit))
        .count()
}

fn small<T: TryFrom<usize>>(number: usize) -> T {
    T::try_from(number).unwrap_or_else(|_| panic!("{number} is too large"))
}
