//! pcapng: blocks in sections. draft-ietf-opsawg-pcapng 3 and 4.

use std::ops::Range;
use std::time::Duration;

use pcap_file::Endianness;
use pcap_file::pcapng::{PcapNgParseError, PcapNgParser};
use rdpwhy_analyzer::input::Timestamp;

use super::buffer::MAX_BLOCK;
use super::options::{Options, Order, text};
use super::{InterfaceInfo, Located, Step};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

/// Type and length before the body, length after it.
const FRAME: usize = 12;
const BODY: usize = 8;
/// Fields of an Enhanced Packet Block and of a Packet Block before the packet.
const PACKET_FIELDS: usize = 20;
const MAX_INTERFACES: usize = 16_384;
const MAX_COMMENTS: usize = 256;

/// Reads blocks, from the first Section Header Block on.
pub(super) struct Pcapng {
    order: Order,
    parser: Option<PcapNgParser>,
    /// Index of the section's first interface in the file.
    first_interface: usize,
    /// Clocks of the section's interfaces.
    clocks: Vec<Clock>,
}

/// What the reader keeps and a block may change.
pub(super) struct Kept<'a> {
    pub(super) interfaces: &'a mut Vec<InterfaceInfo>,
    pub(super) comments: &'a mut Vec<String>,
    /// Time of the packet before.
    pub(super) previous: Timestamp,
    /// When the capture ended, as its statistics say.
    pub(super) ended: &'a mut Option<Timestamp>,
}

/// How an interface counts time: if_tsresol and if_tsoffset.
#[derive(Clone, Copy, Debug)]
struct Clock {
    resolution: u8,
    offset: i64,
}

impl Pcapng {
    /// Starts before the first block.
    pub(super) fn new() -> Pcapng {
        Pcapng { order: Order::Little, parser: None, first_interface: 0, clocks: Vec::new() }
    }

