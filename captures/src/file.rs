//! Capture files: pcap and pcapng, plain or compressed, read packet by packet from any source.
//!
//! Damage never ends the program and never repeats: what could be read is given, then the damage.

use std::fmt;
use std::io::Read;
use std::ops::Range;

use rdpwhy_analyzer::input::Timestamp;

use crate::packet::RawPacket;
use buffer::{Buffer, MAX_BLOCK};
use compression::{Compression, Rewound, Source};
pub use formats::OpenError;
use formats::{Format, HEAD};
use pcap::Pcap;
use pcapng::{Kept, Pcapng};

mod buffer;
mod compression;
mod formats;
mod options;
mod pcap;
mod pcapng;
#[cfg(test)]
mod tests;

/// Reads the packets of one capture file, in the file's order.
///
/// Memory stays bounded whatever the file says, and the source is read only as far as the next
/// packet asks, so that a pipe works.
pub struct PacketReader<R: Read> {
    buffer: Buffer<Source<R>>,
    blocks: Blocks,
    interfaces: Vec<InterfaceInfo>,
    comments: Vec<String>,
    damage: Vec<Damage>,
    packets: u64,
    previous: Timestamp,
    ended: Option<Timestamp>,
    /// Length of the packet that was given last, still in the buffer.
    given: usize,
    stopped: bool,
}

/// A packet and what was noted with it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The packet.
    pub raw: RawPacket<'a>,
    /// The name of its interface, where the file gives one.
    pub interface_name: Option<&'a str>,
    /// Its comments (opt_comment, draft-ietf-opsawg-pcapng 3.5.1); at most 256 of 4096 bytes.
    pub comments: &'a [String],
}

/// An interface that the file describes (draft-ietf-opsawg-pcapng 4.2); a pcap file has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceInfo {
    /// Its name (if_name).
    pub name: Option<String>,
    /// Its description (if_description).
    pub description: Option<String>,
    /// Link type, as registered with the tcpdump group (LINKTYPE_).
    pub link_type: u32,
    /// Most bytes captured of a packet, as declared; 0 for no limit.
    pub snaplen: u32,
}

/// A place where the file is not as its format wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Position in the file; of a compressed file, in what it holds.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.offset, self.what)
    }
}

// By hand, for sources without the trait, and without the buffer's bytes.
impl<R: Read> fmt::Debug for PacketReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacketReader")
            .field("offset", &self.buffer.offset())
            .field("packets", &self.packets)
            .field("interfaces", &self.interfaces)
            .field("damage", &self.damage)
            .finish_non_exhaustive()
    }
}

impl<R: Read> PacketReader<R> {
    /// Most damages that [`PacketReader::damage`] keeps.
    pub const MAX_DAMAGE: usize = 32;

    /// Tells the format from the first bytes of `source` and reads the file header.
    pub fn open(source: R) -> Result<PacketReader<R>, OpenError> {
        let source = Rewound::new(source)?;
        let compression = Compression::of(source.head());
        let mut buffer = Buffer::new(Source::new(source, compression));
        let mut interfaces = Vec::new();
        let format = first_format(&mut buffer)?;
        let blocks = match format {
            Format::Pcapng => Blocks::Pcapng(Pcapng::new()),
            Format::Pcap => {
                let len = buffer.available().len();
                let cut = OpenError::CutShort { format: "pcap", len };
                let (pcap, interface) = Pcap::new(buffer.available()).ok_or(cut)?;
                buffer.consume(pcap::HEADER);
                interfaces.push(interface);
                Blocks::Pcap(pcap)
            }
        };
        Ok(PacketReader {
            buffer,
            blocks,
            interfaces,
            comments: Vec::new(),
            damage: Vec::new(),
            packets: 0,
            previous: Timestamp(0),
            ended: None,
            given: 0,
            stopped: false,
        })
    }

