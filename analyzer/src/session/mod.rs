//! One session: inputs in, events folded into facts. This is where PDUs are put in order.
//!
//! A session is the unit of everything above it. The relay owns one per pair of sockets, the capture
//! reader one per TCP connection; nothing is shared between them.

mod first;
mod lane;
mod memory;
mod tls;

use crate::event::{At, CUT, Event, LEFT_OUT, UNREAD};
use crate::facts::{Facts, InputEnd, Resolved, Subject, Vantage};
use crate::input::{Direction, Input, Leg, Origin, Timestamp};
use crate::records::{FrameKind, FrameStart, Piece};
use crate::transcript::Transcript;
use crate::wire::Reader;
use crate::wire::mcs::McsPdu;
use crate::wire::send_data::SendData;
use crate::wire::x224::{Protocols, Tpdu};
use lane::{Frame, Lane};

/// One RDP session, as far as it was observed.
#[derive(Clone, Debug)]
pub struct Session {
    facts: Facts,
    lanes: [Lane; 2],
    transcript: Option<Box<Transcript>>,
}

impl Session {
    /// A session of which nothing was observed yet.
    pub fn new(subject: Subject) -> Session {
        let mut lanes: [Lane; 2] = Default::default();
        if subject.starts_in_the_middle {
            // No byte is a peer's first one, and the first chunk may begin within a frame.
            for lane in &mut lanes {
                lane.first = None;
                lane.scanner.lose();
            }
        }
        Session { facts: Facts::new(subject), lanes, transcript: None }
    }

    /// The same, and it keeps what a comparison with another capture of the session needs.
    pub fn with_transcript(subject: Subject) -> Session {
        Session { transcript: Some(Box::default()), ..Session::new(subject) }
    }

    /// What is kept for a comparison, where the session was made for one.
    pub fn transcript(&self) -> Option<&Transcript> {
        self.transcript.as_deref()
    }

    /// What is known so far.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The server became known: a relay reached one, from this address of its own.
    pub fn set_server(&mut self, server: std::net::SocketAddr, from: Option<std::net::SocketAddr>) {
        self.facts.subject.server = Some(server);
        self.facts.subject.relay[1] = from;
    }

    /// A DNS answer that the client was sent before led it to the server's address.
    pub fn set_resolved(&mut self, resolved: Resolved) {
        self.facts.resolved = Some(Box::new(resolved));
    }

    /// Whoever wants to know how long turns took has taken what is kept of them.
    pub fn turns_taken(&mut self) {
        self.facts.turns.taken();
    }

    /// True from when only record headers and counters matter: the handshake is over.
    pub fn is_steady(&self) -> bool {
        self.facts.tls.is_established() || self.facts.is_active()
    }

    /// Something was lost on the way here: the verdict is incomplete.
    pub fn limit(&mut self, what: &'static str) {
        self.facts.limit(what);
    }

    /// Takes one observation.
    pub fn feed(&mut self, time: Timestamp, origin: Origin, input: Input<'_>) {
        let at = |leg| At::new(time, origin, leg);
        match input {
            Input::Data { dir, bytes } => self.bytes(time, origin, dir, bytes),
            Input::Skipped { dir, bytes } => self.left_out(self.at(time, origin, dir), dir, bytes),
            Input::Gap { dir, bytes } => self.gap(self.at(time, origin, dir), dir, bytes),
            Input::Opened { leg, took } => {
                let took = took.map(|took| took.as_nanos() as u64);
                self.facts.apply(at(leg), Event::Opened(took));
            }
            Input::ConnectFailed { leg, failure } => {
                self.facts.apply(at(leg), Event::ConnectFailed(failure));
            }
            Input::Segment(segment) => self.facts.apply(at(segment.leg), Event::Segment(segment)),
            Input::Closed { leg, dir, how } => self.closed(at(leg), dir, how),
            Input::ResetIgnored { leg, dir } => {
                self.facts.apply(at(leg), Event::ResetIgnored(dir));
            }
            Input::Socket { leg, sample } => self.facts.apply(at(leg), Event::Socket(sample)),
            Input::Counts { leg, counts } => self.facts.apply(at(leg), Event::Counts(counts)),
            Input::Passed { dir, records, bytes } => {
                let at = self.at(time, origin, dir);
                self.facts.apply(at, Event::RecordsPassed(dir, records, bytes));
            }
            Input::Relay(note) => self.facts.apply(at(Leg::Client), Event::Relay(note)),
        }
    }

