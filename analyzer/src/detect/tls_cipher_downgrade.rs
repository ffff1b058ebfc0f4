//! `tls-cipher-downgrade`, the illegal-choice part: the server chose a suite that was not offered.
//! RFC 8446 4.1.3.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Opinion, Party};
use crate::case::Case;
use crate::facts::Facts;
use crate::wire::tls::CipherSuite;

pub(super) const DETECTOR: Detector = Detector {
    id: "tls-cipher-downgrade",
    kind: Kind::Cause,
    class: Class::Downgrade,
    explains: &["tls-alert-47", "clean-close-no-reason", "rst-genuine-client"],
    remedy: "Compare the hello at both ends of the path: a device edits it, or the server's TLS library is defective.",
    next: &[],
    detect,
};

/// The server's suite, where the client did not offer it.
pub(super) fn not_offered(facts: &Facts) -> Option<CipherSuite> {
    let (client, server) = (facts.tls.client_hello.value()?, facts.tls.server_hello.value()?);
    let suite = server.cipher_suite;
    (!client.cipher_suites.contains(&suite)).then_some(suite)
}

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let suite = not_offered(case.this)?;
    let tls = &case.this.tls;
    let (client, server) = (tls.client_hello.seen()?, tls.server_hello.seen()?);
    Some(
        Opinion::new(
            Band::High,
            format!("The server chose the cipher suite {suite}, which the client did not offer."),
        )
        .party(Party::Unknown, Band::Weak)
        .supports(Evidence::of(
            server,
            format!(
                "cipher suite {suite} is not among the {} offered",
                client.value.cipher_suites.len()
            ),
        ))
        .unknown("whether the server or a device on the way is at fault"),
    )
}
