//! `.hlog`: interval log of HdrHistogram, version 1.3, histograms in V2 compressed. Each line has a tag
//! `STEP.LEG`, begin and length of its interval in s, and its maximum, all values in ns.

use std::io::{self, Read, Write};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{
    IntervalLogHistogram, IntervalLogIterator, IntervalLogWriterBuilder, LogEntry,
    LogIteratorError, Tag,
};
use hdrhistogram::serialization::{Deserializer, V2DeflateSerializer};
use rdpwhy_analyzer::input::Timestamp;

use super::{DIGITS, LONGEST, Latencies, Leg, Measured, SHORTEST, Step};

/// What a reader must know who sees the log alone.
const COMMENT: &str = "latencies of rdpwhy in ns, by STEP.LEG; response and failed are timed from an intended \
                       start, everything else is not corrected for coordinated omission";

/// A log being written.
pub struct Log<W> {
    sink: W,
    started: Timestamp,
}

impl<W: Write> Log<W> {
    /// Begins a log: its intervals count from `started`.
    pub fn begin(mut sink: W, started: Timestamp) -> io::Result<Log<W>> {
        let start = UNIX_EPOCH + Duration::from_nanos(started.0);
        IntervalLogWriterBuilder::new()
            .add_comment("[Histogram log format version 1.3]")
            .add_comment(COMMENT)
            .with_start_time(start)
            .with_base_time(start)
            .begin_log_with(&mut sink, &mut V2DeflateSerializer::new())?;
        sink.write_all(LEGEND)?;
        Ok(Log { sink, started })
    }

    /// Where it goes.
    pub fn sink(&mut self) -> &mut W {
        &mut self.sink
    }

    /// One line per step and leg, for the interval `from` to `to`.
    pub fn interval(
        &mut self,
        [from, to]: [Timestamp; 2],
        latencies: &Latencies,
    ) -> io::Result<()> {
        let mut serializer = V2DeflateSerializer::new();
        // Without settings it writes no header of its own.
        let mut lines =
            IntervalLogWriterBuilder::new().begin_log_with(&mut self.sink, &mut serializer)?;
        for (step, leg, histogram) in latencies.iter() {
            let name = tag(step, leg);
            let (start, duration) = (from.since(self.started), to.since(from));
            lines
                .write_histogram(histogram, start, duration, Tag::new(&name))
                .map_err(io::Error::other)?;
        }
        self.sink.flush()
    }
}

/// The line that spreadsheets take for the names of the columns.
const LEGEND: &[u8] =
    b"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";

/// The tag of a step and leg.
pub fn tag(step: Step, leg: Leg) -> String {
    format!("{}.{}", step.name(), leg.name())
}

/// Why a log can not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Another kind of file, or an empty one.
    #[error("it is no HdrHistogram interval log")]
    NoLog,
    /// No line of an interval log.
    #[error("no interval log from byte {0} on")]
    Line(usize),
    /// A tag of another program.
    #[error("the tag `{0}` is none of rdpwhy's")]
    Tag(String),
    /// A damaged histogram, or one of another shape.
    #[error("the histogram of {tag} is damaged or of another program: {why}")]
    Histogram {
        /// Whose.
        tag: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Reads a whole log: its intervals, added up by tag; and whether its last line is cut off, because the
/// program that wrote it was killed. That line is left out.
pub fn read(bytes: &[u8]) -> Result<(Measured, bool), Unreadable> {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let measured = read_lines(&bytes[..whole])?;
    // A run in which nothing was measured leaves its beginning.
    if measured.latencies.iter().next().is_none() && !begins(bytes) {
        return Err(Unreadable::NoLog);
    }
    Ok((measured, whole < bytes.len()))
}

/// It says that it is a log, behind comments at most.
fn begins(bytes: &[u8]) -> bool {
    const SAYS: &[u8] = b"#[Histogram log format version ";
    const HEAD: usize = 4096;
    bytes.windows(SAYS.len()).take(HEAD).any(|window| window == SAYS)
}

fn read_lines(bytes: &[u8]) -> Result<Measured, Unreadable> {
    let mut measured = Measured::default();
    let mut base = Duration::ZERO;
    for entry in IntervalLogIterator::new(bytes) {
        let entry =
            entry.map_err(|LogIteratorError::ParseError { offset }| Unreadable::Line(offset))?;
        match entry {
            LogEntry::BaseTime(time) => base = time,
            LogEntry::StartTime(_) => {}
            LogEntry::Interval(line) => {
                let (step, leg) = step_and_leg(&line)?;
                measured.latencies.add(step, leg, &histogram(&line)?);
                let from = base.saturating_add(line.start_timestamp());
                let span = [from, from.saturating_add(line.duration())];
                measured.covers(span.map(|time| Timestamp(time.as_nanos() as u64)));
            }
        }
    }
    Ok(measured)
}

fn step_and_leg(line: &IntervalLogHistogram<'_>) -> Result<(Step, Leg), Unreadable> {
    let tag = line.tag().map_or("", |tag| tag.as_str());
    let known = |(step, leg): (&str, &str)| {
        let step = Step::ALL.into_iter().find(|known| known.name() == step)?;
        Some((step, Leg::ALL.into_iter().find(|known| known.name() == leg)?))
    };
    tag.rsplit_once('.').and_then(known).ok_or_else(|| Unreadable::Tag(tag.to_owned()))
}

/// Opens a V2 compressed histogram. What its header declares is held against what is there before room is
/// made for it.
fn histogram(line: &IntervalLogHistogram<'_>) -> Result<Histogram<u64>, Unreadable> {
    let tag = line.tag().map_or("", |tag| tag.as_str());
    let damaged = |why: String| Unreadable::Histogram { tag: tag.to_owned(), why };
    let compressed =
        STANDARD.decode(line.encoded_histogram()).map_err(|error| damaged(error.to_string()))?;
    let [cookie @ .., _, _, _, _] =
        compressed.first_chunk::<8>().ok_or_else(|| damaged(CUT.into()))?;
    if cookie != V2_COMPRESSED {
        return Err(damaged("not V2 compressed".into()));
    }
    let mut plain = Vec::new();
    ZlibDecoder::new(&compressed[8..])
        .take(MOST)
        .read_to_end(&mut plain)
        .map_err(|error| damaged(error.to_string()))?;
    let header: &[u8; HEADER] = plain.first_chunk().ok_or_else(|| damaged(CUT.into()))?;
    if header[4..8] != ((plain.len() - HEADER) as u32).to_be_bytes() {
        return Err(damaged(CUT.into()));
    }
    let [low, high] = [SHORTEST, LONGEST].map(|bound| (bound.as_nanos() as u64).to_be_bytes());
    if header[12..16] != u32::from(DIGITS).to_be_bytes()
        || header[16..24] != low
        || header[24..32] != high
    {
        return Err(damaged("other bounds or digits".into()));
    }
    Deserializer::new()
        .deserialize(&mut plain.as_slice())
        .map_err(|error| damaged(error.to_string()))
}

/// Cookie of the V2 compressed encoding with its word size.
const V2_COMPRESSED: &[u8; 4] = &[0x1c, 0x84, 0x93, 0x14];
/// Header of the V2 encoding: cookie, payload length, offset, digits, bounds, ratio.
const HEADER: usize = 40;
/// No histogram of our shape takes more: nine bytes for each of its slots.
const MOST: u64 = 1 << 20;
const CUT: &str = "cut off";
