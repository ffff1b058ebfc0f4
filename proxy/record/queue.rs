//! The queue between the sessions and the recorder's thread, bounded in jobs and in bytes. Closing it ends the
//! recording, whoever still holds it: a session that hangs can not keep the program from ending.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::buffers::Buffers;
use super::entry::Policy;
use super::writer::Job;

/// Jobs that may wait.
const JOBS: usize = 1024;
/// How long all jobs wait for room, unless their sessions are to wait for the recorder, until half of the queue is
/// written: a disk that stands still or is slow for long holds nobody up longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// How much work there is.
#[derive(Clone, Copy)]
struct Load {
    jobs: usize,
    bytes: usize,
}

/// Any.
const SOME: Load = Load { jobs: 1, bytes: usize::MAX };
/// As much as is worth to be done at once: there is still room for more, and the memory is still in the processor's
/// cache (ends of sessions are large).
const MUCH: Load = Load { jobs: 32, bytes: 1 << 20 };

/// What waits for the recorder.
pub struct Queue {
    /// Bytes that may wait; one job may go beyond it.
    most: usize,
    /// How long jobs wait for room; without an end where there is none.
    patience: Option<Duration>,
    state: Mutex<State>,
    work: Condvar,
    room: Condvar,
    /// What the bytes in the jobs are kept in.
    pub buffers: Buffers,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<(Job, usize)>,
    bytes: usize,
    closed: bool,
    /// Somebody waits for so much and was not woken yet. To wake who does not wait costs as much.
    awaited: Option<Load>,
    /// So many wait for room.
    crowded: usize,
    /// How long was waited for room since less than half of it was taken.
    waited: Duration,
    /// Jobs for which there was no room in time.
    lost: u64,
}

impl State {
    fn add(&mut self, job: Job) {
        let bytes = job.bytes();
        self.bytes += bytes;
        self.jobs.push_back((job, bytes));
    }

    fn has(&self, load: Load) -> bool {
        self.jobs.len() >= load.jobs || self.bytes >= load.bytes
    }

    /// True where there is less than that and more may come; then whoever adds to it wakes who asks.
    fn awaits(&mut self, load: Load) -> bool {
        let less = !self.closed && !self.has(load);
        self.awaited = less.then_some(load);
        less
    }
}

impl Queue {
    /// An empty queue. Of a session that waits for the recorder little is under way, and that in memory still at
    /// hand; where nobody waits, more gets over the recorder's bad moments.
    pub fn new(policy: Policy) -> Queue {
        let (most, patience) = match policy {
            Policy::Wait => (4 << 20, None),
            Policy::Drop => (64 << 20, Some(PATIENCE)),
        };
        let (state, work, room, buffers) = Default::default();
        Queue { most, patience, state, work, room, buffers }
    }

    /// Adds a job, or gives it back where there is no room. A closed queue takes everything and keeps nothing.
    pub fn offer(&self, job: Job) -> Result<(), Job> {
        let mut state = self.lock();
        if state.closed {
            return Ok(());
        }
        if self.is_full(&state) {
            return Err(job);
        }
        self.add(&mut state, job);
        Ok(())
    }

    /// Adds a job as soon as there is room. Where there is none in time it is lost, and counted.
    pub fn put(&self, job: Job) {
        let mut state = self.lock();
        if self.waits_for_room(&state) {
            let left = self.patience.map(|patience| patience.saturating_sub(state.waited));
            state = self.wait_for_room(state, left);
        }
        match self.waits_for_room(&state) {
            true => state.lost += 1,
            false if state.closed => {}
            false => self.add(&mut state, job),
        }
    }

    /// Jobs for which there was no room in time.
    pub fn lost(&self) -> u64 {
        self.lock().lost
    }

    /// The next job, if there is one.
    pub fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        let (job, bytes) = state.jobs.pop_front()?;
        state.bytes -= bytes;
        if state.jobs.len() <= JOBS / 2 && state.bytes <= self.most / 2 {
            state.waited = Duration::ZERO;
        }
        if state.crowded > 0 {
            self.room.notify_all();
        }
        Some(job)
    }

    /// Waits until there is a job; false when the queue is closed and empty. To wake a thread, and to write to a file,
    /// costs more than most jobs: those that come soon behind one another are awaited together.
    pub fn wait(&self) -> bool {
        const SOON: Duration = Duration::from_millis(20);
        let (state, _) = self
            .work
            .wait_timeout_while(self.lock(), SOON, |state| state.awaits(MUCH))
            .unwrap_or_else(PoisonError::into_inner);
        let state = self
            .work
            .wait_while(state, |state| state.awaits(SOME))
            .unwrap_or_else(PoisonError::into_inner);
        !state.jobs.is_empty()
    }

    /// No more jobs: those that wait are still given out, nobody waits any longer.
    pub fn close(&self) {
        self.lock().closed = true;
        self.work.notify_all();
        self.room.notify_all();
    }

    fn add(&self, state: &mut State, job: Job) {
        state.add(job);
        if state.awaited.is_some_and(|load| state.has(load)) {
            state.awaited = None;
            self.work.notify_one();
        }
    }

    /// Waits until there is room, or for so long.
    fn wait_for_room<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        left: Option<Duration>,
    ) -> MutexGuard<'s, State> {
        let began = Instant::now();
        state.crowded += 1;
        let crowded = |state: &mut State| self.waits_for_room(state);
        state = match left {
            None => self.room.wait_while(state, crowded).unwrap_or_else(PoisonError::into_inner),
            Some(left) => {
                let waited = self.room.wait_timeout_while(state, left, crowded);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.crowded -= 1;
        state.waited += began.elapsed();
        state
    }

    fn waits_for_room(&self, state: &State) -> bool {
        !state.closed && self.is_full(state)
    }

    fn is_full(&self, state: &State) -> bool {
        state.jobs.len() >= JOBS || state.bytes >= self.most
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
