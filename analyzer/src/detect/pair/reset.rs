//! `rst-inpath-reject`, `rst-injected-toclient`, `rst-injected-toserver`, `idle-timeout-rst`, `lb-reset`: a
//! RST arrived that its apparent sender had not sent. RFC 9293 3.5.3.

use std::time::Duration;

use super::{BETWEEN, ENDS, capped, proved};
use crate::case::Case;
use crate::detect::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::detect::who::sender;
use crate::diff::{Diff, Lone, Pause, Side};
use crate::facts::Facts;
use crate::input::{Close, Direction, SegmentKind, Timestamp};

pub const INPATH_REJECT: Detector = Detector {
    id: "rst-inpath-reject",
    kind: Kind::Definition,
    class: Class::Interference,
    explains: ENDS,
    remedy: "Look for a rule on Remote Desktop in the firewalls between the two captures (application control \"ms-rdp\") and allow it.",
    next: BETWEEN,
    detect: |case| forged(case, Shape::Reject),
};

pub const TO_CLIENT: Detector = Detector {
    id: "rst-injected-toclient",
    kind: Kind::Definition,
    class: Class::Interference,
    explains: ENDS,
    remedy: "Look for an intrusion prevention system or a provider's filter between the two captures and allow the connection there.",
    next: BETWEEN,
    detect: |case| forged(case, Shape::ToClient),
};

pub const TO_SERVER: Detector = Detector {
    id: "rst-injected-toserver",
    kind: Kind::Definition,
    class: Class::Interference,
    explains: ENDS,
    remedy: TO_CLIENT.remedy,
    next: BETWEEN,
    detect: |case| forged(case, Shape::ToServer),
};

pub const IDLE_RST: Detector = Detector {
    id: "idle-timeout-rst",
    kind: Kind::Definition,
    class: Class::Interference,
    explains: ENDS,
    remedy: "Raise the idle timeout of the firewall or load balancer between, or let Remote Desktop send keep-alives more often than it (KeepAliveInterval).",
    next: &[Next {
        what: "whether the time without traffic is the same each time: let several sessions idle and compare",
        command: None,
    }],
    detect: |case| forged(case, Shape::Idle),
};

pub const LB_RESET: Detector = Detector {
    id: "lb-reset",
    kind: Kind::Definition,
    class: Class::Interference,
    explains: ENDS,
    remedy: "Look in the log of the load balancer or firewall between: failover, maintenance or a health probe that failed at that second.",
    next: &[Next { what: "whether other connections ended in the same second", command: None }],
    detect: |case| forged(case, Shape::Both).or_else(|| ended_between(case)),
};

/// A RST that its apparent sender did not send, or perhaps did not, and no more is known of it.
pub const UNCLEAR: Detector = Detector {
    id: "rst-of-unclear-origin",
    kind: Kind::Phenomenon,
    class: Class::Abort,
    explains: &["rst-genuine-"],
    remedy: "Find out who made the RST before anything is changed: capture at both ends from before the session until well after it.",
    next: BETWEEN,
    detect: |case| forged(case, Shape::Unclear).or_else(|| doubtful(case)),
};

/// What the forged RSTs of a session look like together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// To the client, and what the client had sent before never arrived.
    Reject,
    /// To the client alone, or right behind data.
    ToClient,
    /// To the server alone.
    ToServer,
    /// To the client, whose first words after a silence never arrived.
    Idle,
    /// The same, and those words may have been refused for what they say.
    Unclear,
    /// To both ends at once, in the middle of a session that neither had ended.
    Both,
}

