//! `tcp-option-rewrite`: options of a SYN were blanked out on the way. RFC 9293 3.1, RFC 7323. True, and
//! mostly harmless.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Opinion};
use super::who;
use crate::case::Case;
use crate::input::SegmentKind;

pub(super) const DETECTOR: Detector = Detector {
    id: "tcp-option-rewrite",
    kind: Kind::Note,
    class: Class::Interference,
    explains: &[],
    remedy: "Nothing by itself: a firewall normalises TCP options. Look at it if transfers are slow.",
    next: &[],
    detect,
};

/// No system pads with more than two no-operations; a device that removes an option leaves its length of them.
const BLANKED: usize = 3;

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let mut syns = facts
        .tcp
        .legs()
        .flat_map(|(_, leg)| leg.kept(SegmentKind::Syn).chain(leg.kept(SegmentKind::SynAck)));
    let (syn, blanks) = syns.find_map(|syn| {
        let blanks = longest_blank(&syn.value.options);
        (blanks >= BLANKED).then_some((syn, blanks))
    })?;
    let side = who::sender(syn.value.dir);
    let says = format!("A device on the way removed TCP options of the {side}'s handshake.");
    let fact =
        format!("{blanks} no-operation options in a row where the {side}'s system had others");
    Some(
        Opinion::new(Band::High, says)
            .party(who::network(facts, syn.value.dir), Band::High)
            .supports(Evidence::of(syn, fact)),
    )
}

/// The longest run of no-operation options.
fn longest_blank(options: &[u8]) -> usize {
    let (mut rest, mut run, mut longest) = (options, 0, 0);
    while let [kind, after @ ..] = rest {
        match kind {
            0 => break,
            1 => {
                run += 1;
                longest = longest.max(run);
                rest = after;
            }
            _ => {
                run = 0;
                let Some(len) = after.first().filter(|len| **len >= 2) else { break };
                rest = rest.get(usize::from(*len)..).unwrap_or(&[]);
            }
        }
    }
    longest
}
