//! `payload-trigger-drop`: a filter drops a message for what it says. A candidate: only the same length with
//! other content would tell.

use super::opinion::{Band, Class, Detector, Evidence, Group, Kind, Next, Opinion};
use super::stalled::stalled;
use super::who;
use crate::case::Case;
use crate::facts::Reached;

pub(super) const DETECTOR: Detector = Detector {
    id: "payload-trigger-drop",
    kind: Kind::Cause,
    class: Class::Interference,
    explains: &["transmission-stalled", "clean-close-no-reason", "rst-genuine-"],
    remedy: "Look for an application filter or intrusion prevention on the way that drops Remote Desktop or TLS messages, and allow them.",
    next: &[Next {
        what: "whether the dropped message reaches the other end: capture at both ends and compare",
        command: Some("rdpwhy analyze --client-side A.pcapng --server-side B.pcapng"),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let found = stalled(facts).filter(|found| !found.tail_arrived)?;
    // A message that was said before has passed the filters.
    let (reached, _) = facts.reached().filter(|(reached, _)| *reached < Reached::Active)?;
    let side = who::sender(found.dir);
    let says = format!("A filter on the way may drop what the {side} said{}.", who::step(facts));
    let opinion = Opinion::new(Band::Weak, says)
        .party(found.party(), Band::Possible)
        .supports(found.evidence.clone());
    let opinion = if found.is_about_size() {
        opinion.weigh(Group::Counters, -0.7).contradicts(Evidence::absent(
            "what does not arrive is larger than what had arrived: its size may be the reason",
        ))
    } else if found.heard_before || reached == Reached::X224Request {
        opinion.weigh(Group::Counters, 0.4)
    } else {
        opinion
    };
    let paused =
        facts.silences.idle(facts.ending()).filter(|idle| idle.by == found.dir && idle.is_long());
    let opinion = match paused {
        Some(idle) => opinion.weigh(Group::Timing, -1.0).contradicts(Evidence::at(
            idle.broken,
            format!(
                "it was the first word after {:.0} s of silence: what forgets idle connections drops that as well",
                idle.lasted().as_secs_f64()
            ),
        )),
        None => opinion,
    };
    Some(opinion.unknown("whether the same length with other content passes"))
}
