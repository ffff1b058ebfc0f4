//! What the facts of a session tell of the duration of its steps.

use std::time::Duration;

use rdpwhy_analyzer::facts::{Facts, Known, Vantage};
use rdpwhy_analyzer::input::{Direction, Timestamp};

use super::{Latencies, Leg, Step};

impl Latencies {
    /// Records the steps of a session, those that it took. Nothing is recorded where bytes are missing
    /// between the two ends of a time.
    pub fn record_session(&mut self, facts: &Facts) {
        self.record_setup(facts);
        self.record_turns(facts);
    }

    /// The steps until a session is up.
    pub fn record_setup(&mut self, facts: &Facts) {
        for (leg, tcp) in facts.tcp.legs() {
            if let Some(&Some(took)) = tcp.opened.value() {
                self.record(Step::Tcp, leg.into(), Duration::from_nanos(took));
            }
        }
        if !is_whole(facts) {
            return;
        }
        let mut between = |step, leg, from: Option<Timestamp>, to: Option<Timestamp>| {
            if let (Some(from), Some(to)) = (from, to) {
                self.record(step, on(facts, leg), to.since(from));
            }
        };
        let (x224, tls) = (&facts.x224, &facts.tls);
        let asked = time(&x224.request).map(|asked| facts.delivered(asked));
        between(Step::X224, Leg::Server, asked, time(&x224.confirm));
        let established = tls.established().map(|at| at.time);
        between(Step::Tls, Leg::Both, time(&tls.client_hello), established);
        let in_tls = tls.first_data.map(|at| at.time);
        let first = in_tls.or_else(|| time(&facts.rdp.connect_initial));
        between(Step::FirstData, Leg::Both, Some(facts.subject.started), first);
    }

    /// The turns of both sides that are kept.
    pub fn record_turns(&mut self, facts: &Facts) {
        if !is_whole(facts) {
            return;
        }
        for (dir, step, leg) in [
            (Direction::ToServer, Step::ClientTurn, Leg::Client),
            (Direction::ToClient, Step::ServerTurn, Leg::Server),
        ] {
            for &wait in facts.turns.waits(dir) {
                self.record(step, on(facts, leg), Duration::from_nanos(wait));
            }
        }
    }
}

/// Nothing is missing between two times.
fn is_whole(facts: &Facts) -> bool {
    let gap = facts.streams.iter().any(|stream| stream.gap);
    !(gap || facts.subject.starts_in_the_middle || facts.is_one_sided())
}

/// A capture has one leg.
fn on(facts: &Facts, leg: Leg) -> Leg {
    if facts.subject.vantage == Vantage::Relay { leg } else { Leg::Single }
}

fn time<T>(known: &Known<T>) -> Option<Timestamp> {
    known.seen().map(|seen| seen.at.time)
}
