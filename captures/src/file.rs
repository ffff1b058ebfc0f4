//! Capture files: what the first bytes announce, and one packet after the other. In: any `Read`,
//! gzip and Zstandard included. Out: [`RawPacket`]s in file order, and [`Damage`] where the file is
//! broken. Damage never discards what stood before it, and no file is read for ever.

use std::io::{self, Read};

use rdpwhy_analyzer::input::Timestamp;

use crate::buffer::Buffer;
use crate::decompress;
use crate::pcap::PcapFile;
use crate::pcapng::PcapngFile;

/// The longest packet or pcapng block that is held in memory. Longer ones are [`Damage`].
pub const MAX_RECORD_BYTES: u32 = 64 << 20;

/// A LINKTYPE_ number: what the first byte of a packet means. <https://www.tcpdump.org/linktypes.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u32);

/// An interface that packets were captured on. pcap files have exactly one, without a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// `if_name`.
    pub name: Option<String>,
    /// `if_description`.
    pub description: Option<String>,
    /// Link type of its packets.
    pub link: Option<LinkType>,
    /// Most bytes kept of a packet; 0 for no limit.
    pub snaplen: u32,
    /// The newest interface statistics block.
    pub statistics: Option<InterfaceStatistics>,
}

/// What the capturing program counted. pcapng, Interface Statistics Block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceStatistics {
    /// `isb_ifrecv`: packets the interface received.
    pub received: Option<u64>,
    /// `isb_ifdrop`: packets the interface dropped.
    pub dropped: Option<u64>,
    /// `isb_osdrop`: packets the operating system dropped.
    pub os_dropped: Option<u64>,
    /// `opt_comment`s of the block.
    pub comments: Vec<String>,
}

/// One packet as the file holds it.
#[derive(Clone, Debug)]
pub struct RawPacket<'a> {
    /// Its number in the file, counted from 1 as Wireshark does.
    pub number: u64,
    /// When it was captured.
    pub time: Timestamp,
    /// Index into [`PacketReader::interfaces`].
    pub interface: u32,
    /// The interface's name, where the file gives one.
    pub interface_name: Option<&'a str>,
    /// What its first byte means.
    pub link: LinkType,
    /// The bytes that were kept.
    pub bytes: &'a [u8],
    /// Its length on the wire.
    pub original_len: u32,
    /// Its `opt_comment`s; mostly none.
    pub comments: Vec<String>,
}

/// A place where the file is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("damaged at byte {offset}: {what}")]
pub struct Damage {
    /// Byte offset in the file, after decompression.
    pub offset: u64,
    /// What is wrong, in words.
    pub what: String,
}

/// Why a file can not be read at all, and what its owner can do about it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
    /// A Windows event trace, as `pktmon` and `netsh trace` write it.
    #[error("a Windows event trace (.etl); convert it: etl2pcapng in.etl out.pcapng")]
    EventTrace,
    /// Another program's capture format.
    #[error("a {0} capture; convert it: editcap -F pcapng in out.pcapng (comes with Wireshark)")]
    OtherCapture(&'static str),
    /// None of these.
    #[error("not a capture file (neither pcap nor pcapng; it begins with {first})")]
    NotCapture {
        /// Its first bytes in hex.
        first: String,
    },
    /// It could not be read or decompressed.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Reads the packets of a capture file.
pub struct PacketReader<'r> {
    buffer: Buffer<'r>,
    format: Format,
    interfaces: Vec<Interface>,
    packets: u64,
    unread: usize, // length of the record that the last packet lent out
    ended: bool,
}

impl<'r> PacketReader<'r> {
    /// Looks at the first bytes of `source`, through gzip and Zstandard.
    pub fn open(source: impl Read + 'r) -> Result<Self, OpenError> {
        let mut buffer = decompress::unwrap(Box::new(source))?;
        let read = buffer.fill(ETL_PROBE);
        let format = match Format::of(buffer.data()) {
            Ok(format) => format,
            // What could be read is no capture; the reason may be that reading failed.
            Err(error) => return Err(read.err().map_or(error, OpenError::Io)),
        };
        let mut interfaces = Vec::new();
        if let Format::Pcap(pcap) = &format {
            buffer.consume(PcapFile::HEADER);
            interfaces.push(pcap.interface());
        }
        Ok(PacketReader { buffer, format, interfaces, packets: 0, unread: 0, ended: false })
    }

    /// The interfaces seen so far. pcapng may bring more with every call of [`Self::next`].
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// The next packet, or a place of damage. `None` at the end of what can be read.
    #[allow(clippy::should_implement_trait)] // lends from itself
    pub fn next(&mut self) -> Option<Result<RawPacket<'_>, Damage>> {
        self.buffer.consume(std::mem::take(&mut self.unread));
        if self.ended {
            return None;
        }
        let step = match &mut self.format {
            Format::Pcap(file) => file.next(&mut self.buffer),
            Format::Pcapng(file) => file.next(&mut self.buffer, &mut self.interfaces),
        };
        match step {
            Step::Packet(record) => {
                self.packets += 1;
                self.unread = record.consume;
                let bytes = self.buffer.data().get(record.start..).unwrap_or_default();
                Some(Ok(RawPacket {
                    number: self.packets,
                    time: record.time,
                    interface: record.interface,
                    interface_name: self
                        .interfaces
                        .get(record.interface as usize)
                        .and_then(|interface| interface.name.as_deref()),
                    link: record.link,
                    bytes: bytes.get(..record.len).unwrap_or(bytes),
                    original_len: record.original_len,
                    comments: record.comments,
                }))
            }
            Step::Damaged(damage) => Some(Err(damage)),
            Step::Broken(damage) => {
                self.ended = true;
                Some(Err(damage))
            }
            Step::End => {
                self.ended = true;
                None
            }
        }
    }
}

