//! How long the steps of connections took: HDR histograms per step and leg, and their forms for people
//! and for other tools.
//!
//! A value is a time in ns, kept to three significant digits between [`SHORTEST`] and [`LONGEST`]; what lies
//! outside counts as the nearer of the two.

mod hgrm;
pub mod hlog;
mod json;
mod recording;
mod steps;
mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use rdpwhy_analyzer::facts::Facts;
use rdpwhy_analyzer::input::{self, Timestamp};

pub use json::{Document, Row};
pub use recording::Recording;
pub use table::table;

/// The shortest time that is told apart from shorter ones.
pub const SHORTEST: Duration = Duration::from_micros(1);
/// The longest time that is told apart from longer ones.
pub const LONGEST: Duration = Duration::from_secs(3600);
/// Significant decimal digits of a kept value.
pub const DIGITS: u8 = 3;

/// What was timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// TCP handshake.
    Tcp,
    /// X.224 Connection Request to Connection Confirm.
    X224,
    /// The first ClientHello to the end of the TLS handshake.
    Tls,
    /// TSRequest with NTLM NEGOTIATE to the one with NTLM CHALLENGE (`load` alone).
    Challenge,
    /// Start of the connection to the client's first application data.
    FirstData,
    /// The server's last byte to the client's first one behind it.
    ClientTurn,
    /// The client's last byte to the server's first one behind it.
    ServerTurn,
    /// A read of the relay to the end of its write: what the relay itself adds. The leg is the one written to.
    Relay,
    /// A whole operation of `load`, from its actual start.
    Service,
    /// The same from its intended start.
    Response,
    /// An operation of `load` that failed, from its intended start.
    Failed,
}

impl Step {
    /// Every step, in the order of a connection.
    pub const ALL: [Step; 11] = [
        Step::Tcp,
        Step::X224,
        Step::Tls,
        Step::Challenge,
        Step::FirstData,
        Step::ClientTurn,
        Step::ServerTurn,
        Step::Relay,
        Step::Service,
        Step::Response,
        Step::Failed,
    ];

    /// Its name in tables, tags and file names.
    pub fn name(self) -> &'static str {
        match self {
            Step::Tcp => "tcp",
            Step::X224 => "x224",
            Step::Tls => "tls",
            Step::Challenge => "nla-challenge",
            Step::FirstData => "first-data",
            Step::ClientTurn => "client-turn",
            Step::ServerTurn => "server-turn",
            Step::Relay => "relay",
            Step::Service => "service",
            Step::Response => "response",
            Step::Failed => "failed",
        }
    }

    /// It is timed from the moment at which the rate wanted it to begin.
    pub fn is_from_intended_start(self) -> bool {
        matches!(self, Step::Response | Step::Failed)
    }
}

/// On which part of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leg {
    /// Between the client and the relay.
    Client,
    /// Between the relay and the server.
    Server,
    /// Across a relay: both legs had a part in it.
    Both,
    /// The only leg there is.
    Single,
}

impl Leg {
    /// Every leg.
    pub const ALL: [Leg; 4] = [Leg::Client, Leg::Server, Leg::Both, Leg::Single];

    /// Its name, as reports have it.
    pub fn name(self) -> &'static str {
        match self {
            Leg::Client => "client",
            Leg::Server => "server",
            Leg::Both => "both",
            Leg::Single => "single",
        }
    }
}

impl From<input::Leg> for Leg {
    fn from(leg: input::Leg) -> Leg {
        match leg {
            input::Leg::Client => Leg::Client,
            input::Leg::Server => Leg::Server,
            input::Leg::Single => Leg::Single,
        }
    }
}

/// One histogram per step and leg that something was recorded of. Values are ns.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    histograms: BTreeMap<(Step, Leg), Histogram<u64>>,
}

impl Latencies {
    /// Records one time.
    pub fn record(&mut self, step: Step, leg: Leg, took: Duration) {
        let bounded = took.clamp(SHORTEST, LONGEST).as_nanos() as u64;
        self.histogram(step, leg).saturating_record(bounded);
    }

    /// Adds everything that `other` recorded.
    pub fn merge(&mut self, other: &Latencies) {
        for (step, leg, histogram) in other.iter() {
            self.add(step, leg, histogram);
        }
    }

    /// Nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.histograms.is_empty()
    }

    /// Step, leg and histogram, in the order of a connection.
    pub fn iter(&self) -> impl Iterator<Item = (Step, Leg, &Histogram<u64>)> {
        self.histograms.iter().map(|(&(step, leg), histogram)| (step, leg, histogram))
    }

    /// What a reader must know of the times of a step: are they corrected for coordinated omission? Only
    /// where a rate says when something was to begin can they be.
    pub fn correction(&self, step: Step) -> &'static str {
        let of_load = |step| matches!(step, Step::Service | Step::Response | Step::Failed);
        match step {
            Step::Response | Step::Failed => {
                "timed from the intended start: corrected for coordinated omission"
            }
            _ if self.histograms.keys().any(|&(step, _)| of_load(step)) => {
                "timed from the actual start: not corrected for coordinated omission"
            }
            _ => "not corrected: no rate is known",
        }
    }

    fn add(&mut self, step: Step, leg: Leg, histogram: &Histogram<u64>) {
        let mine = self.histogram(step, leg);
        let added = mine.add(histogram);
        debug_assert!(added.is_ok(), "histograms of one shape");
    }

    fn histogram(&mut self, step: Step, leg: Leg) -> &mut Histogram<u64> {
        self.histograms.entry((step, leg)).or_insert_with(empty)
    }
}

/// Latencies and the time in which they were taken.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// What was recorded.
    pub latencies: Latencies,
    span: Option<[Timestamp; 2]>,
}

impl Measured {
    /// Records the steps of a session.
    pub fn session(&mut self, facts: &Facts) {
        self.latencies.record_session(facts);
        self.covers([facts.subject.started, facts.now]);
    }

    /// Records the turns of a session that goes on.
    pub fn turns(&mut self, facts: &Facts) {
        self.latencies.record_turns(facts);
    }

    /// Adds what another one measured.
    pub fn merge(&mut self, other: &Measured) {
        self.latencies.merge(&other.latencies);
        if let Some(span) = other.span {
            self.covers(span);
        }
    }

    /// The first and the last moment; the epoch where there is none.
    pub fn span(&self) -> [Timestamp; 2] {
        self.span.unwrap_or_default()
    }

    fn covers(&mut self, [from, to]: [Timestamp; 2]) {
        let [first, last] = self.span.unwrap_or([from, to]);
        self.span = Some([first.min(from), last.max(to)]);
    }
}

/// An empty histogram of the one shape that all have.
fn empty() -> Histogram<u64> {
    let [low, high] = [SHORTEST, LONGEST].map(|bound| bound.as_nanos() as u64);
    Histogram::new_with_bounds(low, high, DIGITS).expect("bounds that a histogram can have")
}

#[cfg(test)]
mod tests;
