//! `icmp-reject`: an ICMP error that quotes our SYN. RFC 792, RFC 1812 5.2.7, RFC 4443 3.1.

use std::net::IpAddr;

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::case::Case;
use crate::facts::Vantage;
use crate::input::{ConnectFailureKind, Leg, SegmentKind};

pub(super) const DETECTOR: Detector = Detector {
    id: "icmp-reject",
    kind: Kind::Definition,
    class: Class::Reachability,
    explains: &["clean-close-no-reason", "rst-genuine-"],
    remedy: "Ask the owner of the address that sent the ICMP message for the rule or route that rejects TCP to this port.",
    next: &[Next {
        what: "which hop answers",
        command: Some("tracert SERVER (Windows) or traceroute -T -p 3389 SERVER"),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let leg = facts.tcp.leg(Leg::Server);
    let last = leg.telling_attempt().filter(|_| !leg.opened.is_seen())?;
    let ConnectFailureKind::Icmp { kind, code, offender } = last.failure.kind else { return None };
    // Whoever had an answer from the host behind it was not rejected.
    if facts.is_traced() || leg.kept(SegmentKind::SynAck).next().is_some() {
        return None;
    }
    let meaning = meaning(kind, code, offender);
    let by =
        offender.map_or("an address the platform does not tell".to_owned(), |ip| ip.to_string());
    let from_server = offender.is_some() && offender == last.failure.to.map(|to| to.ip());
    let no_way = offender.is_some_and(|ip| is_no_way(ip, kind, code));
    let (party, band) = match (from_server, offender, facts.subject.vantage) {
        (_, None, _) => (Party::Unknown, Band::Weak),
        // A router says so of a host that is off and of an address that nobody has, too.
        (false, _, Vantage::Relay) if no_way => (Party::ServerNetwork, Band::Possible),
        (false, _, Vantage::Capture) if no_way => (Party::Network, Band::Possible),
        // A TCP host answers a closed port with RST: this is a filter on the server or before it.
        (true, ..) => (Party::Server, Band::Possible),
        (false, _, Vantage::Relay) => (Party::ServerNetwork, Band::High),
        (false, _, Vantage::Capture) => (Party::Network, Band::High),
    };
    let too_far = offender.is_some_and(|ip| is_time_exceeded(ip, kind));
    let says = match no_way {
        true if too_far => format!(
            "Packets to the host were on their way for too long: {by} answered \"{meaning}\". They may go round in a loop of routes."
        ),
        true => format!(
            "There is no way to the host: {by} answered \"{meaning}\". It is off, its address is wrong, or a route is missing."
        ),
        false => format!("The network refused the connection: {by} answered \"{meaning}\"."),
    };
    // TCP goes on after it. RFC 1122 4.2.3.9.
    let what = if too_far { Band::Probable } else { Band::Certain };
    Some(Opinion::new(what, says).party(party, band).supports(Evidence::at(
        last.at,
        format!("ICMP type {kind} code {code} ({meaning}) from {by}, quoting the SYN"),
    )))
}

/// A router found no route or no neighbour; a filter says something else. RFC 792, RFC 4443 3.1, 3.3.
fn is_no_way(offender: IpAddr, kind: u8, code: u8) -> bool {
    match offender {
        IpAddr::V4(_) => matches!((kind, code), (3, 0 | 1) | (11, 0)),
        IpAddr::V6(_) => matches!((kind, code), (1, 0 | 3) | (3, 0)),
    }
}

fn is_time_exceeded(offender: IpAddr, kind: u8) -> bool {
    kind == if offender.is_ipv4() { 11 } else { 3 }
}

fn meaning(kind: u8, code: u8, offender: Option<IpAddr>) -> &'static str {
    if offender.is_some_and(|ip| ip.is_ipv6()) {
        return match (kind, code) {
            (1, 0) => "no route to destination",
            (1, 1) => "administratively prohibited",
            (1, 3) => "address unreachable",
            (1, 4) => "port unreachable",
            (1, 5 | 6) => "rejected by policy or route",
            (3, 0) => "hop limit exceeded",
            _ => "destination unreachable",
        };
    }
    match (kind, code) {
        (3, 0) => "network unreachable",
        (3, 1) => "host unreachable",
        (3, 2) => "protocol unreachable",
        (3, 3) => "port unreachable",
        (3, 9) => "network administratively prohibited",
        (3, 10) => "host administratively prohibited",
        (3, 13) => "communication administratively prohibited",
        (11, 0) => "time to live exceeded in transit",
        _ => "destination unreachable",
    }
}
