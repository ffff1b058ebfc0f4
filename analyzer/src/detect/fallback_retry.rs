//! `fallback-retry`: the client tries again with an older TLS after a newer one failed. RFC 7507.

use std::time::Duration;

use super::opinion::{Band, Class, Detector, Evidence, Kind, Opinion, Party};
use crate::case::Case;
use crate::facts::Reached;

pub(super) const DETECTOR: Detector = Detector {
    id: "fallback-retry",
    kind: Kind::Note,
    class: Class::Downgrade,
    explains: &[],
    remedy: "Find out why the newer version failed: the server or a device on the way does not tolerate it.",
    next: &[],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    const SOON: Duration = Duration::from_secs(30);
    let facts = case.this;
    let hello = facts.tls.client_hello.seen()?;
    let version = hello.value.max_version();
    let newer = case.earlier().find(|earlier| {
        earlier.max_version > Some(version)
            && earlier.reached == Some(Reached::TlsClientHello)
            && facts.subject.started.since(earlier.ended) <= SOON
    })?;
    let was = newer.max_version?;
    let mut opinion = Opinion::new(
        Band::High,
        format!("The client tried again with TLS {version} after its hello with TLS {was} had got no answer."),
    )
    .party(Party::Client, Band::High)
    .supports(Evidence::of(hello, format!("this hello offers TLS {version} at most, the one before offered {was}")));
    if hello.value.has_fallback_scsv() {
        opinion = opinion.supports(Evidence::of(hello, "it carries TLS_FALLBACK_SCSV"));
    }
    Some(opinion)
}
