//! The only clock of the program. The engine gets its times from here, as arguments.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdpwhy_analyzer::input::Timestamp;

/// Wall-clock time that never runs backwards: read once, then advanced by the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Timestamp,
    since: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Clock {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { epoch: Timestamp(epoch.as_nanos() as u64), since: Instant::now() }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    /// The time of an instant.
    pub fn at(&self, instant: Instant) -> Timestamp {
        let passed = instant.saturating_duration_since(self.since);
        Timestamp(self.epoch.0.saturating_add(passed.as_nanos() as u64))
    }

    /// The time at which the system's wall clock showed `wall` (since the Unix epoch): kernels stamp packets by
    /// that one, which may have been set since this clock was started.
    pub fn at_wall(&self, wall: Duration) -> Timestamp {
        let age = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock::before(self.now(), age.saturating_sub(wall))
    }

    /// The time `before` another.
    pub fn before(time: Timestamp, before: Duration) -> Timestamp {
        Timestamp(time.0.saturating_sub(before.as_nanos() as u64))
    }
}
