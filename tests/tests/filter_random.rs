//! Filters for any selection on any datagram: interpreter, running kernel and definition agree.

use proptest::prelude::*;
use sureplug_core::filter::{Filter, FilterError};
use sureplug_core::selection::Selection;
use sureplug_tests::cbpf;
use sureplug_tests::filter_oracle::{Verdict, datagram, verdict};
use sureplug_tests::kernel::KernelFilter;

fn byte() -> impl Strategy<Value = u8> {
    // Bytes that break bit tricks: 0x01 after a borrow, 0x80 and above.
    prop_oneof![8 => b'a'..=b'z', 1 => Just(0x01), 1 => 0x7f..=0xff_u8, 1 => 0x01..=0xff_u8]
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "usb",
        "usbmisc",
        "net",
        "mem",
        "tty",
        "video4linux",
        "scsi_disk",
        "scsi_device",
        "bdi",
        "i2c",
        "a",
        "ab",
    ];
    prop_oneof![
        prop::sample::select(known.to_vec()).prop_map(|name| name.as_bytes().to_vec()),
        prop::collection::vec(prop_oneof![8 => b'a'..=b'z', 1 => 0x80..=0xff_u8], 1..=32),
        // Alike but for the end.
        (1..=32usize).prop_map(|length| vec![b'x'; length]),
        (1..=31usize, any::<bool>()).prop_map(|(length, y)| [
            &vec![b'x'; length],
            &b"yz"[usize::from(y)..][..1]
        ]
        .concat()),
    ]
}

fn set() -> impl Strategy<Value = Selection> {
    prop::collection::vec(name(), 1..=16).prop_map(|names| {
        let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        Selection::of(&names).expect("names")
    })
}

