//! TCP segments in, ordered streams out: flows, handshakes, reassembly, and what a capture can count. RFC 9293.

mod direction;
mod flow;
mod handshake;
mod history;
mod key;
mod state;
mod stats;
mod table;
mod waiting;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

use rdpwhy_analyzer::input::{Input, Origin, Timestamp};

pub use table::FlowTable;

use crate::packet::TcpSegment;

/// Number of a flow: dense, in the order of the flows' first packets, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u32);

/// What is known of a flow from its first packet on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowInfo {
    /// Its number.
    pub id: FlowId,
    /// Who connected.
    pub client: SocketAddr,
    /// Who listened.
    pub server: SocketAddr,
    /// 0, or 1 for the client leg and 2 for the server leg of a recording.
    pub tag: u8,
    /// Number of its first packet.
    pub first_packet: u64,
    /// Time of its first packet.
    pub started: Timestamp,
    /// No handshake was seen: who is the client was guessed by port, and earlier bytes are unknown.
    pub starts_in_the_middle: bool,
}

/// How flows are told apart and how many are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowOptions {
    /// Ports whose owner is the server where no handshake tells.
    pub server_ports: Vec<u16>,
    /// Flows kept at one time; the longest closed go first.
    pub max_flows: usize,
}

impl Default for FlowOptions {
    fn default() -> Self {
        FlowOptions { server_ports: vec![3389], max_flows: 1_000_000 }
    }
}

/// An ICMP error and the TCP segment that it quotes. RFC 792, RFC 4443.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// ICMP type, ICMPv6 numbers where the quoted packet is IPv6.
    pub kind: u8,
    /// ICMP code.
    pub code: u8,
    /// Who sent the error.
    pub offender: IpAddr,
    /// Source of the quoted segment.
    pub source: SocketAddr,
    /// Destination of the quoted segment.
    pub destination: SocketAddr,
    /// Its sequence number, where quoted.
    pub seq: Option<u32>,
}

/// Flags of a segment, low byte. RFC 9293 3.1.
mod flag {
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const PSH: u8 = 0x08;
    pub const ACK: u8 = 0x10;
}

/// Whoever takes the inputs.
type Sink<'s> = dyn FnMut(FlowId, &FlowInfo, Timestamp, Origin, Input<'_>) + 's;

/// When and in which packet something was seen.
#[derive(Clone, Copy, Debug)]
struct At {
    time: Timestamp,
    number: u64,
}

/// A segment, and what of the packet around it matters.
#[derive(Clone, Copy)]
struct Packet<'p> {
    at: At,
    ttl: u8,
    ip_id: Option<u16>,
    tcp: &'p TcpSegment<'p>,
}

impl Packet<'_> {
    #[inline]
    fn has(&self, flags: u8) -> bool {
        self.tcp.flags() & flags == flags
    }
}

/// Bytes that all flows together hold back, and the most they may.
#[derive(Clone, Copy, Debug)]
struct Memory {
    used: usize,
    limit: usize,
}

impl Memory {
    /// Takes `bytes` when they fit.
    fn take(&mut self, bytes: usize) -> bool {
        let fits = self.used.saturating_add(bytes) <= self.limit;
        if fits {
            self.used += bytes;
        }
        fits
    }

    fn release(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
    }
}

/// The way out of one flow.
struct Out<'o, 's> {
    info: &'o FlowInfo,
    last: &'o mut Timestamp,
    /// Number of the packet at hand; 0 at the end.
    now: u64,
    memory: &'o mut Memory,
    sink: &'o mut Sink<'s>,
}

impl Out<'_, '_> {
    fn send(&mut self, at: At, input: Input<'_>) {
        *self.last = at.time;
        (self.sink)(self.info.id, self.info, at.time, Origin::Packet(at.number), input);
    }

    /// For what waited: it keeps its packet, but the flow's clock does not run backwards for it.
    fn send_late(&mut self, at: At, input: Input<'_>) {
        let time = at.time.max(*self.last);
        self.send(At { time, ..at }, input);
    }
}
