//! The open loop: operations begin at their intended times. One that has to wait for a free connection
//! begins later, and its intended time stays what it was.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use super::operation::Outcome;
use super::rate::Profile;

/// Bounds of a run.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Operations at once.
    pub connections: usize,
    /// How long behind the profile's end operations that wait for a free connection may still begin.
    pub drain: Duration,
}

/// What happens during a run.
#[derive(Debug)]
pub enum Event {
    /// An operation is over.
    Done(Timed),
    /// A second has passed.
    Second,
    /// So many operations were intended and never began: no connection became free for them.
    NeverBegan(u64),
}

/// An operation and its times.
#[derive(Debug)]
pub struct Timed {
    /// When the rate wanted it to begin.
    pub intended: Instant,
    /// When it began.
    pub began: Instant,
    /// What became of it.
    pub outcome: Outcome,
}

/// Runs the whole profile and waits for what it began. When `stop` is ready nothing new begins.
pub async fn run<F>(
    profile: &Profile,
    limits: Limits,
    stop: impl Future<Output = ()>,
    operation: impl Fn() -> F,
    tell: &mut impl FnMut(Event),
) where
    F: Future<Output = Outcome> + Send + 'static,
{
    let start = Instant::now();
    let give_up = start + profile.lasts + limits.drain;
    let mut running = Running {
        free: Arc::new(Semaphore::new(limits.connections)),
        tasks: JoinSet::new(),
        seconds: interval(Duration::from_secs(1)),
    };
    running.seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    tokio::pin!(stop);
    let mut stopped = false;
    for (begun, offset) in (0..).zip(profile.starts()) {
        let intended = start + offset;
        let free = Arc::clone(&running.free);
        let turn = async {
            sleep_until(intended).await;
            free.acquire_owned().await
        };
        let permit = tokio::select! {
            biased;
            () = &mut stop => {
                stopped = true;
                break;
            }
            () = sleep_until(give_up) => {
                tell(Event::NeverBegan(profile.count() - begun));
                break;
            }
            permit = running.meanwhile(turn, tell) => permit,
        };
        let work = operation();
        running.tasks.spawn(async move {
            let began = Instant::now();
            let outcome = work.await;
            drop(permit);
            Timed { intended, began, outcome }
        });
    }
    while !running.tasks.is_empty() {
        tokio::select! {
            () = running.wait(tell) => {}
            // Whoever says it now means what is still under way.
            () = &mut stop, if !stopped => running.tasks.shutdown().await,
        }
    }
}

struct Running {
    free: Arc<Semaphore>,
    tasks: JoinSet<Timed>,
    seconds: Interval,
}

impl Running {
    /// Waits for `turn`, and tells what happens until then.
    async fn meanwhile<T>(
        &mut self,
        turn: impl Future<Output = T>,
        tell: &mut impl FnMut(Event),
    ) -> T {
        tokio::pin!(turn);
        loop {
            tokio::select! {
                biased;
                taken = &mut turn => return taken,
                () = self.wait(tell) => {}
            }
        }
    }

    /// Waits for the next thing to happen.
    async fn wait(&mut self, tell: &mut impl FnMut(Event)) {
        tokio::select! {
            Some(done) = self.tasks.join_next() => match done {
                Ok(timed) => tell(Event::Done(timed)),
                Err(error) => tracing::error!("an operation broke off: {error}"),
            },
            _ = self.seconds.tick() => tell(Event::Second),
        }
    }
}
