//! Scripted segments in, a log of inputs out.

mod closing;
mod counts;
mod opening;
mod order;
mod random;
mod table;

use std::net::{IpAddr, SocketAddr};

use rdpwhy_analyzer::input::{
    ConnectFailureKind, Direction, Input, IpIds, Origin, Segment, SegmentCounts, Timestamp,
};

use super::{FlowId, FlowInfo, FlowOptions, FlowTable, IcmpError, flag};
use crate::packet::{IpPacket, RawPacket, TcpSegment};

const ACK: u8 = flag::ACK;
const SYN: u8 = flag::SYN;
const FIN_ACK: u8 = flag::FIN | flag::ACK;
const RST: u8 = flag::RST;
const RST_ACK: u8 = flag::RST | flag::ACK;
const SYN_ACK: u8 = flag::SYN | flag::ACK;

/// A segment to be sent.
#[derive(Clone, Debug)]
struct Seg {
    source: SocketAddr,
    destination: SocketAddr,
    tag: u8,
    ip_id: Option<u16>,
    ttl: u8,
    seq: u32,
    ack: u32,
    flags: u8,
    window: u16,
    checksum: u16,
    options: Vec<u8>,
    data: Vec<u8>,
    /// Bytes of payload that the capture did not keep.
    cut: u32,
}

impl Seg {
    fn header(&self) -> [u8; 20] {
        let ports = [self.source.port(), self.destination.port()].map(u16::to_be_bytes);
        let numbers = [self.seq, self.ack].map(u32::to_be_bytes);
        let offset = 5 + (self.options.len() / 4) as u8;
        let window_and_sum = [self.window, self.checksum].map(u16::to_be_bytes);
        let header = [
            ports.as_flattened(),
            numbers.as_flattened(),
            &[offset << 4, self.flags],
            window_and_sum.as_flattened(),
            &[0, 0],
        ];
        header.concat().try_into().unwrap()
    }

    /// Ethernet, IPv4 without options.
    fn frame(&self) -> Vec<u8> {
        let (IpAddr::V4(source), IpAddr::V4(destination)) =
            (self.source.ip(), self.destination.ip())
        else {
            panic!("{self:?}")
        };
        let header = self.header();
        let total = (20 + header.len() + self.options.len() + self.data.len()) as u16;
        let ip = [
            &[0x45, 0][..],
            &total.to_be_bytes(),
            &self.ip_id.unwrap().to_be_bytes(),
            &[0x40, 0, self.ttl, 6, 0, 0],
            &source.octets(),
            &destination.octets(),
        ];
        let ethernet = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0x08, 0x00];
        [&ethernet, &ip.concat()[..], &header, &self.options, &self.data].concat()
    }
}

fn client_address() -> SocketAddr {
    "192.0.2.1:50000".parse().unwrap()
}

fn server_address() -> SocketAddr {
    "198.51.100.7:3389".parse().unwrap()
}

/// From the client.
fn c(seq: u32, ack: u32, flags: u8, data: &[u8]) -> Seg {
    Seg {
        source: client_address(),
        destination: server_address(),
        tag: 0,
        ip_id: None,
        ttl: 64,
        seq,
        ack,
        flags,
        window: 1000,
        checksum: 0,
        options: Vec::new(),
        data: data.to_vec(),
        cut: 0,
    }
}

/// From the server.
fn s(seq: u32, ack: u32, flags: u8, data: &[u8]) -> Seg {
    let segment = c(seq, ack, flags, data);
    Seg { source: segment.destination, destination: segment.source, ttl: 128, ..segment }
}

/// A table and what it told.
struct Script {
    table: FlowTable,
    number: u64,
    /// How many frames were as most are.
    frames: usize,
    /// One line per input but for counts.
    log: Vec<String>,
    packets: Vec<u64>,
    times: Vec<u64>,
    flows: Vec<FlowInfo>,
    told_flows: Vec<FlowId>,
    segments: Vec<Segment>,
    counts: Vec<(FlowId, [SegmentCounts; 2])>,
}

impl Script {
    fn new() -> Script {
        Script::with(FlowOptions::default())
    }

    fn with(options: FlowOptions) -> Script {
        Script {
            table: FlowTable::new(options),
            number: 0,
            frames: 0,
            log: Vec::new(),
            packets: Vec::new(),
            times: Vec::new(),
            flows: Vec::new(),
            told_flows: Vec::new(),
            segments: Vec::new(),
            counts: Vec::new(),
        }
    }

    /// After a handshake with the numbers 1000 and 2000; its log is cleared.
    fn open() -> Script {
        let mut script = Script::new();
        script.push(0, &c(1000, 0, SYN, b""));
        script.push(10, &s(2000, 1001, SYN_ACK, b""));
        script.push(11, &c(1001, 2001, ACK, b""));
        assert_eq!(script.take(), ["Syn>", "SynAck<", "Opened Some(10ms)"]);
        script
    }