    /// Takes the next bytes of a direction: the same as to feed [`Input::Data`], which nearly all inputs are.
    #[inline]
    pub fn bytes(&mut self, time: Timestamp, origin: Origin, dir: Direction, bytes: &[u8]) {
        self.data(self.at(time, origin, dir), dir, bytes);
    }

    /// There is no more input.
    pub fn finish(&mut self, now: Timestamp, why: InputEnd) {
        self.facts.now = self.facts.now.max(now);
        if self.facts.ending().is_none() {
            self.facts.input_ended = Some(why);
        }
        for dir in Direction::BOTH {
            // Nothing more can come, so what was held back is all there is.
            if let Some(last) = self.facts.stream(dir).last {
                self.classify_what_there_is(last, dir);
            }
            self.facts.streams[dir.index()].open_frame =
                self.lanes[dir.index()].scanner.open_frame();
        }
        if let Some(transcript) = &mut self.transcript {
            transcript.finish();
        }
    }

    fn at(&self, time: Timestamp, origin: Origin, dir: Direction) -> At {
        let leg = match (self.facts.subject.vantage, dir) {
            (Vantage::Capture, _) => Leg::Single,
            (Vantage::Relay, Direction::ToServer) => Leg::Client,
            (Vantage::Relay, Direction::ToClient) => Leg::Server,
        };
        At::new(time, origin, leg)
    }

    fn closed(&mut self, at: At, dir: Direction, how: crate::input::Close) {
        self.classify_what_there_is(at, dir);
        // What the sender left unfinished counts at the instant of its close, not later.
        let lane = &self.lanes[dir.index()];
        self.facts.streams[dir.index()].open_frame = lane.scanner.open_frame();
        self.facts.apply(at, Event::Closed(dir, how));
    }

    fn data(&mut self, at: At, dir: Direction, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.facts.count(dir, at, bytes.len() as u64);
        if let Some(transcript) = &mut self.transcript {
            transcript.delivered(dir, at.time, bytes);
        }
        let lane = &mut self.lanes[dir.index()];
        if lane.first.is_none() {
            let bytes = lane.behind_preamble(bytes);
            self.scan(at, dir, bytes);
        } else if let Some(first) = self.classify_first(at, dir, bytes) {
            self.scan(at, dir, &first);
        }
    }

    /// Holds back the first bytes until they tell what the peer speaks, and gives those behind a preamble; `None`
    /// while they do not.
    fn classify_first(&mut self, at: At, dir: Direction, bytes: &[u8]) -> Option<Vec<u8>> {
        let lane = &mut self.lanes[dir.index()];
        let mut first = lane.first.take()?;
        first.extend_from_slice(bytes);
        let Some((what, preamble)) = first::classify(&first, Lane::FIRST) else {
            lane.first = Some(first);
            return None;
        };
        let skip = preamble.min(first.len());
        lane.preamble = preamble - skip;
        first.drain(..skip);
        if let Some(transcript) = &mut self.transcript {
            transcript.begin(dir, preamble as u64);
            // Nobody compares what is no Remote Desktop, and a capture holds much of it.
            if dir == Direction::ToServer && !what.may_be_rdp() {
                transcript.give_up();
            }
        }
        self.facts.apply(at, Event::FirstBytes(dir, what));
        Some(first)
    }

    /// A direction that ends before its first bytes were enough to decide is classified as it stands.
    fn classify_what_there_is(&mut self, now: At, dir: Direction) {
        let Some(first) = self.lanes[dir.index()].first.take() else { return };
        // Where they came, not where their sender closed behind them.
        let at = self.facts.stream(dir).first.unwrap_or(now);
        if let Some(what) = first::classify_cut(&first) {
            self.facts.apply(at, Event::FirstBytes(dir, what));
        }
        self.scan(at, dir, &first);
    }