    /// Gives the next packet, or a place that could not be read; none at the end, for ever.
    ///
    /// After a damage the reader goes on where the file allows it; call until none.
    pub fn next_packet(&mut self) -> Option<Result<Packet<'_>, Damage>> {
        self.buffer.consume(std::mem::take(&mut self.given));
        if !self.comments.is_empty() {
            self.comments.clear();
        }
        let located = match self.at_hand() {
            Some(located) => located,
            None => match self.locate()? {
                Ok(located) => located,
                Err(damage) => return Some(Err(damage)),
            },
        };
        self.given = located.consumed;
        self.packets += 1;
        self.previous = located.time;
        let raw = RawPacket {
            number: self.packets,
            time: located.time,
            interface: located.interface,
            link_type: located.link_type,
            bytes: self.buffer.piece(located.data),
            original_len: located.original_len,
        };
        let interface = self.interfaces.get(located.interface as usize);
        let interface_name = interface.and_then(|interface| interface.name.as_deref());
        Some(Ok(Packet { raw, interface_name, comments: &self.comments }))
    }

    /// The interfaces described so far. A packet's `interface` is an index here, also in files of
    /// several sections, each of which counts its own from zero.
    pub fn interfaces(&self) -> &[InterfaceInfo] {
        &self.interfaces
    }

    /// When the capture ended, as far as read: dumpcap and Wireshark say so at the end of a pcapng file
    /// (isb_endtime, draft-ietf-opsawg-pcapng 4.6). Until then a silence is one of the network.
    pub fn ended(&self) -> Option<Timestamp> {
        self.ended
    }

    /// The first damages met so far.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// The next packet, where all of it was read already, as nearly always in a pcap file.
    #[inline]
    fn at_hand(&self) -> Option<Located> {
        match &self.blocks {
            Blocks::Pcap(pcap) if !self.stopped => pcap.record(self.buffer.available()),
            _ => None,
        }
    }

    fn locate(&mut self) -> Option<Result<Located, Damage>> {
        while !self.stopped {
            let bytes = self.buffer.available();
            let step = match &mut self.blocks {
                Blocks::Pcap(pcap) => pcap.step(bytes),
                Blocks::Pcapng(pcapng) => {
                    let mut kept = Kept {
                        interfaces: &mut self.interfaces,
                        comments: &mut self.comments,
                        previous: self.previous,
                        ended: &mut self.ended,
                    };
                    pcapng.step(bytes, &mut kept)
                }
            };
            match step {
                Step::Packet(located) => return Some(Ok(located)),
                Step::Skip(consumed) => self.buffer.consume(consumed),
                Step::Damaged { what, consumed } => {
                    let damage = self.damaged(what);
                    self.buffer.consume(consumed);
                    return Some(Err(damage));
                }
                Step::Broken(what) => {
                    self.stopped = true;
                    return Some(Err(self.damaged(what)));
                }
                Step::Need(wanted) => {
                    if let Err(what) = self.more(wanted) {
                        self.stopped = true;
                        return what.map(|what| Err(self.damaged(what)));
                    }
                }
            }
        }
        None
    }

    /// Reads on until `wanted` bytes are there; else says why not, or nothing at a clean end.
    fn more(&mut self, wanted: usize) -> Result<(), Option<String>> {
        let there = self.buffer.available().len();
        if wanted > MAX_BLOCK + pcap::HEADER {
            return Err(Some(format!("a block of {wanted} bytes")));
        }
        // Never fewer than one more byte, so that this cannot go round without progress.
        match self.buffer.fill(wanted.max(there + 1)) {
            Ok(true) => Ok(()),
            Ok(false) => match self.buffer.available().len() {
                0 => Err(None),
                there => Err(Some(format!(
                    "the file ends within a packet or block: {there} of {wanted} bytes are there"
                ))),
            },
            Err(error) => Err(Some(format!("the file cannot be read further: {error}"))),
        }
    }

    fn damaged(&mut self, what: String) -> Damage {
        let damage = Damage { offset: self.buffer.offset(), what };
        if self.damage.len() < Self::MAX_DAMAGE {
            self.damage.push(damage.clone());
        }
        damage
    }
}

/// Tells the format from the first bytes, reading more of them only if fewer do not tell: a quiet
/// live capture has sent no more than its header.
fn first_format<R: Read>(buffer: &mut Buffer<R>) -> Result<Format, OpenError> {
    let mut told = Err(OpenError::Empty);
    for wanted in [pcap::HEADER, HEAD] {
        let outcome = buffer.fill(wanted);
        // No more than was asked for: what a source gives at once must not change the answer.
        let available = buffer.available();
        told = formats::tell(available.get(..HEAD).unwrap_or(available));
        // A source that breaks off may have told enough before.
        match (outcome, &told) {
            (_, Ok(_)) => break,
            (
                Err(error),
                Err(OpenError::Empty | OpenError::CutShort { .. } | OpenError::Unknown { .. }),
            ) => return Err(OpenError::Read(error)),
            _ => {}
        }
    }
    told
}

/// The reader of the file's format.
enum Blocks {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

/// What lies at the start of the unread bytes.
enum Step {
    /// A packet.
    Packet(Located),
    /// So many bytes without a packet.
    Skip(usize),
    /// A packet that cannot be read, but where the next begins is known.
    Damaged { what: String, consumed: usize },
    /// Nothing behind can be read.
    Broken(String),
    /// Part of something that has so many bytes.
    Need(usize),
}

/// A packet by its place in the unread bytes.
struct Located {
    time: Timestamp,
    interface: u32,
    link_type: u32,
    data: Range<usize>,
    original_len: u32,
    /// Length of its record or block.
    consumed: usize,
}
