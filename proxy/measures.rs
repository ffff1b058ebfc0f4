//! What a relay measures of its sessions. The desk tells it of each; the end of the run and the metrics
//! endpoint read it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdpwhy_analyzer::facts::Facts;
use rdpwhy_analyzer::report::Outcome;
use rdpwhy_analyzer::verdict::Named;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::error::Error;
use crate::latency::{self, Leg, Recording, Step};
use crate::metrics;

/// A handle; its copies are of the same measures.
#[derive(Clone)]
pub struct Measures(Arc<Mutex<State>>);

struct State {
    clock: Clock,
    recording: Recording,
    due: Instant,
    sessions: Sessions,
    /// Open sessions whose setup is recorded.
    up: BTreeSet<u64>,
}

/// Counts of sessions.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// Numbers of those that are open.
    pub open: BTreeSet<u64>,
    /// Bytes of memory that the facts of the open ones take.
    pub facts: u64,
    /// Bytes of those that are over, to the server and to the client.
    pub bytes: [u64; 2],
    /// How many have a final verdict, by outcome, phenomenon and cause; empty where there is none.
    pub judged: BTreeMap<(Outcome, String, String), u64>,
}

// By hand: what was measured is long.
impl fmt::Debug for Measures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measures").finish_non_exhaustive()
    }
}

impl Measures {
    /// Begins with nothing measured. The first interval of the recording's log begins now.
    pub fn new(recording: Recording, clock: Clock) -> Measures {
        let due = Instant::now() + Recording::INTERVAL;
        let (sessions, up) = Default::default();
        Measures(Arc::new(Mutex::new(State { clock, recording, due, sessions, up })))
    }

    /// A session began.
    pub fn began(&self, index: u64) {
        self.state().sessions.open.insert(index);
    }

    /// The relay passed chunks on, on this leg, each so long after it had read it.
    pub fn passed_on(&self, leg: Leg, took: &[Duration]) {
        self.state().recording.record(|latencies| {
            took.iter().for_each(|took| latencies.record(Step::Relay, leg, *took));
        });
    }

    /// What an open session's facts take, in bytes: before, and now.
    pub fn facts_take(&self, before: usize, now: usize) {
        let facts = &mut self.state().sessions.facts;
        *facts = facts.saturating_sub(before as u64).saturating_add(now as u64);
    }

    /// A session is up: how long that took is not kept back until it is over.
    pub fn set_up(&self, index: u64, facts: &Facts) {
        let mut state = self.state();
        if state.up.insert(index) {
            state.recording.record(|latencies| latencies.record_setup(facts));
        }
    }

    /// A session has had more turns than are kept.
    pub fn turns(&self, facts: &Facts) {
        self.state().recording.record(|latencies| latencies.record_turns(facts));
    }

    /// A session is over.
    pub fn ended(&self, index: u64, facts: &Facts) {
        let mut state = self.state();
        let set_up = state.up.remove(&index);
        state.recording.record(|latencies| match set_up {
            true => latencies.record_turns(facts),
            false => latencies.record_session(facts),
        });
        state.sessions.open.remove(&index);
        for (sum, stream) in state.sessions.bytes.iter_mut().zip(&facts.streams) {
            *sum = sum.saturating_add(stream.bytes);
        }
    }

    /// A session has its final verdict.
    pub fn judged(&self, Named { outcome, what, cause }: Named<'_>) {
        let [what, cause] = [what, cause].map(|id| id.unwrap_or_default().into_owned());
        *self.state().sessions.judged.entry((outcome, what, cause)).or_default() += 1;
    }

    /// When the interval of the log ends.
    pub fn due(&self) -> Instant {
        self.state().due
    }

    /// Ends an interval of the log, and begins the next. Nobody who measures waits for the disk.
    pub fn interval(&self) {
        let mut state = self.state();
        let now = state.clock.now();
        state.due = Instant::now() + Recording::INTERVAL;
        let ended = state.recording.interval(now);
        drop(state);
        if let Some(mut ended) = ended {
            ended.write();
            self.state().recording.put_back(ended);
        }
    }

    /// Everything as Prometheus reads it.
    pub fn exposed(&self, format: metrics::Format) -> Vec<u8> {
        let state = self.state();
        let (sessions, total) = (state.sessions.clone(), state.recording.total().clone());
        drop(state);
        metrics::write(&sessions, &total, format)
    }

    /// Writes what is written at the end; gives the summary for people.
    pub fn finish(&self) -> (String, Result<(), Error>) {
        let mut state = self.state();
        let now = state.clock.now();
        let written = state.recording.finish(now);
        (latency::table(state.recording.total()), written)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
