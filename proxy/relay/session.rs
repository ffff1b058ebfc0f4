//! One relayed session: accept, dial, pump, end. One task from the first byte to the last.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdpwhy_analyzer::facts::InputEnd;
use rdpwhy_analyzer::input::{Close, Direction, Input, Leg, RelayNote};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Relay;
use super::death::{close_of, died};
use super::dialled::{Tried, answered};
use super::linger::{LINGER, Patience, linger};
use super::listen::Place;
use super::origin::{Origin, Unannounced};
use super::pump::{Deaths, Pump, read_some};
use super::seldom::Seldom;
use super::upstream::Route;
use super::waiting::at;
use super::watched::Watched;
use crate::desk::Message;
use crate::dial::{self, DialOutcome};
use crate::os;
use crate::record::Chunk;

/// Bytes of the client kept while the server is being reached.
const EARLY: usize = 64 << 10;
/// How long the server is still dialled after the client has closed its half.
const GRACE: Duration = Duration::from_secs(2);

/// Runs one session of this client to its end and hands it to the desk; then its place is another's.
pub async fn run(
    relay: Arc<Relay>,
    client: (TcpStream, SocketAddr),
    index: u64,
    mut stop: watch::Receiver<bool>,
    _place: Place,
) {
    // What a session needs for a moment is given back: its task lives long.
    let up_by = relay.deadlines.handshake.map(|limit| tokio::time::Instant::now() + limit);
    let (mut watched, pump) = Box::pin(open(&relay, client, index, up_by, &mut stop)).await;
    let end = match pump {
        None => None,
        Some(pump) => match carry(&relay, pump, &mut watched, up_by, &mut stop).await {
            Carried::Over(end) => end,
            Carried::Lingers(pump) => {
                let mut stopped = stop.clone();
                let verdict = Box::pin(watched.end(&relay, None, &mut stopped));
                let lingering = Box::pin(linger(pump, &mut stop));
                tokio::join!(verdict, lingering);
                return;
            }
        },
    };
    Box::pin(watched.end(&relay, end, &mut stop)).await;
}

/// Reaches the server; `None` where it does not.
async fn open(
    relay: &Relay,
    (client, peer): (TcpStream, SocketAddr),
    index: u64,
    up_by: Option<tokio::time::Instant>,
    stop: &mut watch::Receiver<bool>,
) -> (Box<Watched>, Option<Box<Pump>>) {
    let mut origin = Origin::of(relay, &client, peer);
    let announced = origin.announced(relay, &client, stop).await;
    let route = match &announced {
        Ok(()) => relay.upstream.route(&client, peer, &relay.dial),
        Err(Unannounced::Refused(why)) => Route::Refused(None, why.clone()),
        Err(Unannounced::Left(_)) => Route::Refused(None, String::new()),
    };
    let mut watched = Box::new(Watched::begin(relay, &client, &origin, index, &route));
    if relay.announces {
        relay.tell(Message::Began { index, client: origin.client.ip() });
    }
    if let Err(Unannounced::Left(how)) = announced {
        let (leg, dir) = (Leg::Client, Direction::ToServer);
        watched.note(Input::Relay(RelayNote::Unannounced));
        watched.note(Input::Closed { leg, dir, how });
        return (watched, None);
    }
    let Reached::Server(server, early, left) =
        reach(relay, &route, &client, &mut watched, up_by, stop).await
    else {
        // The client gets what a refused server would have given it: a RST.
        let _ = os::reset_on_close(&client);
        drop(client);
        let (leg, dir) = (Leg::Client, Direction::ToClient);
        watched.note(Input::Closed { leg, dir, how: Close::Rst });
        return (watched, None);
    };
    if relay.rst_immune.is_some() {
        watched.ignore_resets(&server);
    }
    // Nobody has said these bytes but the relay: engine and recorder are not told.
    let header = origin.header(relay);
    if !header.is_empty() {
        watched.note(Input::Relay(RelayNote::HeaderSent));
    }
    let early = if header.is_empty() { early } else { [header, early].concat() };
    let pump = Pump::new([client, server], early, left, relay.measures.as_ref());
    (watched, Some(Box::new(pump)))
}

enum Reached {
    /// The server, what the client said until then, and whether it has closed its half.
    Server(TcpStream, Vec<u8>, Option<Close>),
    Nobody,
}

