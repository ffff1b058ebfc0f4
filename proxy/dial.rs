//! Opens the server leg: resolve, try the addresses as RFC 8305 says (families in turn, 250 ms apart, first success
//! wins), and say of every attempt how it ended. An errno alone does not name a cause, so each socket also asks
//! for the ICMP error behind it.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use rdpwhy_analyzer::input::{ConnectFailure, ConnectFailureKind};
use socket2::{SockRef, Socket};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::os;

/// Where to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// A name or an address; IPv6 without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// How to connect.
#[derive(Clone, Debug, Default)]
pub struct DialOptions {
    /// Connect from this address; addresses of the other family are then left out.
    pub source: Option<IpAddr>,
    /// That address is not this machine's ([`os::set_transparent`]).
    pub foreign_source: bool,
}

/// An attempt has this long before the next address is tried beside it. RFC 8305 5.
const STAGGER: Duration = Duration::from_millis(250);

/// One attempt to connect to one address.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The address; `None` when there was none to try.
    pub to: Option<SocketAddr>,
    /// Our end, where the attempt got one. An ICMP offender with this address is our own kernel.
    pub from: Option<SocketAddr>,
    /// When the first SYN left, or when resolving began.
    pub started: Instant,
    /// From then to the end, or zero while it runs.
    pub after: Duration,
    /// How it stands.
    pub state: AttemptState,
}

impl Attempt {
    /// How the attempt failed, if it did.
    pub fn failure(&self) -> Option<&ConnectFailure> {
        match &self.state {
            AttemptState::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}

/// How an attempt stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptState {
    /// Its SYN is out, no answer yet.
    Running,
    /// It is the connection in use.
    Connected,
    /// It failed.
    Failed(ConnectFailure),
    /// Another address answered first; this attempt was given up without a result.
    Abandoned,
}

/// The name of what this machine itself lacked for an attempt: descriptors, memory, free ports.
pub fn lacked(failure: &ConnectFailure) -> Option<&'static str> {
    const OWN: [&str; 5] = ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL"];
    match &failure.kind {
        ConnectFailureKind::Other(name) => OWN.iter().find(|own| **own == name.as_str()).copied(),
        _ => None,
    }
}

/// What came of it all.
#[derive(Debug)]
pub struct DialOutcome {
    /// The connection, with TCP_NODELAY on; `None` when every attempt failed.
    pub stream: Option<TcpStream>,
    /// Every attempt, in the order they started.
    pub attempts: Vec<Attempt>,
}

impl DialOutcome {
    /// The failures, for the engine: several may precede a success.
    pub fn failures(&self) -> impl Iterator<Item = &ConnectFailure> {
        self.attempts.iter().filter_map(Attempt::failure)
    }
}

/// Connects to `target`. `on_attempt` sees each attempt when it starts and again when it ends, so that a stall is
/// visible while it lasts. There is no deadline but
/// the kernel's: about two minutes on Linux, 21 s on Windows.
/// Dropping the future closes its sockets; attempts that still run are then not reported.
pub async fn dial(
    target: &Target,
    options: &DialOptions,
    on_attempt: &mut (dyn FnMut(&Attempt) + Send),
) -> DialOutcome {
    let mut race = Race { attempts: Vec::new(), running: Vec::new(), on_attempt };
    let started = Instant::now();
    match resolve(target, options.source).await {
        Ok(addresses) => race.run(interleave(addresses), options).await,
        Err(kind) => {
            race.unresolved(started, kind);
            race.outcome(None)
        }
    }
}

/// Addresses beyond this many are not tried.
const MOST_ADDRESSES: usize = 16;

