//! `rdpwhy analyze`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use rdpwhy_analyzer::verdict::Identities;

use super::common::{RDP_PORT, Result_, Which};
use super::latency::Latency;
use crate::error::Error;
use crate::latency::Measured;
use crate::offline::batch::{self, open};
use crate::offline::ends::{self, Taken};
use crate::offline::progress::Progress;
use crate::offline::{Scope, Told, rotation};
use crate::output::{ExitStatus, Filter, Output, remark};

/// Why connections failed, from saved captures
///
/// Reads pcap and pcapng, also gzip and zstd compressed. A connection is reported when its first bytes
/// are an RDP connection request, or its server port is 3389 or one given with --port, or its server
/// speaks RDP elsewhere in the capture.
///
/// Files of one rotation (tcpdump -C, -W and -G, dumpcap -b, our own --ring) are read as one capture where
/// their contents follow one another; other files each by itself, several at a time.
///
/// Captures of the same traffic from both ends (--client-side with --server-side, or --vantage for each
/// place) give one verdict per session, which tells what the network between did.
#[derive(clap::Args)]
pub struct Args {
    /// Capture files; `-` is stdin
    #[arg(required_unless_present_any = ["client_side", "vantage"], value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Capture taken at the client's side; needs --server-side
    #[arg(long, value_name = "FILE", requires = "server_side", conflicts_with_all = ["files", "vantage"])]
    client_side: Option<PathBuf>,
    /// Capture of the same traffic, taken at the server's side
    #[arg(long, value_name = "FILE", requires = "client_side")]
    server_side: Option<PathBuf>,
    /// Capture of the same traffic with the name of its place; at least two, from the client to the server
    #[arg(long, value_name = "NAME=FILE", value_parser = vantage, conflicts_with = "files")]
    vantage: Vec<(String, PathBuf)>,
    /// Another port on which servers speak RDP; may be repeated
    #[arg(long, value_name = "PORT")]
    port: Vec<u16>,
    /// Report only the connection with this number
    #[arg(long, value_name = "N")]
    connection: Option<u64>,
    /// Report every TCP connection
    #[arg(long)]
    all: bool,
    /// Files that are read at the same time; as many as there are cores, if not given
    #[arg(long, value_name = "N", conflicts_with_all = ["client_side", "vantage"])]
    jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    latency: Latency,
    #[command(flatten)]
    result: Result_,
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let filter = Filter { connection: args.connection, printed: args.which.printed() };
    let mut output = args.result.open(filter)?;
    let identities = args.result.identities();
    let mut ports = args.port.clone();
    ports.push(RDP_PORT);
    let scope = Scope { ports, all: args.all, timed: args.latency.is_wanted() };
    let vantages = args.vantages()?;
    if !vantages.is_empty() {
        if args.latency.is_wanted() {
            let what =
                "--latency times each capture by itself: name the files without their places";
            return Err(Error::Usage(what.into()));
        }
        return compare(&vantages, &scope, &identities, output);
    }
    let units = rotation::units(&args.files, &mut remark);
    let jobs = args.jobs.or_else(|| std::thread::available_parallelism().ok());
    let jobs = jobs.map_or(1, NonZeroUsize::get);
    let (mut unreadable, mut reported) = (false, 0);
    let progress = Progress::of(&args.files);
    let mut measured = Measured::default();
    batch::run(&units, jobs, &scope, &identities, &progress, &mut |told| {
        unreadable |= matches!(told, Told::Unreadable(..));
        reported += u64::from(matches!(told, Told::Connection(_)));
        match told {
            Told::Measured(more) => measured.merge(&more),
            told => progress.aside(|| told.print(&mut output)),
        }
    });
    progress.clear();
    // Whatever was wanted and could not be written, the results are printed.
    let broken = !args.latency.give(&measured, &mut output) || unreadable;
    let status = output.finish().map_err(Error::Result)?;
    Ok(match (broken, reported) {
        (true, _) => ExitStatus::Broken,
        (false, 0) => ExitStatus::NoRdp,
        _ => status,
    }
    .into())
}

impl Args {
    /// The captures of the same traffic, the client's first; none where each file is on its own.
    fn vantages(&self) -> Result<Vec<(String, PathBuf)>, Error> {
        let named = |name: &str, path: &PathBuf| (name.to_owned(), path.clone());
        if let (Some(client), Some(server)) = (&self.client_side, &self.server_side) {
            return Ok(vec![named("client", client), named("server", server)]);
        }
        if self.vantage.len() == 1 {
            let what = "--vantage needs another one beside it: a comparison takes two captures";
            return Err(Error::Usage(what.into()));
        }
        Ok(self.vantage.clone())
    }
}

/// One verdict per session from captures of the same traffic.
fn compare(
    vantages: &[(String, PathBuf)],
    scope: &Scope,
    identities: &Identities,
    mut output: Output,
) -> Result<ExitCode, Error> {
    let mut taken = Vec::new();
    for (name, path) in vantages {
        let file = path.display().to_string();
        let read = open(path).map_err(|error| error.to_string()).and_then(|bytes| {
            Taken::read(name, &file, bytes, scope, &mut output).map_err(|error| error.to_string())
        });
        match read {
            Ok(capture) => taken.push(capture),
            Err(error) => {
                remark(&format!("rdpwhy: {file}: {error}"));
                output.finish().map_err(Error::Result)?;
                return Ok(ExitStatus::Broken.into());
            }
        }
    }
    let found = ends::analyze(&taken, scope, identities, &mut output);
    let status = output.finish().map_err(Error::Result)?;
    Ok(if found.reported == 0 { ExitStatus::NoRdp } else { status }.into())
}

/// `NAME=FILE`.
fn vantage(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => {
            Ok((name.to_owned(), file.into()))
        }
        _ => Err(format!("`{text}` is no NAME=FILE")),
    }
}
