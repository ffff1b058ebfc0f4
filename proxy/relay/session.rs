//! One relayed session: accept, dial, pump, end. One task from the first byte to the last.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdpwhy_analyzer::facts::{InputEnd, Subject, Vantage};
use rdpwhy_analyzer::input::{
    Baseline, Close, ConnectFailure, ConnectFailureKind, Direction, Input, Leg, RelayNote, Segment,
    SegmentKind, Timestamp,
};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use super::Relay;
use super::observer::Observer;
use super::pump::{Pump, close_of};
use crate::clock::Clock;
use crate::desk::Message;
use crate::dial::{self, DialOutcome};
use crate::os;
use crate::os::syn::SynFacts;

/// Bytes of the client kept while the server is being reached.
const EARLY: usize = 64 << 10;
/// How long the server is still dialled after the client has closed its half.
const GRACE: Duration = Duration::from_secs(2);
/// A client that leaves looks as one that closes its half: the verdict is given when the other side then
/// says nothing for this long, and does not wait for a server that hangs.
const LINGER: Duration = Duration::from_secs(2);
/// How often a session that is not up yet is looked at for a stall.
const TICK: Duration = Duration::from_secs(1);

/// Runs one session to its end and hands it to the desk.
pub async fn run(
    relay: Arc<Relay>,
    client: TcpStream,
    peer: SocketAddr,
    index: u64,
    mut stop: watch::Receiver<bool>,
) {
    let mut watched = Watched::begin(&relay, &client, peer, index);
    relay.tell(Message::Began { index, client: peer.ip() });
    let end = match reach(&relay, &client, &mut watched, &mut stop).await {
        Reached::Server(server, early, left) => {
            let pump = Pump::new(client, server, early, left);
            match carry(&relay, pump, &mut watched, &mut stop).await {
                Carried::Over(end) => end,
                Carried::Lingers(pump) => {
                    watched.end(&relay, index, None).await;
                    return linger(*pump, &mut stop).await;
                }
            }
        }
        Reached::Nobody => {
            // The client gets what a refused server would have given it: a RST.
            let _ = os::reset_on_close(&client);
            drop(client);
            let (leg, dir) = (Leg::Client, Direction::ToClient);
            watched.note(Input::Closed { leg, dir, how: Close::Rst });
            None
        }
    };
    watched.end(&relay, index, end).await;
}

/// A session's observer with its clock.
struct Watched {
    observer: Observer,
    clock: Clock,
    index: u64,
    warned: bool,
    active: bool,
}

enum Reached {
    /// The server, what the client said until then, and whether it has closed its half.
    Server(TcpStream, Vec<u8>, Option<Close>),
    Nobody,
}

impl Watched {
    fn begin(relay: &Relay, client: &TcpStream, peer: SocketAddr, index: u64) -> Watched {
        let clock = relay.clock;
        let now = clock.now();
        let sample = os::tcp_sample(client);
        let rtt =
            sample.and_then(|sample| sample.rtt_us).map(|us| Duration::from_micros(us.into()));
        // The relay learns of the client when its handshake is over.
        let started = Clock::before(now, rtt.unwrap_or_default());
        let literal = relay.target.host.parse::<std::net::IpAddr>().ok();
        let subject = Subject {
            client: peer,
            server: literal.map(|ip| SocketAddr::new(ip, relay.target.port)),
            server_name: literal.is_none().then(|| relay.target.host.clone()),
            relay: [client.local_addr().ok(), None],
            vantage: Vantage::Relay,
            starts_in_the_middle: false,
            started,
        };
        let tape = relay.recorder.as_ref().map(|recorder| recorder.tape(index, &subject));
        let mut observer = Observer::new(subject, tape, relay.feed);
        if let Some(syn) = os::saved_syn(client).and_then(|bytes| SynFacts::parse(&bytes).ok()) {
            observer.note(started, Input::Segment(syn_segment(&syn)));
        }
        observer.note(now, Input::Opened { leg: Leg::Client, took: rtt });
        Watched { observer, clock, index, warned: false, active: false }
    }

    fn note(&mut self, input: Input<'_>) {
        self.observer.note(self.clock.now(), input);
    }

    fn sample(&mut self, time: Timestamp, leg: Leg, socket: &TcpStream) {
        if let Some(sample) = os::tcp_sample(socket) {
            self.observer.note(time, Input::Socket { leg, sample });
        }
    }

    /// Hands the session over for its verdict.
    async fn end(self, relay: &Relay, index: u64, why: Option<InputEnd>) {
        let now = self.clock.now();
        let (session, tape) = self.observer.finish(now, why.unwrap_or(InputEnd::Open));
        let _ = relay
            .desk
            .send(Message::Ended { index, session: Box::new(session), tape: tape.map(Box::new) })
            .await;
    }

