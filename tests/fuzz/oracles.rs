//! What must hold for any input. The fuzz targets call these, and so does a plain test on every input
//! that once broke one.

use std::net::SocketAddr;
use std::time::Duration;

use rdpwhy_analyzer::case::{Case, Summary};
use rdpwhy_analyzer::facts::{InputEnd, Subject, Vantage};
use rdpwhy_analyzer::input::{
    Close, ConnectFailure, ConnectFailureKind, Direction, Input, Leg, Origin, RelayNote, TcpSample,
    Timestamp,
};
use rdpwhy_analyzer::report::text::{self, Style};
use rdpwhy_analyzer::session::Session;
use rdpwhy_analyzer::verdict::{self, Identities, Place};
use rdpwhy_analyzer::wire::first_bytes::FirstBytes;
use rdpwhy_analyzer::wire::mcs::McsPdu;
use rdpwhy_analyzer::wire::tls::{
    Alert, CertificateMessage, CertificateSummary, ClientHello, HandshakeBuffer, RecordHeader,
    ServerHello,
};
use rdpwhy_analyzer::wire::x224::Tpdu;
use rdpwhy_captures::file::PacketReader;
use rdpwhy_captures::fragments::Fragments;
use rdpwhy_captures::link::{self, Decoded};
use rdpwhy_captures::packet::IpPacket;
use rdpwhy_captures::segment;
use rdpwhy_captures::tcp::{FlowId, FlowInfo, FlowOptions, FlowTable, IcmpError};

/// Any bytes as a capture file: every packet goes all the way to a verdict.
pub fn pcap(bytes: &[u8]) {
    let Ok(mut reader) = PacketReader::open(bytes) else { return };
    let mut way = Way::new();
    let mut steps = 0;
    while let Some(packet) = reader.next_packet() {
        steps += 1;
        assert!(steps <= bytes.len() + 1, "more packets and damages than bytes");
        if let Ok(packet) = packet {
            let raw = packet.raw;
            assert!(raw.bytes.len() <= bytes.len().max(1 << 26));
            way.packet(raw.time, raw.number, raw.link_type, raw.bytes, raw.original_len);
        }
    }
    assert!(reader.next_packet().is_none(), "the end is the end");
    way.finish();
}

/// Packets of any link type: each begins with its length, its link type and a step in time. Every
/// second one is an IPv4 and TCP header made from a few bytes, so that reassembly is reached.
pub fn packets(mut bytes: &[u8]) {
    const LINKS: [u32; 10] = [1, 101, 113, 276, 0, 108, 9, 12, 228, 229];
    let mut way = Way::new();
    let (mut time, mut number) = (1_000_000_000, 0);
    while let [kind, step, length, rest @ ..] = bytes {
        let (body, after) = rest.split_at(rest.len().min(usize::from(*length)));
        bytes = after;
        number += 1;
        time += u64::from(*step) * 7_000_000;
        if kind & 1 == 0 {
            let link = LINKS[usize::from(kind >> 1) % LINKS.len()];
            way.packet(Timestamp(time), number, link, body, body.len() as u32);
        } else {
            let packet = tcp_packet(*kind, body);
            let cut = packet.len() - usize::from(kind & 8 != 0 && packet.len() > 44) * 4;
            way.packet(Timestamp(time), number, 101, &packet[..cut], packet.len() as u32);
        }
    }
    way.finish();
}

/// A session fed with anything in any order, then judged and rendered.
pub fn stream(mut bytes: &[u8]) {
    let vantage = if bytes.first().is_some_and(|byte| byte & 1 == 0) {
        Vantage::Relay
    } else {
        Vantage::Capture
    };
    let mut session = Session::new(subject(vantage, bytes.len().is_multiple_of(7)));
    let mut time = 1_000_000_000;
    let mut read = 0;
    while let [kind, step, length, rest @ ..] = bytes {
        let (body, after) = rest.split_at(rest.len().min(usize::from(*length)));
        bytes = after;
        read += 1;
        time += u64::from(*step) * 50_000_000;
        session.feed(Timestamp(time), Origin::Read(read), input(*kind, body));
    }
    session.finish(Timestamp(time), InputEnd::Capture);
    judge(&session);
}

