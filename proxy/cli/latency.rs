//! Flags of the commands that time the steps of connections.

use std::path::PathBuf;

use clap::Args;

use crate::clock::Clock;
use crate::error::Error;
use crate::latency::{self, Measured, Recording};
use crate::measures::Measures;
use crate::output::{Output, remark};

/// What is done with the times of the steps.
#[derive(Args, Clone, Debug)]
pub struct Latency {
    /// Print how long the steps took, per leg: count, percentiles, maximum
    #[arg(long)]
    pub latency: bool,
    /// Write these times to PREFIX.json, PREFIX.hlog and PREFIX.STEP.LEG.hgrm (HdrHistogram)
    #[arg(long, value_name = "PREFIX")]
    pub latency_out: Option<PathBuf>,
}

impl Latency {
    /// Anything is to be measured.
    pub fn is_wanted(&self) -> bool {
        self.latency || self.latency_out.is_some()
    }

    /// The measures of a relay, where something is to be measured: for these flags, or for others.
    pub fn measures(&self, clock: Clock, for_others: bool) -> Result<Option<Measures>, Error> {
        if !self.is_wanted() && !for_others {
            return Ok(None);
        }
        let recording = Recording::start(self.latency_out.as_deref(), clock.now())?;
        Ok(Some(Measures::new(recording, clock)))
    }

    /// Gives out what a relay measured; false where a file could not be written.
    pub fn conclude(&self, measures: Option<&Measures>, output: &mut Output) -> bool {
        let Some(measures) = measures else { return true };
        let (table, written) = measures.finish();
        self.say(&table, output);
        told(written)
    }

    /// Gives out what was measured of saved captures; false where a file could not be written.
    pub fn give(&self, measured: &Measured, output: &mut Output) -> bool {
        self.say(&latency::table(&measured.latencies), output);
        let Some(prefix) = &self.latency_out else { return true };
        let [from, to] = measured.span();
        told(Recording::start(Some(prefix), from).and_then(|mut recording| {
            recording.record(|latencies| latencies.merge(&measured.latencies));
            recording.finish(to)
        }))
    }

    fn say(&self, table: &str, output: &mut Output) {
        if self.latency {
            output.say(table);
        }
    }
}

/// A file that can not be written costs the file, not the verdicts.
fn told(written: Result<(), Error>) -> bool {
    written.inspect_err(|error| remark(&format!("rdpwhy: {error}"))).is_ok()
}
