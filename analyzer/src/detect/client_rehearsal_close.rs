//! `client-rehearsal-close`: mstsc connects, shows its user a prompt, leaves, and comes back. No failure.

use super::nla;
use super::opinion::{Band, Class, Detector, Evidence, Kind, Opinion, Party};
use super::stalled::stalled;
use super::who;
use crate::case::Case;
use crate::facts::{Reached, Vantage};
use crate::input::{Direction, Leg};

pub(super) const DETECTOR: Detector = Detector {
    id: "client-rehearsal-close",
    kind: Kind::Definition,
    class: Class::Benign,
    explains: &["clean-close-no-reason", "rst-genuine-client", "truncated-tls"],
    remedy: "Nothing: this is how the client asks its user.",
    next: &[],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let ending = facts.client_left()?;
    let (reached, _) = facts.reached()?;
    let paused = facts.tls.is_established() && reached < Reached::Active;
    // A server that alerted first or was not heard had its own part in the end.
    let left = facts.tls.last_alert(Direction::ToServer).map_or(ending.at.time, |at| at.time);
    let server_spoke = facts.tls.last_alert(Direction::ToClient).is_some_and(|at| at.time < left);
    // What the server says to a client that has left is not acknowledged any more, nor sent again.
    let spoken = facts.stream(Direction::ToClient).last;
    let counts = facts.tcp.leg(Leg::Single).counts();
    let repeated =
        counts.is_some_and(|counts| counts[Direction::ToClient.index()].retransmitted > 0);
    let unheard = facts.subject.vantage == Vantage::Capture
        && (repeated || spoken.is_none_or(|last| last.time <= left))
        && who::all_acknowledged(facts, Direction::ToClient) == Some(false);
    // It may have sent credentials, which the server refused.
    let refused = facts.tls.fatal_alert(None).is_some()
        || facts.relay_fault().is_some()
        || nla::bad_credentials(case).is_some();
    // It had spoken, and waited for an answer in vain.
    let in_vain = stalled(facts).is_some_and(|found| found.dir == Direction::ToServer);
    if !paused || refused || server_spoke || unheard || in_vain {
        return None;
    }
    // A second attempt that ends at the same step is a refusal repeated, not a rehearsal.
    let real = case.later().find(|sibling| sibling.reached > Some(reached))?;
    let seconds = real.started.since(ending.at.time).as_secs_f64();
    Some(
        Opinion::new(
            Band::High,
            format!("The client paused for its user (certificate or password prompt) and connected again {seconds:.1} s later: no failure."),
        )
        .party(Party::Client, Band::High)
        .supports(who::ended(ending))
        .supports(Evidence::absent(format!(
            "the same client connected to the same server again {seconds:.1} s later and got further"
        ))),
    )
}
