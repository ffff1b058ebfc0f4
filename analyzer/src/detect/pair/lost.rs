//! `transmission-stalled`: a message left one end again and again and never arrived at the other. Its size,
//! the time before it, what came behind it and what a filter could see in it tell which of
//! `payload-trigger-drop`, `pmtu-blackhole-c2s`, `pmtu-blackhole-s2c`, `idle-timeout-silent` it may be.

use std::time::Duration;

use super::{BETWEEN, ENDS, capped, proved};
use crate::case::Case;
use crate::detect::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::detect::transmission_stalled;
use crate::detect::who::sender;
use crate::diff::{Diff, Side};
use crate::event::At;
use crate::facts::{Facts, Seen};
use crate::input::{Direction, Leg, Segment, SegmentCounts, SegmentKind};

const EXPLAINS: &[&str] = &[
    "transmission-stalled",
    "unanswered-turn",
    ENDS[0],
    ENDS[1],
    ENDS[2],
    ENDS[3],
    ENDS[4],
    ENDS[5],
    ENDS[6],
    "tls-alert-",
];

pub const TRIGGER_DROP: Detector = Detector {
    id: "payload-trigger-drop",
    kind: Kind::Definition,
    class: Class::Interference,
    explains: EXPLAINS,
    remedy: "Look for a rule that inspects content (application control, intrusion prevention, DPI) on the devices between the two captures and exempt the port from it.",
    next: BETWEEN,
    detect: |case| Direction::BOTH.into_iter().find_map(|dir| dropped(case, dir, Why::Content)),
};

pub const BLACKHOLE_C2S: Detector = Detector {
    id: "pmtu-blackhole-c2s",
    kind: Kind::Definition,
    class: Class::Interference,
    explains: EXPLAINS,
    remedy: "Let ICMP \"fragmentation needed\" (IPv6: \"packet too big\") pass, or clamp the MSS on the VPN or tunnel between; lower the MTU of the adapter to test it.",
    next: SIZE,
    detect: |case| dropped(case, Direction::ToServer, Why::Size),
};

pub const BLACKHOLE_S2C: Detector = Detector {
    id: "pmtu-blackhole-s2c",
    kind: Kind::Definition,
    class: Class::Interference,
    explains: EXPLAINS,
    remedy: BLACKHOLE_C2S.remedy,
    next: SIZE,
    detect: |case| dropped(case, Direction::ToClient, Why::Size),
};

pub const IDLE_SILENT: Detector = Detector {
    id: "idle-timeout-silent",
    kind: Kind::Definition,
    class: Class::Interference,
    explains: EXPLAINS,
    remedy: super::reset::IDLE_RST.remedy,
    next: super::reset::IDLE_RST.next,
    detect: |case| Direction::BOTH.into_iter().find_map(|dir| dropped(case, dir, Why::Idle)),
};

/// What is seen, whichever of them it is.
pub const STALLED: Detector = Detector {
    explains: EXPLAINS,
    next: &[SIZE[0], BETWEEN[0]],
    detect: |case| Direction::BOTH.into_iter().find_map(|dir| stalled(case, dir)),
    ..transmission_stalled::DETECTOR
};

const SIZE: &[Next] = &[Next {
    what: "which packet size passes (don't fragment; lower it until it does)",
    command: Some("ping -f -l 1472 SERVER (Windows) or ping -M do -s 1472 SERVER"),
}];

/// Why a message does not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// For its content.
    Content,
    /// For its size: no segment as large has passed.
    Size,
    /// Because the connection was forgotten in a silence.
    Idle,
}

/// A message that left its sender and never arrived.
struct Lost {
    /// Where the sender's side holds it.
    at: At,
    bytes: u64,
    /// The largest segment it can have stood in.
    size: u32,
    /// The largest segment that arrived, or that every path takes.
    passed: u32,
    repeated: u32,
    /// Data that stood behind it arrived.
    tail: bool,
    /// Something of the same sender arrived after it.
    later: bool,
    /// It is encrypted, and such a message had arrived before.
    opaque: bool,
    idle: Option<Duration>,
    /// The server sent it.
    is_answer: bool,
}

