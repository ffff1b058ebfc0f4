//! Capture files: any bytes to packets.

use std::io::Read;

use rdpwhy_captures::file::{Packet, PacketReader};
use rdpwhy_captures::link;

use super::packets;

/// Packets and damages read of one file at most: a compressed one can hold very many.
const MOST: usize = 2048;
/// The longest packet there may be: what the reader says of its own buffer.
const LONGEST: usize = 32 << 20;

/// Reads `data` as a capture file, at once and in small pieces; both must tell the same. Then takes its packets
/// to their verdicts. Out: the reports as JSON.
pub fn pcap(data: &[u8]) -> Vec<String> {
    let whole = read(data);
    let pieces = read(Dripping { data, size: 1 + data.len() % 7 });
    if !is_corrupt(data, &whole) && !is_corrupt(data, &pieces) {
        assert_eq!(whole, pieces, "the size of a read changes what is read");
    }
    packets::file(data)
}

/// A compressed file broke off. The decoders drop what they had unpacked in the same call, so how much is
/// read before that does depend on the size of a read.
fn is_corrupt(data: &[u8], told: &[String]) -> bool {
    let compressed = matches!(
        data,
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]
    );
    compressed && told.iter().any(|line| line.contains("cannot read the file"))
}

/// A source that gives a few bytes at a time, as a pipe does.
struct Dripping<'a> {
    data: &'a [u8],
    size: usize,
}

impl Read for Dripping<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.size.min(buffer.len()).min(self.data.len());
        let (given, rest) = self.data.split_at(count);
        buffer[..count].copy_from_slice(given);
        self.data = rest;
        Ok(count)
    }
}

/// Everything the reader says, as words that can be compared.
fn read(source: impl Read) -> Vec<String> {
    let mut reader = match PacketReader::open(source) {
        Ok(reader) => reader,
        Err(error) => return vec![error.to_string()],
    };
    let (mut told, mut numbers, mut offset, mut damages) = (Vec::new(), 0, 0, 0);
    let mut interfaces = 0;
    while told.len() < MOST {
        match reader.next_packet() {
            None => {
                assert!(reader.next_packet().is_none(), "the end is not the end");
                break;
            }
            Some(Ok(packet)) => {
                numbers += 1;
                assert_eq!(packet.raw.number, numbers);
                interfaces = interfaces.max(packet.raw.interface as usize + 1);
                told.push(one(&packet));
            }
            Some(Err(damage)) => {
                assert!(damage.offset >= offset, "damage runs backwards");
                offset = damage.offset;
                damages += 1;
                told.push(damage.to_string());
            }
        }
    }
    assert!(interfaces <= reader.interfaces().len(), "a packet of an interface that is not there");
    assert_eq!(reader.damage().len(), damages.min(PacketReader::<&[u8]>::MAX_DAMAGE));
    told
}

fn one(packet: &Packet<'_>) -> String {
    let raw = &packet.raw;
    assert!(raw.bytes.len() <= LONGEST);
    assert!(packet.comments.len() <= 256);
    assert!(packet.comments.iter().all(|comment| comment.len() <= 4096));
    let decoded = link::ip_packet(raw.link_type, raw.bytes, raw.original_len);
    // Of a long packet the ends are enough to compare.
    let head = &raw.bytes[..raw.bytes.len().min(64)];
    let tail = raw.bytes.last();
    format!(
        "{} {} {} {} {} {} {head:?} {tail:?} {:?} {:?} {}",
        raw.number,
        raw.time.0,
        raw.interface,
        raw.link_type,
        raw.original_len,
        raw.bytes.len(),
        packet.interface_name,
        packet.comments,
        decoded.is_ok(),
    )
}
