//! The bytes of a Secret → a token, or what a status says is wrong.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::token(input));
