//! Makes the kernel raise real uevents of `/dev/null`: `raise_uevents COUNT MARK`. Each carries the mark as
//! `SYNTH_UUID` and its number as `SYNTH_ARG_NUMBER`. For tests that want several processes at it.

use std::env;

use sureplug_tests::kernel::raise;

fn main() {
    let mut arguments = env::args().skip(1);
    let count: u32 = arguments.next().and_then(|text| text.parse().ok()).expect("a count");
    let mark = arguments.next().expect("a mark");
    for number in 0..count {
        raise("change", &mark, &format!("NUMBER={number}"));
    }
}
