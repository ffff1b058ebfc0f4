//! Recordings of the relay: two captured legs become one session again, as the relay saw it.
//!
//! Bytes count where they arrived: on the leg of the side that sent them. A full recording has what a server sent
//! on the client leg alone, where the relay passed it on: from there it fills what the server leg only counts.

use std::collections::HashMap;
use std::ops::Range;

use rdpwhy_analyzer::facts::{Subject, Vantage};
use rdpwhy_analyzer::input::{
    Close, ConnectFailureKind, Direction, Input, Leg, Origin, RelayNote, SegmentKind, Timestamp,
};
use rdpwhy_analyzer::session::Session;
use rdpwhy_captures::tcp::FlowInfo;

use crate::packets::LOST;
use crate::record::facts::{Begin, Comment, End, close_named};

/// The recorded sessions of a capture.
#[derive(Debug, Default)]
pub struct Recorded {
    /// Place among the sessions, by the number in the recording.
    by_number: HashMap<u64, usize>,
    /// The latest session: its server leg begins next where a program took the comments out.
    latest: Option<usize>,
    /// What each session's server sent, by its place among the sessions.
    sent: Vec<Sent>,
}

/// The bytes of a server on the two legs.
#[derive(Debug, Default)]
struct Sent {
    /// How many arrived, on the server leg.
    arrived: u64,
    /// How many were passed on, on the client leg.
    passed: u64,
    /// What arrived latest without its bytes.
    hole: Option<Hole>,
}

/// Bytes that the server leg counts and does not have.
#[derive(Debug)]
struct Hole {
    /// The first that is still missing, and the one behind the last.
    places: Range<u64>,
    time: Timestamp,
    origin: Origin,
}

impl Recorded {
    /// A recording of the relay was met.
    pub fn is_any(&self) -> bool {
        self.latest.is_some()
    }

    /// A client leg begins: a new session.
    pub fn client_leg(
        &mut self,
        flow: &FlowInfo,
        comments: &[Comment],
        sessions: &mut Vec<Session>,
    ) -> usize {
        let begin = begin(comments);
        let subject = Subject {
            client: flow.client,
            server: None,
            server_name: begin.and_then(|begin| begin.name.clone()),
            relay: [Some(flow.server), None],
            vantage: Vantage::Relay,
            starts_in_the_middle: flow.starts_in_the_middle,
            started: flow.started,
        };
        sessions.push(Session::new(subject));
        let at = sessions.len() - 1;
        if let Some(begin) = begin {
            self.by_number.insert(begin.session, at);
        }
        self.latest = Some(at);
        at
    }

    /// A server leg begins: the session it belongs to, where its client leg is there and that can be told. One whose
    /// beginning is in another file has no comment.
    pub fn server_leg(
        &mut self,
        flow: &FlowInfo,
        comments: &[Comment],
        sessions: &mut [Session],
    ) -> Option<usize> {
        let at = match begin(comments) {
            Some(begin) => *self.by_number.get(&begin.session)?,
            None if flow.starts_in_the_middle => return None,
            None => self.latest?,
        };
        let session = sessions.get_mut(at)?;
        if !flow.server.ip().is_unspecified() {
            let from = (!flow.client.ip().is_unspecified()).then_some(flow.client);
            session.set_server(flow.server, from);
        }
        Some(at)
    }

    /// The recording is over: what is missing now is missing for good.
    pub fn finish(&mut self, sessions: &mut [Session]) {
        for (sent, session) in self.sent.iter_mut().zip(sessions) {
            sent.settle(session);
        }
    }

    /// What a comment tells of a session as a whole.
    pub fn fact(&mut self, comment: &Comment, sessions: &mut [Session]) {
        let (number, (time, origin, input)) = match comment {
            Comment::Segment(kept) => (kept.session, kept.input()),
            Comment::Counts(kept) => (kept.session, kept.input()),
            Comment::End(end) => return self.end(end, sessions),
            Comment::Begin(_) | Comment::Error { .. } => return,
        };
        if let Some(session) = self.settled(number, sessions) {
            session.feed(time, origin, input);
        }
    }

