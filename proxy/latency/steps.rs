//! What the facts of a session tell of the duration of its steps.

use std::time::Duration;

use rdpwhy_analyzer::facts::{Facts, Known, Vantage};
use rdpwhy_analyzer::input::{Direction, Timestamp};

use super::{Latencies, Leg, Step};

impl Latencies {
    /// Records the steps of a session, those that it took. Nothing is recorded where bytes are missing
    /// between the two ends of a time.
    pub fn record_session(&mut self, facts: &Facts) {
        let relayed = facts.subject.vantage == Vantage::Relay;
        let on = |leg| if relayed { leg } else { Leg::Single };
        for (leg, tcp) in facts.tcp.legs() {
            if let Some(&Some(took)) = tcp.opened.value() {
                self.record(Step::Tcp, leg.into(), Duration::from_nanos(took));
            }
        }
        let whole = !facts.streams.iter().any(|stream| stream.gap);
        if !whole || facts.subject.starts_in_the_middle || facts.is_one_sided() {
            return;
        }
        let mut between = |step, leg, from: Option<Timestamp>, to: Option<Timestamp>| {
            if let (Some(from), Some(to)) = (from, to) {
                self.record(step, on(leg), to.since(from));
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
        for (dir, step, leg) in [
            (Direction::ToServer, Step::ClientTurn, Leg::Client),
            (Direction::ToClient, Step::ServerTurn, Leg::Server),
        ] {
            for &wait in facts.turns.waits(dir) {
                self.record(step, on(leg), Duration::from_nanos(wait));
            }
        }
    }
}

fn time<T>(known: &Known<T>) -> Option<Timestamp> {
    known.seen().map(|seen| seen.at.time)
}
