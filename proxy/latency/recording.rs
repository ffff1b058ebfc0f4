//! Recording of latencies while they are taken: the interval log grows, the rest is written at the end.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rdpwhy_analyzer::input::Timestamp;

use super::hlog::{self, Log};
use super::{Document, Latencies, Leg, Step, hgrm};
use crate::error::Error;

/// Latencies of a run, and the files they go to.
pub struct Recording {
    total: Latencies,
    interval: Latencies,
    /// Intervals are wanted.
    logged: bool,
    since: Timestamp,
    files: Option<Files>,
}

struct Files {
    prefix: PathBuf,
    /// Made in memory: a disk that is full for a while tears no line.
    log: Log<Vec<u8>>,
    file: File,
    broken: Option<io::Error>,
}

/// An interval on its way to the log. It is written without the recording at hand, which others use meanwhile: a disk
/// may take its time.
pub struct Interval {
    files: Files,
    span: [Timestamp; 2],
    latencies: Latencies,
}

impl Recording {
    /// How long an interval of the log is while a run lasts.
    pub const INTERVAL: Duration = Duration::from_secs(10);

    /// Begins at `now`; with a prefix, its log `PREFIX.hlog`.
    pub fn start(prefix: Option<&Path>, now: Timestamp) -> Result<Recording, Error> {
        let files = prefix.map(|prefix| Files::create(prefix, now)).transpose()?;
        let (total, interval) = Default::default();
        Ok(Recording { total, interval, logged: files.is_some(), since: now, files })
    }

    /// Everything until now.
    pub fn total(&self) -> &Latencies {
        &self.total
    }

    /// Records what `take` takes.
    pub fn record(&mut self, take: impl Fn(&mut Latencies)) {
        take(&mut self.total);
        if self.logged {
            take(&mut self.interval);
        }
    }

    /// Ends an interval of the log at `now`, also one in which nothing happened, and gives it out to be written.
    /// It comes back by [`Recording::put_back`].
    pub fn interval(&mut self, now: Timestamp) -> Option<Interval> {
        let files = self.files.take()?;
        let latencies = std::mem::take(&mut self.interval);
        let span = [std::mem::replace(&mut self.since, now), now];
        Some(Interval { files, span, latencies })
    }

    /// Ends an interval and writes it at once.
    pub fn log(&mut self, now: Timestamp) {
        if let Some(mut ended) = self.interval(now) {
            ended.write();
            self.put_back(ended);
        }
    }

    /// Takes back what an interval was written to.
    pub fn put_back(&mut self, written: Interval) {
        self.files = Some(written.files);
    }

    /// Ends the log and writes `PREFIX.json` and one `PREFIX.STEP.LEG.hgrm` per step and leg. What can be written is;
    /// fails with the first file that could not.
    pub fn finish(&mut self, now: Timestamp) -> Result<(), Error> {
        let Some(mut last) = self.interval(now) else { return Ok(()) };
        last.write();
        let Files { prefix, broken, .. } = last.files;
        let rest = write(&prefix, &self.total);
        broken.map_or(rest, |source| Err(Error::Write { path: with(&prefix, "hlog"), source }))
    }
}

impl Interval {
    /// Writes it; what can not be written is told by [`Recording::finish`], and tried again with the next one.
    pub fn write(&mut self) {
        let Interval { files, span, latencies } = self;
        let written = files.log.interval(*span, latencies).and_then(|()| files.flush());
        if let Err(error) = written {
            files.broken.get_or_insert(error);
        }
    }
}

impl Files {
    /// Writes what is made of the log, as far as it goes.
    fn flush(&mut self) -> io::Result<()> {
        /// More than days of it.
        const MOST: usize = 16 << 20;
        let made = self.log.sink();
        while !made.is_empty() {
            match self.file.write(made) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => drop(made.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    if made.len() > MOST {
                        // The line that the file has a part of is still to be ended.
                        let line = made.iter().position(|byte| *byte == b'\n');
                        made.truncate(line.map_or(0, |end| end + 1));
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn create(prefix: &Path, now: Timestamp) -> Result<Files, Error> {
        let path = with(prefix, "hlog");
        let made = File::create(&path).and_then(|file| {
            let log = Log::begin(Vec::new(), now)?;
            let mut files = Files { prefix: prefix.to_owned(), log, file, broken: None };
            files.flush().map(|()| files)
        });
        made.map_err(|source| Error::Write { path, source })
    }
}

/// The files that stand for the whole run.
fn write(prefix: &Path, latencies: &Latencies) -> Result<(), Error> {
    let mut first = Ok(());
    let put = |extension: &str, text: String| {
        let path = with(prefix, extension);
        fs::write(&path, text).map_err(|source| Error::Write { path, source })
    };
    // What an earlier run with this prefix measured, and this one did not, would pass for part of it.
    for (step, leg) in Step::ALL.into_iter().flat_map(|step| Leg::ALL.map(|leg| (step, leg))) {
        let _ = fs::remove_file(with(prefix, &format!("{}.hgrm", hlog::tag(step, leg))));
    }
    for (step, leg, histogram) in latencies.iter() {
        let text = hgrm::text(histogram, latencies.correction(step));
        first = first.and(put(&format!("{}.hgrm", hlog::tag(step, leg)), text));
    }
    let json = serde_json::to_string_pretty(&Document::new(latencies))
        .map_err(|error| Error::Result(error.into()))?;
    first.and(put("json", json + "\n"))
}

/// `PREFIX.EXTENSION`; a prefix may hold dots.
fn with(prefix: &Path, extension: &str) -> PathBuf {
    let mut path = OsString::from(prefix);
    path.push(".");
    path.push(extension);
    path.into()
}

#[cfg(test)]
mod tests {
    use super::super::{Leg, Step};
    use super::*;

    fn at(s: u64) -> Timestamp {
        Timestamp(s * 1_000_000_000)
    }

    #[test]
    fn the_log_grows_by_interval_and_the_rest_stands_for_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path().join("run");
        let mut recording = Recording::start(Some(&prefix), at(100)).unwrap();
        let tcp = |latencies: &mut Latencies| {
            latencies.record(Step::Tcp, Leg::Client, Duration::from_millis(3));
        };
        recording.record(tcp);
        recording.log(at(110));
        let lines = |text: String| -> Vec<String> {
            let lines = text.lines().filter_map(|line| line.strip_prefix("Tag=tcp.client,"));
            lines.map(|line| line.split(',').take(2).collect::<Vec<_>>().join(" ")).collect()
        };
        let log = || fs::read_to_string(with(&prefix, "hlog")).unwrap();
        assert_eq!(lines(log()), ["0.000 10.000"], "it is on the disk while the run lasts");
        // Nothing happens in the second interval; two more in the last one.
        recording.log(at(120));
        recording.record(tcp);
        recording.record(tcp);
        recording.finish(at(123)).unwrap();
        assert_eq!(lines(log()), ["0.000 10.000", "20.000 3.000"]);
        let whole = fs::read_to_string(with(&prefix, "tcp.client.hgrm")).unwrap();
        assert!(whole.contains("Total count    =            3]"), "{whole}");
        assert!(fs::read_to_string(with(&prefix, "json")).unwrap().contains("\"count\": 3"));
    }

    #[test]
    fn a_file_that_can_not_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path().join("absent/run");
        let refused = Recording::start(Some(&prefix), at(1)).map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains("absent/run.hlog"), "{refused}");
    }
}