/// The addresses of the target in the system's order of preference (RFC 6724), or why there is none.
async fn resolve(
    target: &Target,
    source: Option<IpAddr>,
) -> Result<Vec<SocketAddr>, ConnectFailureKind> {
    let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            return Err(match os::lookup_error_name(&error) {
                Some(name) => ConnectFailureKind::Other(name.to_owned()),
                None => ConnectFailureKind::NameNotFound(target.host.clone()),
            });
        }
    };
    if addresses.is_empty() {
        return Err(ConnectFailureKind::NameNotFound(target.host.clone()));
    }
    let usable = |to: &SocketAddr| source.is_none_or(|source| source.is_ipv4() == to.is_ipv4());
    let addresses: Vec<SocketAddr> = addresses.into_iter().filter(usable).collect();
    match addresses.is_empty() {
        true => Err(ConnectFailureKind::Other("EAFNOSUPPORT".to_owned())),
        false => Ok(addresses),
    }
}

/// The families in turn, beginning with that of the first address; order within a family stays (RFC 8305 4).
fn interleave(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    if addresses.len() < 2 {
        return addresses.into();
    }
    let first_is_v4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|to| to.is_ipv4() == first_is_v4);
    let mut mixed = VecDeque::new();
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        match (first.next(), second.next()) {
            (None, None) => break,
            (one, other) => mixed.extend(one.into_iter().chain(other)),
        }
    }
    mixed.truncate(MOST_ADDRESSES);
    mixed
}

/// The attempts of one dial.
struct Race<'a> {
    attempts: Vec<Attempt>,
    running: Vec<Running>,
    on_attempt: &'a mut (dyn FnMut(&Attempt) + Send),
}

/// An attempt without a result yet, and its place among the attempts.
struct Running {
    index: usize,
    end: Pin<Box<dyn Future<Output = Result<TcpStream, Broken>> + Send>>,
}

/// What ended an attempt, and how many SYNs it took.
struct Broken {
    kind: ConnectFailureKind,
    syns: Option<u32>,
}

impl Race<'_> {
    async fn run(
        mut self,
        mut waiting: VecDeque<SocketAddr>,
        options: &DialOptions,
    ) -> DialOutcome {
        loop {
            if let Some(to) = waiting.pop_front() {
                self.start(to, options);
            }
            if self.running.is_empty() {
                if waiting.is_empty() {
                    return self.outcome(None);
                }
                continue; // it failed at once: the next address need not wait
            }
            let next = first_to_end(&mut self.running);
            // Where no other address waits, there is nothing to set an alarm for.
            let ended = match waiting.is_empty() {
                true => Some(next.await),
                false => timeout(STAGGER, next).await.ok(),
            };
            match ended {
                Some((index, Ok(stream))) => {
                    self.end(index, AttemptState::Connected);
                    return self.outcome(Some(stream));
                }
                Some((index, Err(broken))) => self.fail(index, broken),
                None => {} // silent so far
            }
        }
    }

    fn unresolved(&mut self, started: Instant, kind: ConnectFailureKind) {
        let attempt = Attempt {
            to: None,
            from: None,
            started,
            after: Duration::ZERO,
            state: AttemptState::Running,
        };
        self.attempts.push(attempt);
        self.fail(0, Broken { kind, syns: None });
    }

    fn start(&mut self, to: SocketAddr, options: &DialOptions) {
        let index = self.attempts.len();
        let started = Instant::now();
        let begun = begin(to, options);
        let from = begun.as_ref().ok().and_then(|stream| stream.local_addr().ok());
        let attempt = Attempt {
            to: Some(to),
            from,
            started,
            after: Duration::ZERO,
            state: AttemptState::Running,
        };
        (self.on_attempt)(&attempt);
        self.attempts.push(attempt);
        match begun {
            Ok(stream) => self.running.push(Running { index, end: Box::pin(finish(stream, to)) }),
            Err(broken) => self.fail(index, broken),
        }
    }

    fn fail(&mut self, index: usize, Broken { kind, syns }: Broken) {
        let Some(attempt) = self.attempts.get(index) else { return };
        let failure =
            ConnectFailure { to: attempt.to, kind, after: attempt.started.elapsed(), syns };
        self.end(index, AttemptState::Failed(failure));
    }

    fn end(&mut self, index: usize, state: AttemptState) {
        let Some(attempt) = self.attempts.get_mut(index) else { return };
        attempt.after = attempt.started.elapsed();
        attempt.state = state;
        (self.on_attempt)(attempt);
    }

    fn outcome(mut self, stream: Option<TcpStream>) -> DialOutcome {
        for lost in std::mem::take(&mut self.running) {
            self.end(lost.index, AttemptState::Abandoned);
        }
        DialOutcome { stream, attempts: self.attempts }
    }
}

