//! Files byte by byte, as their formats say, and what is read from them.

mod compressed;
mod fixtures;
mod foreign;
mod pcap;
mod pcapng;
mod real;
mod robust;

use std::io::Read;

use super::{Damage, PacketReader};

/// A packet with what it borrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    number: u64,
    nanoseconds: u64,
    interface: u32,
    link_type: u32,
    bytes: Vec<u8>,
    original_len: u32,
    comments: Vec<String>,
}

/// Reads a file to its end.
fn read(source: impl Read) -> (Vec<Seen>, Vec<Damage>) {
    let mut reader = PacketReader::open(source).expect("a capture");
    let (seen, damage) = drain(&mut reader);
    let kept = damage.len().min(PacketReader::<&[u8]>::MAX_DAMAGE);
    assert_eq!(reader.damage(), damage.get(..kept).expect("first damages"));
    (seen, damage)
}

fn drain<R: Read>(reader: &mut PacketReader<R>) -> (Vec<Seen>, Vec<Damage>) {
    let (mut seen, mut damages) = (Vec::new(), Vec::new());
    while let Some(next) = reader.next_packet() {
        match next {
            Ok(packet) => seen.push(Seen {
                number: packet.raw.number,
                nanoseconds: packet.raw.time.0,
                interface: packet.raw.interface,
                link_type: packet.raw.link_type,
                bytes: packet.raw.bytes.to_vec(),
                original_len: packet.raw.original_len,
                comments: packet.comments.to_vec(),
            }),
            Err(damage) => damages.push(damage),
        }
    }
    assert!(reader.next_packet().is_none(), "the end is for ever");
    (seen, damages)
}

/// A packet of interface 0, Ethernet, whole and without comments.
fn plain(number: u64, nanoseconds: u64, bytes: &[u8]) -> Seen {
    Seen {
        number,
        nanoseconds,
        interface: 0,
        link_type: 1,
        bytes: bytes.to_vec(),
        original_len: bytes.len() as u32,
        comments: Vec::new(),
    }
}
