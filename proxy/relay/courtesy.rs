//! What a thread does before it sleeps: it lets others run.
//!
//! What peers on this machine have to say next is there when they have run, and then neither they nor this thread need
//! to be woken for it, which is most of what a small message costs. Where nobody waits for the processor it is two
//! short system calls. Where a program waits that computes, it runs for milliseconds: then the next bytes would wait
//! for it, so a thread that has met one is courteous no more for a while.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Nobody who only passes something on runs for as long, in ns.
const DEAR: u64 = 1_000_000;
/// For how many times as long as that took it does not happen again: half a percent of the time goes to such waits.
const RARE: u64 = 200;
/// A machine that stood still tells nothing of the next time: no wait counts for more, in ns.
const MOST: u64 = 100_000_000;
/// A peer's turn may be the second one; more made no difference.
const TURNS: usize = 2;

/// One thread's courtesy.
pub struct Courtesy {
    began: Instant,
    /// Not before, in ns since it began.
    again: AtomicU64,
}

impl Courtesy {
    /// Of a thread that begins.
    pub fn new() -> Courtesy {
        Courtesy { began: Instant::now(), again: AtomicU64::new(0) }
    }

    /// Lets others run, unless that took long lately.
    pub fn let_others_run(&self) {
        self.afford(|| self.began.elapsed().as_nanos() as u64, std::thread::yield_now);
    }

    fn afford(&self, now: impl Fn() -> u64, wait: impl Fn()) {
        let before = now();
        if before < self.again.load(Ordering::Relaxed) {
            return;
        }
        (0..TURNS).for_each(|_| wait());
        let after = now();
        let took = after.saturating_sub(before);
        if took >= DEAR {
            let again = after.saturating_add(RARE * took.min(MOST));
            self.again.store(again, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn who_ran_long_is_not_waited_for_again_soon() {
        const MS: u64 = 1_000_000;
        let (courtesy, clock, waits) = (Courtesy::new(), Cell::new(0), Cell::new(0));
        let sleep = |took: u64| {
            let wait = || {
                waits.set(waits.get() + 1);
                clock.set(clock.get() + took);
            };
            courtesy.afford(|| clock.get(), wait);
            waits.get()
        };
        assert_eq!([sleep(MS / 4), sleep(MS / 4)], [2, 4]);
        assert_eq!(sleep(3 * MS / 2), 6);
        clock.set(clock.get() + 599 * MS);
        assert_eq!(sleep(0), 6, "not yet");
        clock.set(clock.get() + MS);
        assert_eq!([sleep(0), sleep(MS / 2)], [8, 10]);
        assert_eq!(sleep(0), 10, "both turns together were long");
        clock.set(clock.get() + 1000 * MS);
        assert_eq!([sleep(u64::MAX / 4), sleep(0)], [12, 12]);
        clock.set(clock.get() + 20_000 * MS);
        assert_eq!(sleep(0), 14, "no longer than for a tenth of a second");
    }
}
