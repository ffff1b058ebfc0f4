//! Reaching the server while the client waits, talks or leaves.

use std::time::{Duration, Instant};

use rdpwhy_analyzer::input::{Close, Direction, Input, Leg, RelayNote};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Relay;
use super::death::{close_of, died};
use super::dialled::{Tried, answered};
use super::pump::read_some;
use super::upstream::Route;
use super::waiting::at;
use super::watched::Watched;
use crate::dial::{self, DialOutcome};

/// Bytes of the client kept while the server is being reached.
const EARLY: usize = 64 << 10;
/// How long the server is still dialled after the client has closed its half.
const GRACE: Duration = Duration::from_secs(2);

/// What came of the attempt to reach the server.
pub enum Reached {
    /// The server, what the client said until then, and whether it has closed its half.
    Server(TcpStream, Vec<u8>, Option<Close>),
    /// None, or the client has left.
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
pub async fn reach(
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
    let mut early = Early::default();
    let mut noted = false;
    let outcome = loop {
        let woke = tokio::select! {
            outcome = &mut dialing => Woke::Dialled(outcome),
            _ = client.readable(), if early.left.is_none() && !early.is_full() => Woke::Client,
            how = died(client), if early.is_full() => Woke::Died(how),
            () = at(early.grace) => Woke::Over(None),
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
                if early.read(client, watched) {
                    break None;
                }
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
            true => tried.given_up(watched, *stop.borrow()),
            false => watched.give_up_name(asked),
        }
    }
    outcome
        .and_then(|outcome| answered(outcome, watched))
        .map_or(Reached::Nobody, |server| Reached::Server(server, early.bytes, early.left))
}

/// Waits for the first of the deadlines to pass; gives its name.
async fn passed(deadlines: [(Option<tokio::time::Instant>, &'static str); 2]) -> &'static str {
    let set = deadlines.into_iter().filter_map(|(at, name)| Some((at?, name)));
    let first = set.min_by_key(|(at, _)| *at);
    at(first.map(|(at, _)| at)).await;
    first.map_or("", |(_, name)| name)
}

/// What the client says before the server is reached.
#[derive(Default)]
struct Early {
    bytes: Vec<u8>,
    /// How it closed its half.
    left: Option<Close>,
    /// Until when the server is still dialled for it then.
    grace: Option<tokio::time::Instant>,
}

impl Early {
    fn is_full(&self) -> bool {
        self.bytes.len() >= EARLY
    }

    /// Reads what there is; `true` when nobody is left to reach the server for.
    fn read(&mut self, client: &TcpStream, watched: &mut Watched) -> bool {
        let mut chunk = [0; 1024];
        let how = match read_some(client, &mut chunk) {
            Ok(0) => Close::Fin,
            Ok(read) => {
                self.bytes.extend_from_slice(&chunk[..read]);
                let bytes = chunk[..read].into();
                watched.observer.bytes(watched.clock.now(), Direction::ToServer, bytes);
                return false;
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
            Err(error) => close_of(&error),
        };
        self.left = Some(how);
        watched.note(Input::Closed { leg: Leg::Client, dir: Direction::ToServer, how });
        self.grace = Some(tokio::time::Instant::now() + GRACE);
        // A half-close is no leaving, but an unreachable server is not dialled on for it.
        how != Close::Fin || self.bytes.is_empty()
    }
}
