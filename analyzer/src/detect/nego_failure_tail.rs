//! `nego-failure-tail`: the server says more after its refusal. MS-RDPBCGR 3.3.5.3.2 wants it to close.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Opinion, Party};
use crate::case::Case;
use crate::input::Direction;

pub(super) const DETECTOR: Detector = Detector {
    id: "nego-failure-tail",
    kind: Kind::Note,
    class: Class::ServerConfig,
    explains: &[],
    remedy: "Cosmetic; it explains odd client messages.",
    next: &[],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let confirm = facts.x224.confirm.seen()?;
    confirm.value.failure()?;
    if facts.rdp.frames[Direction::ToClient.index()] == 0 {
        return None;
    }
    Some(
        Opinion::new(
            Band::Certain,
            "After its refusal the server sent another packet instead of closing.",
        )
        .party(Party::Server, Band::Probable)
        .supports(Evidence::of(confirm, "a clear RDP packet follows the RDP_NEG_FAILURE")),
    )
}
