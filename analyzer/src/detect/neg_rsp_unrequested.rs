//! `neg-rsp-unrequested`: the server selects what the client did not ask for. MS-RDPBCGR 2.2.1.2.1.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use super::{insistence, who};
use crate::case::Case;
use crate::facts::Vantage;
use crate::input::Direction;
use crate::wire::x224::{NegotiationAnswer, Protocols};

pub(super) const DETECTOR: Detector = Detector {
    id: "neg-rsp-unrequested",
    kind: Kind::Definition,
    class: Class::ServerConfig,
    explains: &["clean-close-no-reason", "rst-genuine-", "truncated-tls"],
    remedy: "Make the server offer TLS: on Windows SecurityLayer=2; on xrdp security_layer=negotiate or tls with a certificate and key that it can read. Do not let the client fall back to RDP security.",
    next: &[Next {
        what: "whether xrdp can read its key (on the server, read-only)",
        command: Some(
            "grep -E 'security_layer|certificate|key_file' /etc/xrdp/xrdp.ini; sudo -u xrdp test -r /etc/xrdp/key.pem && echo readable",
        ),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let confirm = facts.x224.confirm.seen()?;
    let Some(NegotiationAnswer::Response { selected, .. }) = confirm.value.negotiation else {
        return None;
    };
    let requested = facts.x224.requested()?;
    if requested.contains(selected) {
        return None;
    }
    // A client that goes on in RDP security accepts the answer: nothing fails because of it. In a capture the answer
    // may not have reached it.
    let unheard = facts.subject.vantage == Vantage::Capture
        && who::all_acknowledged(facts, Direction::ToClient) == Some(false);
    let band = insistence::left_behind_confirm(facts).filter(|_| !unheard).map(|ending| {
        let same_answer = |other| other == selected;
        let wanted = |requested: Protocols| !requested.contains(selected);
        insistence::insists(case, confirm.at, ending, same_answer, wanted, Band::High)
    });
    let refused = band.is_some_and(|band| band >= Band::Possible);
    let says = if selected == Protocols::RDP && refused {
        format!(
            "The server answered with plain RDP security although the client asked for {requested}, and the client left: the server does no TLS, or can not use its certificate or key."
        )
    } else {
        format!(
            "The server selected {selected}, which the client did not ask for (it asked for {requested})."
        )
    };
    let band = band.filter(|_| refused).unwrap_or(Band::High);
    let opinion = Opinion::new(band, says)
        .party(Party::Server, Band::Possible)
        .supports(Evidence::of(
            confirm,
            format!("selectedProtocol is {selected}, requestedProtocols was {requested}"),
        ))
        .unknown("whether the negotiation was changed on its way: it is not protected");
    Some(if refused { opinion } else { opinion.only_a_fact() })
}
