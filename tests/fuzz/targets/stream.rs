//! Inputs of one session, in any order, to its verdict.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    oracles::stream(data);
});
