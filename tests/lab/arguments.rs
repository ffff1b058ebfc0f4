//! The command line of the laboratory.

use crate::draw::Half;
use std::path::PathBuf;
use std::time::Duration;

/// What is to be run.
pub struct Arguments {
    /// Every recipe, not only the smoke subset.
    pub full: bool,
    /// Runs per recipe, half and twin.
    pub runs: u64,
    /// Runs at once; 0 chooses by what is run.
    pub jobs: usize,
    /// Only these recipes.
    pub recipes: Vec<String>,
    /// Only these halves.
    pub halves: Vec<Half>,
    /// No run begins when this is over.
    pub within: Option<Duration>,
    /// Where the drawing begins.
    pub seed: u64,
    /// Where the files of every run are kept.
    pub keep: Option<PathBuf>,
    /// Another build of the program than the one of this test run.
    pub program: PathBuf,
    /// Print each thing the program said.
    pub verbose: bool,
}

/// What `--help` says.
const USAGE: &str = "usage: cargo test --test lab -- [--full] [--runs N] [--jobs N] [--recipe NAME]... \
[--half training|held-out] [--seed N] [--keep FOLDER] [--program FILE] [--verbose]";

/// Runs of each recipe and half that figures are made of, at least.
const FULL: u64 = 10;

const HALVES: [Half; 2] = [Half::Training, Half::HeldOut];

impl Arguments {
    /// Whether everything is run and often enough, so that the figures may be written.
    pub fn is_whole(&self) -> bool {
        self.full && self.runs >= FULL && self.recipes.is_empty() && self.halves.len() == 2
    }

    /// Reads them; what is said instead where they are wrong.
    pub fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut read = Self {
            full: false,
            runs: 1,
            jobs: 0,
            recipes: Vec::new(),
            halves: Vec::new(),
            within: None,
            seed: 1,
            keep: None,
            program: env!("CARGO_BIN_EXE_rdpwhy").into(),
            verbose: false,
        };
        let mut runs = None;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--full" => read.full = true,
                "--verbose" => read.verbose = true,
                "--runs" => runs = Some(number(&value()?)?),
                "--jobs" => read.jobs = number(&value()?)? as usize,
                "--seed" => read.seed = number(&value()?)?,
                "--recipe" => read.recipes.push(value()?),
                "--program" => read.program = value()?.into(),
                "--keep" => read.keep = Some(value()?.into()),
                "--half" => {
                    let name = value()?;
                    let half = HALVES.into_iter().find(|half| half.name() == name);
                    let half = half.ok_or_else(|| format!("there is no half {name}\n{USAGE}"))?;
                    read.halves.push(half);
                }
                // What `cargo test` passes to every harness: flags about its output, and a filter,
                // which is part of a name.
                "--nocapture" | "--quiet" | "-q" | "--show-output" | "--exact" => {}
                "--list" | "--ignored" => read.recipes.push("(none)".into()),
                _ if word.starts_with("--test-threads") => {}
                _ if !word.starts_with('-') => read.recipes.push(word),
                _ => return Err(USAGE.to_owned()),
            }
        }
        // What is part of every test run takes five minutes at most; what is asked for is made.
        let asked = read.full || runs.is_some() || !read.recipes.is_empty() || read.keep.is_some();
        read.within = (!asked && read.halves.is_empty()).then_some(Duration::from_secs(210));
        if read.halves.is_empty() {
            // The held-out half is for figures: it runs when it is asked for.
            read.halves = HALVES[..if read.full { 2 } else { 1 }].to_vec();
        }
        read.runs = runs.unwrap_or(if read.full { FULL } else { 1 });
        if read.jobs == 0 {
            // Most of a run is waiting.
            read.jobs = if read.full { 12 } else { 8 };
        }
        Ok(read)
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number\n{USAGE}"))
}
