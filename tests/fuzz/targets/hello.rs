//! Single messages: TLS hellos, certificates, alerts, X.224.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracles::hello(data));
