//! `connect-error`: the system could not make the connection to the server, by an error that is neither a
//! refusal nor a silence: no descriptor, no address of that family, a local rule.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::case::Case;
use crate::input::{ConnectFailureKind, Leg};

pub(super) const DETECTOR: Detector = Detector {
    id: "connect-error",
    kind: Kind::Phenomenon,
    class: Class::Reachability,
    explains: &["clean-close-no-reason", "rst-genuine-"],
    remedy: "Look the error up for the system that the connection was made from: its limits, its routes and its own firewall come first.",
    next: &[Next {
        what: "whether another program on the same machine reaches the port",
        command: Some("Test-NetConnection SERVER -Port 3389"),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    // What the relay itself lacks is told as its own fault.
    if case.this.relay_fault().is_some() {
        return None;
    }
    let leg = case.this.tcp.leg(Leg::Server);
    let last = leg.telling_attempt().filter(|_| !leg.opened.is_seen())?;
    let kind = &last.failure.kind;
    let ConnectFailureKind::Other(error) = kind else { return None };
    // A neighbour that does not answer takes seconds; a route that is not there, none.
    if kind.is_unreachable() && !last.failure.is_at_once() || kind.is_unresolved() {
        return None;
    }
    let to = last.failure.to.map_or("the server".to_owned(), |to| to.to_string());
    Some(
        Opinion::new(
            Band::High,
            format!("No connection to {to} could be made: the system says {error}."),
        )
        .party(Party::Unknown, Band::Weak)
        .supports(Evidence::at(
            last.at,
            format!("connecting to {to} failed with {error}, without a RST or ICMP"),
        )),
    )
}
