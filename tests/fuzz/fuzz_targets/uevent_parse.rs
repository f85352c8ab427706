//! Any bytes at all: the parser and every accessor agree with the naive parser, and nothing panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sureplug_tests::oracle::agree;

fuzz_target!(|datagram: &[u8]| agree(datagram));
