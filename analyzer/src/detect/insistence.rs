//! A client that leaves after the server's choice: does it insist on another one, or did something else
//! happen at that moment? Shared by the detectors of answers that a client does not accept.

use std::time::Duration;

use super::opinion::Band;
use crate::case::{Case, REHEARSAL, Summary};
use crate::event::At;
use crate::facts::{Ending, Facts, Reached};
use crate::input::{Close, Direction};
use crate::wire::x224::Protocols;

/// A program's own decision takes less; a user who reads a prompt takes more.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Nobody tries the same so often within two minutes by hand.
const OFTEN: u32 = 4;

/// The end of a session whose client left right behind the Connection Confirm, without a word. `None`
/// where it went on, where the server ended it, and where bytes of the client were lost, which may be
/// how it went on.
pub fn left_behind_confirm(facts: &Facts) -> Option<&Ending> {
    let goes_on = facts.tls.client_hello.is_seen()
        || facts.rdp.connect_initial.is_seen()
        || facts.stream(Direction::ToServer).gap
        || facts.lacks_words();
    let left = |ending: &&Ending| {
        ending.dir == Direction::ToServer && !ending.both && !matches!(ending.how, Close::Error(_))
    };
    facts.ending().filter(left).filter(|_| !goes_on)
}

/// How sure it is that the client left because of the answer. `same_answer` tells by its selected protocol
/// whether a sibling got such an answer, `wanted` by its requested ones whether it could have insisted, too;
/// `once` is for a client that left at once and did so once.
pub fn insists(
    case: &Case<'_>,
    confirm: At,
    ending: &Ending,
    same_answer: impl Fn(Protocols) -> bool,
    wanted: impl Fn(Protocols) -> bool,
    once: Band,
) -> Band {
    let this = Summary::of(case.this);
    let comparable = |sibling: &&Summary| sibling.selected.is_some_and(&same_answer);
    // A client that would go on has done so elsewhere; one that insists has left there too.
    let (mut went_on, mut others) = (false, 0);
    for sibling in case.siblings.iter().copied().filter(comparable) {
        went_on |= sibling.reached > Some(Reached::X224Confirm);
        let apart = sibling.started.since(this.started).max(this.started.since(sibling.started));
        let left = sibling.started != this.started
            && apart <= REHEARSAL
            && sibling.reached == Some(Reached::X224Confirm)
            && sibling.closed.is_some_and(|(dir, _)| dir == Direction::ToServer)
            && sibling.requested.is_some_and(&wanted);
        others += u32::from(left);
    }
    // A monitor leaves again and again, too.
    let like_clockwork = others >= OFTEN;
    let mut left = others > 0;
    // Restricted admin and remote credential guard exist with NLA only. MS-RDPBCGR 2.2.1.1.1.
    const NLA_ONLY: u8 = 0x01 | 0x02;
    let request = case.this.x224.request.value().and_then(|request| request.negotiation);
    left |= request.is_some_and(|request| request.flags & NLA_ONLY != 0);
    // No user decides this fast; a scanner does, and a client that may not ask for a password.
    let at_once = ending.at.time.since(confirm.time) <= AT_ONCE;
    match (went_on, at_once, left) {
        (true, ..) | (false, false, false) => Band::Weak,
        (false, true, true) if like_clockwork => Band::Possible,
        (false, true, true) => Band::Probable,
        (false, true, false) => once,
        (false, false, true) => Band::Possible,
    }
}
