//! The rounds, and what becomes of the results.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::capture::{Capture, Shape};
use crate::measure::Sample;
use crate::programs::Kind;
use crate::table::{Ran, Report};

/// Many connections at a time, each of a few seconds of a desktop.
const SHAPE: Shape = Shape { at_once: 1000, each: 256 << 10 };

/// The command line.
pub struct Options {
    rounds: usize,
    mib: usize,
    write: bool,
    smoke: bool,
}

impl Options {
    /// Reads the arguments. Without `--bench`, which `cargo bench` gives, it is a test run.
    pub fn of(arguments: &[String]) -> Result<Options, String> {
        let mut options = Options { rounds: 5, mib: 2048, write: false, smoke: true };
        let mut small = false;
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next().and_then(|value| value.parse().ok());
                value.ok_or(format!("{argument} needs a number"))
            };
            match argument.as_str() {
                "--bench" => options.smoke = false,
                "--smoke" => small = true,
                "--write" => options.write = true,
                "--rounds" => options.rounds = value()?,
                "--size" => options.mib = value()?,
                other => return Err(format!("unknown argument {other}")),
            }
        }
        options.smoke |= small;
        if options.smoke {
            (options.rounds, options.mib) = (1, 4);
        }
        Ok(options)
    }
}

/// Makes the capture, lets every program read it in every round, and prints the tables.
pub fn run(options: &Options) -> ExitCode {
    match measured(options) {
        Ok(report) => {
            println!("{}", report.markdown());
            let failed = report.failures();
            if options.smoke {
                let word = if failed == 0 { "ok" } else { "FAILED" };
                let passed = report.runs() - failed;
                println!("test result: {word}. {passed} passed; {failed} failed;");
            }
            if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measured(options: &Options) -> std::io::Result<Report> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let path = folder.path().join("capture.pcap");
    let file = BufWriter::with_capacity(1 << 20, std::fs::File::create(&path)?);
    eprint!("writing the capture");
    let made = Capture::write(file, options.mib << 20, SHAPE)?;
    let mut report = Report {
        ran: Ran {
            rounds: options.rounds,
            mib: options.mib,
            bytes: made.bytes as u64,
            packets: made.packets,
            connections: made.connections,
        },
        samples: BTreeMap::new(),
        skipped: Vec::new(),
        heading: crate::table::heading(),
    };
    drop(made.sink);
    let mut taking_part = Vec::new();
    for kind in Kind::ALL {
        match kind.obstacle() {
            Some(why) => report.skipped.push((kind, why)),
            None => taking_part.push(kind),
        }
    }
    for round in 1..=options.rounds {
        for kind in &taking_part {
            eprint!("\r\x1b[Kround {round}, {}", kind.name());
            let _ = std::io::stderr().flush();
            let sample = turn(*kind, &path, report.ran.connections);
            report.samples.entry(*kind).or_default().push(sample);
        }
    }
    eprint!("\r\x1b[K");
    if options.write && !options.smoke {
        let target = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/OFFLINE.md");
        std::fs::write(target, report.markdown())?;
    }
    Ok(report)
}

/// One run, in a folder of its own.
fn turn(kind: Kind, file: &Path, connections: u64) -> Option<Sample> {
    let sample = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .map_err(|error| error.to_string())
        .and_then(|folder| kind.run(file, folder.path(), connections));
    sample.inspect_err(|error| eprintln!("\r\x1b[K{}: {error}", kind.name())).ok()
}