    fn scan(&mut self, at: At, dir: Direction, mut bytes: &[u8]) {
        let Session { facts, lanes, transcript } = self;
        let Lane { scanner, frame, .. } = &mut lanes[dir.index()];
        // Most bytes of a session lie within a body that nobody wants more of.
        if frame.has_enough() && scanner.pass(bytes.len()) {
            return;
        }
        let mut fold = Fold { facts, transcript };
        while !bytes.is_empty() {
            bytes = scanner.scan_frame(bytes, &mut |piece| fold.piece(at, dir, frame, piece));
            if std::mem::take(&mut frame.fast_path_begins) {
                scanner.allow_fast_path();
            }
        }
    }

    /// The source did not keep these bytes: a recording on purpose, and it says what they were; in the clear behind the
    /// negotiation each packet tells of itself.
    fn left_out(&mut self, at: At, dir: Direction, bytes: u64) {
        let on_purpose = self.facts.subject.vantage == Vantage::Relay
            || self.facts.x224.selected() == Some(Protocols::RDP);
        self.skipped(at, dir, bytes);
        if !on_purpose && !self.lanes[dir.index()].scanner.is_in_step() {
            self.facts.apply(at, Event::Cut(dir, LEFT_OUT));
        }
    }

    fn skipped(&mut self, at: At, dir: Direction, bytes: u64) {
        if self.facts.stream(dir).bytes == 0 {
            self.facts.apply(at, Event::Limit(UNREAD));
        }
        self.facts.count(dir, at, bytes);
        if let Some(transcript) = &mut self.transcript {
            transcript.skipped(dir, bytes);
        }
        // Nothing behind unseen bytes is the first a peer said; what was held back comes before them.
        self.classify_what_there_is(at, dir);
        let Session { facts, lanes, transcript } = self;
        let Lane { scanner, frame, .. } = &mut lanes[dir.index()];
        let mut fold = Fold { facts, transcript };
        frame.cut = true;
        scanner.skip(bytes, &mut |piece| fold.piece(at, dir, frame, piece));
    }

    fn gap(&mut self, at: At, dir: Direction, bytes: Option<u64>) {
        self.facts.apply(at, Event::Gap(dir, bytes));
        if let Some(transcript) = &mut self.transcript {
            transcript.hole(dir);
        }
        if let Some(bytes) = bytes {
            self.skipped(at, dir, bytes);
        } else {
            let lane = &mut self.lanes[dir.index()];
            lane.frame.cut = true;
            lane.first = None;
            lane.scanner.lose();
        }
        let lane = &mut self.lanes[dir.index()];
        lane.preamble = 0;
        lane.frame.handshake = Default::default();
    }
}

/// A session without its lanes, of which one is being read.
struct Fold<'s> {
    facts: &'s mut Facts,
    transcript: &'s mut Option<Box<Transcript>>,
}

