//! What must hold for any input, held on what is known to be interesting: the seeds of the fuzz targets and
//! every input that once broke something.

#[path = "fuzz/oracles.rs"]
mod oracles;

use std::path::{Path, PathBuf};

use crate::support::contract;

/// The inputs of a target, seeds and regressions, each with its path.
fn inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let mut found = Vec::new();
    for kind in ["seeds", "regressions"] {
        // A target that never failed has no folder of regressions.
        let Ok(entries) = std::fs::read_dir(root.join(kind).join(target)) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    assert!(found.len() >= 5, "{} inputs for {target}", found.len());
    found
}

/// Runs an oracle on every input; says which one broke it, and checks what it reports by the schema.
fn replay(target: &str, oracle: impl Fn(&[u8]) -> Vec<String>) {
    let mut broken = Vec::new();
    for (path, bytes) in inputs(target) {
        eprintln!("{}", path.display()); // shown only when it panics
        for report in oracle(&bytes) {
            let report = serde_json::from_str(&report).unwrap();
            broken.extend(
                contract::check(&report)
                    .into_iter()
                    .map(|what| format!("{}: {what}", path.display())),
            );
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn capture_files() {
    replay("pcap", oracles::pcap);
}

/// Recordings of real peers have to come through as well as what a fuzzer made.
#[test]
fn samples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/samples");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        eprintln!("{}", path.display());
        oracles::pcap(&std::fs::read(path).unwrap());
    }
}

#[test]
fn packets() {
    replay("packets", oracles::packets);
}

#[test]
fn pairs() {
    replay("pair", oracles::pair);
}

/// What becomes of packets on the way is drawn again and again for every seed of packets.
#[test]
fn packets_that_fare_differently_on_the_way_are_compared() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    for (path, bytes) in inputs("packets") {
        for turn in 0..40 {
            let fates: Vec<u8> = (0..32).map(|_| if turn == 0 { 0 } else { next() }).collect();
            eprintln!("{} {fates:?}", path.display());
            oracles::pair(&[&fates[..], &bytes].concat());
        }
    }
}

#[test]
fn streams() {
    replay("stream", oracles::stream);
}

#[test]
fn messages() {
    replay("hello", |bytes| {
        oracles::hello(bytes);
        Vec::new()
    });
}

/// The oracles reach what they are for: a whole session is named as what it is.
#[test]
fn seeds_mean_what_they_say() {
    let outcome = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(name);
        let bytes = std::fs::read(path).unwrap();
        let reports = match name.starts_with("stream") {
            true => oracles::stream(&bytes),
            false => oracles::packets(&bytes),
        };
        let report: serde_json::Value =
            serde_json::from_str(reports.get(1).or(reports.first()).unwrap()).unwrap();
        report["outcome"].as_str().unwrap().to_owned()
    };
    assert_eq!(outcome("stream/nla_required"), "failed");
    assert_eq!(outcome("packets/ethernet"), "failed");
    assert_eq!(outcome("packets/fragments6"), "failed");
    assert_eq!(outcome("packets/wrap11"), "failed");
}
