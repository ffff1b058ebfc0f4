//! The workloads. Each has its own client and server in this process, and asserts every byte count.

mod bulk;
mod churn;
mod idle;
mod interactive;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::peers::{Kind, Running};
use crate::rdp::{Prologue, Side};

/// Nothing that waits for the network waits longer.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What is done to a relay, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// One connection; the server sends records.
    Bulk {
        /// Bytes in a record's body.
        record: usize,
        /// Bytes in all.
        bytes: u64,
    },
    /// Requests of 100 to 1,500 bytes and their echoes, sent at a fixed rate whatever comes back.
    Open {
        /// Connections.
        connections: usize,
        /// Requests per second, all connections together.
        rate: u64,
        /// Requests in all.
        messages: u64,
        /// Requests of each connection before it is measured.
        warm: u64,
    },
    /// The same, each connection sending again as soon as its echo is there.
    Saturated {
        /// Connections.
        connections: usize,
        /// Requests in all.
        messages: u64,
        /// Requests of each connection before it is measured.
        warm: u64,
    },
    /// Connections of one Connection Request and one Connection Confirm, closed by the server.
    Churn {
        /// Connections at once.
        at_once: usize,
        /// Connections in all.
        connections: u64,
    },
    /// Connections that have exchanged a little and stay open.
    Idle {
        /// Connections.
        connections: usize,
    },
}

/// What one run of one workload through one relay cost.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Relay CPU seconds per GiB, µs per round trip or connection, or KiB per connection.
    pub cost: f64,
    /// GiB/s, round trips/s, connections/s; zero where it means nothing.
    pub speed: f64,
    /// Latency from the intended send time, in ns.
    pub latency: Option<Histogram<u64>>,
    /// What was recorded of it.
    pub recorded: Option<Recorded>,
}

/// A recording of one run.
#[derive(Clone, Copy, Debug)]
pub struct Recorded {
    /// Bytes in the file.
    pub bytes: u64,
    /// Packets that the recorder says were dropped, where it says so.
    pub dropped: Option<u64>,
}

impl Work {
    /// Runs it once.
    pub fn run(self, kind: Kind, prologue: &Prologue) -> Result<Sample, String> {
        let outcome = match self {
            Work::Bulk { record, bytes } => bulk::run(kind, prologue, record, bytes),
            Work::Open { connections, rate, messages, warm } => {
                interactive::open(kind, prologue, connections, rate, messages, warm)
            }
            Work::Saturated { connections, messages, warm } => {
                interactive::saturated(kind, prologue, connections, messages, warm)
            }
            Work::Churn { at_once, connections } => churn::run(kind, at_once, connections),
            Work::Idle { connections } => idle::run(kind, prologue, connections),
        };
        outcome.map_err(|error| error.to_string())
    }
}

/// Starts a relay, with its error as one of I/O.
fn start(kind: Kind, upstream: SocketAddr) -> io::Result<Running> {
    kind.start(upstream.port()).map_err(io::Error::other)
}

/// On-CPU time once the relay is at rest: what it does behind the last byte is a cost, too.
fn cpu_at_rest(relay: &Running) -> u64 {
    const PAUSE: Duration = Duration::from_millis(30);
    const NOISE: u64 = 300_000;
    let end = Instant::now() + Duration::from_secs(5);
    let mut last = relay.cpu_ns();
    loop {
        std::thread::sleep(PAUSE);
        let now = relay.cpu_ns();
        if now.saturating_sub(last) < NOISE || Instant::now() > end {
            return now;
        }
        last = now;
    }
}

/// Plays one side until the desktop is up, on a blocking socket.
fn open_session(socket: &mut TcpStream, prologue: &Prologue, me: Side) -> io::Result<()> {
    let mut heard = Vec::new();
    for (side, flight) in &prologue.flights {
        if *side == me {
            socket.write_all(flight)?;
        } else {
            heard.resize(flight.len(), 0);
            socket.read_exact(&mut heard)?;
            assert!(heard == *flight, "the relay changed bytes");
        }
    }
    Ok(())
}

/// The same on a socket of tokio's.
async fn open_session_async(
    socket: &mut tokio::net::TcpStream,
    prologue: &Prologue,
    me: Side,
) -> io::Result<()> {
    let mut heard = Vec::new();
    for (side, flight) in &prologue.flights {
        if *side == me {
            socket.write_all(flight).await?;
        } else {
            heard.resize(flight.len(), 0);
            socket.read_exact(&mut heard).await?;
            assert!(heard == *flight, "the relay changed bytes");
        }
    }
    Ok(())
}

/// A listener with a backlog that no burst of connections overflows, and its address.
fn listener() -> io::Result<(std::net::TcpListener, SocketAddr)> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(4096)?;
    let listener = std::net::TcpListener::from(socket);
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// A thread that runs one future; dropping the handle does not end it, the future's own end does.
fn on_a_thread<F, T>(work: F) -> std::thread::JoinHandle<io::Result<T>>
where
    F: Future<Output = io::Result<T>> + Send + 'static,
    T: Send + 'static,
{
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(work)
    })
}

/// The result of such a thread.
fn joined<T>(thread: std::thread::JoinHandle<io::Result<T>>) -> io::Result<T> {
    thread.join().map_err(|_| io::Error::other("a thread of the load generator failed"))?
}

/// Fails where a count is not what was sent.
fn expect(what: &str, found: u64, sent: u64) -> io::Result<()> {
    if found == sent {
        return Ok(());
    }
    Err(io::Error::other(format!("{what}: {found} arrived of {sent}")))
}