    /// Tells the desk about a stall once, and about the session being up once. Closes nothing.
    fn look(&mut self, relay: &Relay, pump: Option<&Pump>) {
        let now = self.clock.now();
        let facts = self.observer.session().facts();
        if facts.is_active() && !self.active {
            self.active = true;
            relay.tell(Message::Active {
                index: self.index,
                session: Box::new(self.observer.session().clone()),
            });
        }
        if self.warned || self.active || !is_stalled(facts, now) {
            return;
        }
        self.warned = true;
        if let Some(pump) = pump {
            self.sample_both(now, pump);
        }
        let mut session = self.observer.session().clone();
        session.finish(now, InputEnd::Open);
        relay.tell(Message::Stalled { index: self.index, session: Box::new(session) });
    }

    /// Nothing passed for a while.
    fn is_quiet(&self) -> bool {
        let facts = self.observer.session().facts();
        let last = Direction::BOTH
            .into_iter()
            .filter_map(|dir| facts.stream(dir).last)
            .map(|at| at.time)
            .max();
        last.is_none_or(|last| self.clock.now().since(last) >= LINGER)
    }

    fn sample_both(&mut self, now: Timestamp, pump: &Pump) {
        self.sample(now, Leg::Client, pump.source(Direction::ToServer));
        self.sample(now, Leg::Server, pump.source(Direction::ToClient));
    }
}

/// Observation timers: 9 s without SYN-ACK, 10 s without X.224 confirm, 5 s in a machine turn.
fn is_stalled(facts: &rdpwhy_analyzer::facts::Facts, now: Timestamp) -> bool {
    const DIALING: Duration = Duration::from_secs(9);
    const CONFIRM: Duration = Duration::from_secs(10);
    const TURN: Duration = Duration::from_secs(5);
    let server = facts.stream(Direction::ToClient);
    if !facts.tcp.leg(Leg::Server).opened.is_seen() {
        return facts.relay.first().is_some_and(|dialing| now.since(dialing.at.time) >= DIALING);
    }
    if let Some(request) = facts.x224.request.seen().filter(|_| server.bytes == 0) {
        return now.since(request.at.time) >= CONFIRM;
    }
    let asked = facts.stream(Direction::ToServer).last;
    let turn = facts.tls.client_hello.is_seen()
        && asked.is_some_and(|asked| server.last.is_none_or(|last| last.time < asked.time));
    turn && asked.is_some_and(|asked| now.since(asked.time) >= TURN)
}

/// Dials the server while listening to the client: what it says is evidence, and its leaving ends it.
async fn reach(
    relay: &Relay,
    client: &TcpStream,
    watched: &mut Watched,
    stop: &mut watch::Receiver<bool>,
) -> Reached {
    watched.note(Input::Relay(RelayNote::Dialing));
    let mut ignore = |_: &dial::Attempt| {};
    let dialing = dial::dial(&relay.target, &relay.dial, &mut ignore);
    tokio::pin!(dialing);
    let deadline = relay.deadlines.connect.map(|limit| tokio::time::Instant::now() + limit);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut early = Vec::new();
    let mut left = None;
    let mut grace = None;
    let outcome = loop {
        tokio::select! {
            outcome = &mut dialing => break outcome,
            _ = client.readable(), if left.is_none() && early.len() < EARLY => {
                left = read_early(client, &mut early, watched);
                let Some(how) = left else { continue };
                watched.note(Input::Closed { leg: Leg::Client, dir: Direction::ToServer, how });
                // A half-close is no leaving, but an unreachable server is not dialled on for it.
                if how != Close::Fin || early.is_empty() {
                    return Reached::Nobody;
                }
                grace = Some(tokio::time::Instant::now() + GRACE);
            }
            () = at(grace) => return Reached::Nobody,
            _ = ticks.tick() => watched.look(relay, None),
            () = at(deadline) => {
                watched.note(Input::Relay(RelayNote::Deadline("--connect-timeout".into())));
                return Reached::Nobody;
            }
            _ = stop.changed() => {
                watched.note(Input::Relay(RelayNote::Shutdown));
                return Reached::Nobody;
            }
        }
    };
    answered(outcome, watched)
        .map_or(Reached::Nobody, |server| Reached::Server(server, early, left))
}

/// Reads what the client says before the server is reached; gives how it left, if it did.
fn read_early(client: &TcpStream, early: &mut Vec<u8>, watched: &mut Watched) -> Option<Close> {
    let mut chunk = [0; 4096];
    match client.try_read(&mut chunk) {
        Ok(0) => Some(Close::Fin),
        Ok(read) => {
            early.extend_from_slice(&chunk[..read]);
            watched.observer.bytes(watched.clock.now(), Direction::ToServer, &chunk[..read]);
            None
        }
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
        Err(error) => Some(close_of(&error)),
    }
}

