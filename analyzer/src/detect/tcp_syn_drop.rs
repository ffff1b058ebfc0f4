//! `tcp-syn-drop`: SYNs without any answer. RFC 9293 3.8.3.

use std::net::SocketAddr;
use std::time::Duration;

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::case::{Case, Summary};
use crate::facts::{Facts, LegFacts, Reached, Vantage};
use crate::input::{ConnectFailureKind, Direction, Leg, RelayNote};

pub(super) const DETECTOR: Detector = Detector {
    id: "tcp-syn-drop",
    kind: Kind::Definition,
    class: Class::Reachability,
    explains: &["clean-close-no-reason", "rst-genuine-"],
    remedy: "Check that the server is on, that its address is right, and that every firewall on the way (Windows Firewall profile, network security group, VPN) lets TCP to this port pass.",
    next: &[
        Next {
            what: "how far packets get",
            command: Some("tracert SERVER (Windows) or traceroute -T -p 3389 SERVER"),
        },
        Next {
            what: "whether the SYN arrives (on the server, read-only)",
            command: Some("pktmon start --capture --comp nics; pktmon stop"),
        },
    ],
    detect,
};

/// Three SYNs of the usual backoff fit in this time.
const SILENCE: Duration = Duration::from_secs(9);

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let leg = facts.tcp.leg(Leg::Server);
    let captured = facts.subject.vantage == Vantage::Capture;
    // A client that sends data has had a SYN-ACK, whatever a capture holds of it.
    if leg.opened.is_seen() || captured && facts.stream(Direction::ToServer).bytes > 0 {
        return None;
    }
    // A client that hears nothing repeats its SYN; one that does not may have heard what is not in the file.
    let lone = captured && leg.syns < 2;
    // Nor can the server be off for a client that reaches it meanwhile.
    let reached = |sibling: &&Summary| sibling.reached.is_some_and(|it| it >= Reached::Tcp);
    if lone && case.siblings.iter().copied().any(|sibling| reached(&sibling)) {
        return None;
    }
    let (evidence, to, band) = silence(facts, leg, lone)?;
    let to = to.map_or("the server".to_owned(), |to| to.to_string());
    let says = match (leg.telling_attempt(), facts.subject.server) {
        (None, None) => "The attempt to reach the server came to nothing: it is off, or a firewall drops the packets without a word.".to_owned(),
        _ => format!(
            "Nothing answered the attempt to reach {to}: it is off, or a firewall drops the packets without a word."
        ),
    };
    Some(
        Opinion::new(band, says)
            .party(Party::Unknown, Band::Weak)
            .supports(evidence)
            .unknown("whether the SYN or the answer was lost, and where"),
    )
}

/// The silence that tells, of whom, and how much it says; `None` where there is none.
fn silence(
    facts: &Facts,
    leg: &LegFacts,
    lone: bool,
) -> Option<(Evidence, Option<SocketAddr>, Band)> {
    let mut band = if lone { Band::Possible } else { Band::Probable };
    let (evidence, to) = match leg.telling_attempt() {
        // A capture may end, or a deadline of ours pass, before an answer could come.
        Some(last)
            if last.failure.kind == ConnectFailureKind::NoAnswer
                && (last.failure.after >= SILENCE || leg.syns >= 3) =>
        {
            let syns = last.failure.syns.map_or(String::new(), |syns| format!("{syns} SYNs, "));
            let seconds = last.failure.after.as_secs_f64();
            let fact = format!("{syns}no SYN-ACK, RST or ICMP within {seconds:.1} s");
            (Evidence::at(last.at, fact), last.failure.to)
        }
        // The system's own patience is set to less: an answer may have been on its way.
        Some(last) if gave_up_early(facts, &last.failure.kind) => {
            band = Band::Possible;
            let seconds = last.failure.after.as_secs_f64();
            let who = match facts.ending() {
                Some(ending) if ending.dir == Direction::ToServer => "client left",
                _ => "system gave up",
            };
            let fact = format!("the {who} without an answer after {seconds:.1} s");
            (Evidence::at(last.at, fact), last.failure.to)
        }
        // Our own kernel gave up: the address has no neighbour or no route.
        Some(last) if last.failure.kind.is_unreachable() && !last.failure.is_at_once() => {
            let seconds = last.failure.after.as_secs_f64();
            (
                Evidence::at(
                    last.at,
                    format!("no answer and no way to the address after {seconds:.1} s"),
                ),
                last.failure.to,
            )
        }
        Some(_) => return None,
        None => {
            let dialing = facts.relay.iter().find(|note| note.value == RelayNote::Dialing)?;
            let silent = facts.now.since(dialing.at.time);
            if silent < SILENCE {
                return None;
            }
            let seconds = silent.as_secs_f64();
            let fact = match facts.subject.server {
                Some(_) => format!("no SYN-ACK, RST or ICMP within {seconds:.1} s"),
                // One of its addresses may have refused.
                None => {
                    band = Band::Possible;
                    format!("no connection within {seconds:.1} s")
                }
            };
            (Evidence::of(dialing, fact), facts.subject.server)
        }
    };
    Some((evidence, to, band))
}

/// A relay's connect timed out, and no deadline of the relay did that.
fn gave_up_early(facts: &Facts, kind: &ConnectFailureKind) -> bool {
    *kind == ConnectFailureKind::NoAnswer
        && facts.subject.vantage == Vantage::Relay
        && facts.relay_fault().is_none()
}
