//! `lb-no-backend`: what accepted the client's connection hung up on it, and at the server's side nobody had
//! accepted any.

use super::BETWEEN;
use crate::case::{Case, There};
use crate::detect::lb_no_backend::{Dropped, dropped};
use crate::detect::opinion::{Band, Class, Detector, Evidence, Kind, Opinion, Party};
use crate::detect::who;
use crate::diff::{Key, Side};
use crate::facts::Facts;
use crate::input::{Leg, SegmentKind};

pub const NO_BACKEND: Detector = Detector {
    id: "lb-no-backend",
    kind: Kind::Cause,
    class: Class::Reachability,
    explains: &["clean-close-no-reason", "rst-genuine-server", "rst-of-unclear-origin"],
    remedy: "Look at what accepts for the server: a load balancer's health probe and pool, the target of a forwarder or tunnel, a NAT rule. It has no server to pass connections on to.",
    next: BETWEEN,
    detect,
};

/// The other capture was running and shows that its host accepted nothing of this; whether that is the host the
/// client dialled.
pub(super) struct Nobody {
    pub(super) same_host: bool,
    evidence: Evidence,
}

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let Dropped { since, ms, ending } = dropped(case.this)?;
    let nobody = nobody_accepted(case)?;
    let says = "Something between the two captures accepts connections for the server and hangs up: the server accepted none. A load balancer, forwarder or tunnel has no server behind it.";
    // A capture may have been told to leave some clients out.
    let band = if nobody.same_host { Band::Probable } else { Band::Possible };
    let opinion = Opinion::new(band, says)
        .party(Party::Network, band)
        .supports(who::ended(ending).side(Side::Client))
        .supports(
            Evidence::at(
                since,
                format!("accepted, and closed {ms:.1} ms later without a single byte"),
            )
            .side(Side::Client),
        )
        .supports(nobody.evidence)
        .unknown("whether the capture at the server's side took the packets of everybody");
    Some(match nobody.same_host {
        true => opinion,
        false => opinion.unknown(
            "whether the host at the server's side is the one that was meant: its address is another",
        ),
    })
}

/// What shows at the server's side that nobody there accepted the session.
pub(super) fn nobody_accepted(case: &Case<'_>) -> Option<Nobody> {
    let pair = case.pair.filter(|pair| pair.here == Side::Client)?;
    match pair.there {
        There::Absent { same_host, unclaimed: false, .. } => {
            let fact = "no connection of that time was accepted at the server's side, whose capture was running";
            Some(Nobody { same_host, evidence: Evidence::absent(fact) })
        }
        // Who ends TCP dials by itself: a connection of the right time that nobody accepted, instead of none.
        There::Seen(server, diff) if diff.key == Key::Time => {
            let leg = server.tcp.leg(Leg::Single);
            let syn = leg.kept(SegmentKind::Syn).next().filter(|_| server.was_only_dialled())?;
            let host = |facts: &Facts| facts.subject.server.map(|server| server.ip());
            let fact = "the only connection of that time at the server's side was not accepted";
            let evidence = Evidence::of(syn, fact).side(Side::Server);
            Some(Nobody { same_host: host(case.this) == host(server), evidence })
        }
        _ => None,
    }
}
