//! Packets of any link type to reassembled connections and their verdicts.

mod build;

use std::collections::HashMap;

use rdpwhy_analyzer::case::{Case, Summary};
use rdpwhy_analyzer::casebook::CaseBook;
use rdpwhy_analyzer::facts::{InputEnd, Subject, Vantage};
use rdpwhy_analyzer::input::{Input, Leg, Origin, SegmentCounts, Timestamp};
use rdpwhy_analyzer::session::Session;
use rdpwhy_captures::dns;
use rdpwhy_captures::file::{Packet, PacketReader};
use rdpwhy_captures::fragments::Fragments;
use rdpwhy_captures::link::{self, Decoded};
use rdpwhy_captures::packet::IpPacket;
use rdpwhy_captures::segment;
use rdpwhy_captures::tcp::{FlowId, FlowInfo, FlowOptions, FlowTable, IcmpError};

use super::cursor::Cursor;
use super::report;
pub(super) use build::{Builder, Frame};

/// Packets taken from one input of the fuzzer at most.
pub(super) const MOST: u64 = 512;
/// Reports made of one input at most.
pub(super) const REPORTS: usize = 4;

/// Builds packets, mostly well-formed ones, and takes them through every layer. Out: reports as JSON.
pub fn packets(data: &[u8]) -> Vec<String> {
    let mut cursor = Cursor::new(data);
    let max_flows = [1, 2, 5, 1000][usize::from(cursor.u8() & 3)];
    let mut builder = Builder::default();
    let mut reading = Reading::new(max_flows, Session::new);
    while !cursor.is_empty() && reading.number < MOST {
        let (nanos, tag) = (builder.pause(&mut cursor), builder.tag(&mut cursor));
        reading.time = Timestamp(reading.time.0 + nanos);
        for frame in builder.frames(&mut cursor) {
            reading.packet(&frame, tag);
        }
    }
    reading.finish()
}

/// Takes the packets of a capture file through every layer, as far as it can be read. Out: reports as JSON.
pub fn file(data: &[u8]) -> Vec<String> {
    let mut reading = Reading::new(64, Session::new);
    let Ok(mut reader) = PacketReader::open(data) else { return Vec::new() };
    while let Some(packet) = reader.next_packet()
        && reading.number < MOST
    {
        let Ok(Packet { raw, .. }) = packet else { continue };
        // The clock of a capture can run backwards, and then so does a flow's.
        reading.ordered &= raw.time >= reading.time || reading.number == 0;
        reading.time = raw.time;
        reading.packet(
            &Frame {
                link_type: raw.link_type,
                bytes: raw.bytes.to_vec(),
                original_len: raw.original_len,
            },
            0,
        );
    }
    reading.finish()
}

/// A flow's session, and what it was told.
struct Told {
    session: Session,
    bytes: [u64; 2],
    seen: [u64; 2],
    last: Timestamp,
    counts: Option<[SegmentCounts; 2]>,
}

/// A capture being read.
pub(super) struct Reading {
    table: FlowTable,
    fragments: Fragments,
    told: HashMap<FlowId, Told>,
    pub(super) number: u64,
    pub(super) time: Timestamp,
    /// Makes the session of a flow.
    make: fn(Subject) -> Session,
    /// Bytes and fragments that went in.
    captured: u64,
    pieces: u64,
    /// No packet was captured before an earlier one.
    ordered: bool,
}

impl Reading {
    pub(super) fn new(max_flows: usize, make: fn(Subject) -> Session) -> Reading {
        let options = FlowOptions { max_flows, ..FlowOptions::default() };
        Reading {
            table: FlowTable::new(options),
            fragments: Fragments::new(),
            told: HashMap::new(),
            number: 0,
            time: Timestamp(1_700_000_000_000_000_000),
            make,
            captured: 0,
            pieces: 0,
            ordered: true,
        }
    }

    pub(super) fn packet(&mut self, frame: &Frame, tag: u8) {
        self.number += 1;
        self.captured += frame.bytes.len() as u64;
        match link::ip_packet(frame.link_type, &frame.bytes, frame.original_len) {
            Ok(Decoded::Ip(ip)) => self.ip(&ip, tag),
            Ok(Decoded::Fragment(fragment)) => {
                assert!(fragment.payload.len() <= fragment.payload_len as usize);
                self.pieces += 1;
                if let Some(whole) = self.fragments.push(self.time, fragment)
                    && let Decoded::Ip(ip) = link::undo_tunnels(whole.packet())
                {
                    assert!(whole.packet().payload_len <= 65_535);
                    // Together from earlier packets, whose bytes were counted already.
                    self.ip(&ip, tag);
                }
            }
            Ok(Decoded::Other(name)) => assert!(!name.is_empty()),
            Err(unreadable) => assert!(!unreadable.to_string().is_empty()),
        }
        assert!(self.fragments.unfinished() <= self.pieces);
    }

