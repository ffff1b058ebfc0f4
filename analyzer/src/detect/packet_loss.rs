//! `packet-loss`: segments are lost on a leg. RFC 9293 3.8.1, RFC 2018.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Opinion, Party};
use super::who;
use crate::case::Case;
use crate::event::At;
use crate::facts::{Facts, LegFacts, Seen};
use crate::input::{Close, Direction, Leg};

pub(super) const DETECTOR: Detector = Detector {
    id: "packet-loss",
    kind: Kind::Cause,
    class: Class::Performance,
    explains: &["transmission-stalled", "clean-close-no-reason", "rst-genuine-"],
    remedy: "Look at that leg: cable or Wi-Fi, VPN, policer, duplex. Compare the loss at another time and over another path.",
    next: &[],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    if let Some(opinion) = never_through(facts) {
        return Some(opinion);
    }
    // Each end's capture knows best what its own end had to repeat.
    let other = case.at_server().map(|(server, _)| (Leg::Single, server.tcp.leg(Leg::Single)));
    let (leg, evidence) = facts.tcp.legs().chain(other).find_map(|(name, leg)| {
        in_socket(leg)
            .map(|(at, fact)| Evidence::at(at, fact))
            .or_else(|| in_packets(leg).map(Evidence::absent))
            .map(|evidence| (name, evidence))
    })?;
    let (party, where_) = match leg {
        Leg::Client => (Party::ClientNetwork, "between the client and the relay"),
        Leg::Server => (Party::ServerNetwork, "between the relay and the server"),
        Leg::Single => (Party::Network, "between client and server"),
    };
    let opinion = Opinion::new(Band::Probable, format!("Packets are lost {where_}."))
        .party(party, Band::Probable)
        .supports(evidence);
    Some(if timed_out(facts) { opinion } else { opinion.only_a_fact() })
}

/// A capture of a connection that died of loss: one side sent its last bytes again and again, without an
/// acknowledgement. The other did so too, so it was alive, and only the path is left to blame; where it did
/// not, it may have been gone.
fn never_through(facts: &Facts) -> Option<Opinion> {
    let counts = facts.tcp.leg(Leg::Single).counts()?;
    let dir = Direction::BOTH.into_iter().find(|dir| who::is_unheard(facts, *dir))?;
    let other = counts[dir.reverse().index()];
    // A few of a long session's say nothing of its end.
    let lately = other.repeated >= 3 || other.retransmitted * 50 > other.data_segments;
    if !who::sends_again(other) || !lately {
        return None;
    }
    let sent = counts[dir.index()];
    let side = who::sender(dir);
    let opinion = Opinion::new(
        Band::Probable,
        format!("What the {side} sent last did not arrive: packets are lost between client and server."),
    )
    .party(Party::Network, Band::Probable)
    .supports(Evidence::absent(format!(
        "{} of {} data segments from the {side} were retransmitted, and of its {} bytes only {} acknowledged",
        sent.retransmitted,
        sent.data_segments,
        sent.bytes,
        sent.acknowledged.unwrap_or(0)
    )));
    Some(opinion)
}

/// Loss is the end's cause only where the end is a transmission that never got through.
fn timed_out(facts: &Facts) -> bool {
    facts.ending().is_some_and(|ending| ending.how == Close::Error("ETIMEDOUT"))
}

/// At least this many segments make a ratio.
const ENOUGH: u64 = 50;

/// One of them in fifty, and more than a single one that came late.
fn are_many(repeated: u64, sent: u64) -> bool {
    sent >= ENOUGH && repeated >= 2 && repeated.saturating_mul(50) > sent
}

fn in_socket(leg: &LegFacts) -> Option<(At, String)> {
    let Seen { value: sample, at } = **leg.socket.as_ref()?;
    let retransmitted = u64::from(sample.total_retrans?);
    let sent = u64::from(sample.segs_out?);
    if are_many(retransmitted, sent) {
        return Some((at, format!("{retransmitted} of {sent} segments sent were retransmitted")));
    }
    let (disordered, received) = (u64::from(sample.rcv_ooopack?), u64::from(sample.data_segs_in?));
    (received >= ENOUGH && disordered * 20 > received)
        .then(|| (at, format!("{disordered} of {received} segments arrived behind a hole")))
}

fn in_packets(leg: &LegFacts) -> Option<String> {
    let counts = leg.counts()?;
    Direction::BOTH.into_iter().find_map(|dir| {
        let sent = counts[dir.index()];
        are_many(sent.retransmitted, sent.data_segments).then(|| {
            format!(
                "{} of {} data segments from the {} were retransmitted",
                sent.retransmitted,
                sent.data_segments,
                who::sender(dir)
            )
        })
    })
}
