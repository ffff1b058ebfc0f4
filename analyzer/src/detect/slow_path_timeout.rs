//! `slow-path-timeout`: the round trips of the handshake used up the patience of the side that waited.

use std::time::Duration;

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use super::server_stall;
use super::who;
use crate::case::Case;
use crate::event::At;
use crate::facts::{Ending, Facts, Vantage};
use crate::input::{Direction, Leg, Segment, SegmentKind};

pub(super) const DETECTOR: Detector = Detector {
    id: "slow-path-timeout",
    kind: Kind::Cause,
    class: Class::Performance,
    explains: &[
        "clean-close-no-reason",
        "rst-genuine-client",
        "server-stall",
        "service-down-after-accept",
    ],
    remedy: "Look for what makes the path slow (satellite or mobile link, VPN detour, full queue), or use a gateway near the server.",
    next: &[Next { what: "the round trip time (from the client)", command: Some("ping SERVER") }],
    detect,
};

/// Who leaves sooner may have changed his mind: few programs have a shorter timer for a whole attempt.
const TIMER: Duration = Duration::from_secs(5);
/// Below this a handshake takes no time that anybody would notice.
const SLOW: Duration = Duration::from_millis(500);

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let ending = facts.ending()?;
    let gave_up = gave_up(facts, ending).filter(|gave_up| gave_up.tried >= TIMER)?;
    let GaveUp { at, leg, round, answered, sure, .. } = gave_up;
    let (party, place) = match leg {
        Leg::Client => (Party::ClientNetwork, "between the client and the relay"),
        Leg::Server => (Party::ServerNetwork, "between the relay and the server"),
        Leg::Single => (Party::Network, "between client and server"),
    };
    let ms = round.as_secs_f64() * 1000.0;
    let gave_up = match answered {
        false => "gave up before the answer could come",
        true => "left the moment an answer came, and may have given up while it waited",
    };
    let band = if sure { Band::Probable } else { Band::Possible };
    Some(
        Opinion::new(
            band,
            format!("Every step takes {ms:.0} ms on the way {place}; the client {gave_up}."),
        )
        .party(party, Band::Possible)
        .supports(Evidence::at(at, format!("the round trip took {ms:.0} ms")))
        .supports(who::ended(ending)),
    )
}

/// A client whose patience a slow path used up.
pub(super) struct GaveUp {
    at: At,
    leg: Leg,
    /// The round trip that it waited for.
    round: Duration,
    /// How long the whole attempt took.
    tried: Duration,
    /// An answer came, and it left at once.
    answered: bool,
    /// It can hardly have left for another reason.
    sure: bool,
}

/// The client spoke last, waited, and left before a slow path could have brought an answer; or it left as soon as
/// one had come, as a program does that was told to end while it waited.
pub(super) fn gave_up(facts: &Facts, ending: &Ending) -> Option<GaveUp> {
    /// Nobody loses patience sooner while answers come.
    const PATIENCE: Duration = Duration::from_secs(8);
    /// Nobody reads a prompt so fast.
    const AT_ONCE: Duration = Duration::from_millis(200);
    if ending.dir != Direction::ToServer || ending.both || facts.is_active() {
        return None;
    }
    let (at, leg, round) = round_trip(facts).filter(|(_, _, round)| *round >= SLOW)?;
    // What came behind the end came too late. A goodbye asks nothing: it ends the wait for an answer.
    let [last, answered] = ending.last;
    let goodbye = facts.tls.last_alert(Direction::ToServer).map(|at| at.time);
    let (asked, left) = match goodbye.filter(|_| goodbye == last) {
        Some(goodbye) => (facts.stream(Direction::ToServer).before_last?.time, goodbye),
        None => (last?, ending.at.time),
    };
    let tried = ending.at.time.since(facts.subject.started);
    let its_turn = server_stall::is_clients_turn(&facts.tls);
    if its_turn || answered.is_some_and(|answered| answered > asked) {
        let at_once = answered.is_some_and(|answered| left.since(answered) <= AT_ONCE);
        let gave_up = GaveUp { at, leg, round, tried, answered: true, sure: false };
        return (at_once && tried >= PATIENCE).then_some(gave_up);
    }
    // One round trip and a little is all that an answer takes. One that was lost on its way takes as long as a slow
    // one; a second answer tells.
    let second = facts.x224.confirm.is_seen() || facts.subject.vantage == Vantage::Relay;
    let soon = left.since(asked) <= round.mul_f64(2.5);
    soon.then_some(GaveUp { at, leg, round, tried, answered: false, sure: second })
}

/// The longest round trip of a leg.
pub(super) fn round_trip(facts: &Facts) -> Option<(At, Leg, Duration)> {
    let measured = facts.tcp.legs().filter_map(|(name, leg)| {
        let socket = leg.socket.as_ref().and_then(|socket| {
            let rtt = socket.value.min_rtt_us.or(socket.value.rtt_us)?;
            Some((socket.at, name, Duration::from_micros(rtt.into())))
        });
        let opened = leg
            .opened
            .seen()
            .and_then(|opened| Some((opened.at, name, Duration::from_nanos(opened.value?))));
        match facts.subject.vantage {
            Vantage::Relay => socket.or(opened),
            Vantage::Capture => captured(facts, name),
        }
    });
    measured.max_by_key(|(_, _, round)| *round)
}

/// On a slow path SYNs are sent again before the answer to the first can come, so the time from the last one
/// means nothing. The whole handshake and the X.224 turn are both at least one round trip long, and so is the time
/// from the SYN whose time stamp was echoed.
fn captured(facts: &Facts, name: Leg) -> Option<(At, Leg, Duration)> {
    let opened = facts.tcp.leg(name).opened.seen()?;
    let handshake = opened.at.time.since(facts.subject.started);
    let turn = facts.x224.request.seen().zip(facts.x224.confirm.seen());
    let turn = turn.map(|(request, confirm)| confirm.at.time.since(request.at.time));
    let stamped = stamped(facts, name);
    let round = stamped.into_iter().chain(turn).min()?;
    Some((opened.at, name, round.min(handshake)))
}

/// From the SYN that the SYN-ACK echoes the time stamp of: the first one that arrived. RFC 7323 4.1.
fn stamped(facts: &Facts, name: Leg) -> Option<Duration> {
    let leg = facts.tcp.leg(name);
    let answer = leg.kept(SegmentKind::SynAck).next()?;
    let echo = answer.value.option(Segment::TIMESTAMPS)?.get(4..8)?;
    let mut asked = leg.kept(SegmentKind::Syn);
    let stamp = |syn: &Segment| {
        syn.option(Segment::TIMESTAMPS).and_then(|value| value.get(..4)) == Some(echo)
    };
    let syn = asked.find(|syn| stamp(&syn.value))?;
    Some(answer.at.time.since(syn.at.time))
}
