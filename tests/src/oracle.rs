//! The uevent's wire format once more: slow, plain and written from its description alone, to
//! hold the parser of `sureplug-core` against.

use sureplug_core::limits::MAX_DATAGRAM_BYTES;
use sureplug_core::uevent::{ParseError, ParseFault, Uevent, UeventBuf};

/// Properties at most (`UEVENT_NUM_ENVP`).
const PROPERTIES: usize = 64;
/// Bytes of all properties, and bytes of the header, at most (`UEVENT_BUFFER_SIZE`).
const BYTES: usize = 2_048;

/// Action, devpath, and properties as key and value.
pub type Parts = (Vec<u8>, Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>);

/// A uevent that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oracle {
    /// What stands before the header's first `@`.
    pub action: Vec<u8>,
    /// The part after it.
    pub devpath: Vec<u8>,
    /// All properties in their order.
    pub properties: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Oracle {
    /// The uevent of these parts, unchecked.
    #[must_use]
    pub fn of((action, devpath, properties): Parts) -> Self {
        Self { action, devpath, properties }
    }

    /// Reads a datagram.
    ///
    /// # Errors
    ///
    /// The first fault in the order that `Uevent::parse` documents.
    pub fn read(datagram: &[u8]) -> Result<Self, ParseError> {
        if datagram.is_empty() {
            return Err(ParseError { offset: 0, fault: ParseFault::Empty });
        }
        let mut strings: Vec<Vec<u8>> = datagram.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect();
        if strings.len() > 1 && strings[0] == b"libudev" {
            return Err(ParseError { offset: 0, fault: ParseFault::LibudevFrame });
        }
        // `split` yields one more string after the last NUL: an empty one if the NUL was the last
        // byte.
        let unterminated = strings.pop().unwrap_or_default();
        if !unterminated.is_empty() {
            return Err(ParseError { offset: datagram.len(), fault: ParseFault::NotTerminated });
        }
        let header = strings.remove(0);
        let (action, devpath) = read_header(&header)?;
        let all: usize = strings.iter().map(|string| string.len() + 1).sum();
        if all > BYTES {
            return Err(ParseError { offset: header.len() + 1 + BYTES, fault: ParseFault::TooLong });
        }
        let mut offset = header.len() + 1;
        let mut properties: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for string in strings {
            if properties.len() == PROPERTIES {
                return Err(ParseError { offset, fault: ParseFault::TooManyProperties });
            }
            let Some((key, value)) = cut(&string, b'=') else {
                return Err(ParseError { offset, fault: ParseFault::NoEquals });
            };
            if key.is_empty() {
                return Err(ParseError { offset, fault: ParseFault::EmptyKey });
            }
            let is_first = !properties.iter().any(|(earlier, _)| *earlier == key);
            if is_first && key == b"ACTION" && value != action {
                return Err(ParseError { offset, fault: ParseFault::ActionDisagrees });
            }
            if is_first && key == b"DEVPATH" && value != devpath {
                return Err(ParseError { offset, fault: ParseFault::DevpathDisagrees });
            }
            properties.push((key, value));
            offset += string.len() + 1;
        }
        Ok(Self { action, devpath, properties })
    }

    /// The value of the first property with this key.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<Vec<u8>> {
        self.properties.iter().find(|(found, _)| found == key.as_bytes()).map(|(_, value)| value.clone())
    }

    /// The first value of this key as a decimal number not above `max`.
    #[must_use]
    pub fn number(&self, key: &str, max: u64) -> Option<u64> {
        let text = String::from_utf8(self.value(key)?).ok()?;
        // `str::parse` alone would take a plus sign.
        let digits_only = text.chars().all(|c| "0123456789".contains(c));
        if digits_only { text.parse().ok().filter(|&number| number <= max) } else { None }
    }

    /// `PRODUCT` as three hexadecimal numbers of 16 bits.
    #[must_use]
    pub fn product(&self) -> Option<[u16; 3]> {
        let text = String::from_utf8(self.value("PRODUCT")?).ok()?;
        let mut numbers = Vec::new();
        for part in text.split('/') {
            if !part.chars().all(|c| "0123456789abcdefABCDEF".contains(c)) {
                return None;
            }
            numbers.push(u16::from_str_radix(part, 16).ok()?);
        }
        numbers.try_into().ok()
    }
}

