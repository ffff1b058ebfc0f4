//! The command line: flags in, one function per command.

mod analyze;
mod banner;
mod causes;
pub(crate) mod common;
mod config;
mod explain;
mod histogram;
mod latency;
mod metrics;
mod proxy;
mod rights;
mod routes;
mod running;
mod serve;
pub mod signals;
mod transparent;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::error::Error;
use crate::log::Lines;
use crate::output::ExitStatus;

/// Why did this Remote Desktop connection fail?
#[derive(Parser)]
#[command(name = "rdpwhy", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Say more on stderr (-v debug, -vv trace).
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Say only errors on stderr.
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Stand between client and server; say why a connection failed
    Proxy(Box<proxy::Args>),
    /// The same, from saved captures
    Analyze(analyze::Args),
    /// Real failures on loopback, with live verdicts; needs nothing
    Demo(crate::demo::Args),
    /// How fast a server sets up connections, under load
    Load(crate::load::Args),
    /// Recordings of latencies: add up those of several relays
    Histogram(histogram::Args),
    /// What a code officially means, and what it does not tell
    Explain(explain::Args),
    /// The catalogue of causes and what is proven of it
    Causes(causes::Args),
}

/// Runs the program.
pub fn main() -> ExitCode {
    match command_line() {
        Ok(Cli { command, verbose, quiet }) => {
            let lines = log(verbose, quiet);
            let done = run(command);
            lines.inspect(Lines::flush);
            done
        }
        Err(Error::CommandLine(error)) => error.exit(),
        Err(error) => Err(error),
    }
    .unwrap_or_else(|error| {
        crate::output::remark(&format!("rdpwhy: {error}"));
        error.exit_code()
    })
}

fn run(command: Command) -> Result<ExitCode, Error> {
    match command {
        Command::Proxy(args) if args.dump_config => {
            crate::output::print(&config::dump(&args.settings))?;
            Ok(ExitStatus::Fine.into())
        }
        Command::Proxy(args) => proxy::run(*args),
        Command::Analyze(args) => analyze::run(args),
        Command::Demo(args) => crate::demo::run(args),
        Command::Load(args) => crate::load::run(args),
        Command::Histogram(args) => histogram::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Causes(args) => causes::run(args),
    }
}

/// The command line with what its configuration file adds.
fn command_line() -> Result<Cli, Error> {
    let (command, words) = (Cli::command(), std::env::args_os().collect::<Vec<OsString>>());
    let matches = config::read(&command, &words)?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(Error::CommandLine)?;
    if let Command::Proxy(args) = &mut cli.command {
        args.settings = config::settings(&command, &matches);
    }
    Ok(cli)
}

/// The flags of `rdpwhy proxy` as its configuration file makes them now.
fn proxy_flags() -> Result<proxy::Args, Error> {
    match command_line()?.command {
        Command::Proxy(args) => Ok(*args),
        _ => Err(Error::Usage("this is no relay".into())),
    }
}

/// Begins to log; `None` where that can not be done.
fn log(verbose: u8, quiet: bool) -> Option<Lines> {
    use tracing_subscriber::EnvFilter;
    let level = match (quiet, verbose) {
        (true, _) => "error",
        (_, 0) => "warn",
        (_, 1) => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("RDPWHY_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let lines = Lines::start(std::io::stderr()).ok()?;
    lines.publish();
    let writer = lines.clone();
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tracing_subscriber::fmt()
        .with_ansi(std::io::stderr().is_terminal() && !unwanted)
        .with_env_filter(filter)
        .with_writer(move || writer.clone())
        .without_time()
        .log_internal_errors(false)
        .init();
    Some(lines)
}
