//! `cert-untrusted-chain`: the client does not know the authority behind the server's certificate.
//! RFC 5280 6, RFC 8446 6.2.

use super::opinion::{Class, Detector, Evidence, Kind, Next, Opinion, Party};
use super::{Band, certificate_band};
use crate::case::Case;

pub(super) const DETECTOR: Detector = Detector {
    id: "cert-untrusted-chain",
    kind: Kind::Cause,
    class: Class::ServerConfig,
    explains: &["client-rejects-cert", "tls-alert-46", "tls-alert-48"],
    remedy: "Let the server send its intermediate certificates, or give the client the authority's certificate.",
    next: &[Next {
        what: "the chain that the server sends (read-only)",
        command: Some("openssl s_client -connect SERVER:3389 -starttls rdp -showcerts"),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let chain = facts.tls.certificate.seen()?;
    let leaf = facts.tls.leaf().filter(|leaf| !leaf.self_issued)?;
    let band = certificate_band(facts, &[48]);
    // Who issued it is a plain fact; that it is not trusted, only the client can say.
    if band < Band::Possible {
        return None;
    }
    let fact = format!("issued by {}, in a chain of {}", leaf.issuer, leaf.chain_length);
    Some(
        Opinion::new(
            band,
            "The client does not know the authority that issued the server's certificate.",
        )
        .party(Party::Server, Band::Possible)
        .supports(Evidence::of(chain, fact)),
    )
}
