//! `tls-cipher-downgrade`, the illegal-choice part: the server chose a suite that was not offered.
//! RFC 8446 4.1.3.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Opinion, Party};
use crate::case::Case;

pub(super) const DETECTOR: Detector = Detector {
    id: "tls-cipher-downgrade",
    kind: Kind::Cause,
    class: Class::Downgrade,
    explains: &["tls-alert-47", "clean-close-no-reason", "rst-genuine-client"],
    remedy: "Compare the hello at both ends of the path: a device edits it, or the server's TLS library is defective.",
    next: &[],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let tls = &case.this.tls;
    let (client, server) = (tls.client_hello.seen()?, tls.server_hello.seen()?);
    let suite = server.value.cipher_suite;
    if client.value.cipher_suites.contains(&suite) {
        return None;
    }
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
