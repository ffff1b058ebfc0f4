//! `syn-proxy-fake-open`: a box answers the handshake in the server's place. RFC 4987 3.5. A candidate
//! beside the load balancer without a host, until packets tell.

use super::opinion::{Band, Class, Detector, Evidence, Group, Kind, Opinion};
use super::who;
use crate::case::Case;
use crate::input::{ConnectFailureKind, Direction, Leg, SegmentKind};

pub(super) const DETECTOR: Detector = Detector {
    id: "syn-proxy-fake-open",
    kind: Kind::Cause,
    class: Class::Interference,
    explains: &["rst-genuine-server", "clean-close-no-reason", "rst-of-unclear-origin"],
    remedy: "Look behind the firewall that answers for the server (SYN proxy): an open port says nothing of the server itself.",
    next: &[],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let leg = facts.tcp.leg(Leg::Server);
    let last = leg.telling_attempt().filter(|_| !leg.opened.is_seen());
    let dropped =
        last.is_some_and(|last| last.failure.kind == ConnectFailureKind::ResetAfterSynAck);
    let silent = facts.stream(Direction::ToClient).bytes == 0;
    let answer = leg.kept(SegmentKind::SynAck).next();
    let later = leg.segments.iter().find(|seen| {
        seen.value.dir == Direction::ToClient && seen.value.kind != SegmentKind::SynAck
    });
    let other_ttl = answer.zip(later).filter(|(answer, later)| {
        answer.value.ttl.is_some()
            && later.value.ttl.is_some()
            && answer.value.ttl != later.value.ttl
    });
    if !silent || !(dropped || other_ttl.is_some()) {
        return None;
    }
    let mut opinion = Opinion::new(
        Band::Weak,
        "A firewall may answer the handshake in the server's place, and the server behind it does not answer.",
    )
    .party(who::network(facts, Direction::ToClient), Band::Probable);
    if let Some(last) = last.filter(|_| dropped) {
        opinion = opinion.supports(Evidence::at(
            last.at,
            "the handshake was answered and reset before any byte was sent",
        ));
    }
    Some(match other_ttl {
        Some((answer, later)) => opinion.weigh(Group::Ttl, 2.0).supports(Evidence::of(
            later,
            format!(
                "the SYN-ACK had TTL {}, what came behind it in the server's name {}",
                answer.value.ttl.unwrap_or_default(),
                later.value.ttl.unwrap_or_default()
            ),
        )),
        None => opinion
            .unknown("whether the answer came from the server: its packets were not captured"),
    })
}
