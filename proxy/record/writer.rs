//! tmp
#![allow(missing_docs)]
use std::sync::mpsc::SyncSender;
use rdpwhy_analyzer::facts::Subject;
use rdpwhy_analyzer::report::Connection;
use super::{facts::End, file::Ring};
use super::tape::{Entry, Payload, Policy, Tape};
pub enum Job { Entries { session: u64, subject: Box<Subject>, entries: Vec<Entry> }, End { session: u64, subject: Box<Subject>, entries: Vec<Entry>, end: Box<End>, report: Box<Connection> } }
#[derive(Clone)]
pub struct Recorder { jobs: SyncSender<Job>, payload: Payload, policy: Policy }
impl Recorder {
    pub fn start(_ring: Ring, payload: Payload, policy: Policy) -> std::io::Result<Recorder> {
        let (jobs, _rx) = std::sync::mpsc::sync_channel(16);
        Ok(Recorder { jobs, payload, policy })
    }
    pub fn tape(&self, session: u64, subject: &Subject) -> Tape { Tape::new(session, subject, self.payload, self.policy, self.jobs.clone()) }
    pub fn finish(self) {}
}
