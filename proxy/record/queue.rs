//! The queue between the sessions and the recorder's thread, bounded in jobs and in bytes. Closing it ends the
//! recording, whoever still holds it: a session that hangs can not keep the program from ending.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::buffers::Buffers;
use super::writer::Job;

/// Jobs that may wait.
const JOBS: usize = 1024;
/// Bytes that may wait in them; one job may go beyond it.
const BYTES: usize = 64 << 20;

/// What waits for the recorder.
#[derive(Default)]
pub struct Queue {
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
    fn is_full(&self) -> bool {
        self.jobs.len() >= JOBS || self.bytes >= BYTES
    }

    fn add(&mut self, job: Job) {
        let bytes = job.bytes();
        self.bytes += bytes;
        self.jobs.push_back((job, bytes));
    }
}

impl Queue {
    /// Adds a job, or gives it back where there is no room. A closed queue takes everything and keeps nothing.
    pub fn offer(&self, job: Job) -> Result<(), Job> {
        let mut state = self.lock();
        if state.closed {
            return Ok(());
        }
        if state.is_full() {
            return Err(job);
        }
        state.add(job);
        self.work.notify_one();
        Ok(())
    }

    /// Adds a job as soon as there is room.
    pub fn put(&self, job: Job) {
        let mut state = self.lock();
        while state.is_full() && !state.closed {
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
