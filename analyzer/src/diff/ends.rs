//! FINs and RSTs that one capture holds and the other lacks. RFC 9293 3.5.3, 3.6.

use super::{Clock, Held, Side};
use crate::facts::{Facts, Seen};
use crate::input::{Direction, Leg, Segment, SegmentKind};

/// A FIN or RST that one capture holds and the other lacks.
#[derive(Clone, Debug)]
pub struct Lone {
    /// Who holds it.
    pub side: Side,
    /// The segment there.
    pub segment: Seen<Segment>,
    /// Its absence means something: the other capture ran then and lacks nothing else.
    pub is_certain: bool,
    /// The apparent sender shows at its own side that it had not ended there, by what it sent later.
    pub was_denied: bool,
}

impl Lone {
    /// It arrived, and its apparent sender had not sent it.
    pub fn is_forged(&self) -> bool {
        self.side != Side::of_sender(self.segment.value.dir) && self.is_certain
    }

    /// It left its sender, and did not arrive.
    pub fn is_lost(&self) -> bool {
        self.side == Side::of_sender(self.segment.value.dir) && self.is_certain
    }
}

pub(super) fn lone(held: [Held<'_>; 2], complete: [bool; 2], clock: Option<Clock>) -> Vec<Lone> {
    let mut found = Vec::new();
    for side in Side::BOTH {
        let (here, there) = (held[side.index()], held[side.other().index()]);
        for segment in ends(here.facts) {
            let copies =
                ends(there.facts).filter(|other| is_copy(here.facts, segment, there.facts, other));
            if copies.count() > 0 {
                continue;
            }
            let ran = clock.is_some_and(|clock| {
                there.span.covers(clock.on_other(side, segment.at.time), clock.error)
            });
            found.push(Lone {
                side,
                segment: segment.clone(),
                is_certain: ran && complete[side.other().index()],
                was_denied: goes_on(there, here.facts, &segment.value),
            });
        }
    }
    found
}

fn ends(facts: &Facts) -> impl Iterator<Item = &Seen<Segment>> {
    let kept = facts.tcp.leg(Leg::Single).segments.iter();
    kept.filter(|seen| matches!(seen.value.kind, SegmentKind::Fin | SegmentKind::Rst))
}

/// Both are one segment: kind, direction, and its place behind the sender's first number. Where that
/// number is not known, any of the kind may be it.
fn is_copy(here: &Facts, a: &Seen<Segment>, there: &Facts, b: &Seen<Segment>) -> bool {
    let alike = a.value.kind == b.value.kind && a.value.dir == b.value.dir;
    let places = place(here, &a.value).zip(place(there, &b.value));
    alike && places.is_none_or(|(a, b)| a == b)
}

/// Place of a segment's end behind its sender's first sequence number.
fn place(facts: &Facts, segment: &Segment) -> Option<u32> {
    let first = match segment.dir {
        Direction::ToServer => SegmentKind::Syn,
        Direction::ToClient => SegmentKind::SynAck,
    };
    let opening = facts.tcp.leg(Leg::Single).kept(first).next()?;
    Some(segment.seq.wrapping_add(segment.len).wrapping_sub(opening.value.seq))
}

/// The apparent sender of a segment sent more than that segment allows, at its own side.
fn goes_on(sender: Held<'_>, receiver: &Facts, segment: &Segment) -> bool {
    let Some(place) = place(receiver, segment) else { return false };
    let sent = sender.transcript.tape(segment.dir).len();
    let ended = ends(sender.facts).any(|other| other.value.dir == segment.dir);
    // The SYN takes one number.
    sent + 1 > u64::from(place) || ended
}
