//! `rdpwhy proxy` at work: from the listening sockets to the last report.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use rdpwhy_analyzer::session::Session;
use tokio::sync::{mpsc, watch};

use super::banner::{banner, packets_banner};
use super::proxy::Args;
use super::running::Running;
use super::signals::Signals;
use crate::clock::Clock;
use crate::desk::{Desk, Message};
use crate::dial::DialOptions;
use crate::error::Error;
use crate::measures::Measures;
use crate::output::{ExitStatus, Filter, remark};
use crate::packets::{Missing, Packets};
use crate::record::{Payload, Recorder, Ring, stopped};
use crate::relay::{
    Bound, Deadlines, Guard, ProxyProtocol, Relay, Routes, Upstream, Wanted, Workers, bind,
};

/// With `--rst-immune`: how long a client waits for a server that may be gone.
const SILENCE: Duration = Duration::from_secs(60);

/// Relays until told to end, or with `--once` until a case is over.
pub async fn serve(args: Args, wanted: Vec<Wanted>) -> Result<ExitCode, Error> {
    let signals = Signals::catch(args.config.is_some()).map_err(Error::Runtime)?;
    // A recorder of every byte would run each time, and get few bytes at a time.
    let courteous = args.payload != Payload::Full;
    let workers = Workers::start(args.threads.into(), courteous).map_err(Error::Runtime)?;
    let bound = bind(wanted, &workers)?;
    let output = args.result.open(Filter { connection: None, printed: args.which.printed() })?;
    let clock = Clock::start();
    let measures = args.latency.measures(clock, args.metrics.metrics.is_some())?;
    // Before anybody is told where to connect: a SYN that passed is not captured any more.
    let packets = capture(&args, &bound, clock)?;
    banner(&args, &bound);
    let guard = Guard::new(args.allow.clone(), args.max_sessions);
    let open = args.allow_remote && !args.allow.is_empty();
    args.metrics.serve(measures.as_ref(), open, &guard).await?;
    packets.as_ref().inspect(|packets| packets_banner(packets.as_ref().err()));
    let recorder = open_recorder(&args);
    let (desk, messages) = mpsc::channel(1024);
    let (stop, stopped) = watch::channel(false);
    let once = args.once.then(|| stop.clone());
    let output = output.apart().map_err(Error::Runtime)?;
    let mut work = Desk::new(args.result.identities(), output, once);
    work.measures = measures.clone();
    let recording = recorder.as_ref().ok().cloned().flatten();
    let (latency, measured) = (args.latency.clone(), measures.clone());
    // A terminal or a disk that stands still must not hold up a worker that moves bytes, nor a signal.
    let handle = tokio::runtime::Handle::current();
    let work = tokio::task::spawn_blocking(move || {
        let output = handle.block_on(work.run(messages));
        // Neither a reader nor a disk that stands still costs the other what is left for it.
        let recording = std::thread::spawn(move || {
            recorder.is_ok_and(|recorder| recorder.is_none_or(Recorder::finish))
        });
        let mut output = output.settled();
        let measured = latency.conclude(measured.as_ref(), &mut output);
        let status = output.finish().map_err(Error::Result)?;
        // Whatever was wanted and could not be written, the results are printed.
        let recorded = recording.join().unwrap_or_default();
        Ok(if recorded && measured { status } else { ExitStatus::Broken })
    });
    let packets = packets.and_then(Result::ok);
    let relay = relay(&args, clock, desk, recording, packets, measures.clone(), workers.clone());
    let mut routes = Routes::new(relay, guard, workers, stopped.clone());
    bound.into_iter().for_each(|bound| routes.serve(bound));
    let running = Running::new(args, work, routes, stop, stopped);
    running.until_done(signals).await.map(ExitCode::from)
}

/// What a route's sessions share, made of where it leads and where it listens.
fn relay(
    args: &Args,
    clock: Clock,
    desk: mpsc::Sender<Message>,
    recorder: Option<Recorder>,
    packets: Option<(Packets, [u16; 2])>,
    measures: Option<Measures>,
    workers: Workers,
) -> impl Fn(Upstream, SocketAddr) -> Relay + Send + 'static {
    let proxy_protocol =
        ProxyProtocol { accept: args.accept_proxy_protocol, send: args.send_proxy_protocol };
    let deadlines = Deadlines { connect: args.connect_timeout, handshake: args.handshake_timeout };
    let once = args.once;
    let announces = once || measures.is_some();
    let rst_immune = args.rst_immune.then_some(SILENCE);
    let numbers = Arc::new(AtomicU64::new(1));
    move |upstream, address| Relay {
        source: address.to_string().into(),
        numbers: numbers.clone(),
        dial: DialOptions::default(),
        proxy_protocol,
        deadlines,
        rst_immune,
        once,
        clock,
        desk: desk.clone(),
        recorder: recorder.clone(),
        // A route that came later has ports that nobody captures.
        packets: packets
            .as_ref()
            .filter(|(_, ports)| Some(*ports) == ports_of(address, &upstream))
            .map(|(packets, _)| packets.clone()),
        feed: Session::feed,
        announces,
        measures: measures.clone(),
        workers: workers.clone(),
        upstream,
    }
}

/// The relay's own port and the servers', where there is one of each.
fn ports_of(address: SocketAddr, upstream: &Upstream) -> Option<[u16; 2]> {
    upstream.port().map(|server| [address.port(), server])
}

/// The capture of `--packets`, and its two ports.
type Capture = Result<(Packets, [u16; 2]), Missing>;

fn capture(args: &Args, bound: &[Bound], clock: Clock) -> Result<Option<Capture>, Error> {
    if !args.packets {
        return Ok(None);
    }
    let [Bound { wanted, listening }] = bound else {
        return Err(Error::Usage("--packets captures one route, not several".into()));
    };
    let Some(ports) = ports_of(listening.address, &wanted.upstream) else {
        return Err(Error::Usage("--packets captures one port of servers, not several".into()));
    };
    let started = Packets::start(ports, args.max_sessions, clock);
    Ok(Some(started.map(|packets| (packets, ports))))
}

/// A recording that can not be begun costs the recording, not the verdict.
fn open_recorder(args: &Args) -> Result<Option<Recorder>, ()> {
    let Some(path) = &args.write else { return Ok(None) };
    let ring = Ring { path: path.clone(), files: args.ring.map(usize::from), size: args.ring_size };
    Recorder::start(ring, args.payload, args.record_policy)
        .map(Some)
        .map_err(|error| remark(&format!("{}: {}", path.display(), stopped(&error))))
}
