//! `user-cancel`: the client leaves in order while its user may be looking at a prompt. A candidate: a
//! program that gives up looks the same.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Opinion, Party};
use crate::case::Case;
use crate::facts::{Facts, Reached};
use crate::input::{Close, Direction};

pub(super) const DETECTOR: Detector = Detector {
    id: "user-cancel",
    kind: Kind::Cause,
    class: Class::Session,
    explains: &["clean-close-no-reason", "rst-genuine-client"],
    remedy: "Ask the user whether they cancelled a prompt.",
    next: &[],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    if let Some(said) = said(facts) {
        return Some(said);
    }
    let ending = facts.client_left().filter(|ending| {
        ending.dir == Direction::ToServer && !ending.both && !matches!(ending.how, Close::Error(_))
    })?;
    let (reached, _) = facts.reached()?;
    // A prompt stands where the next word is the client's.
    let spoken = |dir| facts.stream(dir).last.map(|at: crate::event::At| at.time);
    let clients_turn = spoken(Direction::ToClient) >= spoken(Direction::ToServer);
    let prompts = matches!(
        reached,
        Reached::X224Confirm | Reached::TlsEncrypted | Reached::TlsFinished | Reached::Credssp
    );
    let refused = facts.x224.confirm.value().is_some_and(|confirm| confirm.failure().is_some());
    let said_why =
        refused || facts.tls.fatal_alert(None).is_some() || facts.relay_fault().is_some();
    if !prompts || said_why || !(clients_turn || facts.tls.is_established()) {
        return None;
    }
    if case.later().next().is_some() {
        return None;
    }
    Some(
        Opinion::new(Band::Weak, "The user may have cancelled a prompt (certificate or password).")
            .party(Party::Client, Band::Possible)
            .supports(Evidence::at(
                ending.at,
                "the client left where its user may be asked something",
            ))
            .unknown("what the client showed its user"),
    )
}

/// A client that gives up the handshake with user_canceled does so for no failure of the protocol. RFC 8446 6.1.
fn said(facts: &Facts) -> Option<Opinion> {
    let client = Direction::ToServer;
    let cancelled = facts.tls.cancelled(client)?;
    facts.ending().filter(|ending| facts.decider(ending) == Some(client))?;
    let says = "The client says that the TLS handshake was cancelled, by its user or by itself, and not for an error.";
    Some(
        Opinion::new(Band::Possible, says)
            .party(Party::Client, Band::Possible)
            .supports(Evidence::of(cancelled, "TLS alert 90 user_canceled from the client"))
            .unknown("what the client showed its user"),
    )
}