/// What wakes who waits for the server.
enum Woke {
    Dialled(DialOutcome),
    Client,
    /// The client is gone, and nobody reads from it.
    Died(Close),
    /// For a stall.
    Look,
    /// It waits no longer, for this reason of the relay's own if any.
    Over(Option<RelayNote>),
}

/// Dials the server while listening to the client: what it says is evidence, and its leaving ends it.
async fn reach(
    relay: &Relay,
    route: &Route,
    client: &TcpStream,
    watched: &mut Watched,
    up_by: Option<tokio::time::Instant>,
    stop: &mut watch::Receiver<bool>,
) -> Reached {
    let (target, options) = match route {
        Route::To(target, options) => (target, options),
        Route::Refused(_, why) => {
            watched.note(Input::Relay(RelayNote::Error(why.clone())));
            return Reached::Nobody;
        }
    };
    if *stop.borrow() {
        watched.note(Input::Relay(RelayNote::Shutdown));
        return Reached::Nobody;
    }
    // What it takes to find the server's address is no silence of the server.
    let (asked, tried) = (Instant::now(), Tried::default());
    let mut note = |attempt: &dial::Attempt| tried.note(attempt);
    let dialing = dial::dial(target, options, &mut note);
    tokio::pin!(dialing);
    let connect = relay.deadlines.connect.map(|limit| tokio::time::Instant::now() + limit);
    let deadlines = [(connect, "--connect-timeout"), (up_by, "--handshake-timeout")];
    let mut looks = relay.workers.looks();
    let mut early = Vec::new();
    let mut left = None;
    let mut grace = None;
    let mut noted = false;
    let outcome = loop {
        let woke = tokio::select! {
            outcome = &mut dialing => Woke::Dialled(outcome),
            _ = client.readable(), if left.is_none() && early.len() < EARLY => Woke::Client,
            how = died(client), if early.len() >= EARLY => Woke::Died(how),
            () = at(grace) => Woke::Over(None),
            () = looks.next() => Woke::Look,
            name = passed(deadlines) => Woke::Over(Some(RelayNote::Deadline(name.into()))),
            _ = stop.changed() => Woke::Over(Some(RelayNote::Shutdown)),
        };
        if let Some(begun) = tried.first().filter(|_| !noted) {
            noted = true;
            watched.observer.note(watched.clock.at(begun), Input::Relay(RelayNote::Dialing));
        }
        match woke {
            Woke::Dialled(outcome) => break Some(outcome),
            Woke::Look if noted => watched.look(relay, None),
            Woke::Look => watched.look_up(relay, asked),
            Woke::Client => {
                left = read_early(client, &mut early, watched);
                let Some(how) = left else { continue };
                watched.note(Input::Closed { leg: Leg::Client, dir: Direction::ToServer, how });
                // A half-close is no leaving, but an unreachable server is not dialled on for it.
                if how != Close::Fin || early.is_empty() {
                    break None;
                }
                grace = Some(tokio::time::Instant::now() + GRACE);
            }
            Woke::Died(how) => {
                watched.note(Input::Closed { leg: Leg::Client, dir: Direction::ToServer, how });
                break None;
            }
            Woke::Over(why) => {
                why.into_iter().for_each(|note| watched.note(Input::Relay(note)));
                break None;
            }
        }
    };
    if outcome.is_none() {
        match noted {
            true => tried.given_up(watched),
            false => watched.give_up_name(asked),
        }
    }
    outcome
        .and_then(|outcome| answered(outcome, watched))
        .map_or(Reached::Nobody, |server| Reached::Server(server, early, left))
}

