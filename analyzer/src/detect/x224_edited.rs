//! A negotiation that contradicts itself or its siblings: `x224-correlation-stripped`, `x224-negreq-removed`,
//! `neg-rsp-rewritten`. MS-RDPBCGR 2.2.1.1, 2.2.1.2. From one side only suspicions; from both ends, proofs.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use super::who;
use crate::case::Case;
use crate::input::Direction;
use crate::wire::x224::{NegotiationRequest, Protocols};

pub(super) const CORRELATION: Detector = Detector {
    id: "x224-correlation-stripped",
    kind: Kind::Cause,
    class: Class::Interference,
    explains: &["clean-close-no-reason", "rst-genuine-server", "lb-no-backend"],
    remedy: "Update the gateway or load balancer on the way that rewrites Remote Desktop's first packet.",
    next: ROW_NEXT,
    detect: correlation,
};

pub(super) const NEGOTIATION: Detector = Detector {
    id: "x224-negreq-removed",
    kind: Kind::Cause,
    class: Class::Downgrade,
    explains: &[
        "ssl-required",
        "nla-required",
        "neg-rsp-unrequested",
        "clean-close-no-reason",
        "rst-genuine-server",
    ],
    remedy: "Find the device that removes the security negotiation from Remote Desktop's first packet, and let the server insist on NLA.",
    next: ROW_NEXT,
    detect: negotiation,
};

pub(super) const RESPONSE: Detector = Detector {
    id: "neg-rsp-rewritten",
    kind: Kind::Cause,
    class: Class::Downgrade,
    explains: &["clean-close-no-reason", "rst-genuine-"],
    remedy: "Find the device that takes part in the security negotiation; let the client insist on NLA.",
    next: ROW_NEXT,
    detect: response,
};

const ROW_NEXT: &[Next] = &[Next {
    what: "whether the client sent what the server got: capture at both ends and compare",
    command: Some("rdpwhy analyze --client-side A.pcapng --server-side B.pcapng"),
}];

/// The flag announces a block that is not there.
fn correlation(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let request = facts.x224.request.seen()?;
    let flags = request.value.negotiation?.flags;
    let announced = flags & NegotiationRequest::CORRELATION_INFO_PRESENT != 0;
    if !announced || request.value.correlation_id.is_some() || request.value.damage.is_some() {
        return None;
    }
    Some(
        Opinion::new(
            Band::Weak,
            "Something may have removed the correlation id from the client's first packet.",
        )
        .party(who::network(facts, Direction::ToServer), Band::Possible)
        .supports(Evidence::of(
            request,
            "the request's flags announce correlation info that it does not carry",
        ))
        .unknown("whether the client sent it so"),
    )
}

/// The same client negotiates in its other connections.
fn negotiation(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let request = facts.x224.request.seen().filter(|seen| seen.value.negotiation.is_none())?;
    let other =
        case.siblings.iter().copied().find(|sibling| {
            sibling.requested.is_some_and(|requested| requested != Protocols::RDP)
        })?;
    let asked = other.requested.unwrap_or(Protocols::RDP);
    Some(
        Opinion::new(
            Band::Weak,
            "Something may have removed the security negotiation from the client's first packet.",
        )
        .party(Party::Unknown, Band::Weak)
        .supports(Evidence::of(request, "this request carries no security negotiation"))
        .supports(Evidence::absent(format!("another one of the same client asks for {asked}")))
        .unknown("whether the client sent it so, after a failure of its own"),
    )
}

/// The client goes on as if another protocol had been selected.
fn response(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let confirm = facts.x224.confirm.seen()?;
    let selected = confirm.value.selected().filter(|selected| *selected != Protocols::RDP)?;
    let clear = facts.rdp.connect_initial.seen().filter(|_| !facts.tls.client_hello.is_seen())?;
    Some(
        Opinion::new(
            Band::Weak,
            "Something may have changed the server's answer to the client's first packet: the client goes on as if it had got another one.",
        )
        .party(Party::Unknown, Band::Weak)
        .supports(Evidence::of(confirm, format!("the server selected {selected}")))
        .supports(Evidence::of(clear, "the client went on with MCS in clear, which is none of it"))
        .unknown("whether this answer reached the client"),
    )
}
