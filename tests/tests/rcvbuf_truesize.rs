//! The charge of a queued event, against every charge that was measured.

use proptest::prelude::*;
use sureplug_core::rcvbuf::{PointerWidth, SkbAbi, SmallHead};
use sureplug_tests::vectors::KERNELS;

const BITS_64: [SkbAbi; 5] =
    [SkbAbi::ARM64_5_10, SkbAbi::ARM64_6_1, SkbAbi::ARM64_6_12, SkbAbi::AMD64_6_1, SkbAbi::AMD64_6_18];
const BITS_32: [SkbAbi; 3] = [SkbAbi::ARM_5_10, SkbAbi::ARM_6_1, SkbAbi::ARM_6_12];

fn bound(abi: SkbAbi) -> SkbAbi {
    match abi.width {
        PointerWidth::Bits32 => SkbAbi::BOUND_32,
        PointerWidth::Bits64 => SkbAbi::BOUND_64,
    }
}

#[test]
fn equals_every_measured_charge_and_the_bound_is_no_less() {
    let mut rows = 0;
    for kernel in KERNELS {
        let charges = kernel.charges();
        assert!(charges.len() > 2_000, "{}: {} rows", kernel.folder, charges.len());
        for row in &charges {
            assert_eq!(kernel.abi.truesize(row.len), row.truesize, "{}: {row:?}", kernel.folder);
            assert!(bound(kernel.abi).truesize(row.len) >= row.truesize, "{}: {row:?}", kernel.folder);
        }
        rows += charges.len();
    }
    assert_eq!(rows, ROWS);
}

/// Charges in all five tables.
const ROWS: usize = 13_702;

/// The steps of the charge, as (length up to which, charge).
#[test]
fn steps_where_the_kernel_steps() {
    let steps: [(SkbAbi, &[(u32, u32)]); 6] = [
        (SkbAbi::ARM64_6_1, &[(192, 768), (704, 1_280), (1_728, 2_304), (3_776, 4_352)]),
        (SkbAbi::ARM_6_1, &[(256, 704), (768, 1_216), (1_792, 2_240), (3_840, 4_288)]),
        (SkbAbi::ARM64_6_12, &[(384, 960), (704, 1_280), (1_728, 2_304), (3_776, 4_352)]),
        (SkbAbi::ARM_6_12, &[(384, 832), (768, 1_216), (1_792, 2_240), (3_840, 4_288)]),
        (SkbAbi::AMD64_6_18, &[(256, 832), (704, 1_280), (1_728, 2_304), (3_776, 4_352)]),
        (SkbAbi::AMD64_6_1, &[(192, 768), (704, 1_280), (1_728, 2_304), (3_776, 4_352)]),
    ];
    for (abi, steps) in steps {
        let mut from = 1;
        for (to, charge) in steps {
            for len in from..=*to {
                assert_eq!(abi.truesize(len), *charge, "{abi:?}, {len} bytes");
            }
            from = to + 1;
        }
    }
}

#[test]
fn bound_has_the_build_machines_width() {
    let wanted = if cfg!(target_pointer_width = "32") { SkbAbi::BOUND_32 } else { SkbAbi::BOUND_64 };
    assert_eq!(SkbAbi::BOUND, wanted);
}

#[test]
fn at_most_is_the_largest_of_all_smaller_heads() {
    for (bound, most) in [(SkbAbi::BOUND_64, 704), (SkbAbi::BOUND_32, 640)] {
        let with = |head| SkbAbi { small_head: head, ..bound };
        assert_eq!(bound, with(SmallHead::AtMost(most)));
        for len in 0..=2_048 {
            let none = with(SmallHead::None).truesize(len);
            let largest = (0..=most).map(|head| with(SmallHead::Bytes(head)).truesize(len)).max();
            assert_eq!(Some(bound.truesize(len)), largest.max(Some(none)), "{len} bytes");
        }
    }
}

proptest! {
    #[test]
    fn truesize_grows_with_the_length(len in 0..=u32::MAX, more in 0..=u32::MAX) {
        for abi in BITS_64.into_iter().chain(BITS_32).chain([SkbAbi::BOUND_64, SkbAbi::BOUND_32]) {
            prop_assert!(abi.truesize(len) <= abi.truesize(len.saturating_add(more)));
            prop_assert!(abi.truesize(len) >= len);
        }
    }

    #[test]
    fn bound_is_no_less_than_any_kernel(len in 0..=8_192_u32) {
        for abi in BITS_64.into_iter().chain(BITS_32) {
            prop_assert!(bound(abi).truesize(len) >= abi.truesize(len));
        }
    }
}
