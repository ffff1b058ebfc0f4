//! How far an analysis has come: a line on stderr while a person watches, nothing otherwise.

use std::io::{IsTerminal, Read, stderr};
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

/// The line, or nothing.
#[derive(Clone, Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// The line for these files; nothing where stderr is no terminal, or where a file has no length, as stdin.
    pub fn of(files: &[PathBuf]) -> Progress {
        let length = |path: &PathBuf| {
            let known = std::fs::metadata(path).ok().filter(|what| what.is_file());
            known.map(|what| what.len())
        };
        match files.iter().map(length).sum::<Option<u64>>() {
            Some(bytes) if stderr().is_terminal() => Progress::line(bytes),
            _ => Progress::none(),
        }
    }

    /// Nothing.
    pub fn none() -> Progress {
        Progress(ProgressBar::hidden())
    }

    /// Counts what is read through the result.
    pub fn reading<R: Read>(&self, file: R) -> impl Read + use<R> {
        self.0.wrap_read(file)
    }

    /// Prints something without the line in between.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }

    /// Takes the line away.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }

    fn line(bytes: u64) -> Progress {
        const SHAPE: &str =
            "{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta_precise} left";
        let bar = ProgressBar::new(bytes);
        // A shape that is not understood would leave the usual one.
        if let Ok(style) = ProgressStyle::with_template(SHAPE) {
            bar.set_style(style);
        }
        Progress(bar)
    }
}
