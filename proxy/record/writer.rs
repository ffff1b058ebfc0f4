//! The recorder's thread: entries become packets, verdicts become comments.

use std::sync::mpsc::SyncSender;

use rdpwhy_analyzer::facts::{Facts, Subject};
use rdpwhy_analyzer::report::Connection;

use super::file::Ring;
use super::tape::{Entry, Payload, Policy, Tape};

/// What the recorder's thread is given.
pub enum Job {
    /// Entries of a session that is still open.
    Entries {
        /// Its number.
        session: u64,
        /// Who talks to whom.
        subject: Box<Subject>,
        /// What happened.
        entries: Vec<Entry>,
    },
    /// The last entries of a session, with its verdict.
    End {
        /// Its number.
        session: u64,
        /// Who talks to whom.
        subject: Box<Subject>,
        /// What happened last.
        entries: Vec<Entry>,
        /// What only sockets know.
        facts: Box<EndFacts>,
        /// The verdict.
        report: Box<Connection>,
    },
}

/// Facts that have no form on the wire.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct EndFacts {}

impl EndFacts {
    /// Of a session that is over.
    pub fn of(_facts: &Facts, _passed: [[u64; 2]; 2], _lost: u64) -> EndFacts {
        EndFacts {}
    }
}

/// A handle to the recorder.
#[derive(Clone)]
pub struct Recorder {
    jobs: SyncSender<Job>,
    payload: Payload,
    policy: Policy,
}

impl Recorder {
    /// Starts it.
    pub fn start(_ring: Ring, payload: Payload, policy: Policy) -> std::io::Result<Recorder> {
        let (jobs, _rx) = std::sync::mpsc::sync_channel(16);
        Ok(Recorder { jobs, payload, policy })
    }
    /// A tape.
    pub fn tape(&self, session: u64, subject: &Subject) -> Tape {
        Tape::new(session, subject, self.payload, self.policy, self.jobs.clone())
    }
    /// Ends.
    pub fn finish(self) {}
}
