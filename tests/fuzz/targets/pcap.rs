#![no_main]
//! Fuzz target `pcap`: the work is done by its oracle, which plain tests replay.

#[path = "../oracles.rs"]
#[allow(dead_code)]
mod oracles;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oracles::pcap(bytes));
