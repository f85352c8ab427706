//! Any text of a device in its `uevent` file: none of it becomes another key.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sureplug_tests::uevent_file::check_bytes;

fuzz_target!(|bytes: &[u8]| check_bytes(bytes));
