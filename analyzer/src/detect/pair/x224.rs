//! `x224-protocols-cleared`, `x224-negreq-removed`, `x224-cookie-altered`, `x224-correlation-stripped`: the
//! Connection Request arrived otherwise than it was sent. MS-RDPBCGR 2.2.1.1.

use super::{BETWEEN, ENDS, at_client, at_server, proved, unless_outlived};
use crate::case::Case;
use crate::detect::opinion::{Band, Class, Detector, Evidence, Kind, Opinion};
use crate::diff::Diff;
use crate::facts::Seen;
use crate::input::Direction;
use crate::wire::x224::{ConnectionRequest, Routing};

pub const PROTOCOLS_CLEARED: Detector = Detector {
    id: "x224-protocols-cleared",
    kind: Kind::Definition,
    class: Class::Downgrade,
    explains: &[
        "neg-rsp-unrequested",
        "nla-not-offered",
        "nla-required",
        "ssl-required",
        "ssl-not-allowed",
        ENDS[0],
        ENDS[1],
        ENDS[2],
    ],
    remedy: "Find and remove the device that rewrites the RDP negotiation; until then require NLA on both ends, so that a weakened connection fails.",
    next: BETWEEN,
    detect: protocols_cleared,
};

pub const REQUEST_REMOVED: Detector = Detector {
    id: "x224-negreq-removed",
    kind: Kind::Definition,
    class: Class::Downgrade,
    explains: PROTOCOLS_CLEARED.explains,
    remedy: PROTOCOLS_CLEARED.remedy,
    next: BETWEEN,
    detect: request_removed,
};

pub const COOKIE_ALTERED: Detector = Detector {
    id: "x224-cookie-altered",
    kind: Kind::Note,
    class: Class::Interference,
    explains: &[],
    remedy: "Harmless unless a broker routes by it: check the load balancer's affinity.",
    next: &[],
    detect: cookie_altered,
};

pub const CORRELATION_STRIPPED: Detector = Detector {
    id: "x224-correlation-stripped",
    kind: Kind::Note,
    class: Class::Interference,
    explains: &[],
    remedy: "Update the RDP-aware proxy or gateway that rewrites the request.",
    next: &[],
    detect: correlation_stripped,
};

/// The request as sent and as it arrived, both read to their end.
fn requests<'a>(
    case: &Case<'a>,
) -> Option<(&'a Seen<ConnectionRequest>, &'a Seen<ConnectionRequest>, &'a Diff)> {
    let (server, diff) = case.at_server()?;
    let (sent, arrived) = (case.this.x224.request.seen()?, server.x224.request.seen()?);
    let whole = sent.value.damage.is_none() && arrived.value.damage.is_none();
    whole.then_some((sent, arrived, diff))
}

/// The first byte that differs, where it lies in the request.
fn difference(sent: &Seen<ConnectionRequest>, diff: &Diff) -> Option<Evidence> {
    let differs = diff.stream(Direction::ToServer).differs.as_ref()?;
    Some(at_client(sent, differs.fact(Direction::ToServer)))
}

fn protocols_cleared(case: &Case<'_>) -> Option<Opinion> {
    let (sent, arrived, diff) = requests(case)?;
    let (asked, got) = (sent.value.negotiation?.protocols, arrived.value.negotiation?.protocols);
    if asked == got {
        return None;
    }
    let says = format!(
        "The client's request was rewritten on its way: it asked for {asked}, and the server was asked for {got}."
    );
    let mut opinion = proved(diff, Band::Certain, says)
        .supports(at_client(sent, format!("the client asked for {asked}")))
        .supports(at_server(arrived, format!("the request arrived asking for {got}")));
    opinion.supports.extend(difference(sent, diff));
    Some(unless_outlived(opinion, case.this))
}

fn request_removed(case: &Case<'_>) -> Option<Opinion> {
    let (sent, arrived, diff) = requests(case)?;
    let asked = sent.value.negotiation?.protocols;
    if arrived.value.negotiation.is_some() {
        return None;
    }
    let says = format!(
        "The negotiation was cut out of the client's request on its way: it asked for {asked}, and the server was asked for nothing."
    );
    let mut opinion = proved(diff, Band::Certain, says)
        .supports(at_client(sent, format!("the client asked for {asked}")))
        .supports(at_server(arrived, "the request arrived without RDP_NEG_REQ"));
    opinion.supports.extend(difference(sent, diff));
    Some(unless_outlived(opinion, case.this))
}

fn cookie_altered(case: &Case<'_>) -> Option<Opinion> {
    let (sent, arrived, diff) = requests(case)?;
    if sent.value.routing == arrived.value.routing {
        return None;
    }
    let what = |request: &ConnectionRequest| match &request.routing {
        None => "no cookie or token".to_owned(),
        Some(Routing::Cookie(id)) => format!("a cookie of {} bytes", id.len()),
        Some(Routing::Token(token)) => format!("a token of {} bytes", token.len()),
    };
    Some(
        proved(
            diff,
            Band::Certain,
            "The cookie or routing token of the client's request was altered on its way.",
        )
        .supports(at_client(sent, format!("the request was sent with {}", what(&sent.value))))
        .supports(at_server(arrived, format!("the request arrived with {}", what(&arrived.value)))),
    )
}

fn correlation_stripped(case: &Case<'_>) -> Option<Opinion> {
    let (sent, arrived, diff) = requests(case)?;
    if sent.value.correlation_id.is_none() || arrived.value.correlation_id.is_some() {
        return None;
    }
    Some(
        proved(
            diff,
            Band::Certain,
            "The correlation id was cut out of the client's request on its way.",
        )
        .supports(at_client(sent, "the request was sent with rdpCorrelationInfo"))
        .supports(at_server(arrived, "the request arrived without rdpCorrelationInfo")),
    )
}