fn forged(case: &Case<'_>, wanted: Shape) -> Option<Opinion> {
    let (server, diff) = case.at_server()?;
    // Where TCP ends in between, each part of it is closed by whoever ends it.
    if diff.is_split() {
        return None;
    }
    let [to_server, to_client] = Direction::BOTH.map(|dir| forged_to(diff, dir));
    let first = to_client.or(to_server)?;
    let shape = shape(case.this, server, diff, to_server, to_client);
    let open = shape == Shape::Unclear && matches!(wanted, Shape::Reject | Shape::Idle);
    if shape != wanted && !open {
        return None;
    }
    let denied = [to_server, to_client].into_iter().flatten().any(|lone| lone.was_denied);
    let band = match (wanted, denied) {
        _ if open => Band::Weak,
        // One silence makes no timeout, least of all a short one.
        (Shape::Idle, _) if silence(diff, first).is_some_and(|length| length < IDLE) => {
            Band::Possible
        }
        (Shape::Idle, _) => Band::Probable,
        (_, true) => Band::Certain,
        (_, false) => Band::High,
    };
    // That the network did it is sure, whatever for.
    let who = capped(diff, band.max(Band::High));
    let mut opinion = proved(diff, band, says(wanted)).party(Party::Network, who);
    opinion.supports.extend([to_client, to_server].into_iter().flatten().map(rst));
    opinion.supports.extend(circumstance(diff, first, wanted));
    // A close that came before it is the end.
    let before = case.this.ending().is_some_and(|ending| ending.at.time < first.segment.at.time);
    let ended = first.side == Side::Client && before;
    Some(if ended { opinion.only_a_fact() } else { opinion })
}

fn forged_to(diff: &Diff, dir: Direction) -> Option<&Lone> {
    diff.lone.iter().find(|lone| {
        let segment = &lone.segment.value;
        segment.kind == SegmentKind::Rst && segment.dir == dir && lone.is_forged()
    })
}

/// TCP ends in between, and what ends it closed both parts before either end did.
fn ended_between(case: &Case<'_>) -> Option<Opinion> {
    let (server, diff) = case.at_server().filter(|(_, diff)| diff.is_split())?;
    let mut opinion = proved(diff, Band::Probable, says(Shape::Both))
        .party(Party::Network, capped(diff, Band::High));
    for (facts, side) in [(case.this, Side::Client), (server, Side::Server)] {
        let ending = facts.ending().filter(|ending| !ending.both)?;
        let last =
            Direction::BOTH.into_iter().filter_map(|dir| facts.stream(dir).last).map(|at| at.time);
        // What closes after a long silence is a timeout.
        if last.max().is_some_and(|last| ending.at.time.since(last) >= IDLE) {
            return None;
        }
        let own = diff.lone.iter().find(|lone| {
            let segment = &lone.segment;
            lone.side == side
                && segment.value.dir == ending.dir
                && segment.at.time == ending.at.time
        })?;
        if !own.is_forged() {
            return None;
        }
        let fact = format!(
            "the first close at the {}'s side was not sent by the other end",
            sender(Direction::BOTH[side.index()])
        );
        opinion = opinion.supports(Evidence::of(&own.segment, fact).side(side));
    }
    Some(opinion)
}

/// The other capture lacks the RST that ended the session, and may have missed it.
fn doubtful(case: &Case<'_>) -> Option<Opinion> {
    let (_, diff) = case.at_server()?;
    let ending = case.this.ending().filter(|ending| ending.how == Close::Rst && !ending.both)?;
    let lone = diff.lone.iter().find(|lone| {
        let segment = &lone.segment.value;
        let is_end = segment.kind == SegmentKind::Rst && segment.dir == ending.dir;
        is_end && lone.side == Side::Client && !lone.is_forged() && !lone.is_lost()
    })?;
    if ending.dir == Direction::ToServer || diff.is_split() {
        return None;
    }
    let says = "A TCP reset in the server's name ended the connection, and the capture at the server's side does not hold it.";
    let opinion = Opinion::new(capped(diff, Band::High), says).party(Party::Unknown, Band::Weak);
    Some(opinion.supports(rst(lone)).unknown(
        "whether the capture at the server's side was still running: it holds nothing later",
    ))
}

/// Both captures tell whether the RST was its apparent sender's: what one alone may guess of it is outdone.
pub(super) fn is_judged(case: &Case<'_>) -> bool {
    let Some((_, diff)) = case.at_server().filter(|(_, diff)| !diff.is_split()) else {
        return false;
    };
    let held_by_both = case.this.ending().is_some_and(|ending| {
        let is_end = |lone: &Lone| {
            lone.segment.value.kind == SegmentKind::Rst && lone.segment.value.dir == ending.dir
        };
        ending.how == Close::Rst && !diff.lone.iter().any(is_end)
    });
    held_by_both || Direction::BOTH.into_iter().any(|dir| forged_to(diff, dir).is_some())
}

/// A shorter silence is a user who reads as well as a box that forgets.
const IDLE: Duration = Duration::from_secs(30);
/// Who resets because of what was said does so at once.
const AT_ONCE: Duration = Duration::from_secs(1);

