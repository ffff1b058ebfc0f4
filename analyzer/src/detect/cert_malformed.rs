//! `cert-malformed`: the certificate can not be read, or no client should take it. RFC 5280 4.

use super::opinion::{Class, Detector, Evidence, Kind, Opinion, Party};
use super::{Band, as_cause, certificate_band};
use crate::case::Case;

pub(super) const DETECTOR: Detector = Detector {
    id: "cert-malformed",
    kind: Kind::Cause,
    class: Class::ServerConfig,
    explains: &["client-rejects-cert", "tls-alert-", "clean-close-no-reason", "rst-genuine-client"],
    remedy: "Issue the server's certificate anew: at least RSA 2048 or P-256, SHA-256, key usage for server authentication.",
    next: &[],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let (at, fact) = super::malformed_certificate(facts)?;
    let opinion = Opinion::new(
        certificate_band(facts, &[42, 43, 46, 47, 50, 71]),
        "The server's certificate is malformed or too weak.",
    )
    .party(Party::Server, Band::Possible)
    .supports(Evidence::at(at, fact));
    Some(as_cause(facts, opinion))
}
