//! From flows to sessions: which flow feeds which, and who measures how long their turns take.

use std::collections::HashSet;

use rdpwhy_analyzer::facts::{Subject, Vantage};
use rdpwhy_analyzer::input::{Direction, Input, Leg, Origin, Timestamp};
use rdpwhy_analyzer::session::Session;
use rdpwhy_captures::dns::Answers;
use rdpwhy_captures::tcp::{FlowId, FlowInfo};

use super::recorded::Recorded;
use super::{Scope, is_reported};
use crate::latency::Measured;
use crate::record::facts::Comment;

/// The sessions of a capture, and which flow feeds which.
pub(super) struct Streams {
    /// By the flow's number.
    slots: Vec<Option<Slot>>,
    pub(super) sessions: Vec<Session>,
    pub(super) recorded: Recorded,
    /// What clients were told of names until now.
    pub(super) answers: Answers,
    /// Makes the session of a flow.
    make: fn(Subject) -> Session,
    scope: Scope,
    /// What more turns took than a session keeps.
    pub(super) measured: Measured,
}

/// What a flow's inputs feed.
#[derive(Clone, Copy, Debug)]
enum Slot {
    /// A session of its own.
    Single(usize),
    /// One leg of a recorded session.
    Leg(usize, Leg),
    /// A leg of a session that can not be told. Its packets are made up: nothing can be read from them alone.
    Nowhere,
}

impl Streams {
    /// None yet; `make` makes each.
    pub(super) fn new(scope: &Scope, make: fn(Subject) -> Session) -> Streams {
        Streams {
            slots: Vec::new(),
            sessions: Vec::new(),
            recorded: Recorded::default(),
            answers: Answers::default(),
            make,
            scope: scope.clone(),
            measured: Measured::default(),
        }
    }

    /// Takes the inputs of flows, with tag and comments of the packet that brings them.
    pub(super) fn sink(
        &mut self,
        tag: u8,
        comments: &[Comment],
    ) -> impl FnMut(FlowId, &FlowInfo, Timestamp, Origin, Input<'_>) {
        move |_, flow, time, origin, input| self.feed(flow, (tag, comments), time, origin, input)
    }

    /// Takes the next bytes of a flow, brought by a packet with this tag and without comments.
    #[inline]
    pub(super) fn bytes(
        &mut self,
        flow: &FlowInfo,
        tag: u8,
        time: Timestamp,
        origin: Origin,
        (dir, bytes): (Direction, &[u8]),
    ) {
        let Streams { slots, sessions, .. } = self;
        if let Some(Some(Slot::Single(at))) = slots.get(flow.id.0 as usize)
            && let Some(session) = sessions.get_mut(*at)
        {
            session.bytes(time, origin, dir, bytes);
            if session.facts().turns.are_full() {
                let at = *at;
                self.measure_turns(at);
            }
        } else {
            self.feed(flow, (tag, &[]), time, origin, Input::Data { dir, bytes });
        }
    }

    /// Takes an input of a flow, with tag and comments of the packet that brought it.
    fn feed(
        &mut self,
        flow: &FlowInfo,
        (tag, comments): (u8, &[Comment]),
        time: Timestamp,
        origin: Origin,
        input: Input<'_>,
    ) {
        let known = self.slots.get(flow.id.0 as usize).copied().flatten();
        match known.unwrap_or_else(|| self.open(flow, tag, comments)) {
            Slot::Single(at) => {
                self.sessions[at].feed(time, origin, input);
                self.measure_turns(at);
            }
            Slot::Nowhere => {}
            Slot::Leg(at, leg) => {
                let session = &mut self.sessions[at];
                self.recorded.feed((at, leg), session, flow, (time, origin), input, comments);
                self.measure_turns(at);
            }
        }
    }

    /// Takes the turns of a session that is reported, as soon as no more can be kept.
    fn measure_turns(&mut self, at: usize) {
        let session = &mut self.sessions[at];
        if self.scope.timed
            && session.facts().turns.are_full()
            && (self.scope.all || is_reported(session, &self.scope, &HashSet::new()))
        {
            self.measured.turns(session.facts());
            session.turns_taken();
        }
    }

    /// The first input of a flow: where do its inputs go?
    fn open(&mut self, flow: &FlowInfo, tag: u8, comments: &[Comment]) -> Slot {
        let Streams { slots, sessions, recorded, answers, make, .. } = self;
        let joined = match tag {
            0 => None,
            1 => Some(Slot::Leg(recorded.client_leg(flow, comments, sessions), Leg::Client)),
            _ => {
                let at = recorded.server_leg(flow, comments, sessions);
                Some(at.map_or(Slot::Nowhere, |at| Slot::Leg(at, Leg::Server)))
            }
        };
        let slot = joined.unwrap_or_else(|| {
            let mut session = make(subject(flow));
            // What was asked after a connection was made did not lead to it.
            let led = answers.latest(flow.client.ip(), flow.server.ip());
            if let Some(answer) = led.filter(|_| !flow.starts_in_the_middle) {
                session.set_resolved(answer.clone());
            }
            sessions.push(session);
            Slot::Single(sessions.len() - 1)
        });
        let at = flow.id.0 as usize;
        if slots.len() <= at {
            slots.resize(at + 1, None);
        }
        slots[at] = Some(slot);
        slot
    }
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
