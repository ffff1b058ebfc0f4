//! The desk: where ended sessions get their verdicts. It knows the siblings, holds back what a sibling
//! may still revise, and passes reports on to the screen and the recorder.

use std::collections::BTreeMap;
use std::time::Duration;

use rdpwhy_analyzer::case::{Case, REHEARSAL, Summary};
use rdpwhy_analyzer::casebook::CaseBook;
use rdpwhy_analyzer::report::{Connection, Outcome};
use rdpwhy_analyzer::session::Session;
use rdpwhy_analyzer::verdict::{self, Identities, Place};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::output::Output;
use crate::record::Tape;

/// What sessions tell the desk.
pub enum Message {
    /// A session is over.
    Ended {
        /// Its number.
        index: u64,
        /// Everything known of it.
        session: Box<Session>,
        /// Its recording, waiting for the verdict.
        tape: Option<Tape>,
    },
    /// A session waits longer than any step should take; nothing was closed.
    Stalled {
        /// Its number.
        index: u64,
        /// Its state at that moment.
        session: Box<Session>,
    },
    /// A session is up.
    Active {
        /// Its number.
        index: u64,
        /// Its state at that moment.
        session: Box<Session>,
    },
}

/// How the desk works.
pub struct Desk {
    /// Name of the source in reports: the listening address.
    pub source: String,
    /// How users are shown.
    pub identities: Identities,
    /// Where reports are printed.
    pub output: Output,
    /// End after one case.
    pub once: bool,
    book: CaseBook,
    held: BTreeMap<u64, Held>,
    provisional: std::collections::BTreeSet<u64>,
    quiet_until: Option<Instant>,
}

/// An ended session whose verdict a sibling may still revise.
struct Held {
    session: Box<Session>,
    tape: Option<Tape>,
    until: Instant,
}

/// With `--once`: how long a failure waits for a sibling.
const SIBLING: Duration = Duration::from_secs(5);

impl Desk {
    /// An empty desk.
    pub fn new(source: String, identities: Identities, output: Output, once: bool) -> Desk {
        Desk {
            source,
            identities,
            output,
            once,
            book: CaseBook::default(),
            held: BTreeMap::new(),
            provisional: Default::default(),
            quiet_until: None,
        }
    }

    /// Works until the senders are gone, or with `--once` until a case is over; gives back the output
    /// for its summary.
    pub async fn run(mut self, messages: mpsc::Receiver<Message>) -> Output {
        self.work(messages).await;
        self.output
    }

    /// The same, and stays: another relay's messages can follow.
    pub async fn work(&mut self, mut messages: mpsc::Receiver<Message>) {
        loop {
            let next = self.held.values().map(|held| held.until).min();
            tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => {
                        if self.take(message) && self.once {
                            break;
                        }
                    }
                    None => break,
                },
                () = until(next) => {
                    self.release(Instant::now());
                    if self.once && self.held.is_empty() {
                        break;
                    }
                }
                () = until(self.quiet_until) => break,
            }
        }
        // Whatever was held can not be revised any more.
        let rest: Vec<u64> = self.held.keys().copied().collect();
        for index in rest {
            self.conclude(index);
        }
    }

    /// Takes one message; true when it ends a case for good.
    fn take(&mut self, message: Message) -> bool {
        match message {
            Message::Active { index, session } => {
                self.quiet_until = None;
                self.book.note(index, Summary::of(session.facts()));
                self.revise(index);
                false
            }
            Message::Stalled { index, session } => {
                let case = self.book.note(index, Summary::of(session.facts()));
                let report = self.report(index, case, &session, false);
                if report.outcome == Outcome::Failed {
                    self.provisional.insert(index);
                    self.output.provisional(&report);
                }
                false
            }
            Message::Ended { index, session, tape } => self.ended(index, session, tape),
        }
    }

    fn ended(&mut self, index: u64, session: Box<Session>, tape: Option<Tape>) -> bool {
        let case = self.book.note(index, Summary::of(session.facts()));
        self.revise(index);
        let may_change = verdict::may_be_rehearsal(session.facts());
        let report = self.report(index, case, &session, !may_change);
        if may_change && report.outcome == Outcome::Failed {
            self.provisional.insert(index);
            self.output.provisional(&report);
            if self.once {
                self.output
                    .remark("the client may come back after a prompt: waiting for it, up to 120 s");
            }
            let until = Instant::now() + REHEARSAL;
            self.held.insert(index, Held { session, tape, until });
            self.quiet_until = None;
            return false;
        }
        let outcome = report.outcome;
        self.publish(report, &session, tape);
        match outcome {
            Outcome::Established => true,
            Outcome::Rehearsal | Outcome::NotRdp => false,
            Outcome::Failed | Outcome::Unknown => {
                self.quiet_until = self.once.then(|| Instant::now() + SIBLING);
                false
            }
        }
    }

    /// A session began to matter: those that waited for a sibling like it are judged again.
    fn revise(&mut self, index: u64) {
        let waiting: Vec<u64> = self
            .book
            .awaited_by(index)
            .into_iter()
            .filter(|earlier| self.held.contains_key(earlier))
            .collect();
        for earlier in waiting {
            self.conclude(earlier);
        }
    }

    fn release(&mut self, now: Instant) {
        let due: Vec<u64> = self
            .held
            .iter()
            .filter(|(_, held)| held.until <= now)
            .map(|(index, _)| *index)
            .collect();
        for index in due {
            self.conclude(index);
        }
    }

    /// Judges a held session for good.
    fn conclude(&mut self, index: u64) {
        let Some(held) = self.held.remove(&index) else { return };
        let case = self.book.note(index, Summary::of(held.session.facts()));
        let report = self.report(index, case, &held.session, true);
        self.publish(report, &held.session, held.tape);
    }

    fn publish(&mut self, report: Connection, session: &Session, tape: Option<Tape>) {
        self.output.connection(&report);
        if let Some(tape) = tape {
            tape.finish(session.facts(), &report);
        }
    }

    fn report(&self, index: u64, case: u64, session: &Session, last: bool) -> Connection {
        let siblings = self.book.siblings(index);
        let case_of = Case { this: session.facts(), siblings: &siblings };
        let place = Place {
            source: self.source.clone(),
            file: None,
            index,
            case,
            r#final: last,
            supersedes: (last && self.provisional.contains(&index)).then_some(index),
        };
        verdict::connection(&case_of, &place, &self.identities)
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
