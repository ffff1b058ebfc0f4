//! The classic pcap format (draft-ietf-opsawg-pcap): both byte orders, micro- and nanoseconds, and
//! the "modified" variant with a 24-byte record header. Lengths are never checked against the
//! header's snaplen: real files lie about it, and tcpdump reads them.

use pcap_file::pcap::PcapParser;

use rdpwhy_analyzer::input::Timestamp;

use crate::buffer::Buffer;
use crate::bytes::Order;
use crate::file::{Interface, LinkType, MAX_RECORD_BYTES, Record, Step, damage_at, want};

/// The file header's facts.
pub(crate) struct PcapFile {
    order: Order,
    /// `None` for the modified variant, which the parser does not know.
    parser: Option<PcapParser>,
    nanos_per_tick: u64,
    lengths: Lengths,
    snaplen: u32,
    link: LinkType,
}

/// In which order a record header holds captured and original length.
#[derive(Clone, Copy, PartialEq)]
enum Lengths {
    CapturedFirst,
    OriginalFirst,
    /// Files of version 2.3 were written by either kind of program.
    SmallerIsCaptured,
}

impl PcapFile {
    /// Length of the file header.
    pub(crate) const HEADER: usize = 24;
    const RECORD_HEADER: usize = 16;
    const MODIFIED_RECORD_HEADER: usize = 24;

    /// Reads the file header, if `first` holds one.
    pub(crate) fn open(first: &[u8]) -> Option<Self> {
        let (order, modified, nanos_per_tick) = match first.first_chunk::<4>()? {
            [0xa1, 0xb2, 0xc3, 0xd4] => (Order::Big, false, 1000),
            [0xd4, 0xc3, 0xb2, 0xa1] => (Order::Little, false, 1000),
            [0xa1, 0xb2, 0x3c, 0x4d] => (Order::Big, false, 1),
            [0x4d, 0x3c, 0xb2, 0xa1] => (Order::Little, false, 1),
            [0xa1, 0xb2, 0xcd, 0x34] => (Order::Big, true, 1000),
            [0x34, 0xcd, 0xb2, 0xa1] => (Order::Little, true, 1000),
            _ => return None,
        };
        let parser = if modified { None } else { Some(PcapParser::new(first).ok()?.1) };
        Some(PcapFile {
            order,
            parser,
            nanos_per_tick,
            lengths: match (order.u16(first, 4)?, order.u16(first, 6)?) {
                (2, 3) => Lengths::SmallerIsCaptured,
                (2, 543) | (2, 0..3) => Lengths::OriginalFirst,
                _ => Lengths::CapturedFirst,
            },
            snaplen: order.u32(first, 16)?,
            // The upper bits tell of a frame check sequence, which IP's own length leaves out anyway.
            link: LinkType(order.u32(first, 20)? & 0x03ff_ffff),
        })
    }

    /// The one interface of the file.
    pub(crate) fn interface(&self) -> Interface {
        Interface { link: Some(self.link), snaplen: self.snaplen, ..Interface::default() }
    }

    /// The next record.
    pub(crate) fn next(&mut self, buffer: &mut Buffer) -> Step {
        match buffer.fill(1) {
            Ok(true) => {}
            Ok(false) => return Step::End,
            Err(error) => return Step::Broken(damage_at(buffer, format!("reading: {error}"))),
        }
        let header =
            if self.parser.is_some() { Self::RECORD_HEADER } else { Self::MODIFIED_RECORD_HEADER };
        if let Err(damage) = want(buffer, header, "a packet header") {
            return Step::Broken(damage);
        }
        let stored = self.order.u32(buffer.data(), 8).unwrap_or(0);
        let other = self.order.u32(buffer.data(), 12).unwrap_or(0);
        let captured = match self.lengths {
            Lengths::CapturedFirst => stored,
            Lengths::OriginalFirst => other,
            Lengths::SmallerIsCaptured => stored.min(other),
        };
        if captured > MAX_RECORD_BYTES {
            let what = format!("a packet header claims {captured} bytes");
            return Step::Broken(damage_at(buffer, what));
        }
        if let Err(damage) = want(buffer, header + captured as usize, "a packet") {
            return Step::Broken(damage);
        }
        let (seconds, fraction) = self.time(buffer.data());
        let original = if captured == stored { other } else { stored };
        let nanos = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * self.nanos_per_tick;
        Step::Packet(Record {
            time: Timestamp(nanos),
            interface: 0,
            link: self.link,
            start: header,
            len: captured as usize,
            original_len: original.max(captured),
            comments: Vec::new(),
            consume: header + captured as usize,
        })
    }

