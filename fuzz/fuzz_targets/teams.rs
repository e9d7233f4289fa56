//! `GET /v2/team`: a stream of bytes → the workspaces of a token.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::teams(input));
