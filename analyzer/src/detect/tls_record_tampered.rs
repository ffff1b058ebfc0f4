//! `tls-record-tampered`: bytes of the handshake or of a record were changed on the way. RFC 8446 6.2,
//! RFC 5246 7.2.2. One vantage sees the alert only: a candidate.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion};
use super::who;
use crate::case::Case;

pub(super) const DETECTOR: Detector = Detector {
    id: "tls-record-tampered",
    kind: Kind::Cause,
    class: Class::Interference,
    explains: &["tls-alert-20", "tls-alert-51"],
    remedy: "Compare what was sent with what arrived. Where TCP checksums are right at both ends, a device changes the content; else look for bad memory or network cards.",
    next: &[Next {
        what: "which bytes differ: capture at both ends and compare",
        command: Some("rdpwhy analyze --client-side A.pcapng --server-side B.pcapng"),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let (seen, alert) = facts.tls.fatal_alert(None)?;
    let number = alert.description.0;
    if !matches!(number, 20 | 51) {
        return None;
    }
    let side = who::sender(seen.value.dir);
    let says = format!("What reached the {side} may have been changed on the way.");
    Some(
        Opinion::new(Band::Weak, says)
            .party(who::network(facts, seen.value.dir.reverse()), Band::Possible)
            .supports(Evidence::of(
                seen,
                format!("alert {number} {} from the {side}", alert.description),
            ))
            .unknown("whether what was sent is what arrived"),
    )
}
