//! Saved captures to verdicts: the same engine, fed from packets.
//!
//! A TCP connection of a capture is a session with a single leg. Recordings of the relay are told by the
//! names of their interfaces; there the two legs of a session are put together again.

pub mod batch;
pub mod ends;
mod files;
mod notes;
pub mod progress;
mod recorded;
pub mod rotation;
mod streams;

use std::collections::HashSet;
use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use rdpwhy_analyzer::case::{Case, Summary};
use rdpwhy_analyzer::casebook::CaseBook;
use rdpwhy_analyzer::facts::{InputEnd, Subject, Vantage};
use rdpwhy_analyzer::input::{Origin, Timestamp};
use rdpwhy_analyzer::report::Connection;
use rdpwhy_analyzer::session::Session;
use rdpwhy_analyzer::verdict::{self, Identities, Place};
use rdpwhy_captures::dns;
use rdpwhy_captures::file::{OpenError, Packet, PacketReader};
use rdpwhy_captures::fragments::Fragments;
use rdpwhy_captures::link::{self, Decoded, Unreadable};
use rdpwhy_captures::packet::{IpPacket, RawPacket};
use rdpwhy_captures::segment;
use rdpwhy_captures::tcp::{self, FlowOptions, FlowTable};

use crate::latency::Measured;
use crate::output::Output;
use crate::record::facts::Comment;
use files::Files;
use notes::{Counts, gateway_hint};
use streams::Streams;

/// What of a capture is reported.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Ports on which servers speak RDP.
    pub ports: Vec<u16>,
    /// Report every TCP connection.
    pub all: bool,
    /// Time the steps of what is reported.
    pub timed: bool,
}

/// What a file turned out to hold.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Connections reported.
    pub reported: u64,
    /// How long their steps took; of captures from both ends nothing.
    pub measured: Measured,
}

/// One thing that comes of an analysis.
#[derive(Debug)]
pub enum Told {
    /// A verdict.
    Connection(Box<Connection>),
    /// Something worth knowing about the input itself.
    Note(String),
    /// So many TCP connections are not reported.
    OtherTcp(u64),
    /// How long the steps of all connections took.
    Measured(Box<Measured>),
    /// A file of this name can not be read.
    Unreadable(String, String),
}

impl Told {
    /// Prints it; what is unreadable is a remark, and times are for whoever adds them up.
    pub fn print(self, output: &mut Output) {
        match self {
            Told::Connection(connection) => output.connection(&connection),
            Told::Note(note) => output.note(note),
            Told::OtherTcp(count) => output.other_tcp(count),
            Told::Measured(_) => {}
            Told::Unreadable(name, why) => output.remark(&format!("rdpwhy: {name}: {why}")),
        }
    }
}

/// Whoever takes what comes of an analysis.
type Tell<'t> = dyn FnMut(Told) + 't;

/// Analyses one capture and prints its connections.
pub fn analyze(
    source: &str,
    file: impl Read,
    scope: &Scope,
    identities: &Identities,
    output: &mut Output,
) -> Result<Found, OpenError> {
    let mut tell = |told: Told| told.print(output);
    let reading = read(source, file, Reading::new(scope, Session::new), &mut tell)?;
    Ok(report(source, reading, scope, identities, &mut tell))
}

/// Reads a capture of one file to its end.
fn read(
    source: &str,
    file: impl Read,
    mut reading: Reading,
    tell: &mut Tell<'_>,
) -> Result<Reading, OpenError> {
    reading.file(source, file, tell)?;
    reading.finish();
    reading.counts.notes(source, tell);
    Ok(reading)
}

/// A capture being read.
struct Reading {
    table: FlowTable,
    fragments: Fragments,
    streams: Streams,
    files: Files,
    counts: Counts,
    first: Option<Timestamp>,
    now: Timestamp,
}

impl Reading {
    fn new(scope: &Scope, make: fn(Subject) -> Session) -> Reading {
        let options = FlowOptions { server_ports: scope.ports.clone(), ..FlowOptions::default() };
        Reading {
            table: FlowTable::new(options),
            fragments: Fragments::default(),
            streams: Streams::new(scope, make),
            files: Files::default(),
            counts: Counts::default(),
            first: None,
            now: Timestamp::default(),
        }
    }

    /// Reads a file to its end; its packets follow those of the files before.
    fn file(&mut self, name: &str, file: impl Read, tell: &mut Tell<'_>) -> Result<(), OpenError> {
        let mut reader = PacketReader::open(file)?;
        let before = self.counts.packets;
        self.files.begin(name, before);
        while let Some(packet) = reader.next_packet() {
            match packet {
                Ok(mut packet) => {
                    packet.raw.number += before;
                    self.packet(packet);
                }
                Err(damage) => tell(Told::Note(format!(
                    "{name}: damaged at byte {}: {}",
                    damage.offset, damage.what
                ))),
            }
        }
        self.now = self.now.max(reader.ended().unwrap_or_default());
        Ok(())
    }

    #[inline(always)] // has one caller, which does nothing else
    fn packet(&mut self, packet: Packet<'_>) {
        let Packet { raw, interface_name, comments } = packet;
        self.counts.packets += 1;
        if raw.time < self.now {
            self.went_back(raw.time);
        }
        self.now = self.now.max(raw.time);
        let tag = match interface_name {
            Some("client-leg") => 1,
            Some("server-leg") => 2,
            _ => 0,
        };
        let Reading { table, streams, .. } = self;
        if comments.is_empty()
            && let Some((flow, dir, bytes)) = table.next_bytes(raw, tag)
        {
            if !bytes.is_empty() {
                streams.bytes(flow, tag, raw.time, Origin::Packet(raw.number), (dir, bytes));
            }
        } else {
            self.unusual(&raw, tag, comments);
        }
    }

