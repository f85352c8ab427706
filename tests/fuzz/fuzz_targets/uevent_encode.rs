//! Any parts at all: the encoder refuses them, or what it writes reads back as the same parts.
//!
//! The input is cut into parts like a uevent, but without any check, so that captured uevents are seeds
//! here too.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sureplug_core::limits::MAX_DATAGRAM_BYTES;
use sureplug_core::uevent::{Action, EncodeError, Encoder};
use sureplug_tests::oracle::{Oracle, Parts, agree};

/// A NUL ends a part. The byte 1 becomes a NUL within one, so that the encoder meets what it must refuse.
fn parts(input: &[u8]) -> Parts {
    let mut strings = input
        .split(|&byte| byte == 0)
        .map(|string| string.iter().map(|&byte| if byte == 1 { 0 } else { byte }).collect::<Vec<u8>>());
    let header = strings.next().unwrap_or_default();
    let (action, devpath) = cut(&header, b'@');
    let properties = strings.map(|string| cut(&string, b'=')).collect();
    (action, devpath, properties)
}

fn cut(string: &[u8], separator: u8) -> (Vec<u8>, Vec<u8>) {
    let mut halves = string.splitn(2, |&byte| byte == separator).map(<[u8]>::to_vec);
    (halves.next().unwrap_or_default(), halves.next().unwrap_or_default())
}

fn encoded<'b>(parts: &Parts, buffer: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
    let (action, devpath, properties) = parts;
    let mut encoder = Encoder::new(buffer, Action::from(&action[..]), devpath)?;
    for (key, value) in properties {
        encoder.property(key, value)?;
    }
    Ok(encoder.finish())
}

fuzz_target!(|input: &[u8]| {
    let parts = parts(input);
    let mut buffer = [0; MAX_DATAGRAM_BYTES];
    if let Ok(written) = encoded(&parts, &mut buffer) {
        agree(written);
        assert_eq!(Oracle::read(written), Ok(Oracle::of(parts)));
    }
});
