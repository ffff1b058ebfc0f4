//! The packets of a capture, read by tshark.

use crate::recipe::RELAY_PORT;
use crate::support::{need, text_of};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::Command;

pub const FIN: u16 = 1;
pub const SYN: u16 = 2;
pub const RST: u16 = 4;
pub const ACK: u16 = 16;

/// One packet as tshark reads it.
#[derive(Clone, Default)]
pub struct Packet {
    /// Its place in the capture, from 1.
    pub number: u64,
    /// Seconds since 1970.
    pub time: f64,
    /// The TCP connection it belongs to; none for ICMP.
    pub stream: Option<u32>,
    /// It comes from the server: from who was sent its connection's first SYN, or else from a server's port.
    pub by_server: bool,
    /// The address it comes from.
    pub from: String,
    /// The port it comes from.
    pub source: u16,
    /// TTL or hop limit.
    pub ttl: u8,
    /// IPv4 identification.
    pub ip_id: u16,
    /// TCP flags.
    pub flags: u16,
    /// Sequence number on the wire.
    pub seq: u32,
    /// Acknowledgement number on the wire.
    pub ack: u32,
    /// Window field, unscaled.
    pub window: u32,
    /// TCP options.
    pub options: Vec<u8>,
    /// ICMP or ICMPv6 type and code.
    pub icmp: Option<(u8, u8)>,
    /// What TCP carries.
    pub payload: Vec<u8>,
    /// What a resolver says in it.
    pub answer: Option<Answer>,
}

/// A DNS answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The name that was asked for.
    pub name: String,
    /// Every address in it.
    pub addresses: Vec<String>,
}

impl Packet {
    /// Whether it has one of these flags.
    pub fn has(&self, flags: u16) -> bool {
        self.flags & flags != 0
    }

    /// Whether it ends its connection.
    pub fn ends(&self) -> bool {
        self.has(FIN | RST)
    }

    /// The sequence number behind its last byte; SYN and FIN count.
    pub fn end(&self) -> u32 {
        let flags = u32::from(self.has(SYN)) + u32::from(self.has(FIN));
        self.seq.wrapping_add(self.payload.len() as u32).wrapping_add(flags)
    }
}

/// Without most of the payload: this is read in a report.
impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, stream, from, ttl, flags, seq, ack, icmp, .. } = self;
        let begin = &self.payload[..self.payload.len().min(24)];
        write!(
            f,
            "{number} of stream {stream:?} from {from} TTL {ttl} flags {flags:#x} seq {seq} ack {ack} "
        )?;
        write!(f, "ICMP {icmp:?}, {} bytes {begin:02x?}", self.payload.len())
    }
}

/// Every packet of a capture, in order; none without tshark. `port` is the server's.
pub fn read(capture: &Path, port: u16) -> Option<Vec<Packet>> {
    let mut command = Command::new(need("tshark")?);
    command.env("LC_ALL", "C").args(["-n", "-r", &text_of(capture), "-T", "fields"]);
    command.args(["-E", "occurrence=f", "-o", "tcp.desegment_tcp_streams:FALSE"]);
    for field in FIELDS {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut packets: Vec<Packet> = text.lines().filter_map(|line| packet(line, port)).collect();
    tell_sides(&mut packets);
    // The fields of the answers stand several times in a packet, unlike those of the others.
    if packets.iter().any(|packet| packet.answer.is_some()) {
        let answers = answers(capture)?;
        for packet in &mut packets {
            packet.answer = answers.get(&packet.number).cloned();
        }
    }
    Some(packets)
}

/// Whose each packet is, by the SYN that opened its connection: a client's port may have the server's number.
pub fn tell_sides(packets: &mut [Packet]) {
    let mut clients: BTreeMap<u32, (String, u16)> = BTreeMap::new();
    for packet in packets.iter().filter(|packet| packet.has(SYN) && !packet.has(ACK)) {
        if let Some(stream) = packet.stream {
            clients.entry(stream).or_insert_with(|| (packet.from.clone(), packet.source));
        }
    }
    for packet in packets {
        if let Some((from, source)) = packet.stream.and_then(|stream| clients.get(&stream)) {
            packet.by_server = (&packet.from, packet.source) != (from, *source);
        }
    }
}

/// The DNS answers of a capture, by the packet's number.
fn answers(capture: &Path) -> Option<BTreeMap<u64, Answer>> {
    let mut command = Command::new(need("tshark")?);
    command.env("LC_ALL", "C").args(["-n", "-r", &text_of(capture), "-T", "fields"]);
    command.args(["-Y", "udp && dns.flags.response == 1", "-E", "occurrence=a"]);
    command.args(["-e", "frame.number", "-e", "dns.qry.name", "-e", "dns.a", "-e", "dns.aaaa"]);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let answer = |line: &str| {
        let mut fields = line.split('\t');
        let (number, name) = (fields.next()?.parse().ok()?, fields.next()?.to_owned());
        let addresses = fields.flat_map(|list| list.split(',')).filter(|one| !one.is_empty());
        Some((number, Answer { name, addresses: addresses.map(str::to_owned).collect() }))
    };
    Some(text.lines().filter_map(answer).collect())
}

const FIELDS: [&str; 20] = [
    "frame.number",
    "frame.time_epoch",
    "tcp.stream",
    "tcp.srcport",
    "ip.src",
    "ipv6.src",
    "ip.ttl",
    "ipv6.hlim",
    "ip.id",
    "tcp.flags",
    "tcp.seq_raw",
    "tcp.ack_raw",
    "tcp.window_size_value",
    "tcp.options",
    "icmp.type",
    "icmp.code",
    "icmpv6.type",
    "icmpv6.code",
    "tcp.payload",
    "dns.flags.response",
];

/// Takes a line of tshark's apart.
fn packet(line: &str, port: u16) -> Option<Packet> {
    let fields: Vec<&str> = line.split('\t').collect();
    let field = |name: &str| -> &str {
        let at = FIELDS.iter().position(|field| *field == name);
        at.and_then(|at| fields.get(at)).copied().unwrap_or_default()
    };
    let either = |one: &str, other: &str| match field(one) {
        "" => field(other).to_owned(),
        text => text.to_owned(),
    };
    let icmp = either("icmp.type", "icmpv6.type").parse().ok();
    let source = field("tcp.srcport").parse().unwrap_or_default();
    let code = either("icmp.code", "icmpv6.code").parse().unwrap_or_default();
    Some(Packet {
        number: field("frame.number").parse().ok()?,
        time: field("frame.time_epoch").parse().ok()?,
        stream: field("tcp.stream").parse().ok().filter(|_| icmp.is_none()),
        by_server: [port, RELAY_PORT].contains(&source),
        from: either("ip.src", "ipv6.src"),
        source,
        ttl: either("ip.ttl", "ipv6.hlim").parse().unwrap_or_default(),
        ip_id: hex_number(field("ip.id")),
        flags: hex_number(field("tcp.flags")),
        seq: field("tcp.seq_raw").parse().unwrap_or_default(),
        ack: field("tcp.ack_raw").parse().unwrap_or_default(),
        window: field("tcp.window_size_value").parse().unwrap_or_default(),
        options: bytes(field("tcp.options")),
        icmp: icmp.map(|kind| (kind, code)),
        payload: bytes(field("tcp.payload")),
        answer: (!field("dns.flags.response").is_empty()).then(Answer::default),
    })
}

fn hex_number(text: &str) -> u16 {
    u16::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or_default()
}

/// The bytes that hexadecimal digits stand for.
pub fn bytes(hex: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    hex.as_bytes().chunks(2).filter_map(byte).collect()
}
