//! `cert-self-signed`: issuer and subject are the same. Normal for Remote Desktop: a fact, and a cause
//! only where the client says that it does not know the issuer.

use super::opinion::{Class, Detector, Evidence, Kind, Opinion, Party};
use super::{Band, as_cause, certificate_band};
use crate::case::Case;

pub(super) const DETECTOR: Detector = Detector {
    id: "cert-self-signed",
    kind: Kind::Cause,
    class: Class::ServerConfig,
    explains: &[
        "client-rejects-cert",
        "tls-alert-42",
        "tls-alert-46",
        "tls-alert-48",
        "clean-close-no-reason",
        "rst-genuine-client",
    ],
    remedy: "Give the server a certificate from an authority that the clients trust, or let this client trust it after comparing its SHA-256 with the server's own store.",
    next: &[],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let chain = facts.tls.certificate.seen()?;
    let leaf = facts.tls.leaf().filter(|leaf| leaf.self_issued)?;
    let opinion =
        Opinion::new(certificate_band(facts, &[48]), "The server's certificate is self-signed.")
            .party(Party::Server, Band::Possible)
            .supports(Evidence::of(chain, format!("issuer and subject are both {}", leaf.subject)));
    Some(as_cause(facts, opinion))
}
