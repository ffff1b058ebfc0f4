//! Inputs that once broke something, and a few that must always work, through the fuzz targets' oracles.

#[path = "fuzz/oracles.rs"]
mod oracles;

use std::path::{Path, PathBuf};

type Oracle = fn(&[u8]);

const ORACLES: [(&str, Oracle); 4] = [
    ("pcap", oracles::pcap),
    ("packets", oracles::packets),
    ("stream", oracles::stream),
    ("hello", oracles::hello),
];

fn inputs(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
}

#[test]
fn every_kept_input_passes_its_oracle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/regressions");
    let mut replayed = 0;
    for (name, oracle) in ORACLES {
        for path in inputs(&root.join(name)) {
            oracle(&std::fs::read(&path).unwrap());
            replayed += 1;
        }
    }
    assert!(replayed >= ORACLES.len(), "only {replayed} inputs are kept");
}

#[test]
fn every_sample_passes_the_oracle_of_captures() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/samples");
    for path in inputs(&samples) {
        oracles::pcap(&std::fs::read(path).unwrap());
    }
}