/// What a format's reader found; the bytes stay in the buffer.
pub(crate) enum Step {
    Packet(Record),
    /// Something is wrong and was passed; more may follow.
    Damaged(Damage),
    /// Something is wrong and nothing behind it can be trusted.
    Broken(Damage),
    End,
}

/// A packet whose bytes stand in the buffer at `start..start + len`.
pub(crate) struct Record {
    pub(crate) time: Timestamp,
    pub(crate) interface: u32,
    pub(crate) link: LinkType,
    pub(crate) start: usize,
    pub(crate) len: usize,
    pub(crate) original_len: u32,
    pub(crate) comments: Vec<String>,
    /// How much to consume before the next record.
    pub(crate) consume: usize,
}

/// Damage at the place where `buffer` stands.
pub(crate) fn damage_at(buffer: &Buffer, what: impl Into<String>) -> Damage {
    Damage { offset: buffer.offset(), what: what.into() }
}

/// Fills `buffer`; the error is the damage to report.
pub(crate) fn want(buffer: &mut Buffer, need: usize, what: &str) -> Result<(), Damage> {
    match buffer.fill(need) {
        Ok(true) => Ok(()),
        Ok(false) => Err(damage_at(
            buffer,
            format!("{what} is cut off: {} of {need} bytes are there", buffer.data().len()),
        )),
        Err(error) => Err(damage_at(buffer, format!("reading {what}: {error}"))),
    }
}

enum Format {
    Pcap(PcapFile),
    Pcapng(PcapngFile),
}

/// How many bytes must be there to know an event trace by its first event.
const ETL_PROBE: usize = 76;

impl Format {
    fn of(first: &[u8]) -> Result<Self, OpenError> {
        if let Some(pcap) = PcapFile::open(first) {
            return Ok(Format::Pcap(pcap));
        }
        if PcapngFile::announced_by(first) {
            return Ok(Format::Pcapng(PcapngFile::default()));
        }
        Err(match first {
            [] => OpenError::Empty,
            [b'G', b'M', b'B', b'U', ..] | [b'R', b'T', b'S', b'S', ..] => {
                OpenError::OtherCapture("Microsoft Network Monitor")
            }
            [b's', b'n', b'o', b'o', b'p', 0, 0, 0, ..] => OpenError::OtherCapture("snoop"),
            [b'T', b'R', b'S', b'N', b'I', b'F', b'F', ..] | [b'X', b'C', b'P', 0, ..] => {
                OpenError::OtherCapture("Sniffer")
            }
            _ if is_event_trace(first) => OpenError::EventTrace,
            _ => OpenError::NotCapture { first: hex(first) },
        })
    }
}

/// An event trace log begins with a 72-byte buffer header, whose first word is the buffer size, and
/// a system event: version 2, header type 1 or 2 (32 or 64 bit), marker C0. Windows `evntrace.h`.
fn is_event_trace(first: &[u8]) -> bool {
    let size = crate::bytes::Order::Little.u32(first, 0).unwrap_or(0);
    let plausible = (512..=64 << 20).contains(&size) && size.is_multiple_of(512);
    plausible && matches!(first.get(72..76), Some([2, 0, 1 | 2, 0xc0]))
}

fn hex(first: &[u8]) -> String {
    let shown: Vec<String> = first.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refusal(bytes: &[u8]) -> String {
        PacketReader::open(bytes).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn other_formats_are_named_with_what_to_do() {
        let mut etl = vec![0u8; 200];
        etl[1] = 0x10; // 4096
        etl[72..76].copy_from_slice(&[2, 0, 2, 0xc0]);
        assert!(refusal(&etl).contains("etl2pcapng in.etl out.pcapng"));
        assert!(refusal(b"GMBU\x00\x02\x01\x00").contains("editcap"));
        assert!(refusal(b"snoop\0\0\0\0\0\0\x02").contains("snoop"));
        assert_eq!(refusal(b""), "the file is empty");
        assert!(refusal(b"hello there").contains("68 65 6c 6c 6f"));
        assert!(refusal(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0]).contains("not a capture"));
    }

    #[test]
    fn a_broken_gzip_is_an_error_not_a_panic() {
        assert!(refusal(&[0x1f, 0x8b, 8, 0, 0, 0]).contains("cannot be read"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_end(
            magic in prop::sample::select(vec![
                &b"\xd4\xc3\xb2\xa1"[..], b"\xa1\xb2\x3c\x4d", b"\xa1\xb2\xcd\x34",
                b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"",
            ]),
            rest in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            let bytes = [magic, &rest].concat();
            if let Ok(mut reader) = PacketReader::open(&bytes[..]) {
                let mut steps = 0;
                while let Some(item) = reader.next() {
                    if let Ok(packet) = item {
                        prop_assert!(packet.bytes.len() <= bytes.len());
                    }
                    steps += 1;
                    prop_assert!(steps <= bytes.len());
                }
                prop_assert!(reader.next().is_none());
            }
        }
    }
}