impl Fold<'_> {
    #[inline]
    fn piece(&mut self, at: At, dir: Direction, frame: &mut Frame, piece: Piece<'_>) {
        match piece {
            Piece::Start(start) => {
                frame.start = Some(start);
                frame.body.clear();
                frame.cut = false;
                frame.wanted = self.wanted(dir, start);
            }
            Piece::Body(bytes) => {
                // Behind a hole the bytes have no place in the body any more.
                if !frame.has_enough() {
                    let kept = bytes.len().min(frame.wanted - frame.body.len());
                    frame.body.extend_from_slice(&bytes[..kept]);
                }
            }
            Piece::End => {
                if let Some(start) = frame.start.take() {
                    self.end(at, dir, frame, start);
                }
            }
            Piece::Opaque(error) => self.facts.apply(at, Event::Opaque(dir, error)),
        }
    }

    fn end(&mut self, at: At, dir: Direction, frame: &mut Frame, start: FrameStart) {
        if let Some(transcript) = self.transcript {
            let end = start.offset + u64::from(start.header) + u64::from(start.body);
            transcript.frame(dir, start.kind, start.offset, end);
        }
        self.frame(at, dir, frame, start);
        let held = frame.body.capacity();
        // Behind the handshake no body is kept, and sessions are idle for long.
        if held > Frame::KEPT || (held > 0 && self.facts.tls.is_established()) {
            frame.body = Vec::new();
            frame.handshake.release();
        }
    }

    /// How many bytes of a frame's body are worth keeping.
    fn wanted(&self, dir: Direction, start: FrameStart) -> usize {
        /// A Connection Request may carry a long routing token; nothing longer is meant honestly.
        const TPDU: usize = 4096;
        /// Enough of a later TPKT packet to name its MCS PDU and to read why a session ends.
        const MCS: usize = SendData::STATEMENT;
        match start.kind {
            FrameKind::Tpkt if !self.facts.x224.confirm.is_seen() => TPDU,
            FrameKind::Tpkt => MCS,
            FrameKind::FastPath => 0,
            FrameKind::Tls(header) => tls::wanted(self.facts, dir, header),
        }
    }

    fn frame(&mut self, at: At, dir: Direction, frame: &mut Frame, start: FrameStart) {
        match start.kind {
            FrameKind::Tpkt if frame.body.len() < frame.wanted.min(start.body as usize) => {
                self.cut_tpdu(at, dir, frame);
            }
            FrameKind::Tpkt => self.tpdu(at, dir, frame),
            FrameKind::FastPath => self.facts.apply(at, Event::FastPath(dir)),
            FrameKind::Tls(header) => tls::record(self.facts, at, dir, frame, header),
        }
    }

    /// A TPKT packet of which not everything that is wanted is there. Its beginning may name its PDU, and its content
    /// is unknown.
    fn cut_tpdu(&mut self, at: At, dir: Direction, frame: &mut Frame) {
        let named = match Tpdu::parse(&frame.body) {
            Ok(Tpdu::Data(data)) => McsPdu::parse(data),
            _ => None,
        };
        let negotiated = self.facts.x224.confirm.is_seen();
        let event = match named.filter(|_| negotiated) {
            Some(pdu) => Event::Mcs(dir, pdu),
            // Behind the negotiation a source may leave bodies out on purpose.
            None if negotiated => Event::ClearFrame(dir),
            None => Event::Limit(CUT),
        };
        self.facts.apply(at, event);
        self.allow_fast_path(frame);
    }

    fn tpdu(&mut self, at: At, dir: Direction, frame: &mut Frame) {
        let event = match Tpdu::parse(&frame.body) {
            Ok(Tpdu::ConnectionRequest(request)) if dir == Direction::ToServer => {
                Event::ConnectionRequest(request)
            }
            Ok(Tpdu::ConnectionConfirm(confirm)) if dir == Direction::ToClient => {
                Event::ConnectionConfirm(confirm)
            }
            Ok(Tpdu::DisconnectRequest(reason) | Tpdu::Error(reason)) => {
                Event::X224Refused(dir, reason)
            }
            Ok(Tpdu::Data(data)) => match McsPdu::parse(data) {
                Some(pdu) => {
                    let read = SendData::parse(&mut Reader::new(data));
                    if let Some(statement) = read.ok().and_then(|data| data.statement()) {
                        self.facts.apply(at, Event::Statement(dir, statement));
                    }
                    Event::Mcs(dir, pdu)
                }
                None => return,
            },
            Ok(_) => return,
            Err(error) => Event::Opaque(dir, error),
        };
        self.facts.apply(at, event);
        self.allow_fast_path(frame);
    }

    /// From MCS on, standard RDP security mixes TPKT and fast-path.
    fn allow_fast_path(&self, frame: &mut Frame) {
        let standard = self.facts.x224.selected() == Some(Protocols::RDP);
        frame.fast_path_begins = standard && self.facts.rdp.connect_response.is_seen();
    }
}

#[cfg(test)]
mod tests;
