//! Any calls of the table of devices, in any order: what it tells is well-formed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sureplug_tests::model::call_presence;

fuzz_target!(|bytes: &[u8]| call_presence(bytes));