    /// What only sockets knew.
    fn end(&mut self, end: &End, sessions: &mut [Session]) {
        let Some(session) = self.settled(end.session, sessions) else { return };
        for (leg, socket) in [Leg::Client, Leg::Server].into_iter().zip(end.sockets) {
            if let Some((time, sample)) = socket {
                session.feed(Timestamp(time), Origin::Socket, Input::Socket { leg, sample });
            }
        }
        if end.lost_packets() {
            session.limit(LOST);
        }
        for (time, failure) in end.connect_failures() {
            if let (None, Some(to)) = (session.facts().subject.server, failure.to) {
                session.set_server(to, None);
            }
            session.feed(time, Origin::Socket, Input::ConnectFailed { leg: Leg::Server, failure });
        }
        for (time, note) in end.relay_notes() {
            session.feed(time, Origin::Socket, Input::Relay(note));
        }
        for dir in Direction::BOTH {
            let [records, bytes] = match end.counted {
                None => end.passed[dir.index()],
                Some(counted) => {
                    let [records, bytes] = counted[dir.index()];
                    let found = &session.facts().tls.records[dir.index()];
                    [records.saturating_sub(found.count), bytes.saturating_sub(found.bytes)]
                }
            };
            if records > 0 {
                session.feed(
                    Timestamp(end.finished),
                    Origin::Socket,
                    Input::Passed { dir, records, bytes },
                );
            }
        }
    }

    /// A session by its number in the recording, told all that is known of it until now.
    fn settled<'s>(&mut self, number: u64, sessions: &'s mut [Session]) -> Option<&'s mut Session> {
        let at = *self.by_number.get(&number)?;
        let session = sessions.get_mut(at)?;
        self.sent(at).settle(session);
        Some(session)
    }

    /// What the server of the session at this place sent.
    fn sent(&mut self, at: usize) -> &mut Sent {
        if self.sent.len() <= at {
            self.sent.resize_with(at + 1, Sent::default);
        }
        &mut self.sent[at]
    }

    /// One input of a leg of the session at this place, as the relay would have fed it: bytes as they were read,
    /// ends of the outside parties. Segments and counts are synthesised and mean nothing.
    pub fn feed(
        &mut self,
        (at, leg): (usize, Leg),
        session: &mut Session,
        flow: &FlowInfo,
        (time, origin): (Timestamp, Origin),
        input: Input<'_>,
        comments: &[Comment],
    ) {
        use Direction::{ToClient, ToServer};
        let sent = self.sent(at);
        let input = match (leg, input) {
            (Leg::Server, Input::Data { dir: ToServer, .. }) => return,
            (
                Leg::Server,
                Input::Skipped { dir: ToServer, .. } | Input::Gap { dir: ToServer, .. },
            ) => return,
            (Leg::Server, Input::Data { dir: ToClient, bytes }) => {
                sent.arrived = sent.arrived.saturating_add(bytes.len() as u64);
                Input::Data { dir: ToClient, bytes }
            }
            // The recorder left bytes out, by its payload policy or because the client leg has them.
            (
                Leg::Server,
                Input::Skipped { dir: ToClient, bytes }
                | Input::Gap { dir: ToClient, bytes: Some(bytes) },
            ) => return sent.missing(bytes, time, origin, session),
            (_, Input::Data { dir: ToClient, bytes }) => {
                return sent.passed_on(bytes, time, origin, session);
            }
            (
                _,
                Input::Skipped { dir: ToClient, bytes }
                | Input::Gap { dir: ToClient, bytes: Some(bytes) },
            ) => {
                sent.passed = sent.passed.saturating_add(bytes);
                return;
            }
            (_, Input::Gap { dir: ToServer, bytes: Some(bytes) }) => {
                Input::Skipped { dir: ToServer, bytes }
            }
            (_, input) => match other(session, leg, flow, input, comments) {
                Some(input) => input,
                None => return,
            },
        };
        self.sent(at).settle(session);
        session.feed(time, origin, input);
    }
}

