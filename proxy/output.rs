//! Where reports go: text, JSON or JSON lines, on stdout or in a file; progress and remarks on stderr.
//! It also keeps the totals, from which the exit code follows.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use rdpwhy_analyzer::report::text::{self, Style};
use rdpwhy_analyzer::report::{CauseCount, Connection, Document, Outcome, SCHEMA, Summary};

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

/// Which connections are printed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Only the connection with this number.
    pub connection: Option<u64>,
    /// Only failures.
    pub failed: bool,
}

/// A result in the making.
pub struct Output {
    format: Format,
    filter: Filter,
    style: Style,
    sink: Box<dyn Write + Send>,
    aside: Box<dyn Write + Send>,
    kept: Vec<Connection>,
    remembered: Option<Vec<Connection>>,
    summary: Summary,
    causes: BTreeMap<String, u64>,
    /// Where a line of JSON is made; kept because the next one is about as long.
    line: Vec<u8>,
    failure: Option<io::Error>,
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
            Some(path) => (Box::new(io::BufWriter::new(File::create(path)?)), false),
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
            sink,
            aside,
            kept: Vec::new(),
            remembered: None,
            summary: Summary::default(),
            causes: BTreeMap::new(),
            line: Vec::new(),
            failure: None,
        }
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
        self.write(words.as_bytes());
        self.write(b"\n");
        self.flush();
    }

    /// A verdict that nothing revises any more.
    pub fn connection(&mut self, connection: &Connection) {
        self.count(connection);
        if let Some(remembered) = &mut self.remembered {
            remembered.push(connection.clone());
        }
        self.print(connection);
    }

    /// A verdict that a sibling or the session itself may still revise. `json` is one document and has
    /// only final ones.
    pub fn provisional(&mut self, connection: &Connection) {
        if self.format != Format::Json {
            self.print(connection);
        }
    }

    /// A word to the person at the terminal, on stderr. Nobody may be reading it any more.
    pub fn remark(&mut self, what: &str) {
        let _ = writeln!(self.aside, "{what}");
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
                self.write(words.as_bytes());
            }
            Format::Jsonl => {}
            Format::Json => {
                let document = Document {
                    schema: SCHEMA.to_owned(),
                    connections: std::mem::take(&mut self.kept),
                    summary: self.summary.clone(),
                };
                self.json(&document);
            }
        }
        self.flush();
        match self.failure {
            // Who reads the result may have seen enough.
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(ExitStatus::of(&self.summary)),
        }
    }

    fn count(&mut self, connection: &Connection) {
        let summary = &mut self.summary;
        summary.connections += 1;
        match connection.outcome {
            Outcome::Established => summary.established += 1,
            Outcome::Rehearsal => summary.rehearsal += 1,
            Outcome::Unknown => summary.unknown += 1,
            Outcome::NotRdp => summary.not_rdp += 1,
            Outcome::Failed => {
                summary.failed += 1;
                summary.explained += u64::from(connection.verdict.cause.is_some());
                let verdict = &connection.verdict;
                if let Some(id) = verdict.cause.as_ref().or(verdict.what.as_ref()) {
                    *self.causes.entry(id.clone()).or_default() += 1;
                }
            }
        }
    }

    fn print(&mut self, connection: &Connection) {
        let wanted = self.filter.connection.is_none_or(|index| index == connection.index)
            && (!self.filter.failed || connection.outcome == Outcome::Failed);
        if !wanted {
            return;
        }
        match self.format {
            Format::Text => {
                let words = text::connection(connection, &self.style) + "\n";
                self.write(words.as_bytes());
            }
            Format::Jsonl => self.json(connection),
            Format::Json => return self.kept.push(connection.clone()),
        }
        // A verdict must be on the screen before the user has closed the client's error box.
        self.flush();
    }

    fn flush(&mut self) {
        if let Err(error) = self.sink.flush() {
            self.failure.get_or_insert(error);
        }
    }

    fn json(&mut self, value: &impl serde::Serialize) {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        match serde_json::to_writer(&mut line, value) {
            Ok(()) => {
                line.push(b'\n');
                self.write(&harmless(&line));
            }
            Err(error) => {
                self.failure.get_or_insert(io::Error::other(error));
            }
        }
        self.line = line;
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.failure.is_some() {
            return;
        }
        if let Err(error) = self.sink.write_all(bytes) {
            self.failure = Some(error);
        }
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

/// A line on stderr. Nobody may be reading it any more, which must not end anything.
pub fn remark(what: &str) {
    let _ = writeln!(io::stderr(), "{what}");
}

/// The exit codes of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// Ran, nothing failed.
    Fine = 0,
    /// The run itself failed, or an input was unreadable.
    Broken = 1,
    /// Failures, all explained.
    Explained = 3,
    /// A failure is undecided.
    Undecided = 4,
    /// No RDP in the input.
    NoRdp = 5,
    /// The target could not be reached at all.
    Unreachable = 6,
    /// Refused by a safety rule.
    Refused = 7,
}

impl ExitStatus {
    fn of(summary: &Summary) -> ExitStatus {
        match (summary.failed, summary.explained) {
            (0, _) => ExitStatus::Fine,
            (failed, explained) if failed == explained => ExitStatus::Explained,
            _ => ExitStatus::Undecided,
        }
    }
}

impl From<ExitStatus> for std::process::ExitCode {
    fn from(status: ExitStatus) -> Self {
        std::process::ExitCode::from(status as u8)
    }
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
