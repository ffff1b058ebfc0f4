//! `neg-rsp-rewritten`, `neg-failure-forged`, `neg-flags-shape`: the Connection Confirm arrived otherwise
//! than the server sent it. MS-RDPBCGR 2.2.1.2.

use super::{BETWEEN, ENDS, at_client, at_server, proved};
use crate::case::Case;
use crate::detect::opinion::{Band, Class, Detector, Kind, Opinion};
use crate::diff::Diff;
use crate::facts::Seen;
use crate::input::Direction;
use crate::wire::x224::{ConnectionConfirm, NegotiationAnswer};

pub const RESPONSE_REWRITTEN: Detector = Detector {
    id: "neg-rsp-rewritten",
    kind: Kind::Definition,
    class: Class::Downgrade,
    explains: &["neg-rsp-unrequested", "nla-not-offered", ENDS[0], ENDS[1], ENDS[2]],
    remedy: super::x224::PROTOCOLS_CLEARED.remedy,
    next: BETWEEN,
    detect: response_rewritten,
};

pub const FAILURE_FORGED: Detector = Detector {
    id: "neg-failure-forged",
    kind: Kind::Definition,
    class: Class::Downgrade,
    explains: &[
        "ssl-required",
        "ssl-not-allowed",
        "ssl-cert-not-on-server",
        "neg-inconsistent-flags",
        "nla-required",
        "neg-failure-other",
        "nego-failure-tail",
        ENDS[0],
        ENDS[1],
    ],
    remedy: "Find and remove the device that answers in the server's name; the server itself had agreed.",
    next: BETWEEN,
    detect: failure_forged,
};

pub const FLAGS_SHAPE: Detector = Detector {
    id: "neg-flags-shape",
    kind: Kind::Note,
    class: Class::Interference,
    explains: &[],
    remedy: "Look for a device that takes part in the RDP negotiation.",
    next: BETWEEN,
    detect: flags_shape,
};

/// The confirm as sent by the server and as it arrived, both read to their end.
fn confirms<'a>(
    case: &Case<'a>,
) -> Option<(&'a Seen<ConnectionConfirm>, &'a Seen<ConnectionConfirm>, &'a Diff)> {
    let (server, diff) = case.at_server()?;
    let (sent, arrived) = (server.x224.confirm.seen()?, case.this.x224.confirm.seen()?);
    let whole = sent.value.damage.is_none() && arrived.value.damage.is_none();
    whole.then_some((sent, arrived, diff))
}

fn answer(confirm: &ConnectionConfirm) -> String {
    match confirm.negotiation {
        None => "no negotiation".to_owned(),
        Some(NegotiationAnswer::Response { selected, .. }) => format!("{selected} selected"),
        Some(NegotiationAnswer::Failure(code)) => format!("the refusal {code}"),
    }
}

/// Sent and arrived differ in what they agree on.
fn rewritten(case: &Case<'_>, wanted: bool, says: fn(&str, &str) -> String) -> Option<Opinion> {
    let (sent, arrived, diff) = confirms(case)?;
    let agreed = |confirm: &ConnectionConfirm| (confirm.selected(), confirm.failure());
    let forged = sent.value.failure().is_none() && arrived.value.failure().is_some();
    if agreed(&sent.value) == agreed(&arrived.value) || forged != wanted {
        return None;
    }
    let (said, heard) = (answer(&sent.value), answer(&arrived.value));
    let mut opinion = proved(diff, Band::Certain, says(&said, &heard))
        .supports(at_server(sent, format!("the server answered with {said}")))
        .supports(at_client(arrived, format!("the answer arrived with {heard}")));
    let differs = diff.stream(Direction::ToClient).differs.as_ref();
    opinion
        .supports
        .extend(differs.map(|differs| at_server(sent, differs.fact(Direction::ToClient))));
    // Two ends that believe in different protocols may finish TLS and still not understand each other.
    Some(if case.this.is_active() { opinion.only_a_fact() } else { opinion })
}

fn response_rewritten(case: &Case<'_>) -> Option<Opinion> {
    rewritten(case, false, |said, heard| {
        format!(
            "The server's answer was rewritten on its way: it sent {said}, and {heard} arrived."
        )
    })
}

fn failure_forged(case: &Case<'_>) -> Option<Opinion> {
    rewritten(case, true, |said, heard| {
        format!(
            "The refusal that the client got is forged: the server answered with {said}, and {heard} arrived."
        )
    })
}

fn flags_shape(case: &Case<'_>) -> Option<Opinion> {
    let (sent, arrived, diff) = confirms(case)?;
    let shape = |confirm: &ConnectionConfirm| match confirm.negotiation {
        Some(NegotiationAnswer::Response { flags, .. }) => (confirm.source_reference, Some(flags)),
        _ => (confirm.source_reference, None),
    };
    let (was, is) = (shape(&sent.value), shape(&arrived.value));
    let same_answer = sent.value.selected() == arrived.value.selected();
    if was == is || !same_answer || sent.value.failure().is_some() {
        return None;
    }
    let fact = |(reference, flags): (u16, Option<u8>)| {
        let flags = flags.map_or("no flags".to_owned(), |flags| format!("flags {flags:#04x}"));
        format!("source reference {reference:#06x} and {flags}")
    };
    Some(
        proved(diff, Band::Certain, "The server's answer was made anew on its way: something between takes part in the negotiation.")
            .supports(at_server(sent, format!("the server answered with {}", fact(was))))
            .supports(at_client(arrived, format!("the answer arrived with {}", fact(is)))),
    )
}