/// How long nobody had spoken before the words that a RST to the client answered.
fn silence(diff: &Diff, rst: &Lone) -> Option<Duration> {
    let at = rst.segment.at.time;
    let answered = |pause: &&Pause| pause.until <= at && at.since(pause.until) < AT_ONCE;
    let lost = diff.pause_before_lost(Direction::ToServer);
    let mut long = diff.pauses[Side::Client.index()].iter().filter(|pause| pause.length >= IDLE);
    let pause = lost.as_ref().filter(answered).or_else(|| long.find(answered));
    pause.filter(|_| rst.side == Side::Client).map(|pause| pause.length)
}

/// Nobody had spoken for a while before the words that came right before this.
fn was_silent(diff: &Diff, at: Timestamp) -> bool {
    let recent = |pause: &Pause| pause.until <= at && at.since(pause.until) < AT_ONCE;
    diff.pauses[Side::Client.index()].iter().any(recent)
}

fn shape(
    client: &Facts,
    server: &Facts,
    diff: &Diff,
    to_server: Option<&Lone>,
    to_client: Option<&Lone>,
) -> Shape {
    let facts = if to_client.is_some() { client } else { server };
    let Some(rst) = to_client.or(to_server) else { return Shape::Both };
    let at = rst.segment.at.time;
    let news = Direction::BOTH.into_iter().filter_map(|dir| facts.stream(dir).last);
    let since = news.map(|last| last.time).max().map_or(AT_ONCE, |last| at.since(last));
    if since >= IDLE {
        return Shape::Idle;
    }
    // A filter that let one encrypted message pass sees nothing new in the next.
    let opaque = diff.stream(Direction::ToServer).is_opaque;
    match silence(diff, rst) {
        Some(length) if opaque || length >= IDLE => return Shape::Idle,
        Some(_) => return Shape::Unclear,
        None => {}
    }
    let held_back = diff.stream(Direction::ToServer).missing(Direction::ToServer) > 0;
    match (to_server, to_client) {
        (None, _) if held_back => Shape::Reject,
        // A box that only listens would have let the words pass that it resets both ends for. Behind a silence a
        // box that had forgotten the connection does the same, whatever the words.
        (Some(_), Some(_)) if held_back && since < AT_ONCE && !was_silent(diff, at) => {
            Shape::Reject
        }
        (Some(_), Some(_)) if since >= AT_ONCE => Shape::Both,
        (_, Some(_)) => Shape::ToClient,
        _ => Shape::ToServer,
    }
}

fn says(shape: Shape) -> &'static str {
    match shape {
        Shape::Reject => {
            "A device between client and server refused what the client sent: it held the message back and answered with a TCP reset in the server's name."
        }
        Shape::ToClient => {
            "A device between client and server cut the connection: it sent the client a TCP reset that the server never sent."
        }
        Shape::ToServer => {
            "A device between client and server cut the connection: it sent the server a TCP reset that the client never sent."
        }
        Shape::Idle => {
            "A device between client and server dropped the connection after a time without traffic and sent TCP resets that neither end had sent."
        }
        Shape::Unclear => {
            "A device between client and server answered the client's first words after a silence with a TCP reset in the server's name."
        }
        Shape::Both => {
            "A device between client and server ended the connection towards both ends; neither had ended it."
        }
    }
}

fn rst(lone: &Lone) -> Evidence {
    let segment = &lone.segment.value;
    let from = sender(segment.dir);
    let ttl = segment.ttl.map_or(String::new(), |ttl| format!(" with TTL {ttl}"));
    let fact =
        format!("a RST in the {from}'s name{ttl} that is not in the capture at the {from}'s side");
    Evidence::of(&lone.segment, fact).side(lone.side)
}

fn circumstance(diff: &Diff, first: &Lone, shape: Shape) -> Option<Evidence> {
    let dir = Direction::ToServer;
    let [sent, arrived] = diff.stream(dir).sent_and_arrived(dir);
    match shape {
        Shape::Reject => Some(Evidence::absent(format!(
            "the client sent {sent} bytes, of which {arrived} arrived at the server's side"
        ))),
        Shape::Idle | Shape::Unclear => silence(diff, first).map(|length| {
            let seconds = length.as_secs_f64();
            Evidence::absent(format!(
                "nobody had said anything for {seconds:.1} s before the words that were answered so"
            ))
        }),
        _ => None,
    }
}
