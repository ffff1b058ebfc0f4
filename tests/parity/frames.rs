//! Captured packets as a list that tests can change, and every file form they can be written in.
//! Only what the samples need: Ethernet, IPv4 without options, TCP.

use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::{Block, PcapNgReader, PcapNgWriter};
use pcap_file::{DataLink, Endianness};
use rdpwhy_captures::file::PacketReader;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// One packet: an Ethernet frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Nanoseconds since the epoch.
    pub time: u64,
    /// The captured bytes.
    pub bytes: Vec<u8>,
    /// Its length on the wire.
    pub original_len: u32,
}

pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
const ETHERNET: usize = 14;
const IPV4: usize = 20;

/// The packets of a sample.
pub fn read(file: &Path) -> Vec<Frame> {
    let mut reader = PacketReader::open(std::fs::File::open(file).unwrap()).unwrap();
    let mut frames = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let raw = packet.unwrap().raw;
        assert_eq!(raw.link_type, 1, "{}: a sample of the wire is Ethernet", file.display());
        frames.push(Frame {
            time: raw.time.0,
            bytes: raw.bytes.to_vec(),
            original_len: raw.original_len,
        });
    }
    frames
}

impl Frame {
    /// Whether it is TCP over IPv4.
    pub fn is_tcp(&self) -> bool {
        self.bytes.len() >= ETHERNET + IPV4 + 20
            && self.bytes[12..14] == [8, 0]
            && self.bytes[ETHERNET] == 0x45
            && self.bytes[ETHERNET + 9] == 6
    }

    fn tcp(&self) -> &[u8] {
        &self.bytes[ETHERNET + IPV4..]
    }

    /// TCP flags; 0 for what is not TCP.
    pub fn flags(&self) -> u8 {
        if self.is_tcp() { self.tcp()[13] } else { 0 }
    }

    /// Who sends to whom.
    pub fn ports(&self) -> [u16; 2] {
        let tcp = self.tcp();
        [u16::from_be_bytes([tcp[0], tcp[1]]), u16::from_be_bytes([tcp[2], tcp[3]])]
    }

    fn header_len(&self) -> usize {
        ETHERNET + IPV4 + usize::from(self.tcp()[12] >> 4) * 4
    }

    /// The TCP payload.
    pub fn payload(&self) -> &[u8] {
        if self.is_tcp() { self.bytes.get(self.header_len()..).unwrap_or_default() } else { &[] }
    }

    /// A segment that only acknowledges.
    pub fn is_pure_ack(&self) -> bool {
        self.is_tcp() && self.flags() & (FIN | SYN | RST) == 0 && self.payload().is_empty()
    }

    /// A segment with bytes and without SYN, FIN or RST.
    pub fn is_data(&self) -> bool {
        !self.payload().is_empty() && self.flags() & (FIN | SYN | RST) == 0
    }

    /// The IPv4 identification.
    pub fn set_ip_id(&mut self, id: u16) {
        self.bytes[ETHERNET + 4..ETHERNET + 6].copy_from_slice(&id.to_be_bytes());
    }

    /// The part of the segment's payload from `from` to `to` as a segment of its own.
    pub fn part(&self, from: usize, to: usize) -> Frame {
        let header = self.header_len();
        let mut bytes = self.bytes[..header].to_vec();
        bytes.extend(&self.bytes[header + from..header + to]);
        let total = u16::try_from(bytes.len() - ETHERNET).unwrap();
        bytes[ETHERNET + 2..ETHERNET + 4].copy_from_slice(&total.to_be_bytes());
        let at = ETHERNET + IPV4 + 4;
        let seq = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        bytes[at..at + 4].copy_from_slice(&seq.wrapping_add(from as u32).to_be_bytes());
        let original_len = bytes.len() as u32;
        Frame { time: self.time, bytes, original_len }
    }

    /// The same with at most `len` bytes captured.
    pub fn cut(&self, len: usize) -> Frame {
        let mut frame = self.clone();
        frame.bytes.truncate(len);
        frame
    }

    fn ip(&self) -> &[u8] {
        &self.bytes[ETHERNET..]
    }
}

/// The same packets behind another link layer: link type, frames.
pub fn relinked(frames: &[Frame], name: &str) -> (u32, Vec<Frame>) {
    let with = |link_type, header: Vec<u8>| {
        let change = |frame: &Frame| {
            let bytes = [&header[..], frame.ip()].concat();
            let grown = (bytes.len() - frame.bytes.len()) as i64;
            let original_len = (i64::from(frame.original_len) + grown) as u32;
            Frame { time: frame.time, bytes, original_len }
        };
        (link_type, frames.iter().map(change).collect())
    };
    let mac = [2, 0, 0, 0, 0, 1];
    match name {
        "raw" => (
            101,
            frames
                .iter()
                .map(|frame| Frame {
                    time: frame.time,
                    bytes: frame.ip().to_vec(),
                    original_len: frame.original_len - ETHERNET as u32,
                })
                .collect(),
        ),
        "null" => (
            0,
            frames
                .iter()
                .map(|frame| Frame {
                    time: frame.time,
                    bytes: [&[2, 0, 0, 0][..], frame.ip()].concat(),
                    original_len: frame.original_len - 10,
                })
                .collect(),
        ),
        "vlan" => with(1, [&mac[..], &mac, &[0x81, 0, 0, 7, 8, 0]].concat()),
        "double vlan" => {
            with(1, [&mac[..], &mac, &[0x88, 0xa8, 0, 9, 0x81, 0, 0, 7, 8, 0]].concat())
        }
        "sll" => with(113, [&[0, 0, 0, 1, 0, 6][..], &mac, &[0, 0, 8, 0]].concat()),
        "sll2" => with(276, [&[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6][..], &mac, &[0, 0]].concat()),
        "vxlan" => (1, frames.iter().map(vxlan).collect()),
        "fragments" => (1, frames.iter().enumerate().flat_map(fragments).collect()),
        other => panic!("no such link layer: {other}"),
    }
}

