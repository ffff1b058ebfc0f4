//! What a relay measures of its sessions. The desk tells it of each; the end of the run reads it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdpwhy_analyzer::facts::Facts;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::error::Error;
use crate::latency::Recording;

/// A handle; its copies are of the same measures.
#[derive(Clone)]
pub struct Measures(Arc<Mutex<State>>);

struct State {
    clock: Clock,
    recording: Recording,
    due: Instant,
}

impl Measures {
    /// Begins with nothing measured. The first interval of the recording's log begins now.
    pub fn new(recording: Recording, clock: Clock) -> Measures {
        let due = Instant::now() + Recording::INTERVAL;
        Measures(Arc::new(Mutex::new(State { clock, recording, due })))
    }

    /// A session is over.
    pub fn ended(&self, facts: &Facts) {
        self.state().recording.record(|latencies| latencies.record_session(facts));
    }

    /// When the interval of the log ends.
    pub fn due(&self) -> Instant {
        self.state().due
    }

    /// Ends an interval of the log, and begins the next.
    pub fn interval(&self) {
        let mut state = self.state();
        let now = state.clock.now();
        state.recording.interval(now);
        state.due = Instant::now() + Recording::INTERVAL;
    }

    /// Writes what is written at the end; gives the summary for people.
    pub fn finish(&self) -> (String, Result<(), Error>) {
        let mut state = self.state();
        let now = state.clock.now();
        let written = state.recording.finish(now);
        (crate::latency::table(state.recording.total()), written)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
