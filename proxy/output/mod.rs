//! Where reports go: text, JSON or JSON lines, on stdout or in a file; progress and remarks on stderr.
//! It also keeps the totals, from which the exit code follows.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use rdpwhy_analyzer::report::text::{self, Style};
use rdpwhy_analyzer::report::{CauseCount, Connection, Outcome, SCHEMA, Summary};
use rdpwhy_analyzer::verdict::Named;

use crate::error::Error;

mod exit;
mod sink;

pub use exit::ExitStatus;
use sink::Sink;

/// The form of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One document.
    Json,
    /// One object per connection.
    Jsonl,
}

/// Which connections are printed. All are counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Only the connection with this number.
    pub connection: Option<u64>,
    /// Of which outcomes.
    pub printed: Printed,
}

/// Which outcomes are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Printed {
    /// All.
    #[default]
    All,
    /// Failures.
    Failed,
    /// None: the totals are enough.
    None,
}

impl Filter {
    /// A connection with this number and this outcome is printed.
    pub fn passes(&self, index: u64, outcome: Outcome) -> bool {
        self.connection.is_none_or(|wanted| wanted == index)
            && match self.printed {
                Printed::All => true,
                Printed::Failed => outcome == Outcome::Failed,
                Printed::None => false,
            }
    }
}

/// A result in the making.
pub struct Output {
    format: Format,
    filter: Filter,
    style: Style,
    sink: Sink,
    /// The document has begun.
    begun: bool,
    remembered: Option<Vec<Connection>>,
    summary: Summary,
    causes: BTreeMap<String, u64>,
    /// Where a line of JSON is made; kept because the next one is about as long.
    line: Vec<u8>,
}

impl Output {
    /// An output to `path`, or to stdout. `color`: yes, no, or only on a terminal.
    pub fn open(
        format: Format,
        filter: Filter,
        path: Option<&Path>,
        color: Option<bool>,
    ) -> io::Result<Output> {
        let (sink, terminal): (Box<dyn Write + Send>, bool) = match path {
            Some(path) => (Box::new(File::create(path)?), false),
            None => (Box::new(io::stdout()), io::stdout().is_terminal()),
        };
        let width = if terminal { terminal_width() } else { 100 };
        let style = Style { color: color.unwrap_or(terminal), width };
        Ok(Output::to(format, filter, style, sink, Box::new(io::stderr())))
    }

    /// An output that prints nothing; for what [`Output::remembered`] gives.
    pub fn nowhere() -> Output {
        let style = Style { color: false, width: 100 };
        let (sink, aside) = (Box::new(io::sink()), Box::new(io::stderr()));
        Output::to(Format::Jsonl, Filter::default(), style, sink, aside)
    }

    /// An output that prints verdicts to `sink` and remarks to `aside`.
    pub fn to(
        format: Format,
        filter: Filter,
        style: Style,
        sink: Box<dyn Write + Send>,
        aside: Box<dyn Write + Send>,
    ) -> Output {
        Output {
            format,
            filter,
            style,
            sink: Sink::new(sink, aside),
            begun: false,
            remembered: None,
            summary: Summary::default(),
            causes: BTreeMap::new(),
            line: Vec::new(),
        }
    }

    /// From now on a thread writes, and whoever has a result waits for it a moment at most: what a reader that stands
    /// still does not take is lost, counted, and makes the run a failed one.
    pub fn apart(self) -> io::Result<Output> {
        const PATIENCE: Duration = Duration::from_secs(1);
        Ok(Output { sink: self.sink.apart(PATIENCE)?, ..self })
    }

    /// Waits until everything is written, however long a reader stands still.
    pub fn settled(self) -> Output {
        Output { sink: self.sink.settled(), ..self }
    }

    /// From now on keeps the final verdicts, too.
    pub fn remember(&mut self) {
        self.remembered.get_or_insert_default();
    }

    /// The final verdicts since [`Output::remember`].
    pub fn remembered(&self) -> &[Connection] {
        self.remembered.as_deref().unwrap_or_default()
    }

    /// Words between the verdicts: part of a text, on stderr beside a result for programs.
    pub fn say(&mut self, words: &str) {
        if self.format != Format::Text {
            return self.remark(words);
        }
        self.sink.write(format!("{words}\n").as_bytes());
    }

    /// A verdict that nothing revises any more.
    pub fn connection(&mut self, connection: &Connection) {
        self.count(connection.into());
        if let Some(remembered) = &mut self.remembered {
            remembered.push(connection.clone());
        }
        self.print(connection);
    }

    /// Which connections are printed.
    pub fn filter(&self) -> Filter {
        self.filter
    }

    /// A verdict that a sibling or the session itself may still revise. `json` is one document and has
    /// only final ones. False where it was not printed.
    pub fn provisional(&mut self, connection: &Connection) -> bool {
        let printed =
            self.format != Format::Json && self.filter.passes(connection.index, connection.outcome);
        if printed {
            self.print(connection);
        }
        printed
    }

    /// A word to the person at the terminal, on stderr. Nobody may be reading it any more.
    pub fn remark(&mut self, what: &str) {
        self.sink.remark(what);
    }

    /// Something worth knowing about the input itself.
    pub fn note(&mut self, note: String) {
        self.summary.notes.push(note);
    }

