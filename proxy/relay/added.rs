//! What the relay itself adds to the time that bytes are under way.

use std::time::Instant;

use rdpwhy_analyzer::input::Direction;

use crate::latency::Leg;
use crate::measures::Measures;

/// Times one direction: from the read of a chunk to the end of its write. While a receiver takes no more nothing
/// is read, so that there is one chunk at a time.
#[derive(Debug)]
pub struct Added {
    measures: Measures,
    leg: Leg,
    taken: Option<Instant>,
}

impl Added {
    /// Of this direction.
    pub fn new(measures: Measures, dir: Direction) -> Added {
        let leg = match dir {
            Direction::ToServer => Leg::Server,
            Direction::ToClient => Leg::Client,
        };
        Added { measures, leg, taken: None }
    }

    /// A chunk was read.
    pub fn taken(&mut self) {
        self.taken = Some(Instant::now());
    }

    /// All of it was written.
    pub fn given(&mut self) {
        if let Some(taken) = self.taken.take() {
            self.measures.passed_on(self.leg, taken.elapsed());
        }
    }
}
