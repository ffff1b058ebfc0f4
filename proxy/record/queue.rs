//! The queue between the sessions and the recorder's thread, bounded in jobs and in bytes. Closing it ends the
//! recording, whoever still holds it: a session that hangs can not keep the program from ending.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::buffers::Buffers;
use super::entry::Policy;
use super::writer::Job;

/// Jobs that may wait.
const JOBS: usize = 1024;

/// What waits for the recorder.
pub struct Queue {
    /// Bytes that may wait; one job may go beyond it.
    most: usize,
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
}

impl State {
    fn add(&mut self, job: Job) {
        let bytes = job.bytes();
        self.bytes += bytes;
        self.jobs.push_back((job, bytes));
    }
}

impl Queue {
    /// An empty queue. Of a session that waits for the recorder little is under way, and that in memory still at
    /// hand; where nobody waits, more gets over the recorder's bad moments.
    pub fn new(policy: Policy) -> Queue {
        let most = match policy {
            Policy::Wait => 4 << 20,
            Policy::Drop => 64 << 20,
        };
        let (state, work, room, buffers) = Default::default();
        Queue { most, state, work, room, buffers }
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
        state.add(job);
        self.work.notify_one();
        Ok(())
    }

    /// Adds a job as soon as there is room.
    pub fn put(&self, job: Job) {
        let mut state = self.lock();
        while self.is_full(&state) && !state.closed {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if !state.closed {
            state.add(job);
            self.work.notify_one();
        }
    }

    /// The next job; `None` when the queue is closed and empty.
    pub fn take(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some((job, bytes)) = state.jobs.pop_front() {
                state.bytes -= bytes;
                self.room.notify_all();
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// No more jobs: those that wait are still given out, nobody waits any longer.
    pub fn close(&self) {
        self.lock().closed = true;
        self.work.notify_all();
        self.room.notify_all();
    }

    fn is_full(&self, state: &State) -> bool {
        state.jobs.len() >= JOBS || state.bytes >= self.most
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