    /// The clock of the capture was set back, or this record's time or the one before is damaged: it ran until now, and
    /// not until whatever was the latest. The packets of a recording stand in no order.
    #[cold]
    fn went_back(&mut self, time: Timestamp) {
        const STEP: Duration = Duration::from_secs(1);
        if self.now.since(time) > STEP && !self.streams.recorded.is_any() {
            self.now = time;
            self.counts.set_back += 1;
        }
    }

    #[inline(never)]
    fn unusual(&mut self, packet: &RawPacket<'_>, tag: u8, comments: &[String]) {
        // The first packet of all belongs to no flow yet.
        self.first.get_or_insert(packet.time);
        let facts: Vec<Comment> =
            comments.iter().filter_map(|text| Comment::from_text(text)).collect();
        match link::ip_packet(packet.link_type, packet.bytes, packet.original_len) {
            Ok(Decoded::Ip(ip)) => self.ip(packet, &ip, &facts, tag),
            Ok(Decoded::Fragment(fragment)) => {
                if let Some(whole) = self.fragments.push(packet.time, fragment)
                    && let Decoded::Ip(ip) = link::undo_tunnels(whole.packet())
                {
                    self.ip(packet, &ip, &facts, tag);
                }
            }
            Ok(Decoded::Other(_)) => {}
            Err(Unreadable::LinkType(link_type)) => {
                *self.counts.unreadable.entry(link_type).or_default() += 1;
            }
            Err(_) => {}
        }
    }

    fn ip(&mut self, packet: &RawPacket<'_>, ip: &IpPacket<'_>, comments: &[Comment], tag: u8) {
        let Reading { table, streams, .. } = self;
        if let Some(segment) = segment::tcp_segment(ip) {
            // A recording leaves out what it does not need.
            if tag == 0 && segment.payload.len() < segment.payload_len as usize {
                let (packets, most) = &mut self.counts.cut;
                (*packets, *most) = (*packets + 1, packet.bytes.len().max(*most));
            }
            let mut sink = streams.sink(tag, comments);
            table.push(packet.time, packet.number, tag, ip, &segment, &mut sink);
        } else if let Some(quote) = segment::icmp_error(ip) {
            let error = tcp::IcmpError {
                kind: quote.kind,
                code: quote.code,
                offender: quote.offender,
                source: quote.source,
                destination: quote.destination,
                seq: quote.seq,
            };
            let mut sink = streams.sink(tag, comments);
            table.icmp(packet.time, packet.number, tag, &error, &mut sink);
        } else {
            match segment::udp_ports(ip) {
                Some((3389, _) | (_, 3389)) => self.counts.rdp_udp += 1,
                Some((dns::PORT, _)) => streams.answers.push(packet.time, packet.number, ip),
                _ => {}
            }
        }
        for comment in comments {
            self.streams.recorded.fact(comment, &mut self.streams.sessions);
        }
    }

    fn finish(&mut self) {
        let Reading { table, streams, now, .. } = self;
        table.finish(*now, &mut streams.sink(0, &[]));
        self.streams.recorded.finish(&mut self.streams.sessions);
        for session in &mut self.streams.sessions {
            let last = session.facts().now;
            session.finish(last, InputEnd::Capture);
        }
    }
}

/// Judges everything that was read, in order of its start.
fn report(
    source: &str,
    reading: Reading,
    scope: &Scope,
    identities: &Identities,
    tell: &mut Tell<'_>,
) -> Found {
    let Streams { mut sessions, mut measured, .. } = reading.streams;
    sessions.sort_by_key(|session| session.facts().subject.started);
    let servers: HashSet<SocketAddr> = sessions.iter().filter_map(speaks_rdp).collect();
    let (rdp, other): (Vec<Session>, Vec<Session>) = sessions
        .into_iter()
        .partition(|session| scope.all || is_reported(session, scope, &servers));
    let book = CaseBook::whole(rdp.iter().map(|session| Summary::of(session.facts())));
    let untimed =
        |session: &&Session| session.facts().tls.records.iter().any(|records| records.untimed > 0);
    let cut_short = if scope.timed { rdp.iter().filter(untimed).count() } else { 0 };
    if cut_short > 0 {
        tell(Told::Note(format!(
            "{source}: of {cut_short} sessions the recording has the first records of each side alone: how long their later turns took is in no row (record with --payload full)"
        )));
    }
    for (at, session) in (0..).zip(&rdp) {
        if scope.timed {
            measured.session(session.facts());
        }
        let around = book.around(at);
        let place = Place {
            source: source.to_owned(),
            file: Some(source.to_owned()),
            index: at + 1,
            case: around.case,
            r#final: true,
            supersedes: None,
        };
        let case = Case::among(session.facts(), &around);
        let mut connection = verdict::connection(&case, &place, identities);
        reading.files.locate(&mut connection.evidence);
        tell(Told::Connection(Box::new(connection)));
    }
    tell(Told::OtherTcp(other.len() as u64));
    if rdp.is_empty() {
        gateway_hint(source, &other, tell);
    }
    Found { reported: rdp.len() as u64, measured }
}

/// The server of a session that certainly is RDP.
fn speaks_rdp(session: &Session) -> Option<SocketAddr> {
    let x224 = &session.facts().x224;
    (x224.request.is_seen() && x224.confirm.is_seen())
        .then_some(session.facts().subject.server)
        .flatten()
}

fn is_reported(session: &Session, scope: &Scope, servers: &HashSet<SocketAddr>) -> bool {
    let facts = session.facts();
    facts.x224.request.is_seen()
        || facts.subject.vantage == Vantage::Relay
        || facts
            .subject
            .server
            .is_some_and(|server| scope.ports.contains(&server.port()) || servers.contains(&server))
}
