//! The pcapng format (draft-ietf-opsawg-pcapng): both byte orders, many sections and interfaces,
//! Enhanced, Simple and the obsolete Packet Block. Blocks that hold no packet and no interface are
//! passed over, secrets included.

use byteorder_slice::{BigEndian, LittleEndian};
use pcap_file::pcapng::RawBlock;
use pcap_file::pcapng::blocks::{
    ENHANCED_PACKET_BLOCK, INTERFACE_DESCRIPTION_BLOCK, INTERFACE_STATISTIC_BLOCK, PACKET_BLOCK,
    SECTION_HEADER_BLOCK, SIMPLE_PACKET_BLOCK,
};

use rdpwhy_analyzer::input::Timestamp;

use crate::buffer::Buffer;
use crate::bytes::Order;
use crate::file::{Interface, LinkType, MAX_RECORD_BYTES, Record, Step, damage_at, want};
use crate::pcapng_options::{Clock, OPT_COMMENT, comments, describe, options, statistics};

/// Most interfaces of one file; more are damage.
const MAX_INTERFACES: usize = 1 << 16;
/// Block type and length in front of a body.
const BLOCK_HEADER: usize = 8;
/// The same and the length behind it.
const BLOCK_FRAME: u32 = 12;

/// Where in the file the reader is.
#[derive(Default)]
pub(crate) struct PcapngFile {
    order: Option<Order>,
    /// Index of the section's first interface among all of the file.
    first_interface: usize,
    /// Clocks of all interfaces of the file.
    clocks: Vec<Clock>,
}

impl PcapngFile {
    /// Whether `first` is a section header's first word.
    pub(crate) fn announced_by(first: &[u8]) -> bool {
        first.starts_with(&SECTION_HEADER_BLOCK.to_be_bytes())
    }

    /// The next packet, with the interfaces that stand before it.
    pub(crate) fn next(&mut self, buffer: &mut Buffer, interfaces: &mut Vec<Interface>) -> Step {
        loop {
            match buffer.fill(1) {
                Ok(true) => {}
                Ok(false) => return Step::End,
                Err(error) => return Step::Broken(damage_at(buffer, format!("reading: {error}"))),
            }
            let block = match self.frame(buffer) {
                Ok(block) => block,
                Err(step) => return step,
            };
            let body = buffer.data().get(BLOCK_HEADER..block.body_end).unwrap_or_default();
            let found = self.block(block.kind, block.order, body, interfaces);
            match found {
                Ok(Some(record)) => {
                    return Step::Packet(Record { consume: block.consume, ..record });
                }
                Ok(None) => buffer.consume(block.consume),
                Err(what) => {
                    let damage = damage_at(buffer, what);
                    buffer.consume(block.consume);
                    return Step::Damaged(damage);
                }
            }
        }
    }

    /// Brings a whole block into the buffer.
    fn frame(&mut self, buffer: &mut Buffer) -> Result<Frame, Step> {
        want(buffer, BLOCK_FRAME as usize, "a block header").map_err(Step::Broken)?;
        let head = buffer.data();
        let order = if Self::announced_by(head) {
            match head.get(8..12) {
                Some([0x1a, 0x2b, 0x3c, 0x4d]) => Order::Big,
                Some([0x4d, 0x3c, 0x2b, 0x1a]) => Order::Little,
                _ => return Err(broken(buffer, "a section header without byte-order magic")),
            }
        } else {
            match self.order {
                Some(order) => order,
                None => return Err(broken(buffer, "a block before any section header")),
            }
        };
        let kind = order.u32(head, 0).unwrap_or(0);
        let length = order.u32(head, 4).unwrap_or(0);
        if length < BLOCK_FRAME {
            return Err(broken(buffer, format!("block {kind:#x} with length {length}")));
        }
        if length > MAX_RECORD_BYTES {
            let damage =
                damage_at(buffer, format!("block {kind:#x} of {length} bytes is too long"));
            return Err(match buffer.skip(u64::from(length)) {
                Ok(true) => Step::Damaged(damage),
                _ => Step::Broken(damage),
            });
        }
        let padded = length.next_multiple_of(4) as usize; // some writers forget the padding in the length
        want(buffer, padded, "a block").map_err(Step::Broken)?;
        let whole = buffer.data();
        let raw = match order {
            Order::Big => RawBlock::from_slice::<BigEndian>(whole),
            Order::Little => RawBlock::from_slice::<LittleEndian>(whole),
        };
        if let Err(error) = raw
            && length.is_multiple_of(4)
        {
            return Err(broken(buffer, format!("block {kind:#x}: {error}")));
        }
        if kind == SECTION_HEADER_BLOCK {
            self.order = Some(order);
        }
        let body_end = length as usize - 4;
        Ok(Frame { kind, order, body_end, consume: padded })
    }

