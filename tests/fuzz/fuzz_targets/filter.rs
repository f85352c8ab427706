//! A filter for any selection decides any datagram by its definition. The first line of the input
//! is the selection.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sureplug_core::filter::{Filter, SMALLEST_OPTMEM_MAX};
use sureplug_core::selection::Selection;
use sureplug_tests::cbpf;
use sureplug_tests::filter_oracle::{Verdict, verdict};

fuzz_target!(|input: &[u8]| {
    let (first, datagram) = input.split_at(input.iter().position(|&byte| byte == b'\n').unwrap_or(0));
    let datagram = datagram.strip_prefix(b"\n").unwrap_or(datagram);
    let names: Vec<&[u8]> = first.split(|&byte| byte == b' ').collect();
    let set = Selection::of(&names).unwrap_or(Selection::USB);
    let limit = if first.len() % 2 == 0 { SMALLEST_OPTMEM_MAX } else { 65_536 };
    let Ok(filter) = Filter::new(&set, limit) else { return };
    let program = filter.program();
    let wanted = verdict(datagram, &set, filter.reach_bytes());
    let returned = if wanted == Verdict::Refused { 0 } else { u32::MAX };
    assert_eq!(cbpf::run(program, datagram), returned, "{wanted:?}");
    assert!(!cbpf::ends_by_a_load(program, datagram));
});