    fn ip(&mut self, ip: &IpPacket<'_>, tag: u8) {
        assert!(ip.payload.len() <= ip.payload_len as usize, "more captured than there was");
        let (time, number) = (self.time, self.number);
        let now = Now { number, ordered: self.ordered, make: self.make };
        let Reading { table, told, .. } = self;
        let mut sink =
            |id: FlowId, flow: &FlowInfo, time: Timestamp, origin: Origin, input: Input<'_>| {
                assert_eq!(id, flow.id);
                take(told, now, flow, time, origin, input);
            };
        if let Some(segment) = segment::tcp_segment(ip) {
            assert!(segment.payload.len() <= segment.payload_len as usize);
            table.push(time, number, tag, ip, &segment, &mut sink);
        } else if let Some(quote) = segment::icmp_error(ip) {
            let error = IcmpError {
                kind: quote.kind,
                code: quote.code,
                offender: quote.offender,
                source: quote.source,
                destination: quote.destination,
                seq: quote.seq,
            };
            table.icmp(time, number, tag, &error, &mut sink);
        } else {
            let _ = segment::udp_ports(ip);
            let _ = segment::udp_payload(ip).and_then(dns::answer);
        }
    }

    fn finish(self) -> Vec<String> {
        let sessions = self.sessions();
        let book = CaseBook::whole(sessions.iter().map(|session| Summary::of(session.facts())));
        let judged = (0..).zip(&sessions).take(REPORTS);
        judged
            .map(|(at, session)| report::check(&Case::among(session.facts(), &book.around(at))))
            .collect()
    }

    /// Ends the reading; gives its sessions in the order of their first packets.
    pub(super) fn sessions(self) -> Vec<Session> {
        let now = Now { number: self.number, ordered: self.ordered, make: self.make };
        let Reading { mut table, mut told, time, captured, .. } = self;
        let mut sink =
            |id: FlowId, flow: &FlowInfo, time: Timestamp, origin: Origin, input: Input<'_>| {
                assert_eq!(id, flow.id);
                take(&mut told, now, flow, time, origin, input);
            };
        table.finish(time, &mut sink);
        let seen: u64 = told.values().flat_map(|told| told.seen).sum();
        // A fragment can be in two packets at most: by itself and in the one put together.
        assert!(seen <= 2 * captured, "{seen} bytes were delivered of {captured}");
        let mut flows: Vec<_> = told.into_iter().collect();
        flows.sort_by_key(|(id, _)| *id);
        for (_, told) in &mut flows {
            told.session.finish(time, InputEnd::Capture);
            check(told);
        }
        flows.into_iter().map(|(_, told)| told.session).collect()
    }
}

/// Where the reading stands when an input comes.
#[derive(Clone, Copy, Debug)]
struct Now {
    number: u64,
    ordered: bool,
    make: fn(Subject) -> Session,
}

/// One input of one flow.
fn take(
    told: &mut HashMap<FlowId, Told>,
    now: Now,
    flow: &FlowInfo,
    time: Timestamp,
    origin: Origin,
    input: Input<'_>,
) {
    let Origin::Packet(packet) = origin else { panic!("{origin:?} in a capture") };
    assert!((flow.first_packet..=now.number).contains(&packet), "{packet} of {flow:?} at {now:?}");
    let told = told.entry(flow.id).or_insert_with(|| Told {
        session: (now.make)(subject(flow)),
        bytes: [0; 2],
        seen: [0; 2],
        last: flow.started,
        counts: None,
    });
    assert!(time >= told.last || !now.ordered, "a flow's clock runs backwards");
    told.last = time;
    match &input {
        Input::Data { dir, bytes } => {
            assert!(!bytes.is_empty());
            told.bytes[dir.index()] += bytes.len() as u64;
            told.seen[dir.index()] += bytes.len() as u64;
        }
        Input::Skipped { dir, bytes } | Input::Gap { dir, bytes: Some(bytes) } => {
            told.bytes[dir.index()] += bytes;
        }
        Input::Counts { counts, leg } => {
            assert_eq!(*leg, Leg::Single);
            told.counts = Some(*counts);
        }
        _ => {}
    }
    told.session.feed(time, origin, input);
}

fn subject(flow: &FlowInfo) -> Subject {
    Subject {
        client: flow.client,
        server: Some(flow.server),
        server_name: None,
        relay: [None, None],
        vantage: Vantage::Capture,
        starts_in_the_middle: flow.starts_in_the_middle,
        started: flow.started,
    }
}

fn check(told: &Told) {
    let streams = told.session.facts().streams;
    for side in 0..2 {
        assert_eq!(streams[side].bytes, told.bytes[side], "bytes that are counted differently");
        if let Some(counts) = told.counts {
            let counts = counts[side];
            assert!(counts.retransmitted <= counts.data_segments, "{counts:?}");
            assert!(counts.data_segments <= counts.segments, "{counts:?}");
            assert!(counts.bytes >= told.seen[side], "{counts:?}, {} seen", told.seen[side]);
            assert!(counts.bytes <= told.bytes[side], "{counts:?}, {} told", told.bytes[side]);
        }
    }
}
