//! `name-not-found`: the server's name has no address.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::case::Case;
use crate::input::{ConnectFailureKind, Leg};

pub(super) const DETECTOR: Detector = Detector {
    id: "name-not-found",
    kind: Kind::Definition,
    class: Class::Reachability,
    explains: &["clean-close-no-reason", "rst-genuine-"],
    remedy: "Correct the name, or the DNS server or suffix that this machine uses; a VPN often brings its own.",
    next: &[Next { what: "what this machine resolves", command: Some("nslookup NAME") }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let leg = case.this.tcp.leg(Leg::Server);
    let last = leg.telling_attempt().filter(|_| !leg.opened.is_seen())?;
    let name = case.this.subject.server_name.as_deref().unwrap_or("the server's name");
    let (says, fact) = match &last.failure.kind {
        ConnectFailureKind::NameNotFound(error) => (
            format!(
                "The name {name} could not be resolved to an address, so no connection was tried."
            ),
            format!("resolving {name} failed: {error}"),
        ),
        kind if kind.is_unresolved() => (
            format!("No name server told an address of {name}, so no connection was tried."),
            match kind {
                ConnectFailureKind::Other(error) => format!("resolving {name} failed: {error}"),
                _ => {
                    let seconds = last.failure.after.as_secs_f64();
                    format!("resolving {name} had brought nothing after {seconds:.1} s")
                }
            },
        ),
        _ => return None,
    };
    Some(
        Opinion::new(Band::Certain, says)
            .party(Party::Unknown, Band::Weak)
            .supports(Evidence::at(last.at, fact)),
    )
}
