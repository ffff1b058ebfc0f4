//! `tls-first-endpoint`: a service that starts with TLS and knows no X.224.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::case::Case;
use crate::input::Direction;
use crate::wire::first_bytes::FirstBytes;

pub(super) const DETECTOR: Detector = Detector {
    id: "tls-first-endpoint",
    kind: Kind::Definition,
    class: Class::Reachability,
    explains: &["clean-close-no-reason", "rst-genuine-", "tls-alert-", "truncated-tls"],
    remedy: "Connect to the Remote Desktop port itself; if this is an RD Gateway, enter it in the gateway settings of the client instead of as the computer.",
    next: &[Next {
        what: "which certificate the service shows",
        command: Some("openssl s_client -connect SERVER:PORT"),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let first = facts.x224.first_bytes[Direction::ToClient.index()].seen()?;
    // A client that itself starts with TLS makes a TLS answer correct.
    if first.value != FirstBytes::Tls || !facts.x224.request.is_seen() {
        return None;
    }
    Some(
        Opinion::new(
            Band::Certain,
            "The port speaks TLS from the first byte and knows no Remote Desktop negotiation: an RD Gateway, a web service or a TLS proxy, not a Remote Desktop host.",
        )
        .party(Party::Server, Band::Possible)
        .supports(Evidence::of(first, "the answer to the X.224 Connection Request is a TLS record")),
    )
}
