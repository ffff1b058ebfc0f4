//! `half-open-asymmetric`: the server answers the handshake again and again, and nothing comes back.
//! RFC 9293 3.5. Visible beside the server, or from both ends.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::case::Case;
use crate::facts::Vantage;
use crate::input::{Direction, Leg, SegmentKind};

pub(super) const DETECTOR: Detector = Detector {
    id: "half-open-asymmetric",
    kind: Kind::Definition,
    class: Class::Reachability,
    explains: &["tcp-syn-drop", "clean-close-no-reason"],
    remedy: "Look at the ways between server and client, the one back first: routing, and stateful firewalls that see only one direction.",
    next: &[Next {
        what: "the way back (on the server)",
        command: Some("tracert CLIENT (Windows) or traceroute CLIENT"),
    }],
    detect,
};

/// So many answers without an acknowledgement are no accident.
const ANSWERS: usize = 3;

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let leg = facts.tcp.leg(Leg::Single);
    let captured = facts.subject.vantage == Vantage::Capture;
    let answers: Vec<_> = leg.kept(SegmentKind::SynAck).collect();
    let heard = leg.opened.is_seen()
        || facts.stream(Direction::ToServer).bytes > 0
        || leg.kept(SegmentKind::Rst).any(|rst| rst.value.dir == Direction::ToServer);
    if !captured || heard || answers.len() < ANSWERS || facts.is_one_sided() {
        return None;
    }
    // A client that has not heard the answer asks again; a scanner, or a forged address, does not.
    let lone = leg.syns < 2;
    let band = if lone { Band::Possible } else { Band::High };
    let fact =
        format!("{} SYN-ACKs of the server, and no ACK, RST or byte of the client", answers.len());
    let opinion =
        Opinion::new(
            band,
            "The server answers the handshake again and again and nothing comes back: packets pass in one direction only.",
        )
        .party(Party::Network, band.min(Band::Probable))
        .supports(Evidence::of(answers[answers.len() - 1], fact))
        .unknown("whether the answers are lost, or what the client says to them");
    Some(match lone {
        true => opinion.unknown("whether anybody wanted a connection: it was asked for once"),
        false => opinion,
    })
}
