//! The report's part on TCP connections.

use super::community::community_id;
use crate::case::Case;
use crate::facts::{Facts, LegFacts, Seen, TcpFacts};
use crate::input::{ConnectFailure, ConnectFailureKind, Direction, Leg, Segment, SegmentKind};
use crate::report::{LegReport, Legs, ResetReport, TcpReport, Vantage};

pub(super) fn legs(facts: &Facts) -> Legs {
    let subject = &facts.subject;
    let report = |leg: &LegFacts, local, peer| leg_report(leg, local, peer);
    match &facts.tcp {
        TcpFacts::One(single) => Legs {
            single: Some(report(single, subject.server, Some(subject.client))),
            ..Legs::default()
        },
        TcpFacts::Two(two) => Legs {
            client: Some(report(&two[0], subject.relay[0], Some(facts.client_peer()))),
            server: Some(report(&two[1], subject.relay[1], subject.server)),
            single: None,
        },
    }
}

/// The other capture tells where the name leads that this one's session came by.
fn compares_names(case: &Case<'_>) -> bool {
    case.led_by().is_some_and(|(_, names)| !names.there.is_empty())
}

/// From where a connection was seen. A relay has packets only where every leg that opened has them.
pub(super) fn vantage(case: &Case<'_>) -> Vantage {
    let facts = case.this;
    let lacking = |(name, leg): (Leg, &LegFacts)| {
        (name == Leg::Client || leg.opened.is_seen()) && !facts.has_packets(name)
    };
    match &facts.tcp {
        _ if case.at_server().is_some() || compares_names(case) => Vantage::V6,
        TcpFacts::One(_) => Vantage::V1,
        TcpFacts::Two(_) if facts.tcp.legs().any(lacking) => Vantage::V2,
        TcpFacts::Two(_) => Vantage::V3,
    }
}

/// The contract's word for a leg.
pub(super) fn word(leg: Leg) -> &'static str {
    match leg {
        Leg::Client => "client",
        Leg::Server => "server",
        Leg::Single => "single",
    }
}

/// A failed attempt in words.
fn attempt(failure: &ConnectFailure) -> String {
    let to = failure.to.map_or(String::new(), |to| format!("{to} "));
    let ms = failure.after.as_secs_f64() * 1000.0;
    let how = match &failure.kind {
        ConnectFailureKind::Refused => "refused (RST)".to_owned(),
        ConnectFailureKind::Icmp { kind, code, offender } => {
            let by = offender.map_or(String::new(), |ip| format!(" from {ip}"));
            format!("rejected by ICMP type {kind} code {code}{by}")
        }
        ConnectFailureKind::NoAnswer => "no answer".to_owned(),
        ConnectFailureKind::ResetAfterSynAck => "answered and reset at once".to_owned(),
        ConnectFailureKind::NameNotFound(error) => format!("name not found: {error}"),
        ConnectFailureKind::NameUnanswered => "no answer to the name's lookup".to_owned(),
        ConnectFailureKind::Other(name) => name.clone(),
    };
    format!("{to}{how} after {ms:.1} ms")
}

fn leg_report(
    leg: &LegFacts,
    local: Option<std::net::SocketAddr>,
    peer: Option<std::net::SocketAddr>,
) -> LegReport {
    LegReport {
        local: local.map(|addr| addr.to_string()),
        peer: peer.map(|addr| addr.to_string()),
        community_id: local.zip(peer).map(|(a, b)| community_id(a, b)),
        attempts: leg.attempts.iter().map(|tried| attempt(&tried.failure)).collect(),
        tcp: tcp(leg),
    }
}

fn tcp(leg: &LegFacts) -> TcpReport {
    let [from_client, from_server] = leg.counts().map_or([None; 2], |counts| counts.map(Some));
    TcpReport {
        socket: leg.socket.as_ref().map_or_else(Default::default, |socket| socket.value),
        from_client,
        from_server,
        resets: leg.kept(SegmentKind::Rst).take(RESETS).map(|rst| reset(leg, rst)).collect(),
    }
}

/// RST segments listed of a leg.
const RESETS: usize = 8;

/// A RST beside what its sender's other segments were like, and how many of them came behind it.
fn reset(leg: &LegFacts, seen: &Seen<Segment>) -> ResetReport {
    let rst = &seen.value;
    let behind =
        |later: &&Seen<Segment>| later.value.dir == rst.dir && later.at.time >= seen.at.time;
    let from = match rst.dir {
        Direction::ToServer => "client",
        Direction::ToClient => "server",
    };
    ResetReport {
        from: from.to_owned(),
        ttl: rst.ttl,
        usual_ttl: rst.baseline.ttl.map(|(ttl, _)| ttl),
        earlier_segments: rst.baseline.ttl.map_or(0, |(_, of)| of),
        offset: rst.offset(),
        followed_by: leg.kept(SegmentKind::AfterRst).filter(behind).count(),
    }
}
