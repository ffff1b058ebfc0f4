//! The open loop: operations begin at their intended times. One that has to wait for a free connection
//! begins later, and its intended time stays what it was.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

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
    /// So many operations were due and never began: no connection became free for them.
    NeverBegan(u64),
    /// An operation ended by a failure of this program's own.
    BrokeOff,
    /// Nothing new begins: so many operations are under way.
    Interrupted(usize),
    /// What was left under way: how many operations, and the age of the one that was due first.
    Unfinished(usize, Duration),
}

/// An operation and its times.
#[derive(Debug)]
pub struct Timed {
    /// Its number, from 0.
    pub number: u64,
    /// When the rate wanted it to begin.
    pub intended: Instant,
    /// No connection was free for it then.
    pub waited: bool,
    /// When it began.
    pub began: Instant,
    /// What became of it.
    pub outcome: Outcome,
}

/// Runs the whole profile and waits for what it began. Who stops it once lets nothing new begin, who does so again
/// leaves what is under way.
pub async fn run<F>(
    profile: &Profile,
    limits: Limits,
    mut stop: mpsc::Receiver<()>,
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
        due: BTreeMap::new(),
        seconds: interval_at(start + SECOND, SECOND),
    };
    running.seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for (begun, offset) in (0..).zip(profile.starts()) {
        let intended = start + offset;
        let free = Arc::clone(&running.free);
        let turn = async {
            sleep_until(intended).await;
            let waited = free.available_permits() == 0;
            (free.acquire_owned().await, waited)
        };
        let (permit, waited) = tokio::select! {
            biased;
            Some(()) = stop.recv() => {
                // Where a connection is free nobody waits for one.
                if running.free.available_permits() == 0 {
                    let now = start.elapsed();
                    let starts = profile.starts().skip(begun as usize);
                    let due = starts.take_while(|at| *at <= now).count();
                    tell(Event::NeverBegan(due as u64));
                }
                tell(Event::Interrupted(running.tasks.len()));
                break;
            }
            () = sleep_until(give_up) => {
                tell(Event::NeverBegan(profile.count() - begun));
                break;
            }
            turn = running.meanwhile(turn, tell) => turn,
        };
        let work = operation();
        running.due.insert(begun, intended);
        running.tasks.spawn(async move {
            let began = Instant::now();
            let outcome = work.await;
            drop(permit);
            Timed { number: begun, intended, waited, began, outcome }
        });
    }
    while !running.tasks.is_empty() {
        tokio::select! {
            () = running.wait(tell) => {}
            // Whoever says it now means what is still under way.
            Some(()) = stop.recv() => running.leave(tell).await,
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

struct Running {
    free: Arc<Semaphore>,
    tasks: JoinSet<Timed>,
    /// When those under way were due.
    due: BTreeMap<u64, Instant>,
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

    /// Leaves what is under way.
    async fn leave(&mut self, tell: &mut impl FnMut(Event)) {
        let oldest = self.due.values().min().map(Instant::elapsed).unwrap_or_default();
        let count = self.tasks.len();
        self.tasks.shutdown().await;
        tell(Event::Unfinished(count, oldest));
    }

    /// Waits for the next thing to happen.
    async fn wait(&mut self, tell: &mut impl FnMut(Event)) {
        tokio::select! {
            Some(done) = self.tasks.join_next() => match done {
                Ok(timed) => {
                    self.due.remove(&timed.number);
                    tell(Event::Done(timed));
                }
                Err(error) => {
                    tracing::error!("an operation broke off: {error}");
                    tell(Event::BrokeOff);
                }
            },
            _ = self.seconds.tick() => tell(Event::Second),
        }
    }
}