/// Reports every attempt, and the connection where there is one.
fn answered(outcome: DialOutcome, watched: &mut Watched) -> Option<TcpStream> {
    for attempt in &outcome.attempts {
        if let Some(failure) = attempt.failure() {
            let time = watched.clock.at(attempt.started + attempt.after);
            let failure = by_another(failure.clone(), attempt.from);
            watched.observer.note(time, Input::ConnectFailed { leg: Leg::Server, failure });
        }
    }
    let server = outcome.stream?;
    let connected =
        outcome.attempts.iter().find(|attempt| attempt.state == dial::AttemptState::Connected);
    let took = connected.map(|attempt| attempt.after);
    let since = connected.map_or_else(Instant::now, |attempt| attempt.started + attempt.after);
    let session = watched.observer.session_mut();
    if let Ok(peer) = server.peer_addr() {
        session.set_server(peer, server.local_addr().ok());
    }
    watched.observer.note(watched.clock.at(since), Input::Opened { leg: Leg::Server, took });
    Some(server)
}

/// How a session's observation ended.
enum Carried {
    /// Nothing is left to move.
    Over(Option<InputEnd>),
    /// One side has closed its half, the other says nothing and keeps its half open.
    Lingers(Box<Pump>),
}

/// A session whose verdict is given: bytes still pass, nobody looks at them.
async fn linger(mut pump: Pump, stop: &mut watch::Receiver<bool>) {
    let mut unseen = |_: Direction, _: &[u8]| {};
    loop {
        tokio::select! {
            _ = pump.run(&mut unseen) => {
                if pump.propagate().over {
                    return;
                }
            }
            _ = stop.changed() => return,
        }
    }
}

/// Pumps until both directions have ended. First-death rule: the state of both legs is read and
/// stamped before anything is propagated.
async fn carry(
    relay: &Relay,
    mut pump: Pump,
    watched: &mut Watched,
    stop: &mut watch::Receiver<bool>,
) -> Carried {
    let deadline = relay.deadlines.handshake.map(|limit| tokio::time::Instant::now() + limit);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut quiet = None;
    loop {
        let up = watched.active;
        let clock = watched.clock;
        let observer = &mut watched.observer;
        let mut seen = |dir, bytes: &[u8]| observer.bytes(clock.now(), dir, bytes);
        tokio::select! {
            deaths = pump.run(&mut seen) => {
                let now = watched.clock.now();
                watched.sample_both(now, &pump);
                for dir in Direction::BOTH {
                    if let Some(how) = deaths.0[dir.index()] {
                        let leg = if dir == Direction::ToServer { Leg::Client } else { Leg::Server };
                        watched.observer.note(now, Input::Closed { leg, dir, how });
                    }
                }
                let passed_on = pump.propagate();
                for (dir, how) in passed_on.sent {
                    let leg = if dir == Direction::ToServer { Leg::Server } else { Leg::Client };
                    watched.note(Input::Closed { leg, dir, how });
                }
                if passed_on.over {
                    return Carried::Over(None);
                }
                let ended = watched.observer.session().facts().ending().is_some();
                quiet = ended.then(|| tokio::time::Instant::now() + LINGER);
            }
            () = at(quiet) => {
                if watched.is_quiet() {
                    return Carried::Lingers(Box::new(pump));
                }
                quiet = Some(tokio::time::Instant::now() + LINGER);
            }
            _ = ticks.tick(), if !up => watched.look(relay, Some(&pump)),
            () = at(deadline.filter(|_| !up)) => {
                // It may have come up since it was looked at last.
                watched.look(relay, Some(&pump));
                if watched.active {
                    continue;
                }
                watched.note(Input::Relay(RelayNote::Deadline("--handshake-timeout".into())));
                pump.abort();
                return Carried::Over(None);
            }
            _ = stop.changed() => {
                watched.note(Input::Relay(RelayNote::Shutdown));
                return Carried::Over(Some(InputEnd::Open));
            }
        }
    }
}

/// An ICMP error of this machine's own kernel is no answer from the network: nobody answered ARP.
fn by_another(mut failure: ConnectFailure, own: Option<SocketAddr>) -> ConnectFailure {
    if let ConnectFailureKind::Icmp { offender: Some(offender), .. } = failure.kind
        && own.is_some_and(|own| own.ip() == offender)
        && failure.to.is_none_or(|to| to.ip() != offender)
    {
        failure.kind = ConnectFailureKind::Other("EHOSTUNREACH".to_owned());
    }
    failure
}

async fn at(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn syn_segment(syn: &SynFacts) -> Segment {
    Segment {
        leg: Leg::Client,
        dir: Direction::ToServer,
        kind: SegmentKind::Syn,
        ttl: Some(syn.ttl),
        ip_id: syn.ip_id,
        seq: 0,
        ack: 0,
        flags: 0x02,
        window: syn.window,
        len: 0,
        options: syn.options.clone(),
        baseline: Baseline::default(),
    }
}
