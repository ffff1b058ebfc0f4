//! What is known of TCP, per leg. RFC 9293.

use super::{Known, Seen};
use crate::event::At;
use crate::input::{
    Close, ConnectFailure, ConnectFailureKind, Direction, Leg, Origin, Segment, SegmentCounts,
    SegmentKind, TcpSample, Timestamp,
};

/// A captured session has one leg, a relayed one has two.
#[derive(Clone, Debug)]
pub enum TcpFacts {
    /// The single leg of a capture.
    One(Box<LegFacts>),
    /// Client leg and server leg of a relay.
    Two(Box<[LegFacts; 2]>),
}

impl TcpFacts {
    /// The leg that `leg` names; in a single capture there is only one.
    pub fn leg(&self, leg: Leg) -> &LegFacts {
        match (self, leg) {
            (TcpFacts::One(single), _) => single,
            (TcpFacts::Two(two), Leg::Server) => &two[1],
            (TcpFacts::Two(two), _) => &two[0],
        }
    }

    pub(super) fn leg_mut(&mut self, leg: Leg) -> &mut LegFacts {
        match (self, leg) {
            (TcpFacts::One(single), _) => single,
            (TcpFacts::Two(two), Leg::Server) => &mut two[1],
            (TcpFacts::Two(two), _) => &mut two[0],
        }
    }

    /// All legs with their names, the client's first.
    pub fn legs(&self) -> impl Iterator<Item = (Leg, &LegFacts)> {
        let (names, legs): (&[Leg], &[LegFacts]) = match self {
            TcpFacts::One(single) => (&[Leg::Single], std::slice::from_ref(single)),
            TcpFacts::Two(two) => (&[Leg::Client, Leg::Server], &two[..]),
        };
        names.iter().copied().zip(legs)
    }

    /// The first close by an outside party.
    pub fn ending(&self) -> Option<&Ending> {
        let endings = self.legs().filter_map(|(_, leg)| leg.ending.as_deref());
        endings.min_by_key(|ending| ending.order())
    }

    /// Stamps a close. Only the first one by an outside party is the session's end; a second one at
    /// the same instant on the other leg means that both had died before anything was propagated.
    pub(super) fn close(&mut self, ending: Ending, outside: bool) {
        let both = outside
            && self.ending().is_some_and(|first| {
                first.at.leg() != ending.at.leg() && first.at.time == ending.at.time
            });
        /// A peer that resets again and again says nothing new.
        const KEPT: usize = 16;
        let leg = self.leg_mut(ending.at.leg());
        if outside && leg.ending.is_none() {
            leg.ending = Some(Box::new(ending));
        }
        if leg.closes.len() < KEPT {
            leg.closes.push(ending);
        }
        if both && let TcpFacts::Two(two) = self {
            for leg in two.iter_mut() {
                if let Some(ending) = &mut leg.ending {
                    ending.both = true;
                }
            }
        }
    }
}

/// How a session ended, stamped before anything was propagated.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    /// When and on which leg.
    pub at: At,
    /// The direction the closing segment travelled: its sender's.
    pub dir: Direction,
    /// FIN, RST or an error.
    pub how: Close,
    /// Bytes that had passed to the server and to the client.
    pub after_bytes: [u64; 2],
    /// When the last of them passed, by direction.
    pub last: [Option<Timestamp>; 2],
    /// Both legs were dead when the first death was noticed.
    pub both: bool,
}

impl Ending {
    fn order(&self) -> (u64, usize) {
        (self.at.time.0, self.dir.index())
    }
}

/// A failed attempt to open a leg.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// When it failed.
    pub at: At,
    /// How.
    pub failure: ConnectFailure,
}

/// What is known of one TCP connection. What few of them have stands in a box: many are open at once.
#[derive(Clone, Debug, Default)]
pub struct LegFacts {
    /// The handshake completed; the time it took in ns where both of its ends were seen.
    pub opened: Known<Option<u64>>,
    /// Attempts that failed, in order.
    pub attempts: Vec<Attempt>,
    /// The first close by the outside party.
    pub ending: Option<Box<Ending>>,
    /// The closes, in order; bounded.
    pub closes: Vec<Ending>,
    /// The latest state of the relay's socket.
    pub socket: Option<Box<Seen<TcpSample>>>,
    counts: Option<Box<[SegmentCounts; 2]>>,
    /// SYN, SYN-ACK, FIN and RST segments, in order; bounded.
    pub segments: Vec<Seen<Segment>>,
    /// SYNs of the client, retransmissions included.
    pub syns: u32,
    zero_window: Option<Box<[ZeroWindow; 2]>>,
}

/// Zero windows announced by one side.
#[derive(Clone, Copy, Debug, Default)]
pub struct ZeroWindow {
    /// Since when the window is zero.
    pub since: Option<At>,
    /// The longest closed stretch, in ns, with its beginning.
    pub longest: Option<(At, u64)>,
}

impl ZeroWindow {
    fn note(&mut self, at: At, kind: SegmentKind) {
        if kind == SegmentKind::ZeroWindow {
            self.since.get_or_insert(at);
        } else if let Some(since) = self.since.take() {
            let stretch = at.time.since(since.time).as_nanos() as u64;
            if self.longest.is_none_or(|(_, longest)| stretch > longest) {
                self.longest = Some((since, stretch));
            }
        }
    }
}

