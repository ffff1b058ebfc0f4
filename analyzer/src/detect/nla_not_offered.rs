//! `nla-not-offered`: the client insists on NLA and the server has none to offer.

use std::time::Duration;

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::case::{Case, Summary};
use crate::facts::Reached;
use crate::input::Direction;
use crate::wire::x224::Protocols;

pub(super) const DETECTOR: Detector = Detector {
    id: "nla-not-offered",
    kind: Kind::Definition,
    class: Class::ServerConfig,
    explains: &["clean-close-no-reason", "rst-genuine-"],
    remedy: "Turn NLA on at the server (UserAuthentication=1) rather than off in the client. xrdp has no NLA: there the client must be allowed to use TLS.",
    next: &[Next {
        what: "whether the server has NLA on (on the server, read-only)",
        command: Some(
            "Get-ItemProperty 'HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Terminal Server\\WinStations\\RDP-Tcp' | Select UserAuthentication",
        ),
    }],
    detect,
};

/// A program's own decision takes less; a user who reads a prompt takes more.
const AT_ONCE: Duration = Duration::from_secs(1);

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let confirm = facts.x224.confirm.seen()?;
    let (requested, selected) = (facts.x224.requested()?, confirm.value.selected()?);
    let ending = facts.ending().filter(|ending| ending.dir == Direction::ToServer)?;
    // Where bytes of the client were lost, its ClientHello may be among them.
    let goes_on = facts.tls.client_hello.is_seen()
        || facts.rdp.connect_initial.is_seen()
        || facts.stream(Direction::ToServer).gap;
    if !requested.is_nla() || selected.is_nla() || !requested.contains(selected) || goes_on {
        return None;
    }
    let this = Summary::of(facts);
    let same_answer = |sibling: &&Summary| {
        sibling.is_sibling_of(&this) && sibling.selected.is_some_and(|selected| !selected.is_nla())
    };
    // A client that would go on without NLA has done so elsewhere; one that insists has left there too.
    let (mut went_on, mut insists) = (false, false);
    for sibling in case.siblings.iter().filter(same_answer) {
        went_on |= sibling.reached > Some(Reached::X224Confirm);
        insists |= sibling.started != this.started
            && sibling.reached == Some(Reached::X224Confirm)
            && sibling.closed_by == Some(Direction::ToServer)
            && sibling.requested.is_some_and(Protocols::is_nla);
    }
    // Restricted admin and remote credential guard exist with NLA only. MS-RDPBCGR 2.2.1.1.1.
    const NLA_ONLY: u8 = 0x01 | 0x02;
    let request = facts.x224.request.value().and_then(|request| request.negotiation);
    insists |= request.is_some_and(|request| request.flags & NLA_ONLY != 0);
    // No user decides this fast; a scanner does, and a client that may not ask for a password.
    let at_once = ending.at.time.since(confirm.at.time) <= AT_ONCE;
    let band = match (went_on, at_once, insists) {
        (false, true, true) => Band::Probable,
        (false, false, true) => Band::Possible,
        _ => Band::Weak,
    };
    Some(
        Opinion::new(
            band,
            "The client insists on Network Level Authentication and the server offered only TLS without it, so the client left.",
        )
        .party(Party::Client, Band::Possible)
        .supports(Evidence::of(confirm, format!("the server selected {selected}; the client had asked for {requested}")))
        .supports(Evidence::at(ending.at, "the client closed without sending a TLS ClientHello"))
        .unknown("whether the user cancelled at that moment, or this was a scanner"),
    )
}
