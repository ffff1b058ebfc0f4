//! pcap: a header of 24 bytes, then records. draft-ietf-opsawg-pcap 4 and 5.

use pcap_file::Endianness;
use pcap_file::pcap::{PcapParser, PcapTsResolution};
use rdpwhy_analyzer::input::Timestamp;

use super::buffer::MAX_BLOCK;
use super::{InterfaceInfo, Located, Step};

/// Length of the file header.
pub(super) const HEADER: usize = 24;
const RECORD: usize = 16;
/// A record of the modified format adds interface index, protocol and packet type.
const MODIFIED_RECORD: usize = 24;
/// The most that capture programs write: a longer record is damage, unless the header allows it.
const USUAL_SNAPLEN: usize = 262_144;
/// Bits above are the length of the frame check sequence (4.1 of the draft).
const LINK_TYPE: u32 = 0x03ff_ffff;

/// Reads records after the header.
pub(super) struct Pcap {
    order: Endianness,
    /// Nanoseconds in a unit of the fraction.
    unit: u64,
    /// Bytes of a record's header.
    record: usize,
    lengths: Lengths,
    link_type: u32,
    longest: usize,
}

/// Order of the two lengths in a record, which early versions had the other way round.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lengths {
    CapturedFirst,
    /// Version 2.3 has both orders; the captured length is the smaller one.
    SmallerIsCaptured,
    OriginalFirst,
}

impl Pcap {
    /// Reads the header at the start of `bytes`; none if it is cut or its magic is another.
    pub(super) fn new(bytes: &[u8]) -> Option<(Pcap, InterfaceInfo)> {
        let mut header: [u8; HEADER] = *bytes.first_chunk()?;
        // The parser refuses the magic of the modified format, whose header is otherwise the same.
        let [m0, m1, m2, m3, ..] = &mut header;
        let modified = match [*m0, *m1, *m2, *m3] {
            [0xa1, 0xb2, 0xcd, 0x34] => {
                [*m2, *m3] = [0xc3, 0xd4];
                true
            }
            [0x34, 0xcd, 0xb2, 0xa1] => {
                [*m0, *m1] = [0xd4, 0xc3];
                true
            }
            _ => false,
        };
        let (_, parser) = PcapParser::new(&header).ok()?;
        let fields = parser.header();
        let lengths = match (fields.version_major, fields.version_minor) {
            (2, 0..=2) | (543, _) => Lengths::OriginalFirst,
            (2, 3) => Lengths::SmallerIsCaptured,
            _ => Lengths::CapturedFirst,
        };
        let link_type = u32::from(fields.datalink) & LINK_TYPE;
        let longest = usize::try_from(fields.snaplen).unwrap_or(MAX_BLOCK);
        let longest = longest.clamp(USUAL_SNAPLEN, MAX_BLOCK);
        let interface =
            InterfaceInfo { name: None, description: None, link_type, snaplen: fields.snaplen };
        let unit = match fields.ts_resolution {
            PcapTsResolution::MicroSecond => 1_000,
            PcapTsResolution::NanoSecond => 1,
        };
        let order = fields.endianness;
        let record = if modified { MODIFIED_RECORD } else { RECORD };
        Some((Pcap { order, unit, record, lengths, link_type, longest }, interface))
    }

    /// Reads the record at the start of `bytes`; none where it is not all there, or no record at all.
    ///
    /// Read here: the parser refuses a record longer than the snaplen that the header declares, or with more
    /// than a second in its fraction, and gets no further; it takes the packet to begin after 16 bytes, and the
    /// first length to be that of the captured packet.
    #[inline]
    pub(super) fn record(&self, bytes: &[u8]) -> Option<Located> {
        let [seconds, fraction, ..] = self.words(bytes.first_chunk()?);
        let (captured, original_len) = self.lengths(bytes)?;
        let end = self.record.saturating_add(captured);
        if bytes.len() < end || captured > self.longest {
            return None;
        }
        let nanoseconds = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * self.unit;
        Some(Located {
            time: Timestamp(nanoseconds),
            interface: 0,
            link_type: self.link_type,
            data: self.record..end,
            original_len,
            consumed: end,
        })
    }

    /// The same, and why not where there is none.
    pub(super) fn step(&self, bytes: &[u8]) -> Step {
        match self.record(bytes) {
            Some(located) => Step::Packet(located),
            None => self.not_there(bytes),
        }
    }

    /// How many bytes of the packet were captured, and how many it had.
    #[inline]
    fn lengths(&self, bytes: &[u8]) -> Option<(usize, u32)> {
        let [.., first, second] = self.words(bytes.first_chunk()?);
        let (captured, original) = match self.lengths {
            Lengths::CapturedFirst => (first, second),
            Lengths::SmallerIsCaptured => (first.min(second), first.max(second)),
            Lengths::OriginalFirst => (second, first),
        };
        Some((usize::try_from(captured).unwrap_or(usize::MAX), original))
    }

    #[inline]
    fn words(&self, header: &[u8; RECORD]) -> [u32; 4] {
        let (&[a, b, c, d], _) = header.as_chunks::<4>() else { return [0; 4] }; // can not be
        let words = [a, b, c, d].map(u32::from_le_bytes);
        match self.order {
            Endianness::Big => swapped(words),
            Endianness::Little => words,
        }
    }

    /// Why the record at the start of `bytes` can not be read.
    #[cold]
    fn not_there(&self, bytes: &[u8]) -> Step {
        match self.lengths(bytes) {
            Some((captured, _)) if bytes.len() >= self.record => {
                if captured > self.longest {
                    return Step::Broken(format!(
                        "a record of {captured} bytes, where {} are the most",
                        self.longest
                    ));
                }
                Step::Need(self.record + captured)
            }
            _ => Step::Need(self.record),
        }
    }
}

/// Apart, so that files of this age's machines are read without a choice for each word.
#[cold]
fn swapped(words: [u32; 4]) -> [u32; 4] {
    words.map(u32::swap_bytes)
}
