//! `reordering-duplication`: segments arrive in another order or twice, without being lost. RFC 2883, RFC 9293 3.4.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Opinion, Party};
use super::who;
use crate::case::Case;
use crate::facts::LegFacts;
use crate::input::{Direction, Leg};

pub(super) const DETECTOR: Detector = Detector {
    id: "reordering-duplication",
    kind: Kind::Note,
    class: Class::Performance,
    explains: &[],
    remedy: "Look for per-packet load balancing, a bonded link or a mirrored path on that leg.",
    next: &[],
    detect,
};

/// A few belong to any path.
const SOME: u64 = 3;

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let (name, evidence) = case.this.tcp.legs().find_map(|(name, leg)| {
        in_packets(leg).or_else(|| in_socket(leg)).map(|evidence| (name, evidence))
    })?;
    let (party, place) = match name {
        Leg::Client => (Party::ClientNetwork, "between the client and the relay"),
        Leg::Server => (Party::ServerNetwork, "between the relay and the server"),
        Leg::Single => (Party::Network, "between client and server"),
    };
    let says = format!("Packets arrive out of order or twice {place}.");
    Some(Opinion::new(Band::High, says).party(party, Band::High).supports(evidence))
}

fn in_socket(leg: &LegFacts) -> Option<Evidence> {
    let sample = leg.socket.as_ref()?;
    let (reordered, twice) = (sample.value.reord_seen?, sample.value.dsack_dups?);
    (u64::from(reordered) + u64::from(twice) >= SOME).then(|| {
        let fact =
            format!("{reordered} reorderings and {twice} duplicates were reported by the peer");
        Evidence::of(sample, fact)
    })
}

fn in_packets(leg: &LegFacts) -> Option<Evidence> {
    let counts = leg.counts()?;
    Direction::BOTH.into_iter().find_map(|dir| {
        let sent = counts[dir.index()];
        // What was sent again explains what stood behind it.
        let reordered = sent.out_of_order.saturating_sub(sent.retransmitted);
        let twice = sent.duplicates_reported;
        (reordered + twice >= SOME).then(|| {
            let side = who::sender(dir);
            Evidence::absent(format!(
                "of the {side}'s segments {reordered} came out of order, and {twice} times its peer reported to have got the same twice"
            ))
        })
    })
}
