//! Recording of latencies while they are taken: the interval log grows, the rest is written at the end.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rdpwhy_analyzer::input::Timestamp;

use super::hlog::{self, Log};
use super::{Document, Latencies, hgrm};
use crate::error::Error;

/// Latencies of a run, and the files they go to.
pub struct Recording {
    total: Latencies,
    interval: Latencies,
    since: Timestamp,
    files: Option<Files>,
}

struct Files {
    prefix: PathBuf,
    log: Log<BufWriter<File>>,
    broken: Option<io::Error>,
}

impl Recording {
    /// How long an interval of the log is while a run lasts.
    pub const INTERVAL: Duration = Duration::from_secs(10);

    /// Begins at `now`; with a prefix, its log `PREFIX.hlog`.
    pub fn start(prefix: Option<&Path>, now: Timestamp) -> Result<Recording, Error> {
        let files = prefix.map(|prefix| Files::create(prefix, now)).transpose()?;
        let (total, interval) = Default::default();
        Ok(Recording { total, interval, since: now, files })
    }

    /// Everything until now.
    pub fn total(&self) -> &Latencies {
        &self.total
    }

    /// Records what `take` takes.
    pub fn record(&mut self, take: impl Fn(&mut Latencies)) {
        take(&mut self.total);
        if self.files.is_some() {
            take(&mut self.interval);
        }
    }

    /// Ends an interval of the log at `now`, also one in which nothing happened. What can not be written is
    /// told by [`Recording::finish`].
    pub fn interval(&mut self, now: Timestamp) {
        let Some(files) = &mut self.files else { return };
        let interval = std::mem::take(&mut self.interval);
        let since = std::mem::replace(&mut self.since, now);
        if let Err(error) = files.log.interval([since, now], &interval) {
            files.broken.get_or_insert(error);
        }
    }

    /// Ends the log and writes `PREFIX.json` and one `PREFIX.STEP.LEG.hgrm` per step and leg. Fails with the
    /// first file that could not be written.
    pub fn finish(&mut self, now: Timestamp) -> Result<(), Error> {
        self.interval(now);
        let Some(Files { prefix, broken, .. }) = self.files.take() else { return Ok(()) };
        match broken {
            Some(source) => Err(Error::Write { path: with(&prefix, "hlog"), source }),
            None => write(&prefix, &self.total),
        }
    }
}

impl Files {
    fn create(prefix: &Path, now: Timestamp) -> Result<Files, Error> {
        let path = with(prefix, "hlog");
        let log = File::create(&path).and_then(|file| Log::begin(BufWriter::new(file), now));
        match log {
            Ok(log) => Ok(Files { prefix: prefix.to_owned(), log, broken: None }),
            Err(source) => Err(Error::Write { path, source }),
        }
    }
}

/// The files that stand for the whole run.
fn write(prefix: &Path, latencies: &Latencies) -> Result<(), Error> {
    let put = |extension: &str, text: String| {
        let path = with(prefix, extension);
        fs::write(&path, text).map_err(|source| Error::Write { path, source })
    };
    for (step, leg, histogram) in latencies.iter() {
        let text = hgrm::text(histogram, latencies.correction(step));
        put(&format!("{}.hgrm", hlog::tag(step, leg)), text)?;
    }
    let json = serde_json::to_string_pretty(&Document::new(latencies))
        .map_err(|error| Error::Result(error.into()))?;
    put("json", json + "\n")
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
        recording.interval(at(110));
        let lines = |text: String| -> Vec<String> {
            let lines = text.lines().filter_map(|line| line.strip_prefix("Tag=tcp.client,"));
            lines.map(|line| line.split(',').take(2).collect::<Vec<_>>().join(" ")).collect()
        };
        let log = || fs::read_to_string(with(&prefix, "hlog")).unwrap();
        assert_eq!(lines(log()), ["0.000 10.000"], "it is on the disk while the run lasts");
        // Nothing happens in the second interval; two more in the last one.
        recording.interval(at(120));
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