/// The least MTU in use, less IPv4 and TCP headers with timestamps. RFC 1191 7.1.
const SMALLEST: u32 = 296 - 52;
/// The least MTU of IPv6, less headers. RFC 8200 5.
const SMALLEST_V6: u32 = 1280 - 72;
/// What every host takes: seldom does a path take less. RFC 9293 3.7.1.
const USUAL: u32 = 536;
/// Above this, tunnels cut.
const LARGE: u32 = 1200;
/// No user thinks so long before a prompt as a rule, and no usual firewall forgets sooner.
const LONG: Duration = Duration::from_secs(30);

impl Lost {
    fn may_be(&self, why: Why) -> bool {
        match why {
            Why::Size => self.size > self.passed,
            // What is forgotten lets nothing pass any more.
            Why::Idle => self.idle.is_some() && !self.later,
            // A filter that let one encrypted message pass sees nothing new in the next.
            Why::Content => !self.opaque || !self.may_be(Why::Size) && !self.may_be(Why::Idle),
        }
    }

    /// How sure it is to be one of them; `None` where it can not be.
    fn band(&self, why: Why) -> Option<Band> {
        if !self.may_be(why) {
            return None;
        }
        let all = [Why::Content, Why::Size, Why::Idle];
        let alone = all.into_iter().all(|other| other == why || !self.may_be(other));
        let long = self.idle.is_some_and(|idle| idle >= LONG);
        Some(match why {
            Why::Size if self.tail && alone => Band::High,
            Why::Size if self.tail || alone => Band::Probable,
            // Filters look at what a client asks for, and hardly at a server's answer.
            Why::Size if self.is_answer && self.size >= LARGE => Band::Possible,
            Why::Idle if long && (alone || self.size <= self.passed.max(USUAL)) => Band::Probable,
            Why::Idle if alone => Band::Possible,
            Why::Content if alone && !self.opaque && self.later => Band::High,
            Why::Content if alone && !self.opaque => Band::Probable,
            _ => Band::Weak,
        })
    }
}

fn dropped(case: &Case<'_>, dir: Direction, why: Why) -> Option<Opinion> {
    let (server, diff) = case.at_server()?;
    let lost = lost(case.this, server, diff, dir)?;
    let opinion = proved(diff, lost.band(why)?, says(&lost, dir, why))
        .party(Party::Network, capped(diff, Band::High));
    let mut opinion = opinion.supports(evidence(&lost, dir)).supports(size(&lost));
    if why == Why::Idle {
        opinion =
            opinion.unknown("whether other connections passed then, or the way itself was gone");
    }
    Some(opinion.unknown(match why {
        Why::Idle => "whether it happens at the same time without traffic again",
        Why::Content => "whether a message of the same size and other content passes",
        Why::Size => "whether a smaller segment with the same content passes",
    }))
}

fn stalled(case: &Case<'_>, dir: Direction) -> Option<Opinion> {
    let (server, diff) = case.at_server()?;
    let lost = lost(case.this, server, diff, dir)?;
    let from = sender(dir);
    let says = format!(
        "A message of the {from} is lost on its way: it left the {from}'s side {} times and never arrived at the other.",
        lost.repeated + 1
    );
    Some(
        proved(diff, Band::High, says)
            .supports(evidence(&lost, dir))
            .supports(size(&lost))
            .unknown("whether it is lost for its size, for its content or after a silence"),
    )
}

/// Both captures tell that a message was lost between them, and which way it went: what one alone may guess
/// of it is outdone.
pub(super) fn judged(case: &Case<'_>) -> Option<Direction> {
    let (server, diff) = case.at_server()?;
    let found = |dir: &Direction| lost(case.this, server, diff, *dir).is_some();
    Direction::BOTH.into_iter().find(found)
}

