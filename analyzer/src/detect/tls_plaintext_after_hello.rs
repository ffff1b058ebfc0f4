//! `tls-plaintext-after-hello`: the server answers the ClientHello in clear RDP. Its TLS did not start.

use std::time::Duration;

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::case::Case;
use crate::event::At;
use crate::facts::Facts;
use crate::input::Direction;
use crate::wire::x224::Protocols;

pub(super) const DETECTOR: Detector = Detector {
    id: "tls-plaintext-after-hello",
    kind: Kind::Definition,
    class: Class::ServerConfig,
    explains: &["clean-close-no-reason", "rst-genuine-", "truncated-tls", "tls-alert-"],
    remedy: "Look in the server's log for its TLS error: the certificate and key do not belong together, the key is too weak for its TLS library, or the TLS settings are invalid.",
    next: &[
        Next {
            what: "whether certificate and key belong together (on the server, read-only; the two sums must be equal)",
            command: Some(
                "openssl x509 -in cert.pem -noout -pubkey | sha256sum; openssl pkey -in key.pem -pubout | sha256sum",
            ),
        },
        Next {
            what: "the server's own words",
            command: Some("grep -i -E 'ssl|tls|key' /var/log/xrdp.log | tail"),
        },
    ],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let clear = facts.rdp.plaintext_after_hello.seen()?;
    // What is missing may have been TLS.
    let lacking = facts.stream(Direction::ToClient).gap || facts.lacks_words();
    if facts.tls.server_hello.is_seen() || lacking || !greeted(facts, clear.at) {
        return None;
    }
    let mut opinion = Opinion::new(
        Band::High,
        "The server agreed to TLS and then could not start it: it went on in plain RDP. Its certificate, key or TLS settings are unusable.",
    )
    .party(Party::Server, Band::Probable)
    .supports(Evidence::of(clear, "where the server's TLS should begin there is a clear TPKT packet, not a TLS record"));
    if let Some((_, disconnect)) = &facts.rdp.disconnect {
        opinion = opinion.supports(Evidence::of(
            disconnect,
            format!("it is an MCS Disconnect Provider Ultimatum, reason {}", disconnect.value),
        ));
    }
    Some(opinion)
}

/// The server had agreed to TLS, and the client had begun it when the server spoke: one that went on in clear itself, or
/// in whose name somebody did, is answered in kind. Behind a hello that is under way a server speaks at once.
fn greeted(facts: &Facts, clear: At) -> bool {
    const CROSSING: Duration = Duration::from_secs(1);
    if facts.x224.selected() == Some(Protocols::RDP) {
        return false;
    }
    let agreed = facts.x224.confirm.seen();
    let soon = agreed.is_some_and(|confirm| clear.time.since(confirm.at.time) <= CROSSING);
    let hello = facts.tls.client_hello.seen();
    hello.is_some_and(|hello| hello.at.time <= clear.time || soon)
}
