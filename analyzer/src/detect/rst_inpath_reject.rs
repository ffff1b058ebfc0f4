//! `rst-inpath-reject`: a firewall drops what a side said and answers it with a RST in the other's name.

use super::battery;
use super::opinion::{Band, Class, Detector, Evidence, Group, Kind, Next, Opinion};
use super::who;
use crate::case::Case;
use crate::facts::{Facts, Seen};
use crate::input::{Close, Direction, Leg, Segment, SegmentKind};

pub(super) const DETECTOR: Detector = Detector {
    id: "rst-inpath-reject",
    kind: Kind::Cause,
    class: Class::Interference,
    explains: &["rst-genuine-server", "rst-injected-toclient", "rst-of-unclear-origin"],
    remedy: "Look for an application rule on the firewall in front of the server that rejects Remote Desktop (ms-rdp), and allow it for this client.",
    next: &[Next {
        what: "whether the rejected packet reaches the server: capture at both ends and compare",
        command: Some("rdpwhy analyze --client-side A.pcapng --server-side B.pcapng"),
    }],
    detect,
};

/// A box that rejects ends the connection at once.
const AT_ONCE_MS: f64 = 2000.0;

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let dir = Direction::ToClient;
    let ending = facts
        .ending()
        .filter(|ending| ending.dir == dir && ending.how == Close::Rst && !ending.both)?;
    // What the client says behind the RST, before it has heard of it, was not answered by it.
    let asked = ending.last[Direction::ToServer.index()]?;
    let ms = ending.at.time.since(asked).as_secs_f64() * 1000.0;
    if ms > AT_ONCE_MS || facts.is_active() {
        return None;
    }
    let says = format!(
        "A firewall in front of the server may have rejected what the client said{}.",
        who::step(facts)
    );
    let opinion = Opinion::new(Band::Weak, says).party(who::network(facts, dir), Band::Probable);
    match battery::first_reset(facts, dir) {
        Some(rst) => in_packets(facts, rst, opinion),
        None => in_socket(facts, opinion),
    }
}

/// The RST acknowledges what the server itself never did, and the server says nothing more.
fn in_packets(facts: &Facts, rst: &Seen<Segment>, opinion: Opinion) -> Option<Opinion> {
    let leg = facts.tcp.leg(rst.value.leg);
    let went_on = leg
        .kept(SegmentKind::AfterRst)
        .any(|seen| seen.value.dir == rst.value.dir && seen.value.len > 0);
    let counts = leg.counts()?[Direction::ToServer.index()];
    let unheard = counts.acknowledged.is_some_and(|acknowledged| acknowledged < counts.bytes);
    let tests = battery::of(facts, rst);
    let foreign = tests.forged.iter().any(|test| test.group == Group::Ttl);
    if went_on || !unheard || !foreign {
        return None;
    }
    let control = tests.control();
    let opinion = tests.argue(opinion).weigh(Group::Counters, 0.7).supports(Evidence::of(
        rst,
        "what the client said last was not acknowledged by the server's own segments",
    ));
    Some(opinion.control(control).unknown("whether the server saw the rejected packet"))
}

/// A relay sees only that what it had sent was not acknowledged when the RST came.
fn in_socket(facts: &Facts, opinion: Opinion) -> Option<Opinion> {
    let socket = facts.tcp.leg(Leg::Server).socket.as_ref()?;
    let unacknowledged = socket.value.unacked? > 0;
    unacknowledged.then(|| {
        opinion
            .supports(Evidence::of(
                socket,
                "what was sent last had not been acknowledged when the RST came",
            ))
            .unknown(
                "whether the RST came from the server: its packets were not captured (--packets)",
            )
    })
}