/// Any bytes as each of the PDUs that carry most structure.
pub fn hello(bytes: &[u8]) {
    if let Ok(hello) = ClientHello::parse(bytes) {
        assert_eq!(hello.ja4().len(), 36, "JA4 has one length");
        assert!(!hello.offered_versions().is_empty());
    }
    if let Ok(hello) = ServerHello::parse(bytes) {
        let _ = (hello.version(), hello.is_hello_retry_request(), hello.downgrade_sentinel());
    }
    if let Ok(message) = CertificateMessage::parse(bytes) {
        let total: usize = message.chain.iter().map(Vec::len).sum();
        assert!(total <= bytes.len());
    }
    if let Ok(leaf) = CertificateSummary::from_der(bytes) {
        let _ = (leaf.matches_name("srv07.example"), leaf.matches_name("10.0.0.9"), leaf.defects());
    }
    let _ =
        (Alert::parse(bytes), RecordHeader::parse(bytes), McsPdu::parse(bytes), Tpdu::parse(bytes));
    let _ = FirstBytes::classify(bytes);
    let mut buffer = HandshakeBuffer::default();
    for chunk in bytes.chunks(13) {
        if buffer.push(chunk).is_err() {
            break;
        }
        for (_, body) in &mut buffer {
            assert!(body.len() <= HandshakeBuffer::MAX_MESSAGE);
        }
    }
}

/// The way of packets to sessions.
struct Way {
    table: FlowTable,
    fragments: Fragments,
    sessions: Vec<Option<Session>>,
    last: Timestamp,
}

impl Way {
    fn new() -> Way {
        let options = FlowOptions { max_flows: 64, ..FlowOptions::default() };
        Way {
            table: FlowTable::new(options),
            fragments: Fragments::new(),
            sessions: Vec::new(),
            last: Timestamp(0),
        }
    }

    fn packet(
        &mut self,
        time: Timestamp,
        number: u64,
        link_type: u32,
        bytes: &[u8],
        original: u32,
    ) {
        self.last = self.last.max(time);
        match link::ip_packet(link_type, bytes, original) {
            Ok(Decoded::Ip(ip)) => self.ip(time, number, &ip),
            Ok(Decoded::Fragment(fragment)) => {
                if let Some(whole) = self.fragments.push(time, fragment)
                    && let Decoded::Ip(ip) = link::undo_tunnels(whole.packet())
                {
                    self.ip(time, number, &ip);
                }
            }
            _ => {}
        }
    }

    fn ip(&mut self, time: Timestamp, number: u64, ip: &IpPacket<'_>) {
        let sessions = &mut self.sessions;
        let mut sink =
            |_: FlowId, flow: &FlowInfo, time: Timestamp, origin: Origin, input: Input<'_>| {
                feed(sessions, flow, time, origin, input);
            };
        if let Some(tcp) = segment::tcp_segment(ip) {
            assert!(tcp.payload.len() <= tcp.payload_len as usize);
            self.table.push(time, number, 0, ip, &tcp, &mut sink);
        } else if let Some(quote) = segment::icmp_error(ip) {
            let error = IcmpError {
                kind: quote.kind,
                code: quote.code,
                offender: quote.offender,
                source: quote.source,
                destination: quote.destination,
                seq: quote.seq,
            };
            self.table.icmp(time, number, 0, &error, &mut sink);
        }
    }

    fn finish(mut self) {
        let sessions = &mut self.sessions;
        let mut sink =
            |_: FlowId, flow: &FlowInfo, time: Timestamp, origin: Origin, input: Input<'_>| {
                feed(sessions, flow, time, origin, input);
            };
        self.table.finish(self.last, &mut sink);
        for session in self.sessions.iter_mut().flatten() {
            session.finish(self.last, InputEnd::Capture);
            judge(session);
        }
    }
}

fn feed(
    sessions: &mut Vec<Option<Session>>,
    flow: &FlowInfo,
    time: Timestamp,
    origin: Origin,
    input: Input<'_>,
) {
    const JUDGED: usize = 64;
    let at = flow.id.0 as usize;
    if at >= JUDGED {
        return;
    }
    if sessions.len() <= at {
        sessions.resize_with(at + 1, || None);
    }
    let session = sessions[at].get_or_insert_with(|| {
        Session::new(Subject {
            client: flow.client,
            server: Some(flow.server),
            started: flow.started,
            starts_in_the_middle: flow.starts_in_the_middle,
            ..subject(Vantage::Capture, false)
        })
    });
    session.feed(time, origin, input);
}