impl LegFacts {
    /// How many segments are kept.
    pub const KEPT: usize = 32;

    /// Segments of one kind.
    pub fn kept(&self, kind: SegmentKind) -> impl Iterator<Item = &Seen<Segment>> {
        self.segments.iter().filter(move |segment| segment.value.kind == kind)
    }

    /// The failed attempt that tells most of all addresses tried: an answer before a silence, a silence before an
    /// error of the own system; of equals the latest.
    pub fn telling_attempt(&self) -> Option<&Attempt> {
        let rank = |attempt: &Attempt| match attempt.failure.kind {
            ConnectFailureKind::Refused
            | ConnectFailureKind::ResetAfterSynAck
            | ConnectFailureKind::Icmp { .. } => 2,
            ConnectFailureKind::NoAnswer => 1,
            ConnectFailureKind::NameNotFound(_)
            | ConnectFailureKind::NameUnanswered
            | ConnectFailureKind::Other(_) => 0,
        };
        // What an address said last counts for it.
        let later = |at: usize| self.attempts.get(at + 1..).unwrap_or_default().iter();
        let latest = |(at, attempt): &(usize, &Attempt)| {
            later(*at).all(|other| other.failure.to != attempt.failure.to)
        };
        let last_words = self.attempts.iter().enumerate().filter(latest);
        last_words.map(|(_, attempt)| attempt).max_by_key(|attempt| rank(attempt))
    }

    /// Running counts of a capture: client's segments, server's segments.
    pub fn counts(&self) -> Option<[SegmentCounts; 2]> {
        self.counts.as_deref().copied()
    }

    /// For how long this sender's window stood at zero.
    pub fn zero_window(&self, sender: Direction) -> ZeroWindow {
        self.zero_window.as_deref().map_or_else(ZeroWindow::default, |both| both[sender.index()])
    }

    /// Packets of it were captured; the one SYN that a socket keeps is none.
    pub(super) fn has_packets(&self) -> bool {
        let captured = |segment: &Seen<Segment>| segment.at.origin() != Origin::Socket;
        self.counts.is_some() || self.segments.iter().any(captured)
    }

    pub(super) fn count(&mut self, counts: [SegmentCounts; 2]) {
        match &mut self.counts {
            Some(known) => **known = counts,
            None => self.counts = Some(Box::new(counts)),
        }
    }

    pub(super) fn open(&mut self, at: At, took: Option<u64>) {
        self.opened.set(at, took);
    }

    /// Notes a failed attempt; of very many, the first ones and the latest.
    pub(super) fn fail(&mut self, attempt: Attempt) {
        const KEPT: usize = 32;
        if self.attempts.len() >= KEPT {
            self.attempts.pop();
        }
        self.attempts.push(attempt);
    }

    /// Takes back that this side's RST ended anything.
    pub(super) fn ignore_reset(&mut self, dir: Direction) {
        let by_reset = |ending: &Ending| ending.dir == dir && ending.how == Close::Rst;
        self.closes.retain(|close| !by_reset(close));
        if self.ending.as_deref().is_some_and(by_reset) {
            self.ending = self.closes.first().copied().map(Box::new);
        }
        self.segments
            .retain(|kept| kept.value.dir != dir || kept.value.kind != SegmentKind::AfterRst);
        for kept in &mut self.segments {
            if kept.value.dir == dir && kept.value.kind == SegmentKind::Rst {
                kept.value.kind = SegmentKind::IgnoredRst;
            }
        }
    }

    pub(super) fn sample(&mut self, at: At, value: TcpSample) {
        self.socket = Some(Box::new(Seen { value, at }));
    }

    pub(super) fn keep(&mut self, at: At, segment: Segment) {
        /// Windows that open and close leave room for what may come behind them.
        const WINDOWS: usize = 16;
        let most = match segment.kind {
            SegmentKind::ZeroWindow => WINDOWS,
            // Whoever reads what is kept must not take a window for shut that has opened.
            SegmentKind::WindowOpen if !self.keeps_open(segment.dir) => 0,
            _ => Self::KEPT,
        };
        if segment.kind == SegmentKind::Syn {
            self.syns += 1;
        } else if matches!(segment.kind, SegmentKind::ZeroWindow | SegmentKind::WindowOpen) {
            let both = self.zero_window.get_or_insert_default();
            both[segment.dir.index()].note(at, segment.kind);
        }
        if self.segments.len() < most {
            // Most connections have one or two.
            self.segments.reserve_exact(1);
            self.segments.push(Seen { value: segment, at });
        }
    }

    /// The latest window that is kept of this sender is one at zero.
    fn keeps_open(&self, sender: Direction) -> bool {
        let own = self.segments.iter().rev().filter(|kept| kept.value.dir == sender);
        let mut kinds = own.map(|kept| kept.value.kind);
        kinds.find(|kind| matches!(kind, SegmentKind::ZeroWindow | SegmentKind::WindowOpen))
            == Some(SegmentKind::ZeroWindow)
    }
}
