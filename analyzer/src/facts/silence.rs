//! Silences: for how long neither side said anything, and who spoke again.

use std::time::Duration;

use super::{Ending, StreamFacts};
use crate::event::At;
use crate::input::Direction;

/// A silence of both sides, broken by one.
#[derive(Clone, Copy, Debug)]
pub struct Silence {
    /// The last byte before it.
    pub since: At,
    /// What ended it.
    pub broken: At,
    /// Who broke it.
    pub by: Direction,
}

impl Silence {
    /// How long nothing was said.
    pub fn lasted(&self) -> Duration {
        self.broken.time.since(self.since.time)
    }

    /// As long as a router waits that forgets connections early. RFC 5382 REQ-5 asks for hours, some wait for
    /// half a minute.
    pub fn is_long(&self) -> bool {
        self.lasted() >= Duration::from_secs(20)
    }

    /// It was broken only to say goodbye (a TLS close_notify, a disconnect): for whoever ended the
    /// connection then, nothing had gone on since the silence began.
    pub fn is_before_goodbye(&self, ending: &Ending) -> bool {
        /// What is said for the last time is said at once before the end.
        const AT_ONCE: Duration = Duration::from_secs(1);
        let by_its_breaker = ending.both || ending.dir == self.by;
        by_its_breaker && ending.at.time.since(self.broken.time) < AT_ONCE
    }
}

/// The latest silences, in order; bounded.
#[derive(Clone, Debug, Default)]
pub struct Silences(Vec<Silence>);

impl Silences {
    /// The latest silence that was more than the wait before a goodbye.
    pub fn idle(&self, ending: Option<&Ending>) -> Option<&Silence> {
        self.0
            .iter()
            .rev()
            .find(|silence| !ending.is_some_and(|end| silence.is_before_goodbye(end)))
    }

    /// The silence after which one side only said goodbye.
    pub fn before_goodbye(&self, ending: Option<&Ending>) -> Option<&Silence> {
        self.0.last().filter(|silence| ending.is_some_and(|end| silence.is_before_goodbye(end)))
    }

    /// Nobody calls a shorter pause idle, in ns.
    const IDLE: u64 = 2_000_000_000;

    /// Bytes of `by` come at `broken`, behind those of the streams.
    #[inline]
    pub(super) fn note(&mut self, streams: &[StreamFacts; 2], by: Direction, broken: At) {
        // Its sender's own last word tells of most that there was none, and of the rest the later one.
        let own = streams[by.index()].last;
        if own.is_none_or(|last| Self::is_pause(last, broken)) {
            self.note_pause(streams, by, broken);
        }
    }

    fn is_pause(last: At, broken: At) -> bool {
        broken.time.0.saturating_sub(last.time.0) >= Self::IDLE
    }

    fn note_pause(&mut self, streams: &[StreamFacts; 2], by: Direction, broken: At) {
        const KEPT: usize = 2;
        let before = streams.iter().filter_map(|stream| stream.last).max_by_key(|at| at.time);
        let Some(since) = before.filter(|last| Self::is_pause(*last, broken)) else { return };
        if self.0.len() == KEPT {
            self.0.remove(0);
        }
        self.0.push(Silence { since, broken, by });
    }
}
