//! `fin-injected`: data of a host behind the place of a FIN that bears its name. A TCP sends none.
//! RFC 9293 3.6.

use super::battery;
use super::opinion::{Band, Class, Control, Detector, Evidence, Group, Kind, Opinion};
use super::who;
use crate::case::Case;
use crate::input::{Close, SegmentKind};

pub(super) const DETECTOR: Detector = Detector {
    id: "fin-injected",
    kind: Kind::Definition,
    class: Class::Interference,
    explains: &["clean-close-no-reason", "truncated-tls"],
    remedy: "Find the device on that path that ends Remote Desktop connections and exempt this traffic from it.",
    next: &[],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let ending = facts.ending().filter(|ending| ending.how == Close::Fin)?;
    let dir = ending.dir;
    let leg = facts.tcp.leg(facts.source_leg(dir));
    let fin = leg.kept(SegmentKind::Fin).find(|fin| fin.value.dir == dir)?;
    let mut tests = battery::of(facts, fin);
    let later = leg
        .kept(SegmentKind::DataAfterFin)
        .find(|seen| seen.value.dir == dir && seen.at.time >= fin.at.time);
    let foreign = tests.forged.iter().any(|test| test.group == Group::Ttl);
    if later.is_none() && !foreign {
        return None;
    }
    let side = who::sender(dir);
    let says = format!(
        "The connection was closed{} by a FIN that bears the {side}'s name{}: something on the way sent it.",
        who::step(facts),
        later.map_or(String::new(), |_| format!(" while the {side} went on"))
    );
    if let Some(later) = later {
        let fact = format!("{} bytes of the {side} behind the place of that FIN", later.value.len);
        tests.add(Group::Continuation, 3.0, Evidence::of(later, fact));
    }
    // No sender goes on behind its own FIN: two wrote here, whatever the other tests say. RFC 9293 3.6. Without
    // that, a way that has changed since the last segment looks the same.
    let control = later.map(|_| Control::Baseline);
    let opinion = tests.argue(Opinion::new(Band::Weak, says));
    Some(opinion.party(who::network(facts, dir), Band::High).control(control))
}
