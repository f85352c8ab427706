//! The figures of a budget as text, and the errors of wrong ones.

use proptest::prelude::*;
use sureplug_core::rcvbuf::{
    DEFAULT_DEVPATH_MAX_BYTES, DEVPATH_MAX_BYTES, MAX_STALL_MS, SizingError, USB_PORTS, or_panic, parse_u32,
};

#[test]
fn numbers_from_texts() {
    let cases = [
        ("1", Ok(1)),
        ("127", Ok(127)),
        ("007", Ok(7)),
        ("0", Err(SizingError::OutOfRange { found: 0, min: 1, max: 127 })),
        ("128", Err(SizingError::OutOfRange { found: 128, min: 1, max: 127 })),
        ("99999999999", Err(SizingError::OutOfRange { found: u32::MAX, min: 1, max: 127 })),
        ("", Err(SizingError::NotANumber { offset: 0 })),
        (" 1", Err(SizingError::NotANumber { offset: 0 })),
        ("-1", Err(SizingError::NotANumber { offset: 0 })),
        ("1 ", Err(SizingError::NotANumber { offset: 1 })),
        ("12x", Err(SizingError::NotANumber { offset: 2 })),
    ];
    for (text, wanted) in cases {
        assert_eq!(parse_u32(text, &USB_PORTS), wanted, "{text:?}");
    }
    assert!(DEVPATH_MAX_BYTES.contains(&DEFAULT_DEVPATH_MAX_BYTES));
}

#[test]
fn errors_state_the_figure_and_the_remedy() {
    let cases = [
        (SizingError::NoPorts, "at least 1"),
        (SizingError::NoBuses, "at least 1"),
        (SizingError::TooManyDevices { ports: 15, per_port: 9, limit: 127 }, "15 ports with 9 devices"),
        (SizingError::EmptyProfile, "1 device"),
        (SizingError::BudgetTooLarge { bytes: 5_000_000_000 }, "5000000000 bytes"),
        (SizingError::OutOfRange { found: 700, min: 1, max: 127 }, "from 1 to 127"),
        (SizingError::NotANumber { offset: 3 }, "byte 3"),
        (SizingError::UnknownDevice, "card-reader"),
        (SizingError::CustomSyntax { offset: 11 }, "byte 11"),
        (SizingError::TooManyGroups { offset: 99 }, "at most 32"),
    ];
    for (error, part) in cases {
        assert!(error.to_string().contains(part), "{error}");
        assert!(!error.message().is_empty());
    }
}

#[test]
#[should_panic(expected = "no USB port: declare at least 1")]
fn or_panic_states_the_message() {
    or_panic::<()>(Err(SizingError::NoPorts));
}

proptest! {
    #[test]
    fn written_numbers_are_read_back(number in MAX_STALL_MS) {
        prop_assert_eq!(parse_u32(&number.to_string(), &MAX_STALL_MS), Ok(number));
    }

    #[test]
    fn any_text_is_a_number_or_an_error(text in ".{0,12}") {
        let parsed = parse_u32(&text, &(0..=u32::MAX));
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        prop_assert_eq!(parsed.is_ok(), digits);
    }
}
