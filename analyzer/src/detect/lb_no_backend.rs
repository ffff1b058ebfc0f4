//! `lb-no-backend`: TCP is accepted and dropped before X.224: a forwarder, tunnel or load balancer
//! with nothing behind it. One shape with several causes: a candidate.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use super::who;
use crate::case::Case;
use crate::event::At;
use crate::facts::{Ending, Facts};
use crate::input::{Close, ConnectFailureKind, Direction, Leg};
use crate::wire::x224::Protocols;

pub(super) const DETECTOR: Detector = Detector {
    id: "lb-no-backend",
    kind: Kind::Cause,
    class: Class::Reachability,
    explains: &["clean-close-no-reason", "rst-genuine-server", "rst-of-unclear-origin"],
    remedy: "Check what stands at that address: a load balancer's health probe and pool, a container's or tunnel's port forwarding, a NAT rule. Its target is down or wrong.",
    next: &[Next {
        what: "whether the host itself answers: the same from beside it, past the forwarder",
        command: Some("rdpwhy proxy --once --upstream HOST-BEHIND-THE-FORWARDER"),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let leg = facts.tcp.leg(Leg::Server);
    if let Some(last) = leg.telling_attempt().filter(|_| !leg.opened.is_seen())
        && last.failure.kind == ConnectFailureKind::ResetAfterSynAck
    {
        return Some(
            Opinion::new(Band::Weak, "Something accepts connections at that address and drops them at once: a load balancer or SYN proxy whose host does not answer.")
                .party(who::network(facts, Direction::ToClient), Band::Possible)
                .supports(Evidence::at(last.at, "the handshake was answered and reset before any byte was sent")),
        );
    }
    let Dropped { since, ms, ending } = dropped(facts)?;
    let opinion = Opinion::new(
        Band::Weak,
        "What accepted the connection may be a forwarder, tunnel or load balancer with no Remote Desktop host behind it.",
    )
    .party(Party::Unknown, Band::Weak)
    .supports(who::ended(ending))
    .supports(Evidence::at(since, format!("accepted, and closed {ms:.1} ms later without a single byte")))
    .unknown("whether the host behind it saw the connection");
    // xrdp hangs up without a word on masks it does not know.
    let requested = facts.x224.requested().unwrap_or(Protocols::RDP);
    let unusual = requested.intersects(Protocols(Protocols::RDSTLS.0 | Protocols::RDSAAD.0));
    Some(if unusual {
        opinion.contradicts(Evidence::absent(format!(
            "some servers hang up on a request for {requested}"
        )))
    } else {
        opinion
    })
}

/// A connection that was accepted and ended by who accepted it, at once and without a byte.
pub(super) struct Dropped<'a> {
    /// When its end was due: since it was accepted, or asked for something.
    pub(super) since: At,
    /// How long it took from there, in milliseconds.
    pub(super) ms: f64,
    /// How it ended.
    pub(super) ending: &'a Ending,
}

/// The session as such a connection, if it is one.
pub(super) fn dropped(facts: &Facts) -> Option<Dropped<'_>> {
    let ending =
        facts.ending().filter(|ending| ending.dir == Direction::ToClient && !ending.both)?;
    let opened = facts.tcp.leg(Leg::Server).opened.seen()?;
    if facts.stream(Direction::ToClient).bytes > 0 {
        return None;
    }
    // A request that crosses the end did not bring it about.
    let request = facts.x224.request.seen().filter(|request| !ending.at.is_before(request.at));
    let since = request.map_or(opened.at, |request| request.at);
    let ms = ending.at.time.since(since.time).as_secs_f64() * 1000.0;
    /// Slower ends are a service's own doing.
    const AT_ONCE_MS: f64 = 2000.0;
    if ms > AT_ONCE_MS || matches!(ending.how, Close::Error(_)) {
        return None;
    }
    Some(Dropped { since, ms, ending })
}
