//! `fin-injected`: a FIN arrived that its apparent sender had not sent. RFC 9293 3.6.

use super::{BETWEEN, ENDS, proved};
use crate::case::Case;
use crate::detect::opinion::{Band, Class, Detector, Evidence, Kind, Opinion};
use crate::detect::who::sender;
use crate::input::SegmentKind;

pub const FIN_INJECTED: Detector = Detector {
    id: "fin-injected",
    kind: Kind::Definition,
    class: Class::Interference,
    explains: ENDS,
    remedy: super::reset::TO_CLIENT.remedy,
    next: BETWEEN,
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let (_, diff) = case.at_server()?;
    let lone = diff.lone.iter().find(|lone| {
        lone.segment.value.kind == SegmentKind::Fin && lone.is_forged() && !diff.is_split()
    })?;
    let from = sender(lone.segment.value.dir);
    let band = if lone.was_denied { Band::Certain } else { Band::High };
    let says = format!(
        "A device between client and server closed the connection in the {from}'s name: the {from} had not closed it."
    );
    let fact =
        format!("a FIN in the {from}'s name that is not in the capture at the {from}'s side");
    Some(proved(diff, band, says).supports(Evidence::of(&lone.segment, fact).side(lone.side)))
}
