//! `rdpwhy histogram`.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::BufWriter;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use crate::error::Error;
use crate::latency::hlog::{self, Log};
use crate::latency::{self, Measured};
use crate::output::{ExitStatus, print, remark};

/// Recordings of latencies (.hlog)
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Add up the recordings of several relays, by step and leg, and print the sum
    Merge {
        /// Recordings of `--latency-out`
        #[arg(required = true, value_name = "HLOG")]
        files: Vec<PathBuf>,
        /// Write the sum to this recording: one interval per step and leg
        #[arg(short, value_name = "OUT")]
        out: Option<PathBuf>,
    },
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let Command::Merge { files, out } = args.command;
    let mut sum = Measured::default();
    let mut seen = HashSet::new();
    for path in files {
        let unreadable = |why: String| Error::Unreadable { path: path.clone(), why };
        let bytes = fs::read(&path).map_err(|error| unreadable(error.to_string()))?;
        let (measured, cut) = hlog::read(&bytes).map_err(|error| unreadable(error.to_string()))?;
        if cut {
            remark(&format!("{}: the last line is cut off and left out", path.display()));
        }
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        if !seen.insert((bytes.len(), hasher.finish())) {
            remark(&format!("{}: the same recording came before: it counts twice", path.display()));
        }
        sum.merge(&measured);
    }
    if let Some(path) = out {
        let span = sum.span();
        File::create(&path)
            .and_then(|file| Log::begin(BufWriter::new(file), span[0]))
            .and_then(|mut log| log.interval(span, &sum.latencies))
            .map_err(|source| Error::Write { path, source })?;
    }
    print(&latency::table(&sum.latencies))?;
    Ok(ExitStatus::Fine.into())
}
