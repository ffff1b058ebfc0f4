//! Real captures, where a folder of them is named: the packets that other programs count.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::file::OpenError;

/// Captures with these endings are compared.
const ENDINGS: [&str; 6] = ["pcap", "pcapng", "cap", "ntar", "gz", "zst"];

/// Compares with capinfos over all files under the folder that RDPWHY_CAPTURES names.
#[test]
fn as_many_packets_as_capinfos_counts() {
    let Some(folder) = std::env::var_os("RDPWHY_CAPTURES") else {
        eprintln!("skipped: RDPWHY_CAPTURES names no folder of captures");
        return;
    };
    if Command::new("capinfos").arg("--version").output().is_err() {
        eprintln!("skipped: capinfos is not installed");
        return;
    }
    let files = captures(PathBuf::from(folder));
    assert!(!files.is_empty(), "no captures in the folder");
    let mut differences = Vec::new();
    for path in &files {
        let Some(ours) = count(path) else { continue };
        let theirs = capinfos(path);
        println!("{}\t{ours:?}\t{theirs:?}", path.display());
        match (ours, theirs) {
            // A file that capinfos breaks off in: the packets before must be here as well, but
            // for one, as it may guess another variant and take a broken record for a packet.
            ((packets, _), Counted::Broken(least)) if packets + 1 >= least => {}
            ((packets, 0), Counted::Whole(all)) if packets == all => {}
            (ours, theirs) => {
                differences.push(format!("{}: {ours:?}, {theirs:?}", path.display()));
            }
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

#[derive(Clone, Copy, Debug)]
enum Counted {
    Whole(usize),
    Broken(usize),
}

/// Packets and damages; none of a file that capinfos reads and the reader names and refuses.
fn count(path: &Path) -> Option<(usize, usize)> {
    let file = File::open(path).expect("a readable file");
    let mut reader = match PacketReader::open(file) {
        Ok(reader) => reader,
        Err(error) => {
            println!("{}: {error}", path.display());
            let foreign = matches!(error, OpenError::NetworkMonitor | OpenError::Snoop);
            return (!foreign).then_some((0, 1));
        }
    };
    let (mut packets, mut damages) = (0, 0);
    while let Some(next) = reader.next_packet() {
        match next {
            Ok(_) => packets += 1,
            Err(damage) => {
                println!("{}: {damage}", path.display());
                damages += 1;
            }
        }
    }
    Some((packets, damages))
}

fn capinfos(path: &Path) -> Counted {
    let output = Command::new("capinfos").args(["-T", "-r", "-M", "-c"]).arg(path).output();
    let output = output.expect("capinfos runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let packets = text.trim().rsplit('\t').next().and_then(|count| count.parse().ok());
    match packets {
        Some(packets) if output.status.success() => Counted::Whole(packets),
        _ => {
            let text = String::from_utf8_lossy(&output.stderr);
            let least = text.split_once("after reading ").map_or("", |(_, rest)| rest);
            let least = least.split(' ').next().and_then(|count| count.parse().ok());
            Counted::Broken(least.unwrap_or(0))
        }
    }
}

fn captures(folder: PathBuf) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![folder], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or("");
            if path.is_dir() {
                folders.push(path);
            } else if ENDINGS.contains(&ending) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
