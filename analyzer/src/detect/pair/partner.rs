//! `not-in-other-capture`: a session that the capture at the other end does not hold, or not for sure.

use crate::case::{Case, There};
use crate::detect::opinion::{Band, Class, Detector, Evidence, Kind, Opinion, Party};
use crate::diff::{Key, Side};

pub const WITHOUT_PARTNER: Detector = Detector {
    id: "not-in-other-capture",
    kind: Kind::Note,
    class: Class::Reachability,
    explains: &[],
    remedy: "Compare the server's address with the host of the other capture: name resolution, NAT rules or a load balancer may lead elsewhere.",
    next: &[],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let pair = case.pair?;
    let elsewhere = match pair.here {
        Side::Client => "the server's side",
        Side::Server => "the client's side",
    };
    let (says, fact) = match pair.there {
        There::Seen(_, diff) if diff.key == Key::Time => (
            format!(
                "The capture at {elsewhere} holds a session that may be this one by its time; nothing else ties them together, so the comparison proves nothing."
            ),
            format!("one session at {elsewhere} fits this one by its time alone"),
        ),
        There::Seen(..) => return None,
        There::Absent { .. } => (
            format!(
                "The capture at {elsewhere} was running and holds no such session: it was dropped between, or went elsewhere."
            ),
            format!(
                "no session at {elsewhere} fits this one, and that capture holds packets from before and after it"
            ),
        ),
        There::NotRunning => (
            format!(
                "The capture at {elsewhere} holds no such session and may not have been running then: this is the verdict of one capture."
            ),
            format!("no session at {elsewhere} fits this one"),
        ),
    };
    let opinion = Opinion::new(Band::Certain, says).party(Party::Unknown, Band::Weak);
    Some(opinion.supports(Evidence::absent(fact)).only_a_fact())
}
