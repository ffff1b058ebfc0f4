//! `rdpwhy proxy`.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rdpwhy_analyzer::session::Session;
use tokio::sync::{mpsc, watch};

use super::common::{Result_, bytes, duration, target};
use super::latency::Latency;
use super::metrics::Metrics;
use super::{rights, transparent};
use crate::clock::Clock;
use crate::desk::Desk;
use crate::dial::{DialOptions, Target};
use crate::error::Error;
use crate::output::{ExitStatus, Filter, Output, remark};
use crate::packets::{Missing, Packets};
use crate::record::{Payload, Policy, Recorder, Ring, stopped};
use crate::relay::{Deadlines, Guard, Listening, Relay, Transparent, Upstream, listen};

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
        required_unless_present = "transparent",
        conflicts_with = "transparent"
    )]
    upstream: Option<Target>,
    /// Where to listen; with --transparent the default is 0.0.0.0:13389
    #[arg(
        long,
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:13389",
        default_value_if("transparent", clap::builder::ArgPredicate::IsPresent, "0.0.0.0:13389")
    )]
    listen: SocketAddr,
    /// Listen on an address that others can reach (needs --allow)
    #[arg(long)]
    allow_remote: bool,
    /// A network that may connect, besides this machine; may be repeated
    #[arg(long, value_name = "CIDR", value_parser = cidr)]
    allow: Vec<(IpAddr, u8)>,
    /// Capture the packets of both legs, too: who really sent a RST shows in them (Linux, CAP_NET_RAW)
    #[arg(long)]
    packets: bool,
    /// Record to a pcapng file
    #[arg(short, long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// How much of the bytes is recorded
    #[arg(long, value_enum, default_value = "handshake", requires = "write")]
    payload: Payload,
    /// What happens when the recorder can not keep up
    #[arg(long, value_enum, default_value = "drop", requires = "write")]
    record_policy: Policy,
    /// Keep this many recording files and drop the oldest
    #[arg(long, value_name = "N", requires = "write", value_parser = clap::value_parser!(u16).range(1..))]
    ring: Option<u16>,
    /// Size at which the next file of the ring begins
    #[arg(long, value_name = "SIZE", default_value = "100MB", requires = "ring", value_parser = bytes)]
    ring_size: u64,
    /// End after one case: an established connection that ends, or a failure without a further attempt
    #[arg(long)]
    once: bool,
    /// Give up reaching the server after this time (default: as long as the system tries)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    connect_timeout: Option<Duration>,
    /// Close sessions that are not up after this time (default: never)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    handshake_timeout: Option<Duration>,
    /// Sessions at once
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    max_sessions: usize,
    /// Experiment: ignore resets from the server's side, to find out whether a reset was forged (Linux)
    ///
    /// A forged reset leaves the server talking, and then the session goes on. A genuine one leaves a session that
    /// hangs: the relay ends it when the server has said nothing for 60 s after the client's last bytes.
    /// Needs CAP_NET_ADMIN.
    #[arg(long)]
    rst_immune: bool,
    #[command(flatten)]
    latency: Latency,
    #[command(flatten)]
    metrics: Metrics,
    #[command(flatten)]
    result: Result_,
    #[command(flatten)]
    transparency: transparent::Flags,
}

/// With `--rst-immune`: how long a client waits for a server that may be gone.
const SILENCE: Duration = Duration::from_secs(60);

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    args.transparency.check(args.listen)?;
    if args.transparency.print_rules {
        let rules = args.transparency.rules(args.listen)?;
        std::io::stdout().write_all(rules.as_bytes()).map_err(Error::Result)?;
        return Ok(ExitStatus::Fine.into());
    }
    check_safety(&args)?;
    if let Some(mode) = args.transparency.transparent {
        rights::transparent(mode)?;
    }
    if args.rst_immune {
        rights::rst_immune()?;
    }
    crate::os::raise_file_limit();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::Runtime)?;
    let result = runtime.block_on(serve(args));
    // A name that is still being looked up would hold the end up.
    runtime.shutdown_background();
    result
}

