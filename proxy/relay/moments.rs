//! When sessions are looked at.
//!
//! Together, at a few moments of a second, and where threads do nothing but relay none of these is a timer of theirs:
//! such a thread would have the kernel set its alarm anew whenever it sleeps, which is between any two packets.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{io, thread};

use tokio::runtime::Builder;
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval};

/// From one moment to the next.
const STEP: Duration = Duration::from_millis(125);
/// How many there are in a second; each session has one of them.
const MOMENTS: usize = 8;

/// The moments; they come for as long as anybody keeps this.
#[derive(Clone)]
pub struct Moments {
    shared: Arc<Shared>,
    /// Dropped with the last clone, which time notices.
    _kept: watch::Sender<()>,
}

#[derive(Default)]
struct Shared {
    moments: [watch::Sender<()>; MOMENTS],
    /// How many came.
    count: AtomicUsize,
    /// A session began, perhaps where there was none.
    wanted: Notify,
}

/// The moments of one session, a second apart.
pub struct Looks(watch::Receiver<()>);

impl Moments {
    /// They come from a thread of their own, which neither a terminal nor a disk holds up.
    pub fn start() -> io::Result<Moments> {
        let (moments, pass) = Moments::new();
        let runtime = Builder::new_current_thread().enable_time().build()?;
        thread::Builder::new().name("moments".to_owned()).spawn(move || runtime.block_on(pass))?;
        Ok(moments)
    }

    /// They come from the runtime that calls this.
    pub fn here() -> Moments {
        let (moments, pass) = Moments::new();
        tokio::spawn(pass);
        moments
    }

    /// Those of a session that begins now: that which came last comes again in about a second.
    pub fn looks(&self) -> Looks {
        let Shared { moments, count, wanted } = &*self.shared;
        let looks = Looks(moments[count.load(Ordering::Acquire) % MOMENTS].subscribe());
        wanted.notify_one();
        looks
    }

    /// And time, which passes until nobody keeps them.
    fn new() -> (Moments, impl Future<Output = ()> + Send) {
        let shared = Arc::new(Shared::default());
        let (kept, mut over) = watch::channel(());
        let passing = pass(shared.clone());
        let time = async move {
            tokio::select! {
                () = passing => {}
                _ = over.changed() => {}
            }
        };
        (Moments { shared, _kept: kept }, time)
    }
}

impl Looks {
    /// Waits for the next one.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            pending().await // nobody is served any more
        }
    }
}

async fn pass(shared: Arc<Shared>) {
    let Shared { moments, count, wanted } = &*shared;
    let mut steps = interval(STEP);
    steps.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        if moments.iter().all(|moment| moment.receiver_count() == 0) {
            wanted.notified().await;
        }
        steps.tick().await;
        let number = count.load(Ordering::Relaxed).wrapping_add(1);
        moments[number % MOMENTS].send_replace(());
        // Who begins from here on waits for its next turn.
        count.store(number, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokio::time::{Instant, advance, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn sessions_that_begin_apart_are_looked_at_together_and_each_once_a_second() {
        let moments = Moments::here();
        // Nobody has looked for long.
        advance(Duration::from_secs(3600)).await;
        let began = Instant::now();
        let mut looks = Vec::new();
        for _ in 0..50 {
            sleep(Duration::from_millis(7)).await;
            looks.push((Instant::now(), moments.looks()));
        }
        let mut moments = BTreeSet::new();
        for (began, looks) in &mut looks {
            looks.next().await;
            let first = began.elapsed();
            assert!(first >= Duration::from_millis(800), "{first:?}");
            moments.insert(Instant::now());
        }
        // They began within 350 ms.
        assert!(
            moments.len() <= 4,
            "{:?}",
            moments.iter().map(|at| *at - began).collect::<Vec<_>>()
        );
        let (_, looks) = &mut looks[0];
        looks.0.mark_unchanged();
        looks.next().await;
        let next = Instant::now();
        looks.next().await;
        assert_eq!(next.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_looks_where_nobody_did_is_served_and_nobody_is_where_no_more_come() {
        let moments = Moments::here();
        for _ in 0..2 {
            let began = Instant::now();
            moments.looks().next().await;
            assert!(began.elapsed() <= Duration::from_millis(1000), "{:?}", began.elapsed());
            advance(Duration::from_secs(60)).await;
        }
        let mut looks = moments.looks();
        drop(moments);
        let waited = tokio::time::timeout(Duration::from_secs(10), looks.next()).await;
        assert!(waited.is_err());
    }
}
