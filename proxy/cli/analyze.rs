//! `rdpwhy analyze`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::common::{RDP_PORT, Result_};
use crate::error::Error;
use crate::offline::{self, Scope};
use crate::output::{ExitStatus, Filter, remark};

/// Why connections failed, from saved captures
///
/// Reads pcap and pcapng, also gzip and zstd compressed. A connection is reported when its first bytes
/// are an RDP connection request, or its server port is 3389 or one given with --port, or its server
/// speaks RDP elsewhere in the capture.
#[derive(clap::Args)]
pub struct Args {
    /// Capture files; `-` is stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Another port on which servers speak RDP; may be repeated
    #[arg(long, value_name = "PORT")]
    port: Vec<u16>,
    /// Report only the connection with this number
    #[arg(long, value_name = "N")]
    connection: Option<u64>,
    /// Report only failures
    #[arg(long)]
    failed: bool,
    /// Report every TCP connection
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    result: Result_,
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let filter = Filter { connection: args.connection, failed: args.failed };
    let mut output = args.result.open(filter)?;
    let identities = args.result.identities();
    let mut ports = args.port.clone();
    ports.push(RDP_PORT);
    let scope = Scope { ports, all: args.all };
    let (mut unreadable, mut reported) = (false, 0);
    for path in &args.files {
        let name = path.display().to_string();
        let read = open(path).map_err(|error| error.to_string()).and_then(|file| {
            offline::analyze(&name, file, &scope, &identities, &mut output)
                .map_err(|e| e.to_string())
        });
        match read {
            Ok(found) => reported += found.reported,
            Err(error) => {
                remark(&format!("rdpwhy: {name}: {error}"));
                unreadable = true;
            }
        }
    }
    let status = output.finish().map_err(Error::Result)?;
    Ok(match (unreadable, reported) {
        (true, _) => ExitStatus::Broken,
        (false, 0) => ExitStatus::NoRdp,
        _ => status,
    }
    .into())
}

fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    if path.is_dir() {
        return Err(io::Error::other("is a folder; name the files in it"));
    }
    Ok(Box::new(File::open(path)?))
}