/// Refuses what would open the relay to others unasked, and a relay to itself.
fn check_safety(args: &Args) -> Result<(), Error> {
    let diverted = args.transparency.transparent.is_some();
    let open = diverted || !args.listen.ip().is_loopback();
    if open && (!args.allow_remote || args.allow.is_empty()) {
        let who = match diverted {
            true => "--transparent".to_owned(),
            false => args.listen.to_string(),
        };
        return Err(Error::Unsafe(format!(
            "{who} can be reached by others; say --allow-remote with --allow CIDR to open it"
        )));
    }
    match &args.upstream {
        Some(server)
            if args.listen.port() == server.port && is_here(&server.host, args.listen.ip()) =>
        {
            Err(Error::Unsafe(format!(
                "{server} is where this relay listens itself; choose another port with --listen"
            )))
        }
        _ => Ok(()),
    }
}

fn is_here(host: &str, listen: IpAddr) -> bool {
    host.parse().map_or(host == "localhost" && listen.is_loopback(), |ip: IpAddr| ip == listen)
}

async fn serve(args: Args) -> Result<ExitCode, Error> {
    let interrupt = Interrupt::catch().map_err(Error::Runtime)?;
    let tproxy = args.transparency.transparent == Some(Transparent::Tproxy);
    let listening = listen(args.listen, tproxy)
        .map_err(|source| Error::Listen { address: args.listen, source })?;
    let upstream = upstream(&args, listening.address)?;
    let output = args.result.open(Filter::default())?;
    let clock = Clock::start();
    let measures = args.latency.measures(clock, args.metrics.metrics.is_some())?;
    // Before anybody is told where to connect: a SYN that passed is not captured any more.
    let packets = match (args.packets, upstream.port()) {
        (false, _) => None,
        (true, None) => {
            return Err(Error::Usage("--packets captures one port of servers, not several".into()));
        }
        (true, Some(server)) => {
            let ports = [listening.address.port(), server];
            Some(Packets::start(ports, args.max_sessions, clock))
        }
    };
    banner(&args, &upstream, &listening);
    args.metrics.serve(measures.as_ref(), args.allow_remote, &args.allow).await?;
    packets.as_ref().inspect(|packets| packets_banner(packets.as_ref().err()));
    let recorder = open_recorder(&args);
    let (desk, messages) = mpsc::channel(1024);
    let (stop, stopped) = watch::channel(false);
    let source = listening.address.to_string();
    let once = args.once.then(|| stop.clone());
    let mut work = Desk::new(source, args.result.identities(), output, once);
    work.measures = measures.clone();
    // A terminal or a disk that stands still must not hold up a worker that moves bytes.
    let handle = tokio::runtime::Handle::current();
    let desk_task = tokio::task::spawn_blocking(move || handle.block_on(work.run(messages)));
    let relay = Arc::new(Relay {
        upstream,
        dial: DialOptions::default(),
        deadlines: Deadlines { connect: args.connect_timeout, handshake: args.handshake_timeout },
        rst_immune: args.rst_immune.then_some(SILENCE),
        clock,
        desk,
        recorder: recorder.as_ref().ok().cloned().flatten(),
        packets: packets.and_then(Result::ok),
        feed: Session::feed,
    });
    let guard = Guard { allow: args.allow, most: args.max_sessions };
    tokio::spawn(listening.serve(relay, guard, stopped));
    let mut output = until_done(desk_task, stop, interrupt).await?;
    // Whatever was wanted and could not be written, the results are printed.
    let recorded = recorder.is_ok_and(|recorder| recorder.is_none_or(Recorder::finish));
    let measured = args.latency.conclude(measures.as_ref(), &mut output);
    let status = output.finish().map_err(Error::Result)?;
    Ok(if recorded && measured { status } else { ExitStatus::Broken }.into())
}

/// Serves until the desk is through: with `--once` after one case, else after SIGINT. Open sessions are
/// reported as they stand. A second SIGINT ends without that.
async fn until_done(
    mut desk: tokio::task::JoinHandle<Output>,
    stop: watch::Sender<bool>,
    mut interrupt: Interrupt,
) -> Result<Output, Error> {
    let mut asked = false;
    loop {
        tokio::select! {
            output = &mut desk => {
                return output.map_err(|error| Error::Runtime(std::io::Error::other(error)));
            }
            () = interrupt.wait() => {
                if std::mem::replace(&mut asked, true) {
                    let why = std::io::Error::other("interrupted twice");
                    return Err(Error::Runtime(why));
                }
                let _ = stop.send(true);
            }
        }
    }
}

