//! Which transmission does not get through, shared by the detectors that say why. RFC 9293 3.8.1.

use std::time::Duration;

use super::opinion::{Evidence, Party};
use super::who;
use crate::event::At;
use crate::facts::{Facts, Vantage};
use crate::input::{Direction, Leg};

/// A transmission that stands still, as it was measured.
#[derive(Debug)]
pub struct Stalled {
    /// Which way the bytes go that do not arrive.
    pub dir: Direction,
    /// The leg they are lost on.
    pub leg: Leg,
    /// For how long nothing went on.
    pub silent: Duration,
    /// What was measured.
    pub evidence: Evidence,
    /// Later bytes arrived: something before them is missing, not everything.
    pub tail_arrived: bool,
    /// The longest payload that was acknowledged or arrived before, and the longest that was sent, in bytes.
    pub sizes: Option<(u32, u32)>,
    /// The sender has heard from the other side before on this leg.
    pub heard_before: bool,
    /// Nothing but a loss looks like this.
    pub sure: bool,
}

/// Three retransmissions with their backoff take longer than this on any path.
const SILENCE: Duration = Duration::from_secs(3);
/// So often the same is sent again before it is called in vain.
const REPEATS: u32 = 3;

/// What fills a hole before the tail of a flight is a full packet, and no path takes less than this.
const LEAST_FULL: u64 = 536;

/// A round trip that takes so many times as long as those before is no slow one.
const SLOW_TURNS: u32 = 4;

/// The transmission that was standing still when the session ended or the input did.
pub fn stalled(facts: &Facts) -> Option<Stalled> {
    match facts.subject.vantage {
        Vantage::Capture => captured(facts, Leg::Single),
        Vantage::Relay => in_sockets(facts),
    }
}

impl Stalled {
    /// The network on which it stands.
    pub fn party(&self) -> Party {
        match self.leg {
            Leg::Single => Party::Network,
            Leg::Client => Party::ClientNetwork,
            Leg::Server => Party::ServerNetwork,
        }
    }

    /// The longest that got through is shorter than what does not.
    pub fn is_about_size(&self) -> bool {
        self.sizes.is_some_and(|(passed, sent)| passed > 0 && sent > passed && sent >= 500)
    }
}

/// When the latest progress was made: bytes of either side, but for the goodbye of one that waited in vain.
fn silence(facts: &Facts) -> Option<(At, Duration)> {
    let ending = facts.ending();
    let waited = facts.silences.before_goodbye(ending).map(|silence| silence.since);
    let last = || facts.streams.iter().filter_map(|stream| stream.last).max_by_key(|at| at.time);
    let last = waited.or_else(last)?;
    let until = ending.map_or(facts.now, |ending| ending.at.time);
    Some((last, until.since(last.time)))
}

fn captured(facts: &Facts, name: Leg) -> Option<Stalled> {
    let counts = facts.tcp.leg(name).counts()?;
    let (last, silent) = silence(facts).filter(|(_, silent)| *silent >= SILENCE)?;
    let found = Direction::BOTH.into_iter().find_map(|dir| {
        let sent = counts[dir.index()];
        let side = who::sender(dir);
        let unheard = sent.acknowledged.is_some_and(|acknowledged| acknowledged < sent.bytes);
        let in_vain = unheard && sent.repeated >= REPEATS;
        // A hole that was given up and filled later is none.
        let open_hole = sent.behind_hole > 0 && unheard;
        let fact = if open_hole {
            format!(
                "{} bytes of the {side} arrived behind a hole that was not filled for {:.1} s",
                sent.behind_hole,
                silent.as_secs_f64()
            )
        } else if in_vain {
            format!(
                "the {side} sent the same {} times again and got no acknowledgement for {:.1} s",
                sent.repeated,
                silent.as_secs_f64()
            )
        } else {
            return None;
        };
        Some((dir, sent, fact))
    });
    let (dir, sent, fact) = found?;
    Some(Stalled {
        dir,
        leg: name,
        silent,
        evidence: Evidence::at(last, fact),
        tail_arrived: sent.behind_hole > 0,
        // At the receiver's end the largest one is the largest that arrived.
        sizes: (sent.behind_hole == 0).then_some((sent.largest_acknowledged, sent.largest)),
        sure: true,
        heard_before: sent.acknowledged.is_some_and(|acknowledged| acknowledged > 0),
    })
}

/// A relay's kernel knows what it sent in vain on each leg, and what came behind a hole.
fn in_sockets(facts: &Facts) -> Option<Stalled> {
    let (last, silent) = silence(facts).filter(|(_, silent)| *silent >= SILENCE)?;
    let legs = [(Leg::Server, Direction::ToServer), (Leg::Client, Direction::ToClient)];
    legs.into_iter().find_map(|(leg, outward)| {
        let sample = facts.tcp.leg(leg).socket.as_ref()?;
        let value = &sample.value;
        let seconds = silent.as_secs_f64();
        let repeated = value.retransmits.unwrap_or(0);
        // On a way that was slow at first a kernel repeats seldom; it knows for how long nothing was heard.
        let unheard = value.last_ack_recv_ms.map(|ms| Duration::from_millis(ms.into()));
        let turns = value.rtt_us.map(|us| SLOW_TURNS * Duration::from_micros(us.into()));
        let long = unheard.zip(turns).is_some_and(|(unheard, turns)| unheard >= SILENCE.max(turns));
        if value.unacked? > 0 && (repeated >= REPEATS || (repeated > 0 && long)) {
            let acknowledged = value.bytes_acked.map_or(0, |acked| acked.saturating_sub(1));
            let fact = format!(
                "{} segments sent and not acknowledged, sent again {} times; {acknowledged} bytes had been acknowledged before",
                value.unacked?, repeated
            );
            let outstanding = value.bytes_sent.zip(value.bytes_retrans).map(|(sent, again)| {
                sent.saturating_sub(again).saturating_sub(acknowledged).min(u32::MAX.into()) as u32
            });
            // What was acknowledged came in pieces no longer than itself.
            let passed = acknowledged.min(u64::from(value.snd_mss.unwrap_or(u32::MAX))) as u32;
            return Some(Stalled {
                dir: outward,
                leg,
                silent,
                evidence: Evidence::of(sample, fact),
                tail_arrived: value.sacked.unwrap_or(0) > 0,
                sizes: outstanding.map(|outstanding| (passed, outstanding)),
                heard_before: acknowledged > 0,
                sure: true,
            });
        }
        // The count is of the whole connection: the hole may have been filled long ago. It is the other side's turn,
        // or the rest of its record is what lacks.
        let inward = outward.reverse();
        let [asked, answered] = [outward, inward].map(|dir| facts.stream(dir).last.map(|at| at.time));
        let waits = !facts.is_active()
            && answered.is_none_or(|answered| answered <= last.time)
            && (asked > answered || facts.stream(inward).open_frame.is_some());
        if value.rcv_ooopack? > 0 && value.unacked? == 0 && waits {
            let fact = format!(
                "{} segments arrived behind a hole and nothing in order for {seconds:.1} s",
                value.rcv_ooopack?
            );
            return Some(Stalled {
                dir: outward.reverse(),
                leg,
                silent,
                evidence: Evidence::of(sample, fact),
                tail_arrived: true,
                sizes: None,
                sure: facts.stream(inward).bytes < LEAST_FULL,
                heard_before: value.data_segs_in.is_some_and(|segments| segments > 1),
            });
        }
        None
    })
}
