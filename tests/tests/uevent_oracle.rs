//! The parser against a naive one, over made-up and damaged datagrams, and the way back through the
//! encoder.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sureplug_core::uevent::{Action, EncodeError, Encoder};
use sureplug_tests::oracle::{Oracle, Parts, agree};

/// As many cases as take a second or two. A failure prints its datagram, so no file is needed.
fn config() -> ProptestConfig {
    ProptestConfig { cases: 4_096, failure_persistence: None, ..ProptestConfig::default() }
}

const KEYS: [&str; 19] = [
    "ACTION",
    "DEVPATH",
    "SUBSYSTEM",
    "SEQNUM",
    "MAJOR",
    "MINOR",
    "BUSNUM",
    "DEVNUM",
    "IFINDEX",
    "DISKSEQ",
    "PRODUCT",
    "DEVTYPE",
    "DEVNAME",
    "DRIVER",
    "MODALIAS",
    "DEVPATH_OLD",
    "SYNTH_UUID",
    "ACTIO",
    "SUBSYSTEMS",
];

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => select(&KEYS[..]).prop_map(|key| key.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..9),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => any::<u64>().prop_map(|number| number.to_string().into_bytes()),
        3 => any::<u16>().prop_map(|number| format!("{number:03}").into_bytes()),
        3 => "[0-9a-fA-F]{0,5}(/[0-9a-fA-F]{0,5}){0,4}".prop_map(String::into_bytes),
        3 => "[a-z/@:= +-]{0,20}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..20),
        1 => (0..2_100_usize).prop_map(|length| vec![b'v'; length]),
    ]
}

fn action() -> impl Strategy<Value = Vec<u8>> {
    let known = ["add", "remove", "change", "move", "online", "offline", "bind", "unbind", "libudev"];
    prop_oneof![
        8 => select(known.to_vec()).prop_map(|action| action.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..6),
    ]
}

fn devpath() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => "(/[a-z0-9@:.=-]{1,9}){1,9}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..6),
        1 => (0..2_100_usize).prop_map(|length| [b"/", &vec![b'x'; length][..]].concat()),
    ]
}

/// Parts of a uevent, mostly good ones.
fn parts() -> impl Strategy<Value = Parts> {
    let properties = prop_oneof![9 => vec((key(), value()), 0..12), 1 => vec((key(), value()), 60..70)];
    (action(), devpath(), properties, any::<bool>()).prop_map(
        |(action, devpath, mut properties, repeated)| {
            if repeated {
                properties.insert(0, (b"ACTION".to_vec(), action.clone()));
                properties.insert(1, (b"DEVPATH".to_vec(), devpath.clone()));
            }
            (action, devpath, properties)
        },
    )
}

/// Parts as they are put together on the wire, whether that is valid or not.
fn joined((action, devpath, properties): &Parts) -> Vec<u8> {
    let mut datagram = [action, &b"@"[..], devpath, b"\0"].concat();
    for (key, value) in properties {
        datagram.extend([key, &b"="[..], value, b"\0"].concat());
    }
    datagram
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Remove(Index),
    Double(Index, Index),
    Insert(Index, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    let byte = || prop_oneof![select(b"\0=@/".to_vec()), any::<u8>()];
    prop_oneof![
        (any::<Index>(), 1..=u8::MAX).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        any::<Index>().prop_map(Damage::Cut),
        any::<Index>().prop_map(Damage::Remove),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Double(from, to)),
        (any::<Index>(), byte()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
    ]
}

fn apply(datagram: &mut Vec<u8>, damage: Damage) {
    if datagram.is_empty() {
        return;
    }
    let length = datagram.len();
    match damage {
        Damage::Flip(at, bits) => datagram[at.index(length)] ^= bits,
        Damage::Cut(at) => datagram.truncate(at.index(length)),
        Damage::Remove(at) => drop(datagram.remove(at.index(length))),
        Damage::Double(from, to) => {
            let (from, to) = (from.index(length), to.index(length));
            datagram.extend_from_within(from.min(to)..from.max(to));
        }
        Damage::Insert(at, byte) => datagram.insert(at.index(length), byte),
    }
}

/// What the encoder makes of the parts, into a buffer of that size.
fn encoded((action, devpath, properties): &Parts, capacity: usize) -> Result<Vec<u8>, EncodeError> {
    let mut buffer = vec![0; capacity];
    let mut encoder = Encoder::new(&mut buffer, Action::from(&action[..]), devpath)?;
    for (key, value) in properties {
        encoder.property(key, value)?;
    }
    Ok(encoder.finish().to_vec())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_made_up_uevent_reads_as_the_oracle_reads_it(parts in parts()) {
        agree(&joined(&parts));
    }

    #[test]
    fn a_damaged_uevent_reads_as_the_oracle_reads_it(parts in parts(), damages in vec(damage(), 1..5)) {
        let mut datagram = joined(&parts);
        for damage in damages {
            apply(&mut datagram, damage);
        }
        agree(&datagram);
    }

    #[test]
    fn arbitrary_bytes_read_as_the_oracle_reads_them(bytes in vec(any::<u8>(), 0..300)) {
        agree(&bytes);
        agree(&[b"add@/a\0", &bytes[..], b"\0"].concat());
    }

    #[test]
    fn bytes_that_mean_something_read_as_the_oracle_reads_them(
        bytes in vec(select(b"\0\0=@/aK".to_vec()), 0..40),
    ) {
        agree(&bytes);
        agree(&[b"a@/\0", &bytes[..], b"\0"].concat());
    }

    #[test]
    fn encoded_uevents_parse_back(parts in parts(), capacity in 0..9_000_usize) {
        match encoded(&parts, capacity) {
            Ok(written) => {
                let read = Oracle::read(&written).expect("what the encoder finished is a uevent");
                prop_assert_eq!((read.action, read.devpath, read.properties), parts);
                agree(&written);
            }
            Err(EncodeError::BufferFull { wanted, capacity: delivered }) => {
                prop_assert!(delivered == capacity && wanted > capacity);
            }
            // What the encoder refuses for another reason is no uevent.
            Err(error) => {
                prop_assert!(Oracle::read(&joined(&parts)) != Ok(Oracle::of(parts)), "{}", error);
            }
        }
    }

    #[test]
    fn parsed_uevents_can_be_encoded(parts in parts()) {
        if Oracle::read(&joined(&parts)) == Ok(Oracle::of(parts.clone())) {
            prop_assert_eq!(encoded(&parts, 4_096), Ok(joined(&parts)));
        }
    }
}
