//! `rst-immune`: the relay ignored resets from the server's side, so how the server ended is not what would
//! have been seen without the experiment.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Opinion, Party};
use crate::case::Case;
use crate::input::RelayNote;

pub(super) const DETECTOR: Detector = Detector {
    id: "rst-immune",
    kind: Kind::Note,
    class: Class::Relay,
    explains: &[],
    remedy: "An experiment: run the relay without --rst-immune for any other question.",
    next: &[],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let note = case.this.relay.iter().find(|note| note.value == RelayNote::RstImmune)?;
    Some(
        Opinion::new(
            Band::Certain,
            "Experiment: the relay ignored resets from the server's side in this connection.",
        )
        .party(Party::Relay, Band::Certain)
        .supports(Evidence::of(note, "a filter on the server leg drops segments with RST")),
    )
}
