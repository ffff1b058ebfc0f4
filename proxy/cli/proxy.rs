//! `rdpwhy proxy`: its flags, and what is checked before anything is opened.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::common::{Result_, Which, bytes, duration, target};
use super::config::Setting;
use super::latency::Latency;
use super::metrics::Metrics;
use super::serve::serve;
use super::{rights, routes, transparent};
use crate::dial::Target;
use crate::error::Error;
use crate::output::ExitStatus;
use crate::proxy_protocol::Version;
use crate::record::{Payload, Policy};
use crate::relay::Listen;

/// Stand between client and server; say why a connection failed
///
/// Point the client at the listening address. The session works as if nothing stood between: TLS is
/// passed through, never opened.
#[derive(clap::Args)]
pub struct Args {
    /// The server to relay to
    #[arg(
        long,
        value_name = "HOST[:PORT]",
        value_parser = target,
        required_unless_present_any = ["transparent", "route", "config", "dump_config"],
        conflicts_with = "transparent"
    )]
    pub upstream: Option<Target>,
    /// Where to listen; with --transparent the default is 0.0.0.0:13389
    ///
    /// fd:NAME is a socket that the service manager listens on (systemd: FileDescriptorName=).
    #[arg(
        long,
        value_name = "ADDR:PORT|fd:NAME",
        default_value = "127.0.0.1:13389",
        default_value_if("transparent", clap::builder::ArgPredicate::IsPresent, "0.0.0.0:13389")
    )]
    pub listen: Listen,
    /// A further listening address and the server it leads to; may be repeated, with or without --upstream
    ///
    /// LISTEN is what --listen takes. Reports name the listening address as their source; connections are numbered
    /// over all routes.
    #[arg(long, value_name = "LISTEN=HOST[:PORT]", value_parser = routes::pair, conflicts_with = "transparent")]
    pub route: Vec<routes::Pair>,
    /// Listen on an address that others can reach (needs --allow)
    #[arg(long)]
    pub allow_remote: bool,
    /// A network that may connect, besides this machine; may be repeated
    #[arg(long, value_name = "CIDR", value_parser = routes::cidr)]
    pub allow: Vec<(IpAddr, u8)>,
    /// Clients come through a proxy that announces them by the PROXY protocol, version 1 or 2
    ///
    /// Reports then name the client that the header names, and the proxy as the other end of the client leg; --allow is
    /// about the proxy. A connection that does not begin with such a header within 5 s and 4096 bytes is refused. Nobody
    /// but the proxy should be able to connect: whoever can, can pass for any client.
    #[arg(long, conflicts_with = "transparent")]
    pub accept_proxy_protocol: bool,
    /// Announce each client to the server by a PROXY protocol header, which the server must expect
    #[arg(long, value_name = "VERSION", value_enum)]
    pub send_proxy_protocol: Option<Version>,
    /// Capture the packets of both legs, too: who really sent a RST shows in them (Linux, CAP_NET_RAW)
    #[arg(long)]
    pub packets: bool,
    /// Record to a pcapng file
    #[arg(short, long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// How much of the bytes is recorded
    #[arg(long, value_enum, default_value = "handshake", requires = "write")]
    pub payload: Payload,
    /// What happens when the recorder can not keep up
    #[arg(long, value_enum, default_value = "drop", requires = "write")]
    pub record_policy: Policy,
    /// Keep this many recording files and drop the oldest
    #[arg(long, value_name = "N", requires = "write", value_parser = clap::value_parser!(u16).range(1..))]
    pub ring: Option<u16>,
    /// Size at which the next file of the ring begins
    #[arg(long, value_name = "SIZE", default_value = "100MB", requires = "ring", value_parser = bytes)]
    pub ring_size: u64,
    /// End after one case: an established connection that ends, or a failure without a further attempt
    #[arg(long)]
    pub once: bool,
    /// Give up reaching the server after this time (default: as long as the system tries)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub connect_timeout: Option<Duration>,
    /// Close sessions that are not up after this time (default: never)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub handshake_timeout: Option<Duration>,
    /// Sessions at once, over all routes
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub max_sessions: usize,
    /// Threads that relay; each session stays on one of them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: u16,
    /// After SIGTERM nobody new is served, and open sessions have this time to end (Unix)
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    pub drain: Duration,
    /// Experiment: ignore resets from the server's side, to find out whether a reset was forged (Linux)
    ///
    /// A forged reset leaves the server talking, and then the session goes on. A genuine one leaves a session that
    /// hangs: the relay ends it when the server has said nothing for 60 s after the client's last bytes.
    /// Needs CAP_NET_ADMIN.
    #[arg(long)]
    pub rst_immune: bool,
    /// Read flags from a TOML file, too
    ///
    /// Its keys are the long names of flags, its values what would stand behind them: max-sessions = 50, once = true,
    /// connect-timeout = "10s", route = ["127.0.0.1:13390=srv08"]. Flags win over the file. SIGHUP (Unix) reads it again:
    /// new routes begin to listen, those that are gone stop and their sessions go on; --allow follows, too. A file with a
    /// mistake changes nothing.
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// Print the configuration in force as such a file, and exit
    #[arg(long)]
    pub dump_config: bool,
    /// All of these in the file's words
    #[arg(skip)]
    pub settings: Vec<Setting>,
    #[command(flatten)]
    pub which: Which,
    #[command(flatten)]
    pub latency: Latency,
    #[command(flatten)]
    pub metrics: Metrics,
    #[command(flatten)]
    pub result: Result_,
    #[command(flatten)]
    pub transparency: transparent::Flags,
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    args.transparency.check(&args.listen)?;
    if args.transparency.print_rules {
        crate::output::print(&args.transparency.rules(&args.listen)?)?;
        return Ok(ExitStatus::Fine.into());
    }
    let wanted = routes::wanted(&args)?;
    routes::check(&args, &wanted)?;
    if let Some(mode) = args.transparency.transparent {
        rights::transparent(mode)?;
    }
    if args.rst_immune {
        rights::rst_immune()?;
    }
    crate::os::raise_file_limit();
    // For signals, metrics and whatever else there is beside the sessions, which have threads of their own.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().map_err(Error::Runtime)?;
    let result = runtime.block_on(serve(args, wanted));
    // A name that is still being looked up would hold the end up.
    runtime.shutdown_background();
    result
}
