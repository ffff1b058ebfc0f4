//! What the relay itself adds to the time that bytes are under way.

use std::time::{Duration, Instant};

use rdpwhy_analyzer::input::Direction;

use crate::latency::Leg;
use crate::measures::Measures;

/// Times one direction: from the read of a chunk to the end of its write. While a receiver takes no more nothing
/// is read, so that there is one chunk at a time.
///
/// All sessions share the measures: they hear of several chunks at once, and no record waits for a lock.
#[derive(Debug)]
pub struct Added {
    measures: Measures,
    leg: Leg,
    taken: Option<Instant>,
    /// What the measures have not heard of, and since when.
    untold: Vec<Duration>,
    since: Option<Instant>,
}

impl Added {
    /// The measures hear of so many chunks at once.
    const BATCH: usize = 32;
    /// They hear of a chunk this much later at most, while others follow.
    const LATE: Duration = Duration::from_secs(1);

    /// Of this direction.
    pub fn new(measures: Measures, dir: Direction) -> Added {
        let leg = match dir {
            Direction::ToServer => Leg::Server,
            Direction::ToClient => Leg::Client,
        };
        let untold = Vec::with_capacity(Self::BATCH);
        Added { measures, leg, taken: None, untold, since: None }
    }

    /// A chunk was read.
    pub fn taken(&mut self) {
        self.taken = Some(Instant::now());
    }

    /// All of it was written.
    pub fn given(&mut self) {
        let Some(taken) = self.taken.take() else { return };
        let now = Instant::now();
        self.untold.push(now - taken);
        let since = *self.since.get_or_insert(now);
        if self.untold.len() == Self::BATCH || now - since >= Self::LATE {
            self.tell();
        }
    }

    fn tell(&mut self) {
        self.measures.passed_on(self.leg, &self.untold);
        self.untold.clear();
        self.since = None;
    }
}

impl Drop for Added {
    fn drop(&mut self) {
        if !self.untold.is_empty() {
            self.tell();
        }
    }
}
