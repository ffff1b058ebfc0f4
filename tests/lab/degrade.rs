//! Captures made worse: as other people's captures are.

use crate::draw::{Draw, Half};
use pcap_file::pcap::{PcapPacket, PcapWriter};
use pcap_file::pcapng::{Block, PcapNgReader};
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;
use std::time::Duration;

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

    /// Writes a damaged copy of a capture, as pcap with times in microseconds; the seed says which packets are missing.
    pub fn copy(self, from: &Path, to: &Path, seed: u64) {
        let mut reader = PcapNgReader::new(BufReader::new(File::open(from).unwrap())).unwrap();
        let mut writer = PcapWriter::new(BufWriter::new(File::create(to).unwrap())).unwrap();
        let mut write = |at: Duration, length: u32, data: &[u8]| {
            writer.write_packet(&PcapPacket::new(at, length, data).unwrap()).unwrap();
        };
        let mut draw = Draw::new(seed, Half::Training);
        while let Some(block) = reader.next_block() {
            let Block::EnhancedPacket(packet) = block.unwrap().0 else { continue };
            let (at, length, data) = (packet.timestamp, packet.original_len, &packet.data[..]);
            match self {
                Self::None => write(at, length, data),
                Self::Cut => write(at, length, &data[..data.len().min(96)]),
                Self::Lost if draw.between(1, 100) == 1 => {}
                Self::Lost => write(at, length, data),
                Self::Doubled => {
                    write(at, length, data);
                    write(at + Duration::from_micros(2), length, data);
                }
            }
        }
        writer.flush().unwrap();
    }
}