/// SIGINT, SIGTERM and their like, caught from the moment this is made.
struct Interrupt {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
    #[cfg(windows)]
    ctrl_c: tokio::signal::windows::CtrlC,
}

impl Interrupt {
    fn catch() -> std::io::Result<Interrupt> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let signals = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
            Ok(Interrupt { signals })
        }
        #[cfg(windows)]
        Ok(Interrupt { ctrl_c: tokio::signal::windows::ctrl_c()? })
    }

    async fn wait(&mut self) {
        #[cfg(unix)]
        {
            let [interrupt, terminate] = &mut self.signals;
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        #[cfg(windows)]
        self.ctrl_c.recv().await;
    }
}

/// A recording that can not be begun costs the recording, not the verdict.
fn open_recorder(args: &Args) -> Result<Option<Recorder>, ()> {
    let Some(path) = &args.write else { return Ok(None) };
    let ring = Ring { path: path.clone(), files: args.ring.map(usize::from), size: args.ring_size };
    Recorder::start(ring, args.payload, args.record_policy)
        .map(Some)
        .map_err(|error| remark(&format!("{}: {}", path.display(), stopped(&error))))
}

/// Where connections go: to the server of `--upstream`, or in transparent mode to where they were going.
fn upstream(args: &Args, listening: SocketAddr) -> Result<Upstream, Error> {
    let diverted = args.transparency.diverted(listening).map(Upstream::Original);
    let fixed = args.upstream.clone().map(Upstream::Fixed);
    diverted.or(fixed).ok_or_else(|| Error::Usage("--upstream names no server".into()))
}

/// A capture that can not be begun costs a class of evidence, not the verdict.
fn packets_banner(missing: Option<&Missing>) {
    let Some(missing) = missing else {
        return remark("packets of both legs are captured: their headers, in memory");
    };
    remark(&format!("packets are not captured: {missing}"));
    remark(
        "missing from the evidence: TTL and IP-ID of a RST, SYN options, what follows a RST, counts;",
    );
    remark("whether a host or a device on its leg ended a connection then stays open");
    if matches!(missing, Missing::Right) {
        let program = std::env::current_exe().unwrap_or_else(|_| "rdpwhy".into());
        remark(&format!("to have it: setcap cap_net_raw+ep {}, or run as root", program.display()));
    }
}

/// What to type, and what the relay changes.
fn banner(args: &Args, upstream: &Upstream, listening: &Listening) {
    let address = listening.address;
    remark(&format!("listening on {address}"));
    match upstream {
        Upstream::Fixed(target) => {
            remark(&format!("{address} -> {target}: TLS is passed through, never opened"));
            remark(&format!("now connect:  mstsc /v:{address}    or    xfreerdp /v:{address}"));
            remark(
                "what the relay changes: another server name (Kerberos may give way to NTLM), no UDP;",
            );
            remark("a connection with RD Gateway settings does not come through here");
            if address.port() == super::common::RDP_PORT && address.ip().is_loopback() {
                remark("mstsc itself refuses localhost:3389: choose another port");
            }
        }
        Upstream::Original(diverted) => transparent::banner(diverted),
    }
    if args.rst_immune {
        remark(
            "EXPERIMENT (--rst-immune): resets from the server side are ignored; sessions may hang;",
        );
        remark("only for finding out whether a reset was forged");
    }
    if let Some(path) = &args.write {
        remark(&format!(
            "recording to {}: the user name in the X.224 cookie is in it in clear",
            path.display()
        ));
    }
}

/// `10.0.0.0/8`, or one address.
fn cidr(text: &str) -> Result<(IpAddr, u8), String> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr =
        address.parse().map_err(|_| format!("`{text}` is no network such as 10.0.0.0/8"))?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => most,
        Some(digits) => digits
            .parse()
            .ok()
            .filter(|prefix| *prefix <= most)
            .ok_or_else(|| format!("`{digits}` is no prefix length"))?,
    };
    Ok((address, prefix))
}