fn lost(client: &Facts, server: &Facts, diff: &Diff, dir: Direction) -> Option<Lost> {
    /// Random loss does not take four copies of the same and nothing else.
    const COPIES: u32 = 3;
    let side = Side::of_sender(dir);
    let (sender, receiver) = match side {
        Side::Client => (client, server),
        Side::Server => (server, client),
    };
    let stream = diff.stream(dir);
    let bytes = stream.missing(dir);
    let [_, arrived] = stream.sent_and_arrived(dir);
    let at = sender.stream(dir).last?;
    let most = largest([client, server]);
    let (sent, got) = (counts(sender, dir)?, counts(receiver, dir)?);
    // What was acknowledged to its sender did arrive somewhere: TCP ends in between.
    let accepted = stream.acknowledged[side.index()].is_some_and(|acked| acked > arrived);
    let watched = diff.complete.iter().all(|complete| *complete) && diff.ran(side.other(), at.time);
    if bytes == 0
        || accepted
        || !watched
        || sent.repeated < COPIES
        || was_over(receiver, diff, side, at)
    {
        return None;
    }
    let ends = receiver.tcp.leg(Leg::Single).segments.iter();
    let ended = ends.filter(|seen| {
        seen.value.dir == dir && matches!(seen.value.kind, SegmentKind::Fin | SegmentKind::Rst)
    });
    Some(Lost {
        at,
        bytes,
        size: sent.largest.min(u32::try_from(bytes).unwrap_or(u32::MAX)).min(most),
        passed: got.largest.max(smallest([client, server])).min(most),
        repeated: sent.repeated,
        tail: got.behind_hole > 0,
        later: got.behind_hole > 0 || ended.count() > 0,
        opaque: stream.is_opaque,
        idle: diff.pause_before_lost(dir).map(|pause| pause.length),
        is_answer: dir == Direction::ToClient,
    })
}

/// The payload of the largest packet that the ends agreed on. A capture at a sender may hold what its network card cuts
/// into several. RFC 9293 3.7.1.
fn largest(ends: [&Facts; 2]) -> u32 {
    let opening = |segment: &&Seen<Segment>| {
        matches!(segment.value.kind, SegmentKind::Syn | SegmentKind::SynAck)
    };
    let openings = ends.into_iter().flat_map(|facts| &facts.tcp.leg(Leg::Single).segments);
    let told =
        openings.filter(opening).filter_map(|seen| match seen.value.option(Segment::MSS)? {
            [high, low] => Some(u32::from(u16::from_be_bytes([*high, *low]))),
            _ => None,
        });
    told.min().unwrap_or(u32::MAX)
}

/// The payload that every path between these ends takes.
fn smallest(ends: [&Facts; 2]) -> u32 {
    let v6 = |facts: &Facts| facts.subject.server.is_some_and(|server| server.is_ipv6());
    if ends.into_iter().all(v6) { SMALLEST_V6 } else { SMALLEST }
}

fn counts(facts: &Facts, dir: Direction) -> Option<SegmentCounts> {
    Some(facts.tcp.leg(Leg::Single).counts()?[dir.index()])
}

/// The receiver's end was closed before the message could arrive.
fn was_over(receiver: &Facts, diff: &Diff, sender: Side, at: At) -> bool {
    let Some(clock) = diff.clock else { return true };
    let sent = clock.on_other(sender, at.time);
    receiver.ending().is_some_and(|ending| {
        ending.dir == Direction::BOTH[1 - sender.index()]
            && ending.at.time.0 <= sent.0 + clock.error
    })
}

fn says(lost: &Lost, dir: Direction, why: Why) -> String {
    let from = sender(dir);
    match why {
        Why::Content => format!(
            "A message of the {from} is dropped on its way: it left the {from}'s side {} times and never arrived, although its size is no reason.",
            lost.repeated + 1
        ),
        Why::Size => format!(
            "Large packets of the {from} are lost on their way while small ones pass: a hop takes less than the ends believe and does not say so."
        ),
        Why::Idle => format!(
            "After {:.0} s without traffic nothing of the {from} passes any more: a device between may have forgotten the connection.",
            lost.idle.unwrap_or_default().as_secs_f64()
        ),
    }
}

fn evidence(lost: &Lost, dir: Direction) -> Evidence {
    let fact = format!(
        "{} bytes left the {}'s side {} times and are not in the other capture",
        lost.bytes,
        sender(dir),
        lost.repeated + 1
    );
    Evidence::at(lost.at, fact).side(Side::of_sender(dir))
}

fn size(lost: &Lost) -> Evidence {
    let fact = match lost.size > lost.passed {
        true => format!(
            "segments of {} bytes pass in that direction, this one has up to {}",
            lost.passed, lost.size
        ),
        false => format!("its {} bytes are no more than what passes", lost.size),
    };
    Evidence::absent(match lost.idle {
        Some(idle) => {
            format!("{fact}; nobody had said anything for {:.1} s before", idle.as_secs_f64())
        }
        None => fact,
    })
}