/// A datagram in the kernel's form, and what may have become of it.
fn any_datagram(set: &Selection) -> impl Strategy<Value = Vec<u8>> + use<> {
    let own: Vec<Vec<u8>> = set.names().map(<[u8]>::to_vec).collect();
    let near = prop::sample::select(own.clone())
        .prop_flat_map(|name| (0..=name.len()).prop_map(move |length| [&name[..length], b"x"].concat()));
    let subsystem = prop_oneof![3 => prop::sample::select(own), 2 => name(), 2 => near];
    let whole = (
        prop::collection::vec(byte(), 1..12),
        prop::collection::vec(byte(), 0..420),
        subsystem,
        prop_oneof![Just(b"SEQNUM=1\0".to_vec()), Just(b"MAJOR=8\0SEQNUM=123456\0".to_vec())],
    )
        .prop_map(|(action, path, subsystem, rest)| {
            datagram(&action, &[b"/", &path[..]].concat(), &subsystem, &rest)
        });
    whole.prop_flat_map(|whole| {
        let length = whole.len();
        prop_oneof![
            4 => Just(whole.clone()),
            1 => (0..=length).prop_map({ let whole = whole.clone(); move |end| whole[..end].to_vec() }),
            1 => (0..length, any::<u8>()).prop_map({
                let whole = whole.clone();
                move |(at, byte)| { let mut other = whole.clone(); other[at] = byte; other }
            }),
            1 => prop::collection::vec(prop_oneof![byte(), Just(0)], 0..300),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn accepted_if_and_only_if_it_is_in_the_set_or_undecided(
        (set, datagrams) in set().prop_flat_map(|set| {
            (Just(set.clone()), prop::collection::vec(any_datagram(&set), 24))
        }),
        limit in prop::sample::select(vec![10_240, 16_000, 20_480, 131_072]),
    ) {
        let filter = match Filter::new(&set, limit) {
            Ok(filter) => filter,
            Err(FilterError::DoesNotFit { needed_bytes, optmem_max }) => {
                prop_assert!(needed_bytes > optmem_max && optmem_max == limit);
                Filter::new(&set, needed_bytes).expect("enough room")
            }
            Err(other) => panic!("{other}"),
        };
        let program = filter.program();
        let kernel = KernelFilter::new(program).expect("the kernel takes it");
        for datagram in &datagrams {
            let wanted = verdict(datagram, &set, filter.reach_bytes());
            let accepts = wanted != Verdict::Refused;
            let found = cbpf::run(program, datagram);
            prop_assert_eq!(found, if accepts { u32::MAX } else { 0 }, "{:?}: {}", wanted, datagram.escape_ascii());
            prop_assert!(!cbpf::ends_by_a_load(program, datagram), "{}", datagram.escape_ascii());
            prop_assert_eq!(kernel.passes(datagram), accepts.then_some(datagram.len()), "{}", datagram.escape_ascii());
        }
    }
}

/// Every length of the header, of the subsystem, and every place at which a datagram can be cut.
#[test]
fn filter_decides_every_length_correctly() {
    let set = Selection::of(&[b"usb", b"usbmisc", b"i2c", b"a", b"ab", b"scsi_host", b"video4linux", b"net"])
        .unwrap();
    let filter = Filter::new(&set, 20_480).unwrap();
    let program = filter.program();
    let mut seen = [0; 5];
    for length in 1..400 {
        let devpath: Vec<u8> = b"/devices/".iter().copied().cycle().take(length).collect();
        for subsystem in [
            &b"usb"[..],
            b"usbmisc",
            b"us",
            b"usbm",
            b"a",
            b"b",
            b"abc",
            b"i2",
            b"i2c-dev",
            b"video4linux",
            b"video4linuy",
            b"vide",
            b"nett",
        ] {
            for action in [&b"add"[..], b"remove"] {
                let whole = datagram(action, &devpath, subsystem, b"SEQNUM=1\0");
                let cuts = if length % 37 == 0 { 0 } else { whole.len() };
                for end in cuts..=whole.len() {
                    let wanted = verdict(&whole[..end], &set, filter.reach_bytes());
                    seen[wanted as usize] += 1;
                    let found = cbpf::run(program, &whole[..end]);
                    assert_eq!(
                        found != 0,
                        wanted != Verdict::Refused,
                        "{wanted:?} {}",
                        whole[..end].escape_ascii()
                    );
                }
            }
        }
    }
    assert!(seen.iter().all(|&count| count > 0), "{seen:?} of each verdict");
}

/// Bytes that break bit tricks, before the NUL at each of its places in a word.
#[test]
fn the_end_of_a_header_is_found_behind_any_bytes() {
    let set = Selection::of(&[b"usb"]).unwrap();
    let filter = Filter::new(&set, 20_480).unwrap();
    let program = filter.program();
    let bytes = [0x01, 0x02, 0x7f, 0x80, 0x81, 0xff];
    for length in 0..8 {
        for (first, second, third) in
            bytes.iter().flat_map(|a| bytes.iter().flat_map(move |b| bytes.map(|c| (*a, *b, c))))
        {
            let devpath = [&b"/devices"[..length], &[first, second, third]].concat();
            for (subsystem, accepts) in [(&b"usb"[..], true), (b"net", false)] {
                let event = datagram(b"add", &devpath, subsystem, b"SEQNUM=1\0");
                assert_eq!(cbpf::run(program, &event) != 0, accepts, "{}", event.escape_ascii());
            }
        }
    }
}

#[test]
fn a_set_that_does_not_fit_states_what_would_do() {
    let names: Vec<[u8; 32]> = (b'a'..b'q').map(|letter| [letter; 32]).collect();
    let names: Vec<&[u8]> = names.iter().map(<[u8; 32]>::as_slice).collect();
    let set = Selection::of(&names).unwrap();
    let Err(error @ FilterError::DoesNotFit { needed_bytes, optmem_max: 10_240 }) = Filter::new(&set, 10_240)
    else {
        panic!("it fits")
    };
    assert!(error.to_string().contains(&format!("sysctl -w net.core.optmem_max={needed_bytes}")), "{error}");
    assert!(Filter::new(&set, needed_bytes).is_ok());
    assert!(Filter::new(&set, needed_bytes - 1).is_err());
    assert!(matches!(Filter::new(&Selection::ALL, 131_072), Err(FilterError::AcceptsAll)));
}
