//! What two captures of one session say differently: streams, handshakes, and the segments that end a
//! connection. One was taken at the client's side, one at the server's; what left one end and what
//! arrived at the other is compared, never addresses or ports.

mod ends;
mod opening;
mod stream;

use crate::facts::Facts;
use crate::input::{Direction, Timestamp};
use crate::transcript::Transcript;
pub use crate::transcript::{Pause, Pdu};

pub use ends::Lone;
pub use opening::Opening;
pub use stream::{Difference, StreamDiff};

/// Which of two captures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one nearer to the client.
    Client,
    /// The one nearer to the server.
    Server,
}

impl Side {
    /// Both, the client's first.
    pub const BOTH: [Side; 2] = [Side::Client, Side::Server];

    /// 0 for [`Side::Client`], 1 for [`Side::Server`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The other one.
    pub fn other(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }

    /// Where what travels in a direction leaves its sender.
    pub fn of_sender(dir: Direction) -> Side {
        match dir {
            Direction::ToServer => Side::Client,
            Direction::ToClient => Side::Server,
        }
    }
}

/// What two captures of one session were put together by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The time and what was said, where no other session fits: perhaps another session.
    Time,
    /// The same cookie or token at the same time, on clocks that were compared or to the same address.
    Request,
    /// What the client drew at random: the random of its hello, its first sequence number.
    Random,
}

/// First and last packet of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Time of the first packet.
    pub first: Timestamp,
    /// Time of the last packet.
    pub last: Timestamp,
}

/// How the clocks of two captures stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The server's side minus the client's side, in ns.
    pub offset: i64,
    /// How far off that can be, in ns.
    pub error: u64,
}

impl Clock {
    /// Clocks that nothing compares are taken for the same, and trusted no further than this.
    pub const ASSUMED: Clock = Clock { offset: 0, error: 2_000_000_000 };

    /// A time of one capture, on the clock of the other.
    pub fn on_other(self, side: Side, time: Timestamp) -> Timestamp {
        match side {
            Side::Client => Timestamp(time.0.saturating_add_signed(self.offset)),
            Side::Server => Timestamp(time.0.saturating_add_signed(self.offset.saturating_neg())),
        }
    }

    /// Whether something at the client's side came before something at the server's side. `None` where
    /// the gap is no more than three times the error.
    pub fn is_before(self, client: Timestamp, server: Timestamp) -> Option<bool> {
        let client = self.on_other(Side::Client, client);
        let gap = client.0.abs_diff(server.0);
        (gap > self.error.saturating_mul(3)).then_some(client < server)
    }
}

impl Span {
    /// The capture was running at a time of its own clock: it holds packets before and after.
    pub fn covers(self, time: Timestamp, error: u64) -> bool {
        self.first.0.saturating_add(error) < time.0 && time.0.saturating_add(error) < self.last.0
    }
}

/// One capture's share of a session.
#[derive(Clone, Copy)]
pub struct Held<'a> {
    /// What is known of it there.
    pub facts: &'a Facts,
    /// Its bytes.
    pub transcript: &'a Transcript,
    /// When the capture ran.
    pub span: Span,
    /// The capture holds both senders of some connection between the two hosts: both directions pass it.
    pub both_ways: bool,
}

/// What two captures say differently of one session.
#[derive(Clone, Debug)]
pub struct Diff {
    /// The streams: to the server, to the client.
    pub streams: [StreamDiff; 2],
    /// The client's SYN, where both hold it.
    pub syn: Option<Opening>,
    /// The server's SYN-ACK, where both hold one.
    pub syn_ack: Option<Opening>,
    /// FINs and RSTs that one of them lacks.
    pub lone: Vec<Lone>,
    /// Each capture holds its own end's part of the connection whole.
    pub complete: [bool; 2],
    /// How their clocks stand, where that can be told.
    pub clock: Option<Clock>,
    /// When each capture ran.
    pub spans: [Span; 2],
    /// Each holds both senders of some connection between the two hosts. One that does not may show nothing of one
    /// direction.
    pub both_ways: [bool; 2],
    /// How sure it is that both hold one session.
    pub key: Key,
    /// The latest silences that data ended, as each sender's side holds them: the client's, the server's.
    pub pauses: [Vec<Pause>; 2],
}

impl Diff {
    /// Compares what the client's side and the server's side hold.
    pub fn of(held: [Held<'_>; 2], key: Key, clock: Option<Clock>) -> Diff {
        let streams = Direction::BOTH.map(|dir| StreamDiff::of(held, dir));
        let complete = Side::BOTH.map(|side| is_complete(held[side.index()]));
        Diff {
            syn: Opening::of(held.map(|held| held.facts), Direction::ToServer),
            syn_ack: Opening::of(held.map(|held| held.facts), Direction::ToClient),
            lone: ends::lone(held, complete, clock),
            streams,
            complete,
            clock,
            spans: held.map(|held| held.span),
            both_ways: held.map(|held| held.both_ways),
            key,
            pauses: held.map(|held| held.transcript.pauses().to_vec()),
        }
    }

    /// The stream of a direction.
    pub fn stream(&self, dir: Direction) -> &StreamDiff {
        &self.streams[dir.index()]
    }

    /// The silence of both sides after which nothing of a sender arrived any more, where the connection had
    /// outlived no longer one.
    pub fn pause_before_lost(&self, dir: Direction) -> Option<Pause> {
        let stream = self.stream(dir);
        let [_, arrived] = stream.sent_and_arrived(dir);
        let pauses = &self.pauses[Side::of_sender(dir).index()];
        let lost = |pause: &Pause| pause.dir == dir && pause.before == arrived;
        let at = pauses.iter().position(lost).filter(|_| stream.missing(dir) > 0)?;
        let (outlived, pause) = (&pauses[..at], pauses[at]);
        outlived.iter().all(|other| other.length < pause.length).then_some(pause)
    }

    /// A capture was running at a time of the other one.
    pub fn ran(&self, side: Side, other: Timestamp) -> bool {
        self.clock.is_some_and(|clock| {
            self.spans[side.index()].covers(clock.on_other(side.other(), other), clock.error)
        })
    }

    /// TCP ends between the two captures and begins anew: the numbers of both ends differ, and so does
    /// what no address translation touches.
    pub fn is_split(&self) -> bool {
        let other = |opening: &Option<Opening>| {
            opening.as_ref().is_some_and(|opening| !opening.same_isn && opening.is_another_stack())
        };
        other(&self.syn) && (self.syn_ack.is_none() || other(&self.syn_ack))
    }
}

/// The capture starts before the connection, holds both senders, and lacks nothing that was acknowledged. One sender
/// alone is whole where it only dialled, for who goes on was answered, and where the capture would show the other.
fn is_complete(held: Held<'_>) -> bool {
    let facts = held.facts;
    let leg = facts.tcp.leg(crate::input::Leg::Single);
    let lost = Direction::BOTH
        .iter()
        .any(|dir| stream::capture_lost(held, *dir) || facts.stream(*dir).gap_of_unknown_size);
    !facts.subject.starts_in_the_middle
        && !lost
        && leg.segments.len() < crate::facts::LegFacts::KEPT
        && (!facts.is_one_sided() || (facts.was_only_dialled() && held.both_ways))
}
