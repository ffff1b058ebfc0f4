//! `lb-reset`, as one end sees it: sessions of one server end together. A candidate: both ends would prove it.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion};
use super::who;
use crate::case::Case;
use crate::input::Direction;

pub(super) const DETECTOR: Detector = Detector {
    id: "lb-reset",
    kind: Kind::Cause,
    class: Class::Interference,
    explains: &[
        "clean-close-no-reason",
        "rst-genuine-server",
        "rst-of-unclear-origin",
        "truncated-tls",
    ],
    remedy: "Look at that second in the log of the load balancer or firewall on the way (failover, maintenance, a health probe that failed) and in the server's (restart).",
    next: &[Next {
        what: "who ended them: capture at both ends and compare",
        command: Some("rdpwhy analyze --client-side A.pcapng --server-side B.pcapng"),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    /// Two can be chance.
    const OTHERS: usize = 2;
    let facts = case.this;
    let ending =
        facts.ending().filter(|ending| ending.dir == Direction::ToClient && !ending.both)?;
    // What both ends saw is for the comparison of two captures to say.
    if case.together < OTHERS || case.pair.is_some() {
        return None;
    }
    let says = "Several sessions of this server ended in the same second: a load balancer or firewall on the way may have dropped them all, or the server restarted.";
    Some(
        Opinion::new(Band::Possible, says)
            .party(who::network(facts, Direction::ToClient), Band::Weak)
            .supports(who::ended(ending))
            .supports(Evidence::absent(format!(
                "{} other sessions of the same server were ended from its side within the same second",
                case.together
            )))
            .unknown("whether the server itself restarted at that second"),
    )
}
