//! One relayed session: accept, dial, pump, end. One task from the first byte to the last.

use std::net::SocketAddr;
use std::sync::Arc;

use rdpwhy_analyzer::facts::InputEnd;
use rdpwhy_analyzer::input::{Close, Direction, Input, Leg, RelayNote};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Relay;
use super::linger::{LINGER, Patience, linger};
use super::listen::Place;
use super::moments::Looks;
use super::origin::{Origin, Unannounced};
use super::pump::{Deaths, Pump};
use super::reach::{Reached, reach};
use super::seldom::Seldom;
use super::upstream::Route;
use super::waiting::at;
use super::watched::Watched;
use crate::desk::Message;
use crate::os;
use crate::record::Chunk;

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
        let quiet_at = quiet.map(|at| (at, Happened::Quiet));
        let deadline = up_by.filter(|_| !watched.active).map(|at| (at, Happened::Deadline));
        let due = quiet_at.into_iter().chain(deadline).min_by_key(|(at, _)| *at);
        match next(relay, &mut pump, watched, &mut looks, due, stop).await {
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

/// Moves bytes until something happens.
async fn next(
    relay: &Relay,
    pump: &mut Pump,
    watched: &mut Watched,
    looks: &mut Looks,
    due: Option<(tokio::time::Instant, Happened)>,
    stop: &mut watch::Receiver<bool>,
) -> Happened {
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
    tokio::select! {
        biased;
        deaths = pump.run(lull, &mut seen) => Happened::Deaths(deaths),
        happened = &mut rest => happened,
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
