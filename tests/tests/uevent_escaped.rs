//! Bytes as text: readable, and without loss.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sureplug_core::uevent::Escaped;

/// The way back from [`Escaped`].
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    loop {
        let (byte, behind) = match rest {
            [] => return bytes,
            [b'\\', b'\\', behind @ ..] => (b'\\', behind),
            [b'\\', b'x', high, low, behind @ ..] => {
                let digits = char::from(*high).to_digit(16).zip(char::from(*low).to_digit(16));
                let (high, low) = digits.expect("two hexadecimal digits");
                (u8::try_from(high * 16 + low).expect("a byte"), behind)
            }
            [b'\\', ..] => panic!("a backslash alone in {text}"),
            [plain, behind @ ..] => (*plain, behind),
        };
        bytes.push(byte);
        rest = behind;
    }
}

#[test]
fn escaped_text_is_readable() {
    let rows: [(&[u8], &str); 9] = [
        (b"", ""),
        (b"QEMU \"USB\" Keyboard", "QEMU \"USB\" Keyboard"),
        (b"a\\b", r"a\\b"),
        (b"a\nb\x00\x7f", r"a\x0ab\x00\x7f"),
        (b"\xff", r"\xff"),
        (b"\\xff", r"\\xff"),
        ("Ärger €".as_bytes(), "Ärger €"),
        ("\u{85}".as_bytes(), r"\xc2\x85"),
        (b"\xe2\x82", r"\xe2\x82"),
    ];
    for (bytes, text) in rows {
        assert_eq!(Escaped(bytes).to_string(), text);
        assert_eq!(format!("{:?}", Escaped(bytes)), format!("\"{text}\""));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn escaped_text_leads_back_to_its_bytes(bytes: Vec<u8>) {
        let text = Escaped(&bytes).to_string();
        prop_assert_eq!(unescape(&text), bytes);
        prop_assert!(!text.contains(char::is_control), "{:?}", text);
    }

    #[test]
    fn escaped_text_leads_back_where_escapes_stand_side_by_side(
        bytes in vec(select(b"\\xa1\n\xff\xc2\x85".to_vec()), 0..20),
    ) {
        prop_assert_eq!(unescape(&Escaped(&bytes).to_string()), bytes);
    }
}