    /// Reads the block at the start of `bytes`.
    pub(super) fn step(&mut self, bytes: &[u8], kept: &mut Kept<'_>) -> Step {
        let Some(head) = bytes.first_chunk::<FRAME>() else { return Step::Need(FRAME) };
        let [t0, t1, t2, t3, l0, l1, l2, l3, magic @ ..] = *head;
        let kind = self.order.u32([t0, t1, t2, t3]);
        let mut order = self.order;
        if kind == SECTION_HEADER {
            order = match magic {
                [0x1a, 0x2b, 0x3c, 0x4d] => Order::Big,
                [0x4d, 0x3c, 0x2b, 0x1a] => Order::Little,
                _ => return Step::Broken("a section whose byte order cannot be told".to_owned()),
            };
        }
        let len = usize::try_from(order.u32([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        if len < FRAME || !len.is_multiple_of(4) || len > MAX_BLOCK {
            return Step::Broken(format!("a block with the length {len}"));
        }
        if bytes.len() < len {
            return Step::Need(len);
        }
        let Some(block) = bytes.get(..len) else { return Step::Need(len) };
        match kind {
            SECTION_HEADER | INTERFACE_DESCRIPTION => self.state_block(kind, order, block, kept),
            _ => self.other_block(block, kept),
        }
    }

    /// Read here: the parser's raw call reads these two with all their options, stops for ever at
    /// an option that it does not like, and keeps every interface of a section in full.
    fn state_block(&mut self, kind: u32, order: Order, block: &[u8], kept: &mut Kept<'_>) -> Step {
        let (Some(length), Some(trailer)) = (block.get(4..BODY), block.last_chunk::<4>()) else {
            return Step::Broken("a block shorter than its frame".to_owned());
        };
        if length != trailer {
            return Step::Broken("a block with two lengths".to_owned());
        }
        let body = block.get(BODY..block.len() - 4).unwrap_or_default();
        let done = if kind == SECTION_HEADER {
            self.section(order, body, kept)
        } else {
            self.interface(body, kept)
        };
        match done {
            Ok(()) => Step::Skip(block.len()),
            Err(what) => Step::Broken(what),
        }
    }

    /// Section Header Block. draft-ietf-opsawg-pcapng 4.1.
    fn section(&mut self, order: Order, body: &[u8], kept: &Kept<'_>) -> Result<(), String> {
        let major = order.u16_at(body, 4).ok_or("a section header cut short")?;
        if major != 1 {
            return Err(format!("a section of pcapng version {major}"));
        }
        self.order = order;
        self.parser = Some(parser(order).ok_or("a section that cannot be started")?);
        self.first_interface = kept.interfaces.len();
        self.clocks.clear();
        Ok(())
    }

    /// Interface Description Block. draft-ietf-opsawg-pcapng 4.2.
    fn interface(&mut self, body: &[u8], kept: &mut Kept<'_>) -> Result<(), String> {
        const FIELDS: usize = 8;
        let order = self.order;
        let (Some(link_type), Some(snaplen)) = (order.u16_at(body, 0), order.u32_at(body, 4))
        else {
            return Err("an interface description cut short".to_owned());
        };
        if kept.interfaces.len() >= MAX_INTERFACES {
            return Err(format!("more than {MAX_INTERFACES} interfaces"));
        }
        let mut info = InterfaceInfo {
            name: None,
            description: None,
            link_type: u32::from(link_type),
            snaplen,
        };
        let mut clock = Clock { resolution: 6, offset: 0 };
        for (code, value) in Options::new(order, body.get(FIELDS..).unwrap_or_default()) {
            match (code, value) {
                (2, _) => info.name = Some(text(value)),
                (3, _) => info.description = Some(text(value)),
                (9, &[resolution, ..]) => clock.resolution = resolution,
                (14, _) => clock.offset = order.i64_at(value, 0).unwrap_or(0),
                _ => {}
            }
        }
        self.clocks.push(clock);
        kept.interfaces.push(info);
        Ok(())
    }

    /// Every block but the two that change how others are read; `block` is whole.
    fn other_block(&mut self, block: &[u8], kept: &mut Kept<'_>) -> Step {
        let Some(parser) = &mut self.parser else {
            return Step::Broken("a block before the first section".to_owned());
        };
        // The raw call: the checked one refuses a whole block for one option, for a packet longer
        // than it was on the wire, and for a time before its offset.
        let raw = match parser.next_raw_block(block) {
            Ok((_, raw)) => raw,
            Err(PcapNgParseError::IncompleteBuffer(needed, _)) => return Step::Need(needed),
            Err(error) => return Step::Broken(broken(&error)),
        };
        let body = raw.body.as_ref();
        let located = match raw.type_ {
            ENHANCED_PACKET => self.packet(body, self.order.u32_at(body, 0), kept),
            PACKET => self.packet(body, self.order.u16_at(body, 0).map(u32::from), kept),
            SIMPLE_PACKET => self.simple_packet(body, kept),
            INTERFACE_STATISTICS => {
                *kept.ended = self.end_of_capture(body, kept).max(*kept.ended);
                return Step::Skip(block.len());
            }
            _ => return Step::Skip(block.len()),
        };
        match located {
            Ok(mut located) => {
                located.consumed = block.len();
                Step::Packet(located)
            }
            Err(what) => Step::Damaged { what, consumed: block.len() },
        }
    }

    /// Enhanced Packet Block, draft-ietf-opsawg-pcapng 4.3, and the obsolete Packet Block,
    /// appendix A, which differs in its first field only.
    fn packet(
        &self,
        body: &[u8],
        interface: Option<u32>,
        kept: &mut Kept<'_>,
    ) -> Result<Located, String> {
        let order = self.order;
        let cut = "a packet block cut short";
        let (info, clock, index) = self.interface_of(interface.ok_or(cut)?, kept)?;
        let high = order.u32_at(body, 4).ok_or(cut)?;
        let low = order.u32_at(body, 8).ok_or(cut)?;
        let captured = order.u32_at(body, 12).ok_or(cut)?;
        let original_len = order.u32_at(body, 16).ok_or(cut)?;
        let room = body.len().saturating_sub(PACKET_FIELDS);
        let captured = usize::try_from(captured).unwrap_or(usize::MAX);
        if captured > room {
            return Err(format!("a packet of {captured} bytes in a block with room for {room}"));
        }
        let end = PACKET_FIELDS + captured;
        let located = Located {
            time: clock.time(u64::from(high) << 32 | u64::from(low)),
            interface: index,
            link_type: info.link_type,
            data: shifted(PACKET_FIELDS..end),
            original_len,
            consumed: 0,
        };
        let options = body.get(end.next_multiple_of(4)..).unwrap_or_default();
        let comments = Options::new(order, options).filter(|(code, _)| *code == 1);
        kept.comments.extend(comments.take(MAX_COMMENTS).map(|(_, value)| text(value)));
        Ok(located)
    }

    /// Simple Packet Block: of the section's first interface, without time and captured length.
    /// draft-ietf-opsawg-pcapng 4.4.
    fn simple_packet(&self, body: &[u8], kept: &Kept<'_>) -> Result<Located, String> {
        const FIELDS: usize = 4;
        let (info, _, index) = self.interface_of(0, kept)?;
        let original_len = self.order.u32_at(body, 0).ok_or("a packet block cut short")?;
        let snaplen = if info.snaplen == 0 { u32::MAX } else { info.snaplen };
        let captured = usize::try_from(original_len.min(snaplen)).unwrap_or(usize::MAX);
        let captured = captured.min(body.len().saturating_sub(FIELDS));
        Ok(Located {
            time: kept.previous,
            interface: index,
            link_type: info.link_type,
            data: shifted(FIELDS..FIELDS + captured),
            original_len,
            consumed: 0,
        })
    }

    /// isb_endtime of an Interface Statistics Block: until when packets would have been seen.
    /// draft-ietf-opsawg-pcapng 4.6.
    fn end_of_capture(&self, body: &[u8], kept: &Kept<'_>) -> Option<Timestamp> {
        const FIELDS: usize = 12;
        const END_TIME: u16 = 3;
        let (_, clock, _) = self.interface_of(self.order.u32_at(body, 0)?, kept).ok()?;
        let mut options = Options::new(self.order, body.get(FIELDS..)?);
        let (_, value) = options.find(|(code, _)| *code == END_TIME)?;
        let (high, low) = (self.order.u32_at(value, 0)?, self.order.u32_at(value, 4)?);
        let units = u64::from(high) << 32 | u64::from(low);
        // dumpcap counts microseconds here whatever the interface's packets are counted in.
        let microseconds = Clock { resolution: 6, ..clock };
        let told = [clock, microseconds].map(|clock| clock.time(units));
        // An interface whose own end is before the packets of another is none that ran on for ages.
        const AGES: Duration = Duration::from_secs(365 * 24 * 3600);
        let soon = |time: &Timestamp| *time >= kept.previous && time.since(kept.previous) < AGES;
        told.into_iter().find(soon)
    }

    fn interface_of<'a>(
        &self,
        interface: u32,
        kept: &'a Kept<'_>,
    ) -> Result<(&'a InterfaceInfo, Clock, u32), String> {
        let unknown = || format!("a packet of interface {interface}, which is not described");
        let local = usize::try_from(interface).map_err(|_| unknown())?;
        let clock = self.clocks.get(local).copied().ok_or_else(unknown)?;
        let index = self.first_interface + local;
        let info = kept.interfaces.get(index).ok_or_else(unknown)?;
        Ok((info, clock, u32::try_from(index).map_err(|_| unknown())?))
    }
}

impl Clock {
    /// Nanoseconds since 1970, kept within what 64 bits hold.
    fn time(self, units: u64) -> Timestamp {
        const SECOND: i128 = 1_000_000_000;
        let units = i128::from(units);
        let exponent = u32::from(self.resolution & 0x7f);
        let nanoseconds = if self.resolution & 0x80 != 0 {
            (units * SECOND) >> exponent
        } else if let Some(larger) = exponent.checked_sub(9) {
            10i128.checked_pow(larger).map_or(0, |divisor| units / divisor)
        } else {
            units * 10i128.pow(9 - exponent)
        };
        let nanoseconds = nanoseconds + i128::from(self.offset) * SECOND;
        Timestamp(u64::try_from(nanoseconds.max(0)).unwrap_or(u64::MAX))
    }
}

/// A parser for the blocks of one section. It starts from a plain section header, not from the
/// file's, so that no option there can stop it.
fn parser(order: Order) -> Option<PcapNgParser> {
    const BIG: [u8; 28] = *b"\x0a\x0d\x0d\x0a\0\0\0\x1c\x1a\x2b\x3c\x4d\0\x01\0\0\
        \xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\x1c";
    const LITTLE: [u8; 28] = *b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\
        \xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0";
    let (header, endianness) = match order {
        Order::Big => (BIG, Endianness::Big),
        Order::Little => (LITTLE, Endianness::Little),
    };
    let (_, parser) = PcapNgParser::new(&header).ok()?;
    (parser.section().endianness == endianness).then_some(parser)
}

/// Positions in a body as positions in its block.
fn shifted(range: Range<usize>) -> Range<usize> {
    range.start + BODY..range.end + BODY
}

fn broken(error: &PcapNgParseError) -> String {
    match error {
        PcapNgParseError::InvalidFormat(why) => format!("a broken block: {why}"),
        other => format!("a broken block: {other}"),
    }
}
