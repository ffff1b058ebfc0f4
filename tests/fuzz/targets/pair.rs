//! Two captures of the same packets, one of them worse than the other, to their common verdicts.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    oracles::pair(data);
});
