//! Bytes as text: readable, and without loss.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sureplug_core::uevent::{Escaped, EscapedWord, is_visible};

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
        assert_eq!(format!("{:?}", Escaped(bytes)), format!("\"{}\"", text.replace('"', "\\\"")));
    }
}

/// A terminal shows none of these as it stands, or shows what follows elsewhere.
const HIDDEN: [char; 34] = [
    '\u{1b}',
    '\u{9b}',
    '\u{a0}',
    '\u{ad}',
    '\u{34f}',
    '\u{61c}',
    '\u{115f}',
    '\u{180b}',
    '\u{180e}',
    '\u{200b}',
    '\u{200d}',
    '\u{200e}',
    '\u{200f}',
    '\u{2028}',
    '\u{2029}',
    '\u{202a}',
    '\u{202b}',
    '\u{202c}',
    '\u{202d}',
    '\u{202e}',
    '\u{202f}',
    '\u{2060}',
    '\u{2066}',
    '\u{2067}',
    '\u{2068}',
    '\u{2069}',
    '\u{206a}',
    '\u{3000}',
    '\u{3164}',
    '\u{fe0f}',
    '\u{feff}',
    '\u{fff9}',
    '\u{e0041}',
    '\u{10fffd}',
];

#[test]
fn escaped_text_has_nothing_that_a_terminal_hides_or_turns_around() {
    for hidden in HIDDEN {
        let text = format!("a{hidden}b");
        let escaped = Escaped(text.as_bytes()).to_string();
        assert!(!is_visible(hidden) && escaped.is_ascii(), "{escaped}");
        assert_eq!(unescape(&escaped), text.as_bytes());
    }
    assert_eq!(Escaped("gpj\u{202e}exe".as_bytes()).to_string(), r"gpj\xe2\x80\xaeexe");
    for plain in "Ärger€ 日本語 кириллица ∑ 😀 e\u{301}".chars() {
        assert!(is_visible(plain), "{plain:?}");
    }
}

#[test]
fn an_escaped_word_has_no_blank() {
    assert_eq!(
        EscapedWord(b"hid-A 1234:5678 sda\n-battery").to_string(),
        r"hid-A\x201234:5678\x20sda\x0a-battery"
    );
    assert_eq!(unescape(&EscapedWord(b" \\x20 ").to_string()), b" \\x20 ");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn escaped_text_leads_back_to_its_bytes(bytes: Vec<u8>) {
        let text = Escaped(&bytes).to_string();
        prop_assert_eq!(&unescape(&text), &bytes);
        prop_assert!(text.chars().all(is_visible), "{:?}", text);
        let word = EscapedWord(&bytes).to_string();
        prop_assert_eq!(unescape(&word), unescape(&text));
        prop_assert!(!word.contains(char::is_whitespace), "{:?}", word);
    }

    #[test]
    fn escaped_text_leads_back_where_escapes_stand_side_by_side(
        bytes in vec(select(b"\\xa1\n\xff\xc2\x85".to_vec()), 0..20),
    ) {
        prop_assert_eq!(unescape(&Escaped(&bytes).to_string()), bytes);
    }
}
