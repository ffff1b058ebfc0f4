//! The command line: flags in, one function per command.

mod analyze;
mod causes;
pub(crate) mod common;
mod explain;
mod histogram;
mod latency;
mod metrics;
mod proxy;
mod rights;
mod transparent;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    Proxy(proxy::Args),
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
    let cli = Cli::parse();
    log(cli.verbose, cli.quiet);
    let result = match cli.command {
        Command::Proxy(args) => proxy::run(args),
        Command::Analyze(args) => analyze::run(args),
        Command::Demo(args) => crate::demo::run(args),
        Command::Load(args) => crate::load::run(args),
        Command::Histogram(args) => histogram::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Causes(args) => causes::run(args),
    };
    result.unwrap_or_else(|error| {
        crate::output::remark(&format!("rdpwhy: {error}"));
        error.exit_code()
    })
}

fn log(verbose: u8, quiet: bool) {
    use tracing_subscriber::EnvFilter;
    let level = match (quiet, verbose) {
        (true, _) => "error",
        (_, 0) => "warn",
        (_, 1) => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("RDPWHY_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .log_internal_errors(false)
        .init();
}