    /// Sends a segment `ms` after the epoch, and gives its packet the next number.
    fn push(&mut self, ms: u64, segment: &Seg) -> FlowId {
        self.push_nanos(ms * 1_000_000, segment)
    }

    fn push_nanos(&mut self, nanos: u64, segment: &Seg) -> FlowId {
        self.number += 1;
        let (number, len) = (self.number, segment.data.len() as u32 + segment.cut);
        let ip = IpPacket {
            source: segment.source.ip(),
            destination: segment.destination.ip(),
            ttl: segment.ttl,
            ip_id: segment.ip_id,
            protocol: 6,
            payload: &[],
            payload_len: 20 + len,
        };
        let (options, payload) = (&segment.options, &segment.data);
        let tcp = TcpSegment { header: &segment.header(), options, payload, payload_len: len };
        self.run(|table, mut sink| {
            table.push(Timestamp(nanos), number, segment.tag, &ip, &tcp, &mut sink)
        })
    }

    /// Sends a segment as a file's reader does: first as most packets are, and then as any.
    fn push_frame(&mut self, ms: u64, segment: &Seg) {
        let (time, number, frame) = (Timestamp(ms * 1_000_000), self.number + 1, segment.frame());
        let original_len = frame.len() as u32;
        let packet =
            RawPacket { number, time, interface: 0, link_type: 1, bytes: &frame, original_len };
        let went = self.run(|table, sink| {
            let Some((flow, dir, bytes)) = table.next_bytes(packet, segment.tag) else {
                return false;
            };
            if !bytes.is_empty() {
                sink(flow.id, flow, time, Origin::Packet(number), Input::Data { dir, bytes });
            }
            true
        });
        if went {
            self.number = number;
            self.frames += 1;
        } else {
            self.push(ms, segment);
        }
    }

    fn icmp(&mut self, ms: u64, kind: u8, code: u8, seq: Option<u32>) -> Option<FlowId> {
        self.number += 1;
        let number = self.number;
        let offender: IpAddr = "203.0.113.9".parse().unwrap();
        let (source, destination) = (client_address(), server_address());
        let error = IcmpError { kind, code, offender, source, destination, seq };
        self.run(|table, mut sink| {
            table.icmp(Timestamp(ms * 1_000_000), number, 0, &error, &mut sink)
        })
    }

    fn finish(&mut self, ms: u64) {
        self.run(|table, mut sink| table.finish(Timestamp(ms * 1_000_000), &mut sink));
        assert_eq!(self.table.memory.used, 0, "everything is given back");
    }

    /// The log since the last call.
    fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    /// The latest counts of any flow.
    fn last_counts(&self) -> [SegmentCounts; 2] {
        self.counts.last().unwrap().1
    }

    fn run<T>(
        &mut self,
        call: impl FnOnce(
            &mut FlowTable,
            &mut dyn FnMut(FlowId, &FlowInfo, Timestamp, Origin, Input<'_>),
        ) -> T,
    ) -> T {
        let Script { table, log, packets, times, flows, told_flows, segments, counts, .. } = self;
        call(table, &mut |id, info, time, origin, input| {
            assert_eq!(info.id, id);
            if !flows.contains(info) {
                flows.push(info.clone());
            }
            match &input {
                Input::Counts { counts: new, .. } => return counts.push((id, *new)),
                Input::Segment(segment) => segments.push(segment.clone()),
                _ => {}
            }
            let Origin::Packet(number) = origin else { panic!("{origin:?}") };
            packets.push(number);
            times.push(time.0);
            told_flows.push(id);
            log.push(line(&input));
        })
    }
}

fn line(input: &Input<'_>) -> String {
    let arrow = |dir: &Direction| if *dir == Direction::ToServer { '>' } else { '<' };
    match input {
        Input::Opened { took, .. } => format!("Opened {took:?}"),
        Input::ConnectFailed { failure, .. } => {
            let kind = match &failure.kind {
                ConnectFailureKind::Icmp { kind, code, .. } => format!("Icmp {kind}/{code}"),
                other => format!("{other:?}"),
            };
            let (to, syns) = (failure.to.unwrap(), failure.syns.unwrap());
            format!("{kind} {to} {:?} {syns}", failure.after)
        }
        Input::Data { dir, bytes } => format!("{} {}", arrow(dir), String::from_utf8_lossy(bytes)),
        Input::Skipped { dir, bytes } => format!("Skipped{} {bytes}", arrow(dir)),
        Input::Gap { dir, bytes } => {
            format!("Gap{} {}", arrow(dir), bytes.map_or("?".to_owned(), |bytes| bytes.to_string()))
        }
        Input::Segment(segment) => format!("{:?}{}", segment.kind, arrow(&segment.dir)),
        Input::Closed { dir, how, .. } => format!("Closed{} {how:?}", arrow(dir)),
        Input::ResetIgnored { dir, .. } => format!("ResetIgnored{}", arrow(dir)),
        other => format!("{other:?}"),
    }
}
