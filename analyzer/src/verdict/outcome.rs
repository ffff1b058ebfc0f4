//! What became of a session.

use std::rc::Rc;

use super::Ranked;
use crate::case::Case;
use crate::detect::{Class, Kind};
use crate::facts::{Facts, InputEnd, LegFacts, Reached, Vantage};
use crate::input::{ConnectFailureKind, Direction, Leg, RelayNote, SegmentKind};
use crate::report::Outcome;
use crate::wire::first_bytes::FirstBytes;

/// True when the verdict may still be revised by a sibling: the session looks like a client that paused for its
/// user, or it broke after a pause, and how the next attempt fares tells whether both hosts are there.
pub fn awaits_sibling(facts: &Facts) -> bool {
    may_be_rehearsal(facts)
        || facts.ending().is_some()
            && facts.unanswered_after_pause().is_some_and(|silence| silence.is_long())
}

fn may_be_rehearsal(facts: &Facts) -> bool {
    facts.client_left().is_some()
        && facts.tls.is_established()
        && !facts.is_active()
        && facts.tls.fatal_alert(None).is_none()
        && facts.relay_fault().is_none()
}

pub(super) fn outcome(case: &Case<'_>, opinions: &[Rc<Ranked>]) -> Outcome {
    let facts = case.this;
    let left_for_the_next = |o: &Ranked| match o.row.id {
        "client-rehearsal-close" => true,
        "server-redirection" => o.is_seen(),
        _ => false,
    };
    if opinions.iter().any(|o| left_for_the_next(o)) {
        return Outcome::Rehearsal;
    }
    if facts.is_active() {
        return Outcome::Established;
    }
    // A refusal or stall that is seen for what it is needs no further proof.
    let stalls = |o: &Ranked| o.row.kind == Kind::Phenomenon && o.row.class == Class::Performance;
    let defined =
        opinions.iter().any(|o| o.is_seen() && (o.row.kind == Kind::Definition || stalls(o)));
    if defined {
        return Outcome::Failed;
    }
    if is_other_protocol(facts) || is_probe(facts) || facts.is_traced() {
        return Outcome::NotRdp;
    }
    if never_opened(facts) {
        return if facts.is_one_sided() || ends_while_dialing(facts) {
            Outcome::Unknown
        } else {
            Outcome::Failed
        };
    }
    let unseen = facts.reached().is_none()
        || facts.ending().is_none()
        || facts.input_ended == Some(InputEnd::Capture)
        || facts.is_one_sided()
        || facts.lacks_words()
        || facts.streams.iter().any(|stream| stream.gap);
    let alert = facts.tls.fatal_alert(None).is_some();
    if unseen && !alert { Outcome::Unknown } else { Outcome::Failed }
}

/// The client itself speaks something else.
fn is_other_protocol(facts: &Facts) -> bool {
    match facts.x224.first_bytes[Direction::ToServer.index()].value() {
        None => false,
        Some(FirstBytes::Tpkt | FirstBytes::Preconnection(_) | FirstBytes::ProxyProtocol) => {
            // TPKT that holds no Connection Request: ISO transport of something else.
            !facts.x224.request.is_seen() && facts.rdp.opaque[Direction::ToServer.index()]
        }
        Some(_) => true,
    }
}

fn never_opened(facts: &Facts) -> bool {
    let leg = facts.tcp.leg(Leg::Server);
    !leg.opened.is_seen() && !leg.attempts.is_empty()
}

/// The capture ends, or shows the client's data, while its SYNs had no answer: nothing failed yet.
fn ends_while_dialing(facts: &Facts) -> bool {
    let last = facts.tcp.leg(Leg::Server).telling_attempt();
    let silent = last.is_some_and(|last| last.failure.kind == ConnectFailureKind::NoAnswer);
    facts.subject.vantage == Vantage::Capture && silent
}

/// Connected and left without a byte, by its own will: a health check or port scanner.
fn is_probe(facts: &Facts) -> bool {
    let silent = facts.streams.iter().all(|stream| stream.bytes == 0 && !stream.gap);
    let left = facts.ending().is_some_and(|ending| ending.dir == Direction::ToServer);
    // A client that waited for a server which was not reached gave up; one that left at once asked for nothing.
    const AT_ONCE: std::time::Duration = std::time::Duration::from_secs(1);
    let answered = |leg: &LegFacts| leg.kept(SegmentKind::SynAck).next().is_some();
    // Routers had said that earlier SYNs were not to go so far: somebody looks at the path.
    let traced = |leg: &LegFacts| answered(leg) && !leg.attempts.is_empty();
    let opened = facts.tcp.legs().all(|(_, leg)| leg.opened.is_seen() || traced(leg));
    let unannounced = facts.relay.iter().any(|note| note.value == RelayNote::Unannounced);
    let at_once =
        facts.ending().is_some_and(|ending| ending.at.time.since(facts.subject.started) < AT_ONCE);
    let refused = facts.tcp.legs().any(|(_, leg)| !leg.attempts.is_empty() && !answered(leg));
    silent
        && left
        && (opened || unannounced || (at_once && !refused))
        && facts.reached().is_some_and(|(reached, _)| reached <= Reached::Tcp)
}
