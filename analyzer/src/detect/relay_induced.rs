//! `relay-induced`: the relay's own deadline or error ended the session. It accuses itself first.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::case::Case;
use crate::input::RelayNote;

pub(super) const DETECTOR: Detector = Detector {
    id: "relay-induced",
    kind: Kind::Definition,
    class: Class::Relay,
    explains: &["rst-genuine-", "clean-close-no-reason", "truncated-tls"],
    remedy: "Run the relay again without the deadline it names, or with more of what it lacks, or record the connection without the relay and analyse that capture.",
    next: &[Next {
        what: "whether it fails without the relay too",
        command: Some("rdpwhy analyze capture.pcapng"),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let fault = case.this.relay_fault()?;
    let what = match &fault.value {
        RelayNote::Deadline(name) => format!("its deadline `{name}` ran out"),
        RelayNote::Error(error) => format!("it failed: {error}"),
        _ => return None,
    };
    let says = format!("rdpwhy itself ended this connection: {what}.");
    Some(
        Opinion::new(Band::Certain, says).party(Party::Relay, Band::Certain).supports(
            Evidence::of(fault, format!("the relay closed what was open because {what}")),
        ),
    )
}