    /// Takes what a block says; the record of a packet has offsets from the block's begin.
    fn block(
        &mut self,
        kind: u32,
        order: Order,
        body: &[u8],
        interfaces: &mut Vec<Interface>,
    ) -> Result<Option<Record>, String> {
        match kind {
            SECTION_HEADER_BLOCK => self.first_interface = interfaces.len(),
            INTERFACE_DESCRIPTION_BLOCK => {
                if interfaces.len() >= MAX_INTERFACES {
                    return Err(format!("more than {MAX_INTERFACES} interfaces"));
                }
                let (interface, clock) = describe(order, body).ok_or("a short interface block")?;
                interfaces.push(interface);
                self.clocks.push(clock);
            }
            INTERFACE_STATISTIC_BLOCK => {
                let id = order.u32(body, 0).ok_or("a short statistics block")?;
                let index = self.index(id, interfaces)?;
                if let Some(interface) = interfaces.get_mut(index) {
                    interface.statistics = Some(statistics(order, body));
                }
            }
            ENHANCED_PACKET_BLOCK => {
                let id = order.u32(body, 0).ok_or("a short packet block")?;
                return self.packet(id, order, body, interfaces).map(Some);
            }
            PACKET_BLOCK => {
                // Interface number and drop count share the first word; the rest is as above.
                let id = order.u16(body, 0).ok_or("a short packet block")?;
                return self.packet(u32::from(id), order, body, interfaces).map(Some);
            }
            SIMPLE_PACKET_BLOCK => return self.simple(order, body, interfaces).map(Some),
            _ => {}
        }
        Ok(None)
    }

    /// Enhanced Packet Block and Packet Block, draft 4.3 and appendix A.
    fn packet(
        &self,
        id: u32,
        order: Order,
        body: &[u8],
        interfaces: &[Interface],
    ) -> Result<Record, String> {
        const FIXED: usize = 20;
        let index = self.index(id, interfaces)?;
        let short = "a short packet block";
        let high = order.u32(body, 4).ok_or(short)?;
        let low = order.u32(body, 8).ok_or(short)?;
        let captured = order.u32(body, 12).ok_or(short)?;
        let original = order.u32(body, 16).ok_or(short)?;
        let end = FIXED.saturating_add(captured as usize);
        if end > body.len() {
            return Err(format!("a packet of {captured} bytes in a block of {}", body.len()));
        }
        let list = body.get(end.next_multiple_of(4)..).unwrap_or_default();
        let clock = self.clocks.get(index).copied().unwrap_or_default();
        Ok(Record {
            time: Timestamp(clock.nanos(u64::from(high) << 32 | u64::from(low))),
            interface: index as u32,
            link: link_of(interfaces, index),
            start: BLOCK_HEADER + FIXED,
            len: captured as usize,
            original_len: original.max(captured),
            comments: comments(options(order, list), OPT_COMMENT),
            consume: 0,
        })
    }

    /// Simple Packet Block, draft 4.4: no time, first interface, captured length to be inferred.
    fn simple(
        &self,
        order: Order,
        body: &[u8],
        interfaces: &[Interface],
    ) -> Result<Record, String> {
        const FIXED: usize = 4;
        let index = self.index(0, interfaces)?;
        let original = order.u32(body, 0).ok_or("a short packet block")?;
        let snaplen = interfaces.get(index).map_or(0, |interface| interface.snaplen);
        let kept = if snaplen == 0 { original } else { original.min(snaplen) } as usize;
        if FIXED + kept > body.len() {
            return Err(format!("a packet of {kept} bytes in a block of {}", body.len()));
        }
        Ok(Record {
            time: Timestamp(0),
            interface: index as u32,
            link: link_of(interfaces, index),
            start: BLOCK_HEADER + FIXED,
            len: kept,
            original_len: original,
            comments: Vec::new(),
            consume: 0,
        })
    }

    /// A section's interface number as an index among all of the file.
    fn index(&self, id: u32, interfaces: &[Interface]) -> Result<usize, String> {
        let index = self.first_interface.saturating_add(id as usize);
        if index < interfaces.len() {
            return Ok(index);
        }
        Err(format!("interface {id} is not described"))
    }
}

struct Frame {
    kind: u32,
    order: Order,
    body_end: usize,
    consume: usize,
}

fn broken(buffer: &Buffer, what: impl Into<String>) -> Step {
    Step::Broken(damage_at(buffer, what))
}

fn link_of(interfaces: &[Interface], index: usize) -> LinkType {
    interfaces.get(index).and_then(|interface| interface.link).unwrap_or(LinkType(u32::MAX))
}

#[cfg(test)]
#[path = "pcapng_tests.rs"]
mod tests;
