//! `proxy-header-sent`: the relay put a PROXY protocol header in front of the client's bytes, which a server that
//! expects none takes for nonsense.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Opinion, Party};
use crate::case::Case;
use crate::facts::Facts;
use crate::input::RelayNote;

pub(super) const DETECTOR: Detector = Detector {
    id: "proxy-header-sent",
    kind: Kind::Note,
    class: Class::Relay,
    explains: &[],
    remedy: "Find out whether the server expects the PROXY protocol; run the relay without --send-proxy-protocol where it does not.",
    next: &[],
    detect,
};

/// The server may have refused the header and not the client: it was sent one and has not answered.
pub(super) fn may_be_refused(facts: &Facts) -> bool {
    let sent = facts.relay.iter().any(|note| note.value == RelayNote::HeaderSent);
    sent && !facts.x224.confirm.is_seen()
}

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let note = case.this.relay.iter().find(|note| note.value == RelayNote::HeaderSent)?;
    let says = match may_be_refused(case.this) {
        true => {
            "The relay sent the server a PROXY protocol header first, and a server that expects none fails like this."
        }
        false => "The relay sent the server a PROXY protocol header first, and the server took it.",
    };
    let evidence = Evidence::of(note, "the server's first bytes from the relay are that header");
    Some(Opinion::new(Band::Certain, says).party(Party::Relay, Band::Certain).supports(evidence))
}
