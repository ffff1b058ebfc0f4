//! `non-rdp-endpoint`: another protocol where RDP was expected.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::case::Case;
use crate::input::Direction;
use crate::wire::first_bytes::FirstBytes;

pub(super) const DETECTOR: Detector = Detector {
    id: "non-rdp-endpoint",
    kind: Kind::Definition,
    class: Class::Reachability,
    explains: &["clean-close-no-reason", "rst-genuine-", "truncated-tls"],
    remedy: "Check the port number, the NAT or port forwarding rule and the load balancer's target: they lead to another service.",
    next: &[Next {
        what: "what the port is forwarded to (on the server)",
        command: Some("Get-NetTCPConnection -LocalPort 3389 -State Listen | Select OwningProcess"),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let first = facts.x224.first_bytes[Direction::ToClient.index()].seen()?;
    // Another client that gets its own protocol's answer is no failure of RDP.
    if !facts.may_ask() {
        return None;
    }
    match first.value {
        FirstBytes::Tpkt | FirstBytes::Tls | FirstBytes::HttpResponse { .. } => return None,
        // Bytes nobody knows, cut short or with holes, prove nothing.
        FirstBytes::Unknown if facts.stream(Direction::ToClient).gap => return None,
        _ => {}
    }
    let name = first.value.name();
    Some(
        Opinion::new(
            Band::Certain,
            format!("The port speaks {name}, not Remote Desktop: it leads to the wrong service."),
        )
        .party(Party::Server, Band::Possible)
        .supports(Evidence::of(
            first,
            format!("the first bytes from the server side are {name}, not TPKT"),
        )),
    )
}
