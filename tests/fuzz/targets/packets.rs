//! Packets of any link type to reassembled connections and their verdicts.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    oracles::packets(data);
});
