//! `data-injected`: two different contents for the same place of a stream. A TCP sends the same bytes again.
//! RFC 9293 3.8.1.

use super::opinion::{Band, Class, Control, Detector, Evidence, Group, Kind, Opinion};
use super::who;
use crate::case::Case;
use crate::input::SegmentKind;

pub(super) const DETECTOR: Detector = Detector {
    id: "data-injected",
    kind: Kind::Definition,
    class: Class::Interference,
    explains: &[
        "clean-close-no-reason",
        "rst-genuine-",
        "rst-of-unclear-origin",
        "tls-alert-",
        "tls-plaintext-after-hello",
        "non-rdp-endpoint",
    ],
    remedy: "Find the device on that path that writes into connections and remove it from this one.",
    next: &[],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let mut second =
        facts.tcp.legs().filter_map(|(_, leg)| leg.kept(SegmentKind::DifferingOverlap).next());
    let second = second.next()?;
    let segment = &second.value;
    let side = who::sender(segment.dir);
    let says = format!(
        "Two different contents came for the same place of what the {side} sent: a second writer is on the way."
    );
    let fact =
        format!("{} bytes of the {side} differ from what had come for the same place", segment.len);
    let opinion = Opinion::new(Band::Possible, says)
        .party(who::network(facts, segment.dir), Band::High)
        .weigh(Group::Continuation, 1.5)
        .supports(Evidence::of(second, fact));
    // The first or the second copy came another way than the rest.
    let baseline = segment.baseline;
    let foreign = baseline.ttl.is_some_and(|(usual, of)| {
        of >= 3 && (!baseline.ttl_is_steady || segment.ttl.is_some_and(|ttl| ttl != usual))
    });
    Some(if foreign {
        opinion
            .weigh(Group::Ttl, 2.0)
            .supports(Evidence::of(
                second,
                format!("segments that bear the {side}'s name have different TTLs"),
            ))
            .control(Some(Control::Baseline))
    } else {
        opinion.unknown(
            "whether a middlebox cut the stream anew and damaged it, or somebody wrote into it",
        )
    })
}
