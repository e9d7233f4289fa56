//! What a server answers → what is said about a token, or about an id.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::answer(input));
