//! `server-redirection`: a broker sends the client on to another server, with a token by which that one is found.
//! The order itself is encrypted; the token of the next request tells of it. MS-RDPBCGR 2.2.13.1, 3.2.5.3.1.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use super::who;
use crate::case::{Case, Summary};
use crate::facts::Reached;
use crate::input::Direction;

pub(super) const DETECTOR: Detector = Detector {
    id: "server-redirection",
    kind: Kind::Definition,
    class: Class::Session,
    explains: &[
        "client-rehearsal-close",
        "clean-close-no-reason",
        "rst-genuine-client",
        "truncated-tls",
    ],
    remedy: "Nothing, if the next connection comes up. Else see that the client reaches the server it is sent to: its name, its address from outside, the port.",
    next: &[Next {
        what: "whether the client reaches the server that the broker names",
        command: Some("Test-NetConnection SERVER -Port 3389"),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    left(case).or_else(|| came(case))
}

/// A client that is sent on does not wait.
const AT_ONCE_S: f64 = 1.0;

/// This session was left for one with a token.
fn left(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let to = case.sent_to?;
    let ending = facts.ending().filter(|ending| !ending.both)?;
    let refused = facts.tls.fatal_alert(None).is_some() || facts.relay_fault().is_some();
    if refused {
        return None;
    }
    let seconds = to.started.since(ending.at.time).as_secs_f64();
    let says = format!(
        "The server may have sent the client on: {seconds:.1} s later it came to {} with a load balancer's token.",
        place(to)
    );
    let opinion = Opinion::new(Band::Possible, says)
        .party(Party::Server, Band::Possible)
        .supports(who::ended(ending))
        .supports(Evidence::absent(format!(
            "the same client connected {seconds:.1} s later and brought a token (msts), which servers give to whom they send on"
        )))
        .unknown("the order itself: it is encrypted");
    let came_up = facts.reached().is_some_and(|(reached, _)| reached >= Reached::Active);
    // A session that the server cut off failed, whatever came then; and of one that was left before, somebody else
    // behind the same address may have brought the token a while later.
    let explains = ending.dir == Direction::ToServer && seconds <= AT_ONCE_S;
    Some(if came_up || !explains { opinion.only_a_fact() } else { opinion })
}

/// This session brings the token with which another one was left.
fn came(case: &Case<'_>) -> Option<Opinion> {
    let from = case.sent_by?;
    let request = case.this.x224.request.seen()?;
    let says = format!(
        "A server at {} may have sent the client here: it brings a load balancer's token.",
        place(from)
    );
    Some(
        Opinion::new(Band::Possible, says)
            .party(Party::Unknown, Band::Weak)
            .supports(Evidence::of(request, "the request brings a token (msts)"))
            .supports(Evidence::absent("the same client had left a session seconds before"))
            .only_a_fact(),
    )
}

fn place(session: &Summary) -> String {
    session.server.map_or_else(|| "a server".to_owned(), |server| server.to_string())
}
