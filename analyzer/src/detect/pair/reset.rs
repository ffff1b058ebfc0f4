//! `rst-inpath-reject`, `rst-injected-toclient`, `rst-injected-toserver`, `idle-timeout-rst`, `lb-reset`: a
//! RST arrived that its apparent sender had not sent. RFC 9293 3.5.3.

use std::time::Duration;

use super::{BETWEEN, ENDS, proved};
use crate::case::Case;
use crate::detect::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion};
use crate::detect::who::sender;
use crate::diff::{Diff, Lone, Side};
use crate::facts::Facts;
use crate::input::{Direction, SegmentKind};

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
    detect: |case| forged(case, Shape::Both),
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
    /// After a long silence.
    Idle,
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
    if shape(case.this, server, diff, to_server, to_client) != wanted {
        return None;
    }
    let denied = [to_server, to_client].into_iter().flatten().any(|lone| lone.was_denied);
    let mut band = if denied { Band::Certain } else { Band::High };
    if wanted == Shape::Idle {
        // One silence makes no timeout.
        band = Band::Probable;
    }
    let mut opinion = proved(diff, band, says(wanted));
    opinion.supports.extend([to_client, to_server].into_iter().flatten().map(rst));
    opinion.supports.extend(circumstance(diff, wanted));
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

fn shape(
    client: &Facts,
    server: &Facts,
    diff: &Diff,
    to_server: Option<&Lone>,
    to_client: Option<&Lone>,
) -> Shape {
    /// No box forgets a connection sooner.
    const IDLE: Duration = Duration::from_secs(30);
    /// Who resets because of what was said does so at once.
    const AT_ONCE: Duration = Duration::from_secs(1);
    let facts = if to_client.is_some() { client } else { server };
    let Some(rst) = to_client.or(to_server) else { return Shape::Both };
    let at = rst.segment.at.time;
    let news = Direction::BOTH.into_iter().filter_map(|dir| facts.stream(dir).last);
    let since = news.map(|last| last.time).max().map_or(AT_ONCE, |last| at.since(last));
    let ended_pause = diff.pause.is_some_and(|pause| {
        rst.side == Side::Client && pause.length >= IDLE && at.since(pause.until) < AT_ONCE
    });
    if since >= IDLE || ended_pause {
        return Shape::Idle;
    }
    match (to_server, to_client) {
        (None, _) if diff.stream(Direction::ToServer).missing(Direction::ToServer) > 0 => {
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
        Shape::Both => {
            "A device between client and server reset the connection towards both ends; neither had ended it."
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

fn circumstance(diff: &Diff, shape: Shape) -> Option<Evidence> {
    let dir = Direction::ToServer;
    let [sent, arrived] = diff.stream(dir).sent_and_arrived(dir);
    match shape {
        Shape::Reject => Some(Evidence::absent(format!(
            "the client sent {sent} bytes, of which {arrived} arrived at the server's side"
        ))),
        Shape::Idle => diff.pause.map(|pause| {
            let seconds = pause.length.as_secs_f64();
            Evidence::absent(format!(
                "nobody had said anything for {seconds:.0} s before the last data"
            ))
        }),
        _ => None,
    }
}
