//! Recordings of the relay: two captured legs become one session again, as the relay saw it.

use std::collections::HashMap;

use rdpwhy_analyzer::facts::{Subject, Vantage};
use rdpwhy_analyzer::input::{
    Close, Direction, Input, Leg, Origin, RelayNote, SegmentKind, Timestamp,
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
    /// The latest session: its server leg is written next where comments are missing.
    latest: Option<usize>,
}

impl Recorded {
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

    /// A server leg begins: the session it belongs to, where its client leg is there.
    pub fn server_leg(
        &mut self,
        flow: &FlowInfo,
        comments: &[Comment],
        sessions: &mut [Session],
    ) -> Option<usize> {
        let named = begin(comments).and_then(|begin| self.by_number.get(&begin.session).copied());
        let at = named.or(self.latest)?;
        let session = sessions.get_mut(at)?;
        if !flow.server.ip().is_unspecified() {
            let from = (!flow.client.ip().is_unspecified()).then_some(flow.client);
            session.set_server(flow.server, from);
        }
        Some(at)
    }

    /// What a comment tells of a session as a whole.
    pub fn fact(&self, comment: &Comment, sessions: &mut [Session]) {
        let (number, (time, origin, input)) = match comment {
            Comment::Segment(kept) => (kept.session, kept.input()),
            Comment::Counts(kept) => (kept.session, kept.input()),
            Comment::End(end) => return self.end(end, sessions),
            Comment::Begin(_) | Comment::Error { .. } => return,
        };
        if let Some(session) = self.by_number.get(&number).and_then(|at| sessions.get_mut(*at)) {
            session.feed(time, origin, input);
        }
    }

    /// What only sockets knew.
    fn end(&self, end: &End, sessions: &mut [Session]) {
        let Some(session) = self.by_number.get(&end.session).and_then(|at| sessions.get_mut(*at))
        else {
            return;
        };
        for (leg, socket) in [Leg::Client, Leg::Server].into_iter().zip(end.sockets) {
            if let Some((time, sample)) = socket {
                session.feed(Timestamp(time), Origin::Socket, Input::Socket { leg, sample });
            }
        }
        if end.lost_packets() {
            session.limit(LOST);
        }
        for (time, failure) in end.connect_failures() {
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
}

/// One input of a recorded leg, as the relay would have fed it: bytes where they were read, ends of the
/// outside parties. Segments and counts are synthesised and mean nothing.
pub fn feed(
    session: &mut Session,
    leg: Leg,
    flow: &FlowInfo,
    time: Timestamp,
    origin: Origin,
    input: Input<'_>,
    comments: &[Comment],
) {
    let outside = |dir| match leg {
        Leg::Server => dir == Direction::ToClient,
        _ => dir == Direction::ToServer,
    };
    let input = match input {
        Input::Data { dir, .. } | Input::Skipped { dir, .. } if !outside(dir) => return,
        Input::Gap { dir, bytes } => match bytes.filter(|_| outside(dir)) {
            // The recorder left these out by its payload policy.
            Some(bytes) => Input::Skipped { dir, bytes },
            None => return,
        },
        Input::Opened { took, .. } => {
            if leg == Leg::Server {
                session.set_server(flow.server, Some(flow.client));
            }
            Input::Opened { leg, took }
        }
        Input::ConnectFailed { failure, .. } => {
            // Attempts without an answer stand in the comment at the end, with their true times.
            let silent = failure.kind == rdpwhy_analyzer::input::ConnectFailureKind::NoAnswer;
            if silent && session.facts().ending().is_some() {
                return;
            }
            Input::ConnectFailed { leg, failure }
        }
        Input::Closed { dir, .. } if !outside(dir) => return,
        Input::Closed { dir, how, .. } => {
            Input::Closed { leg, dir, how: error(comments).unwrap_or(how) }
        }
        Input::Segment(segment) => {
            let dialing = leg == Leg::Server && segment.kind == SegmentKind::Syn;
            if !dialing || session.facts().relay.iter().any(|note| note.value == RelayNote::Dialing)
            {
                return;
            }
            Input::Relay(RelayNote::Dialing)
        }
        Input::Counts { .. } => return,
        other => other,
    };
    session.feed(time, origin, input);
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
