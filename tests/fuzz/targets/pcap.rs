//! Capture files: any bytes to packets.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    oracles::pcap(data);
});
