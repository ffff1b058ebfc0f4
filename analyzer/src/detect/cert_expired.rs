//! `cert-expired`: the server's certificate is out of its validity at the time of the connection.
//! RFC 5280 4.1.2.5. A fact by itself; a cause only when the client says so.

use super::opinion::{Class, Detector, Evidence, Kind, Next, Opinion, Party};
use super::{as_cause, certificate_band};
use crate::case::Case;

pub(super) const DETECTOR: Detector = Detector {
    id: "cert-expired",
    kind: Kind::Cause,
    class: Class::ServerConfig,
    explains: &[
        "client-rejects-cert",
        "tls-alert-42",
        "tls-alert-43",
        "tls-alert-44",
        "tls-alert-45",
        "tls-alert-46",
        "tls-alert-48",
        "clean-close-no-reason",
        "rst-genuine-client",
    ],
    remedy: "Renew the certificate. Windows makes a new self-signed one when the old is deleted from the Remote Desktop store and TermService restarts (export the old one first to undo). Check both clocks.",
    next: &[Next {
        what: "why it was not renewed (on the server, read-only)",
        command: Some(
            "Get-WinEvent -FilterHashtable @{LogName='System';Id=1057,1058} -MaxEvents 5; Get-Date",
        ),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let chain = facts.tls.certificate.seen()?;
    let fact = super::out_of_validity(facts)?;
    let opinion = Opinion::new(
        certificate_band(facts, &[45]),
        "The server's certificate is out of its validity period.",
    )
    .party(Party::Server, super::Band::Possible)
    .supports(Evidence::of(chain, fact));
    Some(as_cause(facts, opinion))
}