impl Sent {
    /// Bytes that arrived and are not in the packet that says so.
    fn missing(&mut self, bytes: u64, time: Timestamp, origin: Origin, session: &mut Session) {
        let from = self.arrived;
        if self.hole.as_ref().is_some_and(|hole| hole.places.end != from) {
            self.settle(session);
        }
        self.arrived = from.saturating_add(bytes);
        let hole = self.hole.get_or_insert(Hole { places: from..from, time, origin });
        hole.places.end = self.arrived;
    }

    /// Bytes on the client leg: they count where they are missing on the other.
    fn passed_on(&mut self, bytes: &[u8], time: Timestamp, origin: Origin, session: &mut Session) {
        let from = self.passed;
        let len = bytes.len() as u64;
        self.passed = from.saturating_add(len);
        let Some(mut hole) = self.hole.take() else { return };
        hole.skip(from, session);
        let begin = hole.places.start.saturating_sub(from).min(len) as usize;
        let end = hole.places.end.saturating_sub(from).min(len) as usize;
        let found = bytes.get(begin..end).unwrap_or_default();
        if !found.is_empty() {
            hole.places.start += found.len() as u64;
            session.feed(time, origin, Input::Data { dir: Direction::ToClient, bytes: found });
        }
        self.hole = Some(hole).filter(|hole| !hole.places.is_empty());
    }

    /// Something else comes: what is missing now is missing for good.
    fn settle(&mut self, session: &mut Session) {
        if let Some(mut hole) = self.hole.take() {
            hole.skip(u64::MAX, session);
        }
    }
}

impl Hole {
    /// Bytes up to this place are missing for good.
    fn skip(&mut self, until: u64, session: &mut Session) {
        let bytes = until.min(self.places.end).saturating_sub(self.places.start);
        if bytes > 0 {
            self.places.start += bytes;
            let skipped = Input::Skipped { dir: Direction::ToClient, bytes };
            session.feed(self.time, self.origin, skipped);
        }
    }
}

/// What the relay would have fed of an input that is no data.
fn other<'a>(
    session: &mut Session,
    leg: Leg,
    flow: &FlowInfo,
    input: Input<'a>,
    comments: &[Comment],
) -> Option<Input<'a>> {
    let outside = |dir| match leg {
        Leg::Server => dir == Direction::ToClient,
        _ => dir == Direction::ToServer,
    };
    Some(match input {
        Input::Opened { took, .. } => {
            if leg == Leg::Server {
                session.set_server(flow.server, Some(flow.client));
            }
            Input::Opened { leg, took }
        }
        Input::ConnectFailed { failure, .. } => {
            // Attempts without an answer stand in the comment at the end, with their true times.
            let silent = failure.kind == ConnectFailureKind::NoAnswer;
            if silent && session.facts().ending().is_some() {
                return None;
            }
            Input::ConnectFailed { leg, failure }
        }
        Input::Closed { dir, .. } if !outside(dir) => return None,
        Input::Closed { dir, how, .. } => {
            Input::Closed { leg, dir, how: error(comments).unwrap_or(how) }
        }
        Input::Segment(segment) => {
            let dialing = leg == Leg::Server && segment.kind == SegmentKind::Syn;
            if !dialing || session.facts().relay.iter().any(|note| note.value == RelayNote::Dialing)
            {
                return None;
            }
            Input::Relay(RelayNote::Dialing)
        }
        Input::Gap { .. } | Input::Counts { .. } => return None,
        other => other,
    })
}

fn begin(comments: &[Comment]) -> Option<&Begin> {
    comments.iter().find_map(|comment| match comment {
        Comment::Begin(begin) => Some(begin),
        _ => None,
    })
}

fn error(comments: &[Comment]) -> Option<Close> {
    comments.iter().find_map(|comment| match comment {
        Comment::Error { name } => Some(close_named(name)),
        _ => None,
    })
}
