//! `rdpwhy load`: an open-loop load generator. Operations begin when the rate says so, whatever became of
//! those before; each is timed from that moment, and so nothing that a slow server delays is left out
//! (coordinated omission). It ends before authentication by design.

mod nla;
mod open_loop;
mod operation;
mod progress;
mod rate;
mod tally;
mod tap;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::cli::common::{duration, target};
use crate::cli::signals::Signals;
use crate::clock::Clock;
use crate::dial::{DialOptions, Target, dial};
use crate::error::Error;
use crate::latency::Recording;
use crate::output::{print, remark};
use open_loop::{Event, Limits};
use operation::Plan;
use progress::Progress;
use rate::{Profile, Rate, Shape};
use tally::Tally;
use tls::Version;

/// How fast does a server set up connections? An open-loop load generator for your own server
///
/// Every operation has an intended start, which follows from the rate alone, and is timed from it: a server
/// that stalls can not hide the wait of those that should have begun meanwhile. It stops before
/// authentication by design and sends no credentials.
///
/// Exit codes: 0 every operation succeeded, 3 failures, all explained, 4 a failure is undecided, 6 the
/// target was never reached, 7 refused.
#[derive(clap::Args)]
pub struct Args {
    /// The one server to connect to
    #[arg(value_name = "HOST[:PORT]", value_parser = target)]
    target: Target,
    /// Operations per second, or in another time: 50/s, 90/m
    #[arg(long, value_name = "RATE", required_unless_present = "step", conflicts_with = "step")]
    rate: Option<Rate>,
    /// How long operations are begun
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    lasts: Duration,
    /// Where an operation ends
    #[arg(long, value_enum, default_value = "tls")]
    until: Until,
    /// The rate changes to this one, evenly over the time
    #[arg(long, value_name = "RATE", requires = "rate", conflicts_with = "step")]
    ramp_to: Option<Rate>,
    /// These rates, each for an equal part of the time
    #[arg(long, value_name = "RATE,RATE", value_delimiter = ',')]
    step: Vec<Rate>,
    /// Connections open at once; an operation that waits for its turn is timed all the same
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// An operation that takes longer, from its actual start, has failed
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    timeout: Duration,
    /// TLS versions to offer, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["1.2", "1.3"])]
    tls: Vec<Version>,
    /// More than 100 operations per second: the server is yours, or its owner knows
    #[arg(long)]
    yes_this_is_mine: bool,
    /// Write the times to PREFIX.json, PREFIX.hlog and PREFIX.STEP.LEG.hgrm (HdrHistogram)
    #[arg(long, value_name = "PREFIX")]
    latency_out: Option<PathBuf>,
    /// Form of the result
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Where an operation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Until {
    /// The server has chosen a security protocol
    X224,
    /// The TLS handshake is over
    Tls,
    /// The server has sent its NTLM challenge, before any credentials
    NlaChallenge,
}

impl Until {
    fn name(self) -> &'static str {
        match self {
            Until::X224 => "x224",
            Until::Tls => "tls",
            Until::NlaChallenge => "nla-challenge",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One document
    Json,
}

/// Rates above this one (per second) need a word from the owner.
const FASTEST: f64 = 100.0;

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let profile = args.profile()?;
    crate::os::raise_file_limit();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::Runtime)?;
    let result = runtime.block_on(work(&args, &profile));
    // A name that is still being looked up would hold the end up.
    runtime.shutdown_background();
    result
}

impl Args {
    /// The profile, where the safety rule allows it.
    fn profile(&self) -> Result<Profile, Error> {
        let shape = match (self.rate, self.ramp_to) {
            (Some(from), Some(to)) => Shape::Ramp(from, to),
            (Some(rate), None) => Shape::Steps(vec![rate]),
            (None, _) => Shape::Steps(self.step.clone()),
        };
        let profile = Profile { shape, lasts: self.lasts };
        if profile.count() == 0 {
            return Err(Error::Usage(format!(
                "no operation fits in {profile}: raise --for or the rate"
            )));
        }
        if self.timeout.is_zero() {
            return Err(Error::Usage("--timeout 0s leaves no operation any time".into()));
        }
        let peak = profile.peak();
        if peak > FASTEST && !self.yes_this_is_mine {
            return Err(Error::Unsafe(format!(
                "{peak} operations per second are more than {FASTEST}: say --yes-this-is-mine if the server \
                 is yours or its owner knows"
            )));
        }
        Ok(profile)
    }
}

async fn work(args: &Args, profile: &Profile) -> Result<ExitCode, Error> {
    let address = choose(&args.target).await?;
    let clock = Clock::start();
    let plan = Arc::new(Plan {
        address,
        until: args.until,
        tls: tls::connector(&args.tls).map_err(Error::Runtime)?,
        name: tls::name(&args.target.host, address.ip()),
        timeout: args.timeout,
        clock,
    });
    let recording = Recording::start(args.latency_out.as_deref(), clock.now())?;
    let connections = args.connections.into();
    let mut tally = Tally::new(recording, clock, profile.count(), connections);
    let progress = Progress::new();
    let limits = Limits { connections, drain: args.timeout };
    let interrupts = interrupts()?;
    let operation = || operation::run(Arc::clone(&plan));
    open_loop::run(profile, limits, interrupts, operation, &mut |event| {
        match event {
            Event::Second => progress.show(&tally),
            Event::Interrupted(under_way @ 1..) => {
                progress.clear();
                remark(&format!(
                    "interrupted: waiting for {under_way} operations under way; another signal leaves them"
                ));
            }
            _ => {}
        }
        tally.take(event);
    })
    .await;
    progress.clear();
    let written = tally.finish();
    let heading = heading(args, profile, address);
    print(&match args.format {
        Format::Text => tally.text(&heading),
        Format::Json => tally.json(&heading).map_err(Error::Result)? + "\n",
    })?;
    // Whatever was wanted and could not be written, the results are printed.
    written.map(|()| tally.status().into())
}

/// Each signal that asks for the end.
fn interrupts() -> Result<mpsc::Receiver<()>, Error> {
    let mut signals = Signals::catch(false).map_err(Error::Runtime)?;
    let (told, interrupts) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            signals.next().await;
            if told.send(()).await.is_err() {
                // The run is over, and whoever is to read its result does not.
                std::process::exit(1);
            }
        }
    });
    Ok(interrupts)
}

/// The run in words.
fn heading(args: &Args, profile: &Profile, address: SocketAddr) -> String {
    let target = args.target.to_string();
    let address = address.to_string();
    let reached = if target == address { String::new() } else { format!(" ({address})") };
    format!("{profile} to {target}{reached}, until {}", args.until.name())
}

/// The one address that everything goes to: looked up once, and of several the one that answers, so that
/// names are no part of what is timed.
async fn choose(target: &Target) -> Result<SocketAddr, Error> {
    if let Ok(ip) = target.host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, target.port));
    }
    let unreachable = |why: String| Error::Unreachable { target: target.clone(), why };
    let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
    let found: Vec<SocketAddr> = found.map_err(|error| unreachable(error.to_string()))?.collect();
    let first = *found.first().ok_or_else(|| unreachable("the name has no address".into()))?;
    if found.len() == 1 {
        return Ok(first);
    }
    let outcome = dial(target, &DialOptions::default(), &mut |_| {}).await;
    let answered = outcome.stream.and_then(|stream| stream.peer_addr().ok());
    Ok(answered.unwrap_or(first))
}

#[cfg(test)]
mod tests;
