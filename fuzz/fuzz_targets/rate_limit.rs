//! Limit headers and clocks → what is sent, and when.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::rate_limit(input));