    fn time(&self, record: &[u8]) -> (u32, u32) {
        // The raw call: the checked one fails for ever on what it does not like.
        if self.lengths == Lengths::CapturedFirst
            && let Some(parser) = &self.parser
            && let Ok((_, raw)) = parser.next_raw_packet(record)
        {
            return (raw.ts_sec, raw.ts_frac);
        }
        (self.order.u32(record, 0).unwrap_or(0), self.order.u32(record, 4).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use crate::file::PacketReader;
    use proptest::prelude::*;

    fn put(out: &mut Vec<u8>, big: bool, value: u32) {
        out.extend(if big { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    /// A pcap file, written by hand: (seconds, fraction, stored bytes, original length).
    fn file(magic: u32, big: bool, extra: usize, packets: &[(u32, u32, &[u8], u32)]) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, big, magic);
        put(&mut out, big, if big { 0x0002_0004 } else { 0x0004_0002 });
        for word in [0, 0, 4, 1] {
            put(&mut out, big, word); // zone, accuracy, a snaplen that lies, Ethernet
        }
        for (seconds, fraction, bytes, original) in packets {
            for word in [*seconds, *fraction, bytes.len() as u32, *original] {
                put(&mut out, big, word);
            }
            out.extend(std::iter::repeat_n(0x5a, extra));
            out.extend_from_slice(bytes);
        }
        out
    }

    fn read(bytes: &[u8]) -> (Vec<(u64, u64, Vec<u8>, u32)>, Vec<String>) {
        let mut reader = PacketReader::open(bytes).unwrap();
        let (mut packets, mut damages) = (Vec::new(), Vec::new());
        while let Some(item) = reader.next() {
            match item {
                Ok(p) => packets.push((p.number, p.time.0, p.bytes.to_vec(), p.original_len)),
                Err(damage) => damages.push(damage.to_string()),
            }
        }
        (packets, damages)
    }

    #[test]
    fn every_variant_of_the_header() {
        let long = [7u8; 100]; // longer than the declared snaplen
        for big in [false, true] {
            for (magic, extra, nanos) in
                [(0xa1b2_c3d4u32, 0, 1000), (0xa1b2_3c4d, 0, 1), (0xa1b2_cd34, 8, 1000)]
            {
                let bytes = file(magic, big, extra, &[(3, 9, &long, 100), (4, 5, b"ab", 60)]);
                let (packets, damages) = read(&bytes);
                assert_eq!(damages, Vec::<String>::new());
                assert_eq!(packets[0], (1, 3_000_000_000 + 9 * nanos, long.to_vec(), 100));
                assert_eq!(packets[1], (2, 4_000_000_000 + 5 * nanos, b"ab".to_vec(), 60));
            }
        }
    }

    #[test]
    fn a_cut_file_keeps_what_stands_before_the_cut() {
        let whole = file(0xa1b2_c3d4, false, 0, &[(1, 1, b"first", 5), (2, 2, b"second", 6)]);
        for cut in 24 + 16 + 5 + 1..whole.len() {
            let (packets, damages) = read(&whole[..cut]);
            assert_eq!(packets.len(), 1, "cut at {cut}");
            assert!(damages[0].contains("cut off"), "{damages:?}");
            assert_eq!(damages.len(), 1);
        }
    }

    #[test]
    fn an_absurd_length_is_damage() {
        let mut bytes = file(0xa1b2_c3d4, false, 0, &[(1, 1, b"first", 5)]);
        bytes.extend([1, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0]);
        let (packets, damages) = read(&bytes);
        assert_eq!(packets.len(), 1);
        assert_eq!(damages, ["damaged at byte 45: a packet header claims 4294967295 bytes"]);
    }

    #[test]
    fn old_files_hold_the_lengths_the_other_way_round() {
        let mut bytes = file(0xa1b2_c3d4, true, 0, &[(1, 1, b"abcd", 60)]);
        bytes[6..8].copy_from_slice(&[0, 2]); // version 2.2
        bytes[32..36].copy_from_slice(&60u32.to_be_bytes());
        bytes[36..40].copy_from_slice(&4u32.to_be_bytes());
        assert_eq!(read(&bytes).0[0], (1, 1_000_001_000, b"abcd".to_vec(), 60));
        bytes[6..8].copy_from_slice(&[0, 3]);
        assert_eq!(read(&bytes).0[0], (1, 1_000_001_000, b"abcd".to_vec(), 60));
    }

    proptest! {
        #[test]
        fn times_and_bytes_survive(
            big: bool, nano: bool,
            packets in prop::collection::vec((any::<u32>(), 0u32..1_000_000, prop::collection::vec(any::<u8>(), 0..40)), 0..8),
        ) {
            let listed: Vec<_> = packets.iter().map(|(s, f, b)| (*s, *f, &b[..], 99)).collect();
            let magic = if nano { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
            let (found, damages) = read(&file(magic, big, 0, &listed));
            prop_assert!(damages.is_empty());
            let tick = if nano { 1 } else { 1000 };
            let wanted: Vec<_> = packets.iter().zip(1u64..).map(|((s, f, b), n)| {
                (n, u64::from(*s) * 1_000_000_000 + u64::from(*f) * tick, b.clone(), 99)
            }).collect();
            prop_assert_eq!(found, wanted);
        }
    }
}
