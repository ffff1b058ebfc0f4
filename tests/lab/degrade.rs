//! Captures made worse: as other people's captures are.
//!
//! editcap turns them into pcap with times in microseconds, in this machine's byte order, which is easily changed.

use crate::draw::{Draw, Half};
use std::path::Path;
use std::process::Command;

/// What is done to a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Damage {
    /// Nothing.
    None,
    /// No packet is kept beyond its first 96 bytes.
    Cut,
    /// One packet in a hundred is missing.
    Lost,
    /// A mirror port shows every packet twice.
    Doubled,
}

/// Every way to damage a capture.
pub const DAMAGES: [Damage; 3] = [Damage::Cut, Damage::Lost, Damage::Doubled];

impl Damage {
    /// As the report calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "as captured",
            Self::Cut => "snaplen 96",
            Self::Lost => "1 % of the packets missing",
            Self::Doubled => "every packet twice",
        }
    }

    /// Writes a damaged copy of a capture; the seed says which packets are missing.
    pub fn copy(self, from: &Path, to: &Path, seed: u64) {
        let plain = to.with_extension("plain");
        let converted =
            Command::new("editcap").args(["-F", "pcap"]).args([from, &plain]).status().unwrap();
        assert!(converted.success(), "editcap {}", from.display());
        let bytes = std::fs::read(&plain).unwrap();
        std::fs::remove_file(plain).unwrap();
        let mut draw = Draw::new(seed, Half::Training);
        let (head, mut rest) = bytes.split_at(HEAD.min(bytes.len()));
        let mut made = head.to_vec();
        while let Some((record, after)) = rest.split_at_checked(RECORD) {
            let length = number(record, 8);
            let Some((data, after)) = after.split_at_checked(length) else { break };
            rest = after;
            match self {
                Self::None => append(&mut made, record, data),
                Self::Cut => append(&mut made, record, &data[..length.min(96)]),
                Self::Lost if draw.between(1, 100) == 1 => {}
                Self::Lost => append(&mut made, record, data),
                Self::Doubled => {
                    append(&mut made, record, data);
                    append(&mut made, &later(record), data);
                }
            }
        }
        std::fs::write(to, made).unwrap();
    }
}

/// Length of the file's header, and of a packet's.
const HEAD: usize = 24;
const RECORD: usize = 16;

/// Appends a packet with as many bytes as there are.
fn append(made: &mut Vec<u8>, record: &[u8], data: &[u8]) {
    made.extend(&record[..8]);
    made.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_ne_bytes());
    made.extend(&record[12..]);
    made.extend(data);
}

/// The header of the same packet two microseconds later.
fn later(record: &[u8]) -> Vec<u8> {
    let mut copy = record.to_vec();
    let microseconds = (number(record, 4) + 2).min(999_999);
    copy[4..8].copy_from_slice(&u32::try_from(microseconds).unwrap_or_default().to_ne_bytes());
    copy
}

fn number(record: &[u8], at: usize) -> usize {
    let bytes = record[at..at + 4].try_into().unwrap_or_default();
    u32::from_ne_bytes(bytes) as usize
}
