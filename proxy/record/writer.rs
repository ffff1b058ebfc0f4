//! The recorder: its thread, and what that is given.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rdpwhy_analyzer::facts::Subject;
use rdpwhy_analyzer::report::Connection;

use super::entry::{Entry, Payload, Policy};
use super::facts::{Comment, End};
use super::file::{Files, Ring};
use super::queue::Queue;
use super::recording::Recording;
use super::tape::Tape;
use crate::output::remark;

/// What the recorder's thread is given.
pub enum Job {
    /// Entries of a session that is still open.
    Entries {
        /// Its number.
        session: u64,
        /// Who talks to whom.
        subject: Arc<Subject>,
        /// What happened.
        entries: Vec<Entry>,
    },
    /// The last entries of a session, with its verdict.
    End {
        /// Its number.
        session: u64,
        /// Who talked to whom.
        subject: Arc<Subject>,
        /// What happened last.
        entries: Vec<Entry>,
        /// What packets told.
        packets: Vec<Comment>,
        /// What only sockets know.
        end: Box<End>,
        /// The verdict.
        report: Box<Connection>,
    },
}

impl Job {
    /// Its size in memory, near enough for a bound.
    pub fn bytes(&self) -> usize {
        let (Job::Entries { entries, .. } | Job::End { entries, .. }) = self;
        size_of::<Job>() + entries.iter().map(Entry::bytes).sum::<usize>()
    }
}

/// A handle to the recorder. Cloned freely; [`Recorder::finish`] of any ends the recording.
#[derive(Clone)]
pub struct Recorder {
    queue: Arc<Queue>,
    broken: Arc<AtomicBool>,
    payload: Payload,
    policy: Policy,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Recorder {
    /// Opens the first file and starts the thread. Fails where the file can not be written at all.
    pub fn start(ring: Ring, payload: Payload, policy: Policy) -> io::Result<Recorder> {
        let mut recording = Recording::open(Files::new(ring), payload)?;
        let (queue, broken) = (Arc::new(Queue::new(policy)), Arc::new(AtomicBool::new(false)));
        let closing = Closing(queue.clone());
        let failed = broken.clone();
        let work = move || recording.work(&closing.0, &failed);
        let thread = std::thread::Builder::new().name("recorder".into()).spawn(work)?;
        let thread = Arc::new(Mutex::new(Some(thread)));
        Ok(Recorder { queue, broken, payload, policy, thread })
    }

    /// A tape for a new session.
    pub fn tape(&self, session: u64, subject: &Subject) -> Tape {
        Tape::new(session, subject, self.payload, self.policy, self.queue.clone())
    }

    /// Writes what was handed over until now, and ends; tapes that still exist write into the void.
    /// Gives whether everything could be written, and says what could not.
    pub fn finish(self) -> bool {
        self.queue.close();
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        let ended = thread.is_none_or(|thread| thread.join().is_ok());
        let lost = self.queue.lost();
        if lost > 0 {
            remark(&format!(
                "the recording lacks the ends of {lost} sessions: nothing could be written when they were over"
            ));
        }
        ended && lost == 0 && !self.broken.load(Ordering::Relaxed)
    }
}

/// Nobody waits for a recorder that is gone, however it went.
struct Closing(Arc<Queue>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What the user is told when the recording ends early.
pub fn stopped(error: &io::Error) -> String {
    format!("the recording stops here: {error}; the relay goes on without it")
}
