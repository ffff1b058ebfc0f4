//! `payload-trigger-drop`, `pmtu-blackhole-c2s`, `pmtu-blackhole-s2c`, `idle-timeout-silent`: a message left
//! one end again and again and never arrived at the other. Its size and the time before it tell which.

use std::time::Duration;

use super::{BETWEEN, ENDS, proved};
use crate::case::Case;
use crate::detect::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion};
use crate::detect::who::sender;
use crate::diff::{Diff, Side};
use crate::event::At;
use crate::facts::Facts;
use crate::input::{Direction, Leg, SegmentCounts, SegmentKind};

const EXPLAINS: &[&str] =
    &[ENDS[0], ENDS[1], ENDS[2], ENDS[3], ENDS[4], ENDS[5], ENDS[6], "tls-alert-"];

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

const SIZE: &[Next] = &[Next {
    what: "which packet size passes (don't fragment; lower it until it does)",
    command: Some("ping -f -l 1472 SERVER (Windows) or ping -M do -s 1472 SERVER"),
}];

/// Why a message does not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// For its content: larger ones pass, or it is so small that every path takes it.
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
    /// The largest segment that arrived.
    passed: u32,
    repeated: u32,
    /// Something of the same sender arrived after it.
    later: bool,
    idle: Option<Duration>,
}

/// Every path takes a segment of this size. RFC 9293 3.7.1.
const SMALL: u32 = 536;
/// Below this, tunnels seldom cut.
const LARGE: u32 = 1200;

fn dropped(case: &Case<'_>, dir: Direction, wanted: Why) -> Option<Opinion> {
    let (server, diff) = case.at_server()?;
    let lost = lost(case.this, server, diff, dir)?;
    let both = lost.size > lost.passed && lost.size > SMALL && lost.size < LARGE;
    let why = match (lost.idle, lost.size) {
        (Some(_), _) => Why::Idle,
        (None, size) if size <= lost.passed.max(SMALL) => Why::Content,
        _ => Why::Size,
    };
    if wanted != why && !(both && wanted != Why::Idle && lost.idle.is_none()) {
        return None;
    }
    let band = match (both, lost.later) {
        (true, _) => Band::Possible,
        (false, true) => Band::High,
        (false, false) => Band::Probable,
    };
    let opinion = proved(diff, band, says(&lost, dir, wanted)).supports(evidence(&lost, dir));
    let opinion = match wanted {
        Why::Idle => opinion.unknown("whether it happens at the same time without traffic again"),
        Why::Content => {
            opinion.unknown("whether a message of the same size and other content passes")
        }
        Why::Size => opinion.unknown("whether a smaller segment with the same content passes"),
    };
    Some(opinion.supports(size(&lost)))
}

fn lost(client: &Facts, server: &Facts, diff: &Diff, dir: Direction) -> Option<Lost> {
    /// Random loss does not take four copies of the same and nothing else.
    const COPIES: u32 = 3;
    const IDLE: Duration = Duration::from_secs(30);
    let side = Side::of_sender(dir);
    let (sender, receiver) = match side {
        Side::Client => (client, server),
        Side::Server => (server, client),
    };
    let stream = diff.stream(dir);
    let bytes = stream.missing(dir);
    let [_, arrived] = stream.sent_and_arrived(dir);
    let at = sender.stream(dir).last?;
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
    let idle = diff.pause.filter(|pause| {
        dir == Direction::ToServer
            && pause.dir == dir
            && pause.length >= IDLE
            && pause.until == at.time
    });
    Some(Lost {
        at,
        bytes,
        size: sent.largest.min(u32::try_from(bytes).unwrap_or(u32::MAX)),
        passed: got.largest,
        repeated: sent.repeated,
        later: got.behind_hole > 0 || ended.count() > 0,
        idle: idle.map(|pause| pause.length),
    })
}

fn counts(facts: &Facts, dir: Direction) -> Option<SegmentCounts> {
    Some(facts.tcp.leg(Leg::Single).counts?[dir.index()])
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
            "After {:.0} s without traffic nothing of the {from} passes any more: a device between has forgotten the connection.",
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
    Evidence::absent(format!(
        "segments of {} bytes at most passed in that direction, this one has up to {}",
        lost.passed, lost.size
    ))
}
