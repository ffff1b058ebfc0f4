//! What came of dialling the server, told to the engine.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdpwhy_analyzer::input::{ConnectFailure, ConnectFailureKind, Input, Leg, RelayNote};
use tokio::net::TcpStream;

use super::watched::Watched;
use crate::dial::{self, AttemptState, DialOutcome};
use crate::packets::Ends;

/// The attempts of a dial, as they stand.
#[derive(Default)]
pub struct Tried(Mutex<Vec<dial::Attempt>>);

impl Tried {
    /// An attempt begins, or ends.
    pub fn note(&self, attempt: &dial::Attempt) {
        let mut tried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same =
            |known: &&mut dial::Attempt| (known.started, known.to) == (attempt.started, attempt.to);
        match tried.iter_mut().find(same) {
            Some(known) => *known = attempt.clone(),
            None => tried.push(attempt.clone()),
        }
    }

    /// When the first one began.
    pub fn first(&self) -> Option<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).first().map(|first| first.started)
    }

    /// Reports all of them now that nobody waits for them any longer. What was under way for long had no answer, unless
    /// the relay itself `cut` it short.
    pub fn given_up(&self, watched: &mut Watched, cut: bool) {
        /// Two SYNs: one may be lost.
        const LONG: Duration = Duration::from_secs(3);
        let mut tried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for attempt in tried.iter_mut() {
            let after = attempt.started.elapsed();
            if attempt.state == AttemptState::Running && after >= LONG && !cut {
                let kind = ConnectFailureKind::NoAnswer;
                let failure = ConnectFailure { to: attempt.to, kind, after, syns: None };
                (attempt.after, attempt.state) = (after, AttemptState::Failed(failure));
            }
            failed(attempt, watched);
        }
    }
}

/// Reports every attempt, and the connection where there is one.
pub fn answered(outcome: DialOutcome, watched: &mut Watched) -> Option<TcpStream> {
    // Segments of attempts beside one that came through would pass for those of the connection.
    let report = if outcome.stream.is_none() { failed } else { told_failure };
    outcome.attempts.iter().for_each(|attempt| report(attempt, watched));
    if let Some(lacks) = lacking(&outcome) {
        watched.note(Input::Relay(RelayNote::Error(lacks)));
    }
    let server = outcome.stream?;
    let connected =
        outcome.attempts.iter().find(|attempt| attempt.state == dial::AttemptState::Connected);
    let took = connected.map(|attempt| attempt.after);
    let since = connected.map_or_else(Instant::now, |attempt| attempt.started + attempt.after);
    let session = watched.observer.session_mut();
    if let Some((to, from)) = connected.and_then(|attempt| Some((attempt.to?, attempt.from))) {
        session.set_server(to, from);
        if let Some(from) = from {
            watched.claim(Leg::Server, Ends { client: from, server: to }, true);
        }
    }
    watched.observer.note(watched.clock.at(since), Input::Opened { leg: Leg::Server, took });
    Some(server)
}

/// Reports an attempt that reached nobody.
fn failed(attempt: &dial::Attempt, watched: &mut Watched) {
    if let (Some(client), Some(server)) = (attempt.from, attempt.to) {
        watched.claim(Leg::Server, Ends { client, server }, false);
    }
    told_failure(attempt, watched);
}

fn told_failure(attempt: &dial::Attempt, watched: &mut Watched) {
    let Some(failure) = attempt.failure() else { return };
    let time = watched.clock.at(attempt.started + attempt.after);
    let failure = by_another(failure.clone(), attempt.from);
    watched.observer.note(time, Input::ConnectFailed { leg: Leg::Server, failure });
}

/// What this machine lacks to dial anybody, in words, where that alone kept the relay from it.
fn lacking(outcome: &DialOutcome) -> Option<String> {
    let mut names = outcome.failures().map(dial::lacked);
    let first = names.next()??;
    let alone = outcome.stream.is_none() && names.all(|name| name.is_some());
    alone.then(|| {
        let advice = match first {
            "EMFILE" | "ENFILE" => "it may open no more files (ulimit -n, LimitNOFILE)",
            "EADDRNOTAVAIL" => "no address or port of this machine is free for that server",
            _ => "its memory for sockets is used up",
        };
        format!("it could not dial the server, {first}: {advice}")
    })
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
