//! `truncated-tls`: the end falls inside a TLS record or TPKT packet.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Opinion};
use super::who;
use crate::case::Case;

pub(super) const DETECTOR: Detector = Detector {
    id: "truncated-tls",
    kind: Kind::Phenomenon,
    class: Class::Abort,
    explains: &["clean-close-no-reason", "rst-genuine-"],
    remedy: "Look at the side that was cut off: its program crashed or was ended, or the path took the connection away.",
    next: &[],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let ending = facts.ending()?;
    let stream = facts.stream(ending.dir);
    let (declared, had) = stream.open_frame.filter(|_| !stream.gap)?;
    let (party, band) = who::closer(facts, ending);
    let side = who::sender(ending.dir);
    let size =
        if declared == 0 { "a header".to_owned() } else { format!("{had} of {declared} bytes") };
    Some(
        Opinion::new(
            Band::Probable,
            format!(
                "The {side}'s side was cut off in the middle of a message: this was no orderly end."
            ),
        )
        .party(party, band)
        .supports(Evidence::at(ending.at, format!("the stream ends {size} into a frame")))
        .supports(who::ended(ending)),
    )
}
