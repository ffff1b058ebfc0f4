//! `tls-cert-cloned`, `tls-cert-substituted`: the client was shown another certificate than the server sent.
//! In clear up to TLS 1.2 only; behind it, different randoms say as much (`clienthello-rewritten`).

use super::{BETWEEN, ENDS, at_client, at_server, proved};
use crate::case::Case;
use crate::detect::opinion::{Band, Class, Detector, Kind, Opinion};
use crate::wire::tls::CertificateSummary;

pub const CLONED: Detector = Detector {
    id: "tls-cert-cloned",
    kind: Kind::Definition,
    class: Class::Interference,
    explains: TERMINATED,
    remedy: "Treat it as an attack: somebody shows a copy of the server's certificate with a key of their own. Do not type a password; find the device between.",
    next: BETWEEN,
    detect: |case| shown(case, true),
};

pub const SUBSTITUTED: Detector = Detector {
    id: "tls-cert-substituted",
    kind: Kind::Definition,
    class: Class::Interference,
    explains: TERMINATED,
    remedy: super::hello::REWRITTEN.remedy,
    next: BETWEEN,
    detect: |case| shown(case, false),
};

/// Who shows a certificate of his own ends TLS: the hellos differ, too.
const TERMINATED: &[&str] = &[
    ENDS[0],
    ENDS[1],
    ENDS[2],
    "clienthello-rewritten",
    "tls-alert-",
    "client-rejects-cert",
    "cert-self-signed",
    "cert-name-mismatch",
    "cert-untrusted-chain",
    "nla-bad-credentials",
    "credssp-pubkey-mismatch",
];

fn shown(case: &Case<'_>, cloned: bool) -> Option<Opinion> {
    let (server, diff) = case.at_server()?;
    let (sent, arrived) = (server.tls.certificate.seen()?, case.this.tls.certificate.seen()?);
    let (own, other) = (server.tls.leaf()?, case.this.tls.leaf()?);
    if own.sha256 == other.sha256 || is_clone(own, other) != cloned {
        return None;
    }
    let says = if cloned {
        "The client was shown a copy of the server's certificate with another key: somebody between imitates the server."
    } else {
        "The client was shown another certificate than the server's: somebody between ends its TLS."
    };
    let what = |leaf: &CertificateSummary| {
        format!("{}, issued by {}, SHA-256 {}…", leaf.subject, leaf.issuer, &leaf.sha256[..16])
    };
    Some(
        proved(diff, Band::Certain, says)
            .supports(at_server(sent, format!("the server sent {}", what(own))))
            .supports(at_client(arrived, format!("the client was shown {}", what(other)))),
    )
}

/// All that a reader compares is the same: a renewed certificate has another serial number.
fn is_clone(own: &CertificateSummary, other: &CertificateSummary) -> bool {
    let of = |leaf: &CertificateSummary| {
        (
            leaf.subject.clone(),
            leaf.issuer.clone(),
            leaf.serial.clone(),
            leaf.not_before,
            leaf.not_after,
        )
    };
    of(own) == of(other)
}