fn read_header(header: &[u8]) -> Result<(Vec<u8>, Vec<u8>), ParseError> {
    if header.len() + 1 > BYTES {
        return Err(ParseError { offset: BYTES, fault: ParseFault::TooLong });
    }
    let Some((action, devpath)) = cut(header, b'@') else {
        return Err(ParseError { offset: header.len(), fault: ParseFault::NoAt });
    };
    if action.is_empty() {
        return Err(ParseError { offset: 0, fault: ParseFault::EmptyAction });
    }
    if !devpath.starts_with(b"/") {
        return Err(ParseError { offset: action.len() + 1, fault: ParseFault::DevpathNotAbsolute });
    }
    Ok((action, devpath))
}

/// Returns the parts before and after the first `separator`.
fn cut(bytes: &[u8], separator: u8) -> Option<(Vec<u8>, Vec<u8>)> {
    let at = bytes.iter().position(|&byte| byte == separator)?;
    Some((bytes[..at].to_vec(), bytes[at + 1..].to_vec()))
}

/// Holds the parser and every accessor against the oracle.
///
/// # Panics
///
/// If they disagree on anything.
pub fn agree(datagram: &[u8]) {
    let shown = datagram.escape_ascii();
    let uevent = match (Uevent::parse(datagram), Oracle::read(datagram)) {
        (Ok(uevent), Ok(oracle)) => {
            agree_on_values(&uevent, &oracle);
            uevent
        }
        (Err(error), Err(expected)) => {
            assert_eq!(error, expected, "{shown}");
            return;
        }
        (result, oracle) => panic!("{result:?}, but the oracle: {oracle:?}: {shown}"),
    };
    let ends_with_seqnum = uevent.properties().last().is_some_and(|property| property.key == b"SEQNUM");
    assert_eq!(Uevent::from_kernel(datagram).is_ok(), ends_with_seqnum, "{shown}");
    assert_eq!(uevent.datagram(), datagram);
    assert_eq!(uevent.encode(&mut [0; MAX_DATAGRAM_BYTES]), Ok(datagram), "{shown}");
    let kept = UeventBuf::<MAX_DATAGRAM_BYTES>::copy_of(&uevent).expect("room");
    assert!(kept.as_uevent() == uevent, "{shown}");
}

fn agree_on_values(uevent: &Uevent<'_>, oracle: &Oracle) {
    assert_eq!(uevent.action().as_bytes(), oracle.action);
    assert_eq!(uevent.devpath(), oracle.devpath);
    assert_eq!(uevent.properties().count(), oracle.properties.len());
    let properties: Vec<_> = uevent.properties().map(|p| (p.key.to_vec(), p.value.to_vec())).collect();
    assert_eq!(properties, oracle.properties);
    for (key, _) in &oracle.properties {
        let first = oracle.properties.iter().find(|(found, _)| found == key).map(|(_, value)| &value[..]);
        assert_eq!(uevent.property(key), first);
    }
    for (key, value) in [
        ("SUBSYSTEM", uevent.subsystem()),
        ("DEVTYPE", uevent.devtype()),
        ("DEVNAME", uevent.devname()),
        ("DRIVER", uevent.driver()),
        ("MODALIAS", uevent.modalias()),
        ("DEVPATH_OLD", uevent.devpath_old()),
        ("SYNTH_UUID", uevent.synth_uuid()),
        ("NONE", uevent.property(b"NONE")),
    ] {
        assert_eq!(value.map(<[u8]>::to_vec), oracle.value(key), "{key}");
    }
    for (key, max, number) in [
        ("MAJOR", u64::from(u32::MAX), uevent.major().map(u64::from)),
        ("MINOR", u64::from(u32::MAX), uevent.minor().map(u64::from)),
        ("SEQNUM", u64::MAX, uevent.seqnum()),
        ("BUSNUM", u64::from(u16::MAX), uevent.busnum().map(u64::from)),
        ("DEVNUM", u64::from(u16::MAX), uevent.devnum().map(u64::from)),
        ("IFINDEX", u64::from(u32::MAX), uevent.ifindex().map(u64::from)),
        ("DISKSEQ", u64::MAX, uevent.diskseq()),
    ] {
        assert_eq!(number, oracle.number(key, max), "{key}");
    }
    let product = uevent.product().map(|product| [product.vendor, product.product, product.bcd_device]);
    assert_eq!(product, oracle.product());
}
