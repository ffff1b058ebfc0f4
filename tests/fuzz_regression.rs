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
