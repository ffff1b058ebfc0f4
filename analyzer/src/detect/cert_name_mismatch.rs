//! `cert-name-mismatch`: the certificate does not name what the client asked for. RFC 6125 6.4.

use super::opinion::{Class, Detector, Evidence, Kind, Opinion, Party};
use super::{Band, as_cause, certificate_band};
use crate::case::Case;

pub(super) const DETECTOR: Detector = Detector {
    id: "cert-name-mismatch",
    kind: Kind::Cause,
    class: Class::ServerConfig,
    explains: &[
        "client-rejects-cert",
        "tls-alert-42",
        "tls-alert-46",
        "clean-close-no-reason",
        "rst-genuine-client",
    ],
    remedy: "Connect by a name that the certificate holds, or issue one with this name among its subject alternative names.",
    next: &[],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let chain = facts.tls.certificate.seen()?;
    let fact = super::wrong_name(facts)?;
    let opinion = Opinion::new(
        certificate_band(facts, &[]),
        "The server's certificate does not carry the name the client asked for.",
    )
    .party(Party::Server, Band::Possible)
    .supports(Evidence::of(chain, fact));
    Some(as_cause(facts, opinion))
}