/// The frame in a VXLAN tunnel (RFC 7348 5) between two other hosts.
fn vxlan(frame: &Frame) -> Frame {
    let inner = frame.bytes.len();
    let mut outer = frame.bytes[..ETHERNET].to_vec();
    let total = (IPV4 + 8 + 8 + inner) as u16;
    let [high, low] = total.to_be_bytes();
    outer.extend([0x45, 0, high, low, 0, 0, 0, 0, 64, 17, 0, 0, 10, 9, 9, 1, 10, 9, 9, 2]);
    let [high, low] = (total - IPV4 as u16).to_be_bytes();
    outer.extend([0xc0, 0, 0x12, 0xb5, high, low, 0, 0]);
    outer.extend([8, 0, 0, 0, 0, 0, 42, 0]);
    let grown = outer.len() as u32;
    outer.extend(&frame.bytes);
    Frame { time: frame.time, bytes: outer, original_len: frame.original_len + grown }
}

/// The packet in IPv4 fragments (RFC 791 3.2), the first just long enough for ports.
fn fragments((number, frame): (usize, &Frame)) -> Vec<Frame> {
    let whole = &frame.bytes[ETHERNET + IPV4..];
    if frame.bytes.len() != frame.original_len as usize || whole.len() < 32 {
        return vec![frame.clone()];
    }
    let cuts = [0, 24, (whole.len() / 2).next_multiple_of(8).max(24), whole.len()];
    let pieces = cuts.windows(2).filter(|cut| cut[0] < cut[1].min(whole.len()));
    pieces
        .map(|cut| {
            let mut bytes = frame.bytes[..ETHERNET + IPV4].to_vec();
            let end = cut[1].min(whole.len());
            let total = (IPV4 + end - cut[0]) as u16;
            let more = if end < whole.len() { 0x2000 } else { 0 };
            let offset = more | (cut[0] / 8) as u16;
            bytes[ETHERNET + 2..ETHERNET + 4].copy_from_slice(&total.to_be_bytes());
            bytes[ETHERNET + 4..ETHERNET + 6].copy_from_slice(&(number as u16).to_be_bytes());
            bytes[ETHERNET + 6..ETHERNET + 8].copy_from_slice(&offset.to_be_bytes());
            bytes.extend(&whole[cut[0]..end]);
            let original_len = bytes.len() as u32;
            Frame { time: frame.time, bytes, original_len }
        })
        .collect()
}

/// A pcap file in either byte order, in micro- or nanoseconds.
pub fn pcap(frames: &[Frame], link_type: u32, big: bool, nanos: bool) -> Vec<u8> {
    let word = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let mut file = Vec::new();
    file.extend(word(if nanos { 0xa1b2_3c4d } else { 0xa1b2_c3d4 }));
    let version = if big { [0, 2, 0, 4] } else { [2, 0, 4, 0] };
    file.extend(version);
    for value in [0, 0, 262_144, link_type] {
        file.extend(word(value));
    }
    let unit = if nanos { 1 } else { 1000 };
    for frame in frames {
        file.extend(word((frame.time / 1_000_000_000) as u32));
        file.extend(word((frame.time % 1_000_000_000 / unit) as u32));
        file.extend(word(frame.bytes.len() as u32));
        file.extend(word(frame.original_len));
        file.extend(&frame.bytes);
    }
    file
}

/// A pcapng file in either byte order, in micro- or nanoseconds.
pub fn pcapng(frames: &[Frame], link_type: u32, endianness: Endianness, nanos: bool) -> Vec<u8> {
    let mut writer = PcapNgWriter::with_endianness(Vec::new(), endianness).unwrap();
    let resolution = if nanos { InterfaceTsResolution::NANO } else { InterfaceTsResolution::MICRO };
    let interface = InterfaceDescriptionBlock {
        linktype: DataLink::from(link_type),
        snaplen: 0,
        options: vec![InterfaceDescriptionOption::IfTsResol(resolution)],
    };
    writer.write_pcapng_block(interface).unwrap();
    for frame in frames {
        let packet = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from_nanos(frame.time),
            original_len: frame.original_len,
            data: frame.bytes.as_slice().into(),
            options: Vec::new(),
        };
        writer.write_pcapng_block(packet).unwrap();
    }
    writer.into_inner()
}

/// The bytes, compressed.
pub fn gzip(file: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(file).unwrap();
    encoder.finish().unwrap()
}

/// A recording without any comment of a packet.
pub fn without_comments(recording: &[u8]) -> Vec<u8> {
    let mut reader = PcapNgReader::new(recording).unwrap();
    let section = reader.section().clone().into_owned();
    let mut writer = PcapNgWriter::with_section_header(Vec::new(), section).unwrap();
    while let Some(block) = reader.next_block() {
        let (block, _) = block.unwrap();
        match block {
            Block::EnhancedPacket(mut packet) => {
                packet.options.clear();
                writer.write_block(&Block::EnhancedPacket(packet)).unwrap();
            }
            other => {
                writer.write_block(&other).unwrap();
            }
        }
    }
    writer.into_inner()
}