/// Waits for the first of the deadlines to pass; gives its name.
async fn passed(deadlines: [(Option<tokio::time::Instant>, &'static str); 2]) -> &'static str {
    let set = deadlines.into_iter().filter_map(|(at, name)| Some((at?, name)));
    let first = set.min_by_key(|(at, _)| *at);
    at(first.map(|(at, _)| at)).await;
    first.map_or("", |(_, name)| name)
}

/// Reads what the client says before the server is reached; gives how it left, if it did.
fn read_early(client: &TcpStream, early: &mut Vec<u8>, watched: &mut Watched) -> Option<Close> {
    let mut chunk = [0; 1024];
    match read_some(client, &mut chunk) {
        Ok(0) => Some(Close::Fin),
        Ok(read) => {
            early.extend_from_slice(&chunk[..read]);
            let bytes = chunk[..read].into();
            watched.observer.bytes(watched.clock.now(), Direction::ToServer, bytes);
            None
        }
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
        Err(error) => Some(close_of(&error)),
    }
}

/// How a session's observation ended.
enum Carried {
    /// Nothing is left to move.
    Over(Option<InputEnd>),
    /// One side has closed its half, the other says nothing and keeps its half open.
    Lingers(Box<Pump>),
}

/// Pumps until both directions have ended. First-death rule: the state of both legs is read and
/// stamped before anything is propagated.
async fn carry(
    relay: &Relay,
    mut pump: Box<Pump>,
    watched: &mut Watched,
    up_by: Option<tokio::time::Instant>,
    stop: &mut watch::Receiver<bool>,
) -> Carried {
    let mut looks = relay.workers.looks();
    let mut quiet = None;
    let mut hangs = Patience::default();
    loop {
        let up = watched.active;
        let quiet_at = quiet.map(|at| (at, Happened::Quiet));
        let deadline = up_by.filter(|_| !up).map(|at| (at, Happened::Deadline));
        let due = quiet_at.into_iter().chain(deadline).min_by_key(|(at, _)| *at);
        let looked_at = relay.rst_immune.is_some() || watched.is_looked_at();
        let mut rest = Seldom::new(async {
            tokio::select! {
                biased;
                _ = stop.changed() => Happened::Stop,
                what = happens(due) => what,
                () = looks.next(), if looked_at => Happened::Look,
            }
        });
        let lull = watched.is_in_lull();
        let clock = watched.clock;
        let observer = &mut watched.observer;
        let mut seen = |dir, chunk: Chunk<'_>| {
            observer.bytes(clock.now(), dir, chunk);
            if let Some(measures) = &relay.measures {
                observer.measure_turns(measures);
            }
        };
        let happened = tokio::select! {
            biased;
            deaths = pump.run(lull, &mut seen) => Happened::Deaths(deaths),
            happened = &mut rest => happened,
        };
        drop(rest);
        match happened {
            Happened::Deaths(None) => watched.end_lull(),
            Happened::Deaths(Some(deaths)) => {
                if watched.pass_on(&mut pump, deaths) {
                    return Carried::Over(None);
                }
                let ended = watched.observer.session().facts().ending().is_some();
                // A server leg that hears of no RST can hang for good: that is watched to its end.
                quiet = (ended && relay.rst_immune.is_none())
                    .then(|| tokio::time::Instant::now() + LINGER);
            }
            Happened::Quiet => {
                if watched.is_quiet(LINGER) {
                    // Where every byte is recorded, the final verdict waits for the last one, if others can be had.
                    if relay.once || !watched.observer.keeps_all() {
                        watched.end_windows(&pump);
                        return Carried::Lingers(pump);
                    }
                    watched.foretell(relay);
                    if hangs.hangs(&pump) {
                        pump.abort();
                        return Carried::Over(None);
                    }
                }
                quiet = Some(tokio::time::Instant::now() + LINGER);
            }
            Happened::Look => {
                watched.look(relay, Some(&pump));
                if relay.rst_immune.is_some_and(|limit| watched.waits(limit)) {
                    return closed_by("--rst-immune", pump, watched);
                }
            }
            Happened::Deadline => {
                // It may have come up since it was looked at last.
                watched.look(relay, Some(&pump));
                if watched.active {
                    continue;
                }
                return closed_by("--handshake-timeout", pump, watched);
            }
            Happened::Stop => {
                watched.end_windows(&pump);
                watched.note(Input::Relay(RelayNote::Shutdown));
                return Carried::Over(Some(InputEnd::Open));
            }
        }
    }
}

/// Waits for the first of what is due; for ever where nothing is.
async fn happens(due: Option<(tokio::time::Instant, Happened)>) -> Happened {
    at(due.map(|(at, _)| at)).await;
    due.map_or(Happened::Look, |(_, what)| what)
}

/// What a session in its course wakes up for.
#[derive(Clone, Copy)]
enum Happened {
    /// Ends, or no more than the first bytes after a silence.
    Deaths(Option<Deaths>),
    Quiet,
    /// For a stall while it is not up yet, and for what its sockets say in a silence.
    Look,
    Deadline,
    Stop,
}

/// A deadline of the relay's own ends the session.
fn closed_by(deadline: &'static str, mut pump: Box<Pump>, watched: &mut Watched) -> Carried {
    watched.end_windows(&pump);
    watched.note(Input::Relay(RelayNote::Deadline(deadline.into())));
    pump.abort();
    Carried::Over(None)
}
