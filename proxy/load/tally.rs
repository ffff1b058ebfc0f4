//! The sums of a run and its result.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::time::Duration;

use serde::Serialize;

use super::open_loop::{Event, Timed};
use super::operation::Failure;
use crate::clock::Clock;
use crate::error::Error;
use crate::latency::{self, Document, Latencies, Leg, Recording, Step};
use crate::output::ExitStatus;

/// What a reader must know of the times.
const NOTES: [&str; 3] = [
    "response: from the intended start, which corrects for coordinated omission; service: from the actual start",
    "response includes one or two milliseconds of this program's own timer and scheduling",
    "failed operations are in `failed`, from the intended start, and not in response and service",
];

/// The sums of a run.
pub struct Tally {
    recording: Recording,
    clock: Clock,
    planned: u64,
    fine: u64,
    failed: u64,
    never_began: u64,
    /// Operations for which no connection was free when they were due.
    waited: u64,
    /// What was left under way at an interrupt, and the age of the oldest.
    unfinished: Option<(u64, Duration)>,
    interrupted: bool,
    connections: usize,
    reached: bool,
    /// Failures by name: how many, and whether the cause is known.
    failures: BTreeMap<String, (u64, bool)>,
    seconds: u64,
}

/// The document of `--format json`.
#[derive(Serialize)]
struct Result_<'a> {
    schema: &'static str,
    run: &'a str,
    planned: u64,
    fine: u64,
    failed: u64,
    never_began: u64,
    /// Operations for which no connection was free when they were due, and how many connections there are.
    waited: u64,
    connections: usize,
    interrupted: bool,
    /// What was left under way at an interrupt.
    unfinished: u64,
    oldest_unfinished_ms: Option<f64>,
    failures: Vec<Count<'a>>,
    notes: &'static [&'static str],
    latency: Document,
}

#[derive(Serialize)]
struct Count<'a> {
    name: &'a str,
    count: u64,
    explained: bool,
}

impl Tally {
    /// Nothing yet, of so many planned operations over so many connections at once.
    pub fn new(recording: Recording, clock: Clock, planned: u64, connections: usize) -> Tally {
        Tally {
            recording,
            clock,
            planned,
            fine: 0,
            failed: 0,
            never_began: 0,
            waited: 0,
            unfinished: None,
            interrupted: false,
            connections,
            reached: false,
            failures: BTreeMap::new(),
            seconds: 0,
        }
    }

    /// Takes what happened.
    pub fn take(&mut self, event: Event) {
        match event {
            Event::Done(timed) => self.done(&timed),
            Event::NeverBegan(count) => self.never_began += count,
            Event::BrokeOff => {
                self.failed += 1;
                self.failures.entry("broke-off".into()).or_insert((0, false)).0 += 1;
            }
            Event::Interrupted(_) => self.interrupted = true,
            Event::Unfinished(count, oldest) => {
                self.interrupted = true;
                self.unfinished = Some((count as u64, oldest));
            }
            Event::Second => {
                self.seconds += 1;
                if self.seconds.is_multiple_of(Recording::INTERVAL.as_secs()) {
                    self.recording.log(self.clock.now());
                }
            }
        }
    }

    /// One line of progress.
    pub fn line(&self) -> String {
        let Tally { planned, fine, failed, .. } = self;
        format!("{} of {planned} operations, {failed} failed", fine + failed)
    }

    /// Writes the files of the recording.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.recording.finish(self.clock.now())
    }

    /// The result for people.
    pub fn text(&self, run: &str) -> String {
        let Tally { planned, fine, failed, never_began, .. } = self;
        let mut text = format!("{run}\n{planned} operations planned, {fine} fine, {failed} failed");
        let unfinished = self.unfinished.map_or(0, |(count, _)| count);
        let not_due = planned.saturating_sub(fine + failed + never_began + unfinished);
        if *never_began > 0 {
            let _ = write!(text, ", {never_began} never began: no connection became free");
        }
        if let Some((count, oldest)) = self.unfinished {
            let seconds = oldest.as_secs_f64();
            let _ = write!(text, ", {count} left unfinished, the oldest after {seconds:.1} s");
        }
        if not_due > 0 {
            let _ = write!(text, ", {not_due} not due yet at the interrupt");
        }
        if self.waited > 0 {
            let Tally { waited, connections, .. } = self;
            let _ = write!(
                text,
                "\n{waited} waited until one of {connections} connections was free (--connections)"
            );
        }
        text += "\n\n";
        text += &latency::table(self.recording.total());
        for note in NOTES {
            let _ = writeln!(text, "{note}");
        }
        if *never_began > 0 || unfinished > 0 {
            text +=
                "those that never began or were left are in no row: the true times are longer\n";
        }
        for (name, (count, explained)) in &self.failures {
            let doubt = if *explained { "" } else { " (cause undecided)" };
            let _ = writeln!(text, "failed: {count} x {name}{doubt}");
        }
        text
    }

    /// The result for programs.
    pub fn json(&self, run: &str) -> io::Result<String> {
        let failures = self.failures.iter().map(|(name, &(count, explained))| Count {
            name,
            count,
            explained,
        });
        let result = Result_ {
            schema: "rdpwhy-load/1",
            run,
            planned: self.planned,
            fine: self.fine,
            failed: self.failed,
            never_began: self.never_began,
            waited: self.waited,
            connections: self.connections,
            interrupted: self.interrupted,
            unfinished: self.unfinished.map_or(0, |(count, _)| count),
            oldest_unfinished_ms: self.unfinished.map(|(_, age)| age.as_secs_f64() * 1000.0),
            failures: failures.collect(),
            notes: &NOTES,
            latency: Document::new(self.recording.total()),
        };
        Ok(serde_json::to_string_pretty(&result)?)
    }

    /// The exit code.
    pub fn status(&self) -> ExitStatus {
        let explained = self.failures.values().all(|(_, explained)| *explained);
        let unfinished = self.unfinished.map_or(0, |(count, _)| count);
        match (self.failed, self.never_began + unfinished) {
            (0, 0) => ExitStatus::Fine,
            (0, _) if unfinished > 0 && !self.reached => ExitStatus::Undecided,
            _ if !self.reached => ExitStatus::Unreachable,
            (_, 0) if explained => ExitStatus::Explained,
            _ => ExitStatus::Undecided,
        }
    }

    fn done(&mut self, timed: &Timed) {
        let outcome = &timed.outcome;
        self.reached |= outcome.reached;
        self.waited += u64::from(timed.waited);
        let response = outcome.ended.saturating_duration_since(timed.intended);
        let service = outcome.ended.saturating_duration_since(timed.began);
        let failed = outcome.failure.is_some();
        self.recording.record(|latencies: &mut Latencies| {
            for (step, took) in &outcome.steps {
                latencies.record(*step, Leg::Single, *took);
            }
            if failed {
                latencies.record(Step::Failed, Leg::Single, response);
            } else {
                latencies.record(Step::Service, Leg::Single, service);
                latencies.record(Step::Response, Leg::Single, response);
            }
        });
        match &outcome.failure {
            None => self.fine += 1,
            Some(Failure { name, explained }) => {
                self.failed += 1;
                let (count, all) = self.failures.entry(name.clone()).or_insert((0, true));
                *count += 1;
                *all &= explained;
            }
        }
    }
}
