//! The desk: where ended sessions get their verdicts. It knows the siblings, holds back what a sibling
//! may still revise, and passes reports on to the screen and the recorder.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rdpwhy_analyzer::case::{Case, REHEARSAL, Summary};
use rdpwhy_analyzer::casebook::CaseBook;
use rdpwhy_analyzer::facts::InputEnd;
use rdpwhy_analyzer::report::{Connection, Outcome};
use rdpwhy_analyzer::session::Session;
use rdpwhy_analyzer::verdict::{self, Identities, Named, Place};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::measures::Measures;
use crate::output::{Output, Printed};
use crate::record::Tape;
use crate::relay::{Lent, at};

/// What sessions tell the desk.
pub enum Message {
    /// A session was accepted.
    Began {
        /// Its number.
        index: u64,
        /// Its client.
        client: IpAddr,
    },
    /// A session is over.
    Ended {
        /// Its number.
        index: u64,
        /// What reports call where it came in: the listening address.
        source: Arc<str>,
        /// Everything known of it.
        session: Lent,
        /// Its recording, waiting for the verdict.
        tape: Option<Box<Tape>>,
    },
    /// A session waits longer than any step should take; nothing was closed.
    Stalled {
        /// Its number.
        index: u64,
        /// What reports call where it came in.
        source: Arc<str>,
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
    /// How users are shown.
    pub identities: Identities,
    /// Where reports are printed.
    pub output: Output,
    /// With `--once`: told when a case is over. The desk works on until the sessions are gone.
    pub once: Option<watch::Sender<bool>>,
    /// Where sessions are measured, if they are.
    pub measures: Option<Measures>,
    book: CaseBook,
    held: BTreeMap<u64, Held>,
    provisional: BTreeSet<u64>,
    open: BTreeMap<u64, IpAddr>,
    /// With `--once`: clients with a failure, and until when a sibling of it may come.
    quiet: BTreeMap<IpAddr, Instant>,
    /// It has a thread to itself, which may rest between messages.
    rests: bool,
}

/// An ended session whose verdict a sibling may still revise.
struct Held {
    source: Arc<str>,
    session: Lent,
    tape: Option<Box<Tape>>,
    until: Instant,
}

/// With `--once`: how long a failure waits for a sibling.
const SIBLING: Duration = Duration::from_secs(5);
/// Sessions held back at once; beyond it the oldest is judged early.
const HELD: usize = 1024;

impl Desk {
    /// An empty desk.
    pub fn new(identities: Identities, output: Output, once: Option<watch::Sender<bool>>) -> Desk {
        Desk {
            identities,
            output,
            once,
            measures: None,
            book: CaseBook::default(),
            held: BTreeMap::new(),
            provisional: BTreeSet::new(),
            open: BTreeMap::new(),
            quiet: BTreeMap::new(),
            rests: false,
        }
    }

    /// Works until the senders are gone; gives back the output for its summary. It has its thread to itself.
    pub async fn run(mut self, messages: mpsc::Receiver<Message>) -> Output {
        self.rests = true;
        self.work(messages).await;
        self.output
    }