/// The whole way out: verdict, JSON, text; and nothing a terminal could obey.
fn judge(session: &Session) {
    let siblings = [Summary::of(session.facts())];
    let case = Case { this: session.facts(), siblings: &siblings };
    let place = Place {
        source: "fuzz".into(),
        file: None,
        index: 1,
        case: 1,
        r#final: true,
        supersedes: None,
    };
    let report = verdict::connection(&case, &place, &Identities::Shown);
    assert!(serde_json::to_string(&report).is_ok());
    let words = text::connection(&report, &Style { color: false, width: 100 });
    assert!(
        !words.chars().any(|c| c.is_control() && c != '\n'),
        "a control character in {words:?}"
    );
    let known: Vec<&String> = report.evidence.iter().map(|item| &item.id).collect();
    for cause in &report.causes {
        assert!(cause.r#for.iter().chain(&cause.against).all(|id| known.contains(&id)));
        assert!((0.0..=1.0).contains(&cause.confidence));
    }
    if let Some(named) = &report.verdict.cause {
        assert!(report.causes.iter().any(|cause| cause.id == *named && cause.confidence >= 0.5));
    }
}

fn subject(vantage: Vantage, middle: bool) -> Subject {
    Subject {
        client: SocketAddr::from(([10, 0, 0, 5], 50111)),
        server: Some(SocketAddr::from(([10, 0, 0, 9], 3389))),
        server_name: None,
        relay: [None, None],
        vantage,
        starts_in_the_middle: middle,
        started: Timestamp(1_000_000_000),
    }
}

fn input<'a>(kind: u8, body: &'a [u8]) -> Input<'a> {
    let dir = if kind & 1 == 0 { Direction::ToServer } else { Direction::ToClient };
    let leg = [Leg::Client, Leg::Server, Leg::Single][usize::from(kind >> 1) % 3];
    let number = u64::from(body.first().copied().unwrap_or(0)) << (body.len() % 40);
    match kind >> 3 {
        0..=15 => Input::Data { dir, bytes: body },
        16 => Input::Skipped { dir, bytes: number },
        17 => Input::Gap { dir, bytes: (number > 9).then_some(number) },
        18 => Input::Closed { leg, dir, how: Close::Fin },
        19 => Input::Closed { leg, dir, how: Close::Rst },
        20 => Input::Opened { leg, took: Some(Duration::from_nanos(number)) },
        21 => Input::Socket {
            leg,
            sample: TcpSample { unacked: Some(number as u32), ..Default::default() },
        },
        22 => Input::Relay(RelayNote::Deadline("fuzz".into())),
        23 => Input::Relay(RelayNote::Dialing),
        24 => Input::Passed { dir, records: number, bytes: number },
        25 => Input::Closed { leg, dir, how: Close::Error("ETIMEDOUT") },
        _ => Input::ConnectFailed {
            leg,
            failure: ConnectFailure {
                to: None,
                kind: [ConnectFailureKind::Refused, ConnectFailureKind::NoAnswer]
                    [usize::from(kind & 1)]
                .clone(),
                after: Duration::from_nanos(number),
                syns: Some(number as u32),
            },
        },
    }
}

/// IPv4 and TCP between two hosts on two ports; the first bytes choose flags and place in the stream.
fn tcp_packet(kind: u8, body: &[u8]) -> Vec<u8> {
    const FLAGS: [u8; 8] = [0x02, 0x12, 0x10, 0x18, 0x11, 0x04, 0x14, 0x18];
    let (head, payload) = body.split_at(body.len().min(3));
    let [flags, seq, ack] = [0, 1, 2].map(|at| head.get(at).copied().unwrap_or(0));
    let to_server = kind & 2 == 0;
    let (mut from, mut to) = ([10, 0, 0, 5], [10, 0, 0, 9]);
    let (mut source, mut destination) = (50111u16 + u16::from(kind >> 6), 3389u16);
    if !to_server {
        std::mem::swap(&mut from, &mut to);
        std::mem::swap(&mut source, &mut destination);
    }
    let mut bytes = vec![0x45, 0];
    bytes.extend((40 + payload.len() as u16).to_be_bytes());
    bytes.extend([0, seq, 0x40, 0, 64 - (kind >> 7), 6, 0, 0]);
    bytes.extend(from);
    bytes.extend(to);
    bytes.extend(source.to_be_bytes());
    bytes.extend(destination.to_be_bytes());
    // Near the wrap of sequence numbers.
    bytes.extend((u32::MAX - 100).wrapping_add(u32::from(seq)).to_be_bytes());
    bytes.extend((u32::MAX - 100).wrapping_add(u32::from(ack)).to_be_bytes());
    bytes.extend([0x50, FLAGS[usize::from(flags & 7)], flags, 0, 0, 0, 0, 0]);
    bytes.extend(payload);
    bytes
}
