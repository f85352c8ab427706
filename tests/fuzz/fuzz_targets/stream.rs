//! Any calls of the stream in any order: the deliveries of each consumer are well-formed, and no
//! slot is lost.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sureplug_tests::model::call_stream;

fuzz_target!(|bytes: &[u8]| call_stream(bytes));