    /// The same, and stays: another relay's messages can follow.
    pub async fn work(&mut self, mut messages: mpsc::Receiver<Message>) {
        loop {
            let next = self.held.values().map(|held| held.until).min();
            tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => self.take_all(message, &mut messages),
                    None => break,
                },
                () = at(next) => self.release(Instant::now()),
                () = at(self.quiet_end()) => self.case_is_over(),
                () = at(self.measures.as_ref().map(Measures::due)) => {
                    self.measures.as_ref().inspect(|measures| measures.interval());
                }
            }
        }
        // Whatever was held can not be revised any more.
        while let Some((&index, _)) = self.held.first_key_value() {
            self.conclude(index);
        }
    }

    /// When the first client falls silent after a failure: it has no session open and starts none.
    fn quiet_end(&self) -> Option<Instant> {
        let silent = |client: &IpAddr| !self.open.values().any(|other| other == client);
        self.quiet.iter().filter(|(client, _)| silent(client)).map(|(_, end)| *end).min()
    }

    fn case_is_over(&mut self) {
        self.quiet.clear();
        if let Some(over) = self.once.take() {
            let _ = over.send(true);
        }
    }

    /// A final verdict of a client: with `--once`, is its case over?
    fn closes(&mut self, outcome: Outcome, client: IpAddr) {
        match outcome {
            _ if self.once.is_none() => {}
            Outcome::Established => self.case_is_over(),
            Outcome::Rehearsal | Outcome::NotRdp => {}
            Outcome::Failed | Outcome::Unknown => {
                self.quiet.insert(client, Instant::now() + SIBLING);
            }
        }
    }

    /// This message and those that came with it. Who brings one has to wake this thread, which costs both more
    /// than the work: many that come at once are awaited together.
    fn take_all(&mut self, first: Message, messages: &mut mpsc::Receiver<Message>) {
        const REST: Duration = Duration::from_millis(5);
        // However many come: what waits for its time is not forgotten over them.
        const MOST: usize = 1024;
        self.take(first);
        for _ in 0..MOST {
            let Ok(message) = messages.try_recv() else { break };
            self.take(message);
        }
        if self.rests {
            std::thread::sleep(REST);
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Began { index, client } => {
                self.measures.as_ref().inspect(|measures| measures.began(index));
                self.open.insert(index, client);
            }
            Message::Active { index, session } => {
                self.measures.as_ref().inspect(|measures| measures.set_up(index, session.facts()));
                self.book.note(index, Summary::of(session.facts()));
                self.revise(index);
            }
            Message::Stalled { index, source, session } => {
                let case = self.book.note(index, Summary::of(session.facts()));
                let report = self.report(index, case, &source, &session, false);
                if report.as_ref().is_some_and(|report| report.outcome == Outcome::Failed) {
                    self.provisional(index, report);
                }
            }
            Message::Ended { index, source, session, tape } => {
                self.open.remove(&index);
                self.ended(index, source, session, tape);
            }
        }
    }

    fn ended(&mut self, index: u64, source: Arc<str>, session: Lent, tape: Option<Box<Tape>>) {
        if let Some(measures) = &self.measures {
            measures.ended(index, session.facts());
        }
        let case = self.book.note(index, Summary::of(session.facts()));
        self.revise(index);
        if verdict::awaits_sibling(session.facts()) {
            let report = self.report(index, case, &source, &session, false);
            let open = |outcome| matches!(outcome, Outcome::Failed | Outcome::Established);
            if report.as_ref().is_some_and(|report| open(report.outcome)) {
                self.provisional(index, report);
                return self.hold(index, source, session, tape);
            }
        }
        self.publish(index, case, &source, &session, tape);
    }

    fn provisional(&mut self, index: u64, report: Option<Connection>) {
        let Some(report) = report else { return };
        if self.output.provisional(&report) {
            self.provisional.insert(index);
        }
    }

    fn hold(&mut self, index: u64, source: Arc<str>, session: Lent, tape: Option<Box<Tape>>) {
        if self.once.is_some() {
            self.output
                .remark("the client may come back after a prompt: waiting for it, up to 120 s");
        }
        self.quiet.remove(&session.facts().subject.client.ip());
        let until = Instant::now() + REHEARSAL;
        self.held.insert(index, Held { source, session, tape, until });
        while self.held.len() > HELD
            && let Some((&oldest, _)) = self.held.first_key_value()
        {
            self.conclude(oldest);
        }
    }

    /// A session began to matter: those that waited for a sibling like it are judged again.
    fn revise(&mut self, index: u64) {
        if self.held.is_empty() {
            return;
        }
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
            // The client had its time to come back.
            self.quiet.values_mut().for_each(|end| *end = now);
        }
    }

    /// Judges a held session for good.
    fn conclude(&mut self, index: u64) {
        let Some(held) = self.held.remove(&index) else { return };
        let case = self.book.note(index, Summary::of(held.session.facts()));
        self.publish(index, case, &held.source, &held.session, held.tape);
    }

    /// Prints and records the final verdict.
    fn publish(
        &mut self,
        index: u64,
        case: u64,
        source: &str,
        session: &Session,
        tape: Option<Box<Tape>>,
    ) {
        let client = session.facts().subject.client.ip();
        if tape.is_none()
            && let Some(named) = self.counted_alone(index, session)
        {
            let outcome = named.outcome;
            self.measures.as_ref().inspect(|measures| measures.judged(named.clone()));
            self.output.count(named);
            return self.closes(outcome, client);
        }
        let report = self.report(index, case, source, session, true);
        self.provisional.remove(&index);
        let Some(report) = report else { return };
        self.output.connection(&report);
        self.measures.as_ref().inspect(|measures| measures.judged((&report).into()));
        self.closes(report.outcome, client);
        if let Some(tape) = tape {
            tape.finish(session.facts(), report);
        }
    }

    /// The final verdict in short, where nobody is to read its report.
    fn counted_alone(&self, index: u64, session: &Session) -> Option<Named<'static>> {
        let filter = self.output.filter();
        if filter.printed == Printed::All || self.provisional.contains(&index) {
            return None;
        }
        let named = self.judged(index, session, verdict::named)?;
        (!filter.passes(index, named.outcome)).then_some(named)
    }

    /// The verdict as of now.
    fn report(
        &self,
        index: u64,
        case: u64,
        source: &str,
        session: &Session,
        last: bool,
    ) -> Option<Connection> {
        let place = Place {
            source: source.to_owned(),
            file: None,
            index,
            case,
            r#final: last,
            supersedes: (last && self.provisional.contains(&index)).then_some(index),
        };
        self.judged(index, session, |case| verdict::connection(case, &place, &self.identities))
    }

    /// What a judge says of a session and its siblings; of one of which nothing is known, where the engine fails
    /// over it.
    fn judged<T>(
        &self,
        index: u64,
        session: &Session,
        judge: impl Fn(&Case<'_>) -> T,
    ) -> Option<T> {
        let around = self.book.around(index);
        let judge = |session: &Session| {
            let case = Case::among(session.facts(), &around);
            catch_unwind(AssertUnwindSafe(|| judge(&case)))
        };
        judge(session)
            .or_else(|_| {
                tracing::error!("the engine failed over the verdict of a connection");
                let facts = session.facts();
                let mut empty = Session::new(facts.subject.clone());
                empty.limit(crate::relay::FAILED);
                empty.finish(facts.now, InputEnd::Open);
                judge(&empty)
            })
            .ok()
    }
}

#[cfg(test)]
mod tests;