/// The first running attempt to end, which then no longer runs.
async fn first_to_end(running: &mut Vec<Running>) -> (usize, Result<TcpStream, Broken>) {
    poll_fn(|context| {
        for place in 0..running.len() {
            let Some(attempt) = running.get_mut(place) else { break };
            if let Poll::Ready(result) = attempt.end.as_mut().poll(context) {
                return Poll::Ready((running.remove(place).index, result));
            }
        }
        Poll::Pending
    })
    .await
}

/// Sends the SYN and does not wait for an answer.
fn begin(to: SocketAddr, options: &DialOptions) -> Result<TcpStream, Broken> {
    let broken = |error: io::Error| Broken { kind: classify(&error, None), syns: None };
    let socket = os::socket(to).map_err(broken)?;
    socket.set_tcp_nodelay(true).map_err(broken)?;
    let _ = os::keep_connect_error(&socket, to); // where it is not supported we know less, no more
    if options.foreign_source {
        os::set_transparent(&socket).map_err(broken)?;
    }
    if let Some(source) = options.source {
        socket.bind(&SocketAddr::new(source, 0).into()).map_err(broken)?;
    }
    match socket.connect(&to.into()) {
        Ok(()) => {}
        // Unix says EINPROGRESS, Windows WSAEWOULDBLOCK.
        Err(error) if matches!(os::errno_name(&error), "EINPROGRESS" | "EWOULDBLOCK") => {}
        Err(error) => return Err(explain(&socket, &error)),
    }
    TcpStream::from_std(socket.into()).map_err(broken)
}

/// Waits for the answer to the SYN.
async fn finish(stream: TcpStream, to: SocketAddr) -> Result<TcpStream, Broken> {
    loop {
        let ready = stream.ready(Interest::WRITABLE).await;
        // Linux says so of no socket that still waits for its answer or has an error.
        let connected = ready.as_ref().is_ok_and(|ready| !ready.is_write_closed());
        if cfg!(target_os = "linux") && connected {
            let _ = os::drop_connect_error(&stream, to);
            return Ok(stream);
        }
        let error = match ready {
            Err(error) => Some(error),
            Ok(_) => os::pending_error(&stream),
        };
        if let Some(error) = error {
            return Err(explain(&SockRef::from(&stream), &error));
        }
        if stream.peer_addr().is_ok() {
            let _ = os::drop_connect_error(&stream, to);
            return Ok(stream);
        }
        // Woken by an ICMP error that the kernel queued but did not take as final: wait again.
        let _ =
            stream.try_io(Interest::WRITABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    }
}

/// Asks the failed socket what the errno leaves open.
fn explain(socket: &Socket, error: &io::Error) -> Broken {
    Broken { kind: classify(error, os::connect_error(socket)), syns: os::syns_sent(socket) }
}

/// A refusal or silence is one only where no ICMP error stands behind it. A reset during `connect()` means that
/// the SYN-ACK had come: a closed port answers with a refusal.
fn classify(error: &io::Error, icmp: Option<os::IcmpError>) -> ConnectFailureKind {
    if let Some(os::IcmpError { kind, code, offender }) = icmp {
        return ConnectFailureKind::Icmp { kind, code, offender };
    }
    match os::errno_name(error) {
        "ECONNREFUSED" => ConnectFailureKind::Refused,
        "ETIMEDOUT" => ConnectFailureKind::NoAnswer,
        "ECONNRESET" => ConnectFailureKind::ResetAfterSynAck,
        "EUNKNOWN" => ConnectFailureKind::Other(error.to_string()),
        name => ConnectFailureKind::Other(name.to_owned()),
    }
}

#[cfg(test)]
mod tests;
