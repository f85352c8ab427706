//! Calls of the stream in any order, made of any bytes: nothing panics, and the rules hold.

use std::collections::{BTreeMap, BTreeSet};

use sureplug_core::selection::Selection;
use sureplug_core::stream::{DeliveryBuffer, Directory, Lag, ScanKind, Scope, Stream};
use sureplug_core::time::Instant;
use sureplug_core::uevent::Uevent;

use super::datagram::uevent;
use super::reader::Reader;

/// One call.
#[derive(Clone, Debug)]
enum Call {
    Event(Vec<u8>, Scope, Directory),
    Begin(ScanKind),
    LookAt(String),
    LookAtUnseen,
    Saw(Vec<u8>, u64),
    Gone,
    End,
    Read { reader: u8, steps: u8 },
    Join { all: bool, lag: Lag },
    Leave(u8),
    Reset(u8),
}

/// Nested devpaths, some that begin alike, and long ones.
fn path(number: u8) -> String {
    let name = |bits: u8| ["/a", "/b", "/a-b", "/a"][usize::from(bits % 4)];
    let levels = [number, number >> 2, number >> 4];
    let mut path: String = levels[..=usize::from(number >> 6) % 3].iter().map(|bits| name(*bits)).collect();
    if number >= 250 {
        path += &"/long".repeat(usize::from(number - 249) * 31);
    }
    path
}

fn datagram(action: &str, number: u8, identity: u8, old: u8) -> Vec<u8> {
    let key = ["PRODUCT", "DEVNUM", "DISKSEQ", "X"][usize::from(identity % 4)];
    let value = (identity >> 2 & 3).to_string();
    let subsystem = if identity & 16 == 0 { "usb" } else { "tty" };
    let driver = "d".repeat(usize::from(identity >> 5) * 9);
    let old = path(old);
    let mut says = vec![("SUBSYSTEM", subsystem), (key, &*value)];
    says.extend((!driver.is_empty()).then_some(("DRIVER", &*driver)));
    says.extend((action == "move").then_some(("DEVPATH_OLD", &*old)));
    says.extend((action == "remove" && identity & 8 != 0).then_some(("SYNTH_UUID", "0")));
    uevent(action, &path(number), &says)
}

fn calls(bytes: &[u8]) -> impl Iterator<Item = Call> {
    bytes.chunks_exact(4).map(|chunk| {
        let [what, a, b, c] = [0, 1, 2, 3].map(|place| chunk[place]);
        let directory = [Directory::Unknown, Directory::Absent, Directory::of(1), Directory::of(2)];
        let directory = directory[usize::from(what / 24 % 4)];
        let tracked = |datagram| Call::Event(datagram, Scope::Tracked, directory);
        let kind = [ScanKind::Start, ScanKind::Resync, ScanKind::Settle][usize::from(a % 3)];
        match what % 24 {
            0..=3 => tracked(datagram("add", a, b, c)),
            4..=6 => tracked(datagram("remove", a, b, c)),
            7 => tracked(datagram("change", a, b, c)),
            8 => tracked(datagram("bind", a, b, c)),
            9..=10 => tracked(datagram("move", a, b, c)),
            11 => Call::Event(datagram("add", a, b, c), Scope::Untracked, directory),
            12 => Call::Begin(kind),
            13 => Call::LookAt(path(a)),
            14 => Call::LookAtUnseen,
            15..=16 => Call::Saw(datagram("add", a, b, c), u64::from(c % 3)),
            17 => Call::Gone,
            18 => Call::End,
            19..=20 => Call::Read { reader: a, steps: b % 32 },
            21 => Call::Join { all: a % 2 == 0, lag: if b % 2 == 0 { Lag::Hold } else { Lag::Reset } },
            22 => Call::Leave(a),
            _ => Call::Reset(a),
        }
    })
}

fn parse(datagram: &[u8]) -> Uevent<'_> {
    Uevent::parse(datagram).expect("a uevent of what is short enough")
}

/// Calls of a stream: I4 for each consumer, nothing is passed over, and when all have left, every slot can be
/// used again.
///
/// # Panics
///
/// If a rule is broken.
pub fn call_stream(bytes: &[u8]) {
    const SLOTS: usize = 12;
    let mut stream = Box::new(Stream::<SLOTS, 3_000, 1_500, 4>::new());
    let (mut packet, mut heard) = (Box::new(DeliveryBuffer::new()), BTreeMap::new());
    // Receives everything, which shows what other consumers do not receive.
    let first = stream.join(Selection::ALL, Lag::Hold).expect("a place");
    let mut observer = Reader::new(first, Selection::ALL, 0);
    let mut readers: Vec<Reader> = Vec::new();
    for (number, call) in calls(bytes).enumerate() {
        let stamp = number as u64 + 1;
        let at = Instant::from_nanos(stamp);
        let place = |reader: u8, readers: &[Reader]| usize::from(reader).checked_rem(readers.len());
        match call {
            Call::Event(datagram, scope, directory) => {
                stream.event(at, &parse(&datagram), scope, directory);
            }
            Call::Begin(kind) => stream.begin_scan(kind),
            Call::LookAt(path) => stream.look_at(path.as_bytes()),
            Call::LookAtUnseen => drop(stream.look_at_unseen()),
            Call::Saw(datagram, inode) => drop(stream.saw(at, &parse(&datagram), inode)),
            Call::Gone => drop(stream.gone()),
            Call::End => drop(stream.end_scan(at)),
            Call::Read { reader, steps } => {
                let Some(place) = place(reader, &readers) else { continue };
                let reader = &mut readers[place];
                for _ in 0..steps {
                    reader.read(&mut stream, &mut packet, stamp | 1 << 63, &mut heard);
                }
            }
            Call::Join { all, lag } => {
                let usb = Selection::of(&[b"usb"]).expect("a selection");
                let selection = if all { Selection::ALL } else { usb };
                if let Some(id) = stream.join(selection.clone(), lag) {
                    readers.push(Reader::new(id, selection, stream.steps()));
                }
            }
            Call::Leave(reader) => {
                if let Some(place) = place(reader, &readers) {
                    stream.leave(readers.swap_remove(place).id);
                }
            }
            Call::Reset(reader) => {
                if let Some(place) = place(reader, &readers) {
                    stream.reset(readers[place].id);
                }
            }
        }
        while observer.read(&mut stream, &mut packet, stamp | 1 << 63, &mut heard) {}
        let present: BTreeSet<_> = stream.devpaths().map(<[u8]>::to_vec).collect();
        assert_eq!(stream.devices(), present.len(), "a devpath is present twice");
        assert!(observer.rule.believed.keys().eq(&present), "{:?} of {present:?}", observer.rule.believed);
    }
    readers.push(observer);
    let present: BTreeSet<_> = stream.devpaths().map(<[u8]>::to_vec).collect();
    for mut reader in readers {
        while reader.read(&mut stream, &mut packet, u64::MAX - 1, &mut heard) {}
        if reader.selection == Selection::ALL {
            assert!(reader.rule.believed.keys().eq(&present), "{:?} of {present:?}", reader.rule.believed);
        }
        stream.leave(reader.id);
    }
    stream.begin_scan(ScanKind::Settle);
    while stream.look_at_unseen().is_some() {
        stream.gone();
    }
    stream.end_scan(Instant::BOOT);
    for number in 0..SLOTS {
        let add = uevent("add", &format!("/{number}"), &[]);
        stream.event(Instant::BOOT, &parse(&add), Scope::Tracked, Directory::Unknown);
    }
    assert_eq!(stream.devices(), SLOTS, "a slot was lost");
}
