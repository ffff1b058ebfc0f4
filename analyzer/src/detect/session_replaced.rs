//! `session-replaced`: the same user connected again, and the server ended the older session.
//! MS-RDPBCGR 2.2.5.1.1 (0x00000005) says so inside TLS; outside, the times do.

use std::time::Duration;

use super::opinion::{Band, Class, Detector, Evidence, Kind, Opinion, Party};
use super::who;
use crate::case::{Case, Summary};
use crate::facts::Reached;
use crate::input::Direction;

pub(super) const DETECTOR: Detector = Detector {
    id: "session-replaced",
    kind: Kind::Cause,
    class: Class::Session,
    explains: &["clean-close-no-reason", "rst-genuine-server"],
    remedy: "Nothing, if the user connected twice. Else look at the server's limits of sessions per user.",
    next: &[],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    /// Logging on takes this long at most before the older session goes.
    const LOGON: Duration = Duration::from_secs(30);
    let facts = case.this;
    let ending =
        facts.ending().filter(|ending| ending.dir == Direction::ToClient && !ending.both)?;
    let this = Summary::of(facts);
    let (reached, _) = facts.reached().filter(|(reached, _)| *reached >= Reached::Active)?;
    let newer = case.siblings.iter().copied().find(|sibling| {
        sibling.cookie.is_some()
            && sibling.cookie == this.cookie
            && sibling.reached >= Some(reached)
            && sibling.started > this.started
            && sibling.started <= ending.at.time
            && ending.at.time.since(sibling.started) <= LOGON
    })?;
    let seconds = ending.at.time.since(newer.started).as_secs_f64();
    Some(
        Opinion::new(Band::Possible, "The same user connected again and the server ended this older session.")
            .party(Party::Server, Band::Possible)
            .supports(who::ended(ending))
            .supports(Evidence::absent(format!(
                "a connection of the same client and user had begun {seconds:.1} s before and became a session"
            ))),
    )
}