    /// TCP connections that are not reported.
    pub fn other_tcp(&mut self, count: u64) {
        self.summary.other_tcp += count;
    }

    /// The totals so far.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Ends the result: the document, or the summary in words. Gives the exit code.
    pub fn finish(mut self) -> io::Result<ExitStatus> {
        let mut causes: Vec<CauseCount> = self
            .causes
            .iter()
            .map(|(id, count)| CauseCount { id: id.clone(), count: *count })
            .collect();
        causes.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.id.cmp(&b.id)));
        self.summary.causes = causes;
        match self.format {
            Format::Text => {
                let words = text::summary(&self.summary, &self.style);
                self.sink.write(words.as_bytes());
            }
            // The lines are of connections, and nobody else tells how many there were.
            Format::Jsonl if self.filter.printed == Printed::None => {
                let words = text::summary(&self.summary, &self.style);
                self.remark(words.trim_end());
            }
            Format::Jsonl => {}
            Format::Json => {
                self.begin();
                let summary = self.summary.clone();
                self.json("],\"summary\":", &summary, "}\n");
            }
        }
        self.sink.finish()?;
        Ok(ExitStatus::of(&self.summary))
    }

    /// Counts a verdict, and prints nothing.
    pub fn count(&mut self, Named { outcome, what, cause }: Named<'_>) {
        let summary = &mut self.summary;
        summary.connections += 1;
        match outcome {
            Outcome::Established => summary.established += 1,
            Outcome::Rehearsal => summary.rehearsal += 1,
            Outcome::Unknown => summary.unknown += 1,
            Outcome::NotRdp => summary.not_rdp += 1,
            Outcome::Failed => {
                summary.failed += 1;
                summary.explained += u64::from(cause.is_some());
                if let Some(id) = cause.or(what) {
                    *self.causes.entry(id.into_owned()).or_default() += 1;
                }
            }
        }
    }

    fn print(&mut self, connection: &Connection) {
        // What was said before the end is revised where it was said.
        let revises = connection.supersedes.is_some() && self.filter.printed != Printed::None;
        if !revises && !self.filter.passes(connection.index, connection.outcome) {
            return;
        }
        match self.format {
            Format::Text => {
                let words = text::connection(connection, &self.style) + "\n";
                self.sink.write(words.as_bytes());
            }
            Format::Jsonl => self.json("", connection, "\n"),
            Format::Json => {
                let before = if self.begin() { "" } else { "," };
                self.json(before, connection, "");
            }
        }
    }

    /// Begins the document, of which no more is kept in memory than its totals; false where it has begun.
    fn begin(&mut self) -> bool {
        let begins = !std::mem::replace(&mut self.begun, true);
        if begins {
            self.sink.write(format!("{{\"schema\":\"{SCHEMA}\",\"connections\":[").as_bytes());
        }
        begins
    }

    fn json(&mut self, before: &str, value: &impl serde::Serialize, behind: &str) {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        line.extend_from_slice(before.as_bytes());
        match serde_json::to_writer(&mut line, value) {
            Ok(()) => {
                line.extend_from_slice(behind.as_bytes());
                self.sink.write(&harmless(&line));
            }
            Err(error) => self.sink.fail(io::Error::other(error)),
        }
        self.line = line;
    }
}

/// JSON escapes the control characters of ASCII (RFC 8259 7); terminals obey DEL and those of ISO 6429, too.
fn harmless(json: &[u8]) -> Cow<'_, [u8]> {
    // In UTF-8 the latter are C2 80 to C2 9F. All bytes are looked at, which is faster than to stop at the first.
    let pairs = json.iter().zip(json.get(1..).unwrap_or_default());
    let obeyed = |one: u8, next: u8| (one == 0x7f) | ((one == 0xc2) & (next < 0xa0));
    if !pairs.fold(false, |found, (one, next)| found | obeyed(*one, *next)) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for c in String::from_utf8_lossy(json).chars() {
        match c {
            '\u{7f}'..'\u{a0}' => safe.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => safe.push(c),
        }
    }
    Cow::Owned(safe.into_bytes())
}

/// Text for stdout. Who reads it may have seen enough.
pub fn print(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Result(error)),
        _ => Ok(()),
    }
}

/// A line on stderr. Nobody may be reading it any more, which must not end anything.
pub fn remark(what: &str) {
    let _ = writeln!(io::stderr(), "{what}");
}

/// `COLUMNS`, as shells export it, or the width every terminal has.
fn terminal_width() -> usize {
    const USUAL: usize = 80;
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(USUAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_reaches_a_terminal() {
        let plain = "{\"a\":\"→ · é\u{a0}\"}\n".as_bytes();
        assert!(matches!(harmless(plain), Cow::Borrowed(same) if same == plain));
        let text = "\u{1b}[2J\u{7f}·\u{80}\u{9b}31m\u{9f}\u{a0}";
        let json = serde_json::to_vec(text).unwrap();
        let safe = harmless(&json);
        let told = std::str::from_utf8(&safe).unwrap();
        assert_eq!(told, "\"\\u001b[2J\\u007f·\\u0080\\u009b31m\\u009f\u{a0}\"");
        assert_eq!(serde_json::from_str::<String>(told).unwrap(), text);
    }
}
