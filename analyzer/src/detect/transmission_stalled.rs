//! `transmission-stalled`: what one side sends does not get through, for seconds. RFC 9293 3.8.1.

use super::opinion::{Band, Class, Detector, Kind, Next, Opinion};
use super::stalled::stalled;
use super::who;
use crate::case::Case;

pub(super) const DETECTOR: Detector = Detector {
    id: "transmission-stalled",
    kind: Kind::Phenomenon,
    class: Class::Performance,
    explains: &["clean-close-no-reason", "rst-genuine-", "truncated-tls"],
    remedy: "Find where the packets are lost before anything is changed: by size (path MTU), by content (a filter), or after a pause (a firewall that forgot the connection).",
    next: &[
        Next {
            what: "whether large packets pass (from the client)",
            command: Some("ping -f -l 1472 SERVER (Windows) or ping -M do -s 1472 SERVER"),
        },
        Next {
            what: "where the packets are lost: capture at both ends and compare",
            command: Some("rdpwhy analyze --client-side A.pcapng --server-side B.pcapng"),
        },
    ],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let found = stalled(case.this)?;
    let side = who::sender(found.dir);
    let seconds = found.silent.as_secs_f64();
    let some = if found.tail_arrived { "A part of what" } else { "What" };
    let says = format!(
        "{some} the {side} sent did not get through for {seconds:.0} s{}.",
        who::step(case.this)
    );
    let party = found.party();
    let band = if found.sure { Band::High } else { Band::Possible };
    Some(Opinion::new(band, says).party(party, Band::Possible).supports(found.evidence))
}
