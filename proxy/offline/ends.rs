//! Captures of the same traffic from several places: each session gets one verdict.
//!
//! The first capture was taken nearest to the client, the last one nearest to the server; those two are
//! compared. What was captured in between tells between which two of them it happens.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Read;
use std::net::{IpAddr, SocketAddr};

use rdpwhy_analyzer::case::{Case, Names, Pair, Summary, There};
use rdpwhy_analyzer::casebook::CaseBook;
use rdpwhy_analyzer::detect::Control;
use rdpwhy_analyzer::diff::{Clock, Diff, Held, Side, Span};
use rdpwhy_analyzer::facts::{Facts, Resolved, Vantage};
use rdpwhy_analyzer::input::{Direction, Leg, Timestamp};
use rdpwhy_analyzer::pairing::{self, Pairing};
use rdpwhy_analyzer::session::Session;
use rdpwhy_analyzer::verdict::{self, Identities, Place};
use rdpwhy_captures::file::OpenError;

use super::{Found, Reading, Scope, is_reported, read, speaks_rdp};
use crate::latency::Measured;
use crate::output::Output;

/// A capture and where it was taken.
pub struct Taken {
    /// Its name in the verdict.
    name: String,
    /// Its file.
    file: String,
    /// Its TCP connections, in order of their start.
    sessions: Vec<Session>,
    /// Its DNS answers, by name.
    names: HashMap<String, Vec<Resolved>>,
    /// The servers of its Remote Desktop sessions.
    hosts: Vec<IpAddr>,
    span: Span,
    /// The two hosts of each connection of which it holds both senders: what they send to each other passes it.
    both_ways: HashSet<[IpAddr; 2]>,
}

impl Taken {
    /// Reads a capture.
    pub fn read(
        name: &str,
        file: &str,
        bytes: impl Read,
        scope: &Scope,
        output: &mut Output,
    ) -> Result<Taken, OpenError> {
        let reading = Reading::new(scope, Session::with_transcript);
        let reading = read(file, bytes, reading, &mut |told| told.print(output))?;
        let span = Span { first: reading.first.unwrap_or_default(), last: reading.now };
        let mut sessions = reading.streams.sessions;
        // A recording of the relay holds two connections per session, and no packets.
        let all = sessions.len();
        sessions.retain(|session| session.facts().subject.vantage == Vantage::Capture);
        if sessions.len() < all {
            output.note(format!("{file}: what a relay recorded is no capture and is not compared"));
        }
        sessions.sort_by_key(|session| session.facts().subject.started);
        let hosts: BTreeSet<IpAddr> =
            sessions.iter().filter_map(speaks_rdp).map(|server| server.ip()).collect();
        let whole = sessions
            .iter()
            .map(Session::facts)
            .filter(|facts| Direction::BOTH.iter().all(|sender| segments(facts, *sender) > 0));
        let both_ways = whole.filter_map(ends).collect();
        Ok(Taken {
            name: name.to_owned(),
            file: file.to_owned(),
            sessions,
            names: reading.streams.answers.into_names(),
            hosts: hosts.into_iter().collect(),
            span,
            both_ways,
        })
    }

    fn facts(&self) -> Vec<&Facts> {
        self.sessions.iter().map(Session::facts).collect()
    }

    fn held(&self, at: usize) -> Option<Held<'_>> {
        let session = self.sessions.get(at)?;
        let transcript = session.transcript()?;
        let span = self.span;
        let both_ways = ends(session.facts()).is_some_and(|ends| self.both_ways.contains(&ends));
        Some(Held { facts: session.facts(), transcript, span, both_ways })
    }

    /// The DNS answers for a name.
    fn answers(&self, name: &str) -> &[Resolved] {
        self.names.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The sessions that a report is about.
    fn reported(&self, scope: &Scope) -> Vec<usize> {
        let servers: HashSet<SocketAddr> = self.sessions.iter().filter_map(speaks_rdp).collect();
        let wanted = |at: &usize| scope.all || is_reported(&self.sessions[*at], scope, &servers);
        (0..self.sessions.len()).filter(wanted).collect()
    }
}

/// Judges the sessions of captures that were taken from the client to the server, at least two.
pub fn analyze(
    taken: &[Taken],
    scope: &Scope,
    identities: &Identities,
    output: &mut Output,
) -> Found {
    let [client, .., server] = taken else { return Found::default() };
    let pairing = pairing::pair(&client.facts(), &server.facts());
    let hops = match taken {
        [_, _] => Vec::new(),
        more => {
            more.windows(2).map(|pair| pairing::pair(&pair[0].facts(), &pair[1].facts())).collect()
        }
    };
    let names = [client.name.as_str(), server.name.as_str()];
    let far = Other::of(server, Side::Server, &pairing, reached(client, &pairing));
    let near = Other::of(client, Side::Client, &pairing, Vec::new());
    let ours = client.reported(scope);
    let compared: Vec<Option<Compared>> =
        ours.iter().map(|at| compared(taken, &pairing, &hops, *at)).collect();
    let views: Vec<View> = ours
        .iter()
        .zip(&compared)
        .map(|(&at, compared)| match compared {
            Some(Compared { facts, diff, between }) => {
                let source = format!("{} + {}", client.file, server.file);
                View { at, there: There::Seen(facts, diff), between: *between, source }
            }
            None => {
                let there = far.lacks(client, at);
                View { at, there, between: names, source: client.file.clone() }
            }
        })
        .collect();
    let mut report = Report { identities, output, reported: 0, cases: 0 };
    report.list(client, server, Side::Client, &views);
    let known: HashSet<usize> = pairing.matched.iter().map(|matched| matched.server).collect();
    let theirs = server.reported(scope).into_iter().filter(|at| !known.contains(at));
    let views: Vec<View> = theirs
        .map(|at| {
            let there = near.lacks(server, at);
            View { at, there, between: names, source: server.file.clone() }
        })
        .collect();
    report.list(server, client, Side::Server, &views);
    let reported = report.reported;
    output.other_tcp((client.sessions.len() - ours.len()) as u64);
    Found { reported, measured: Measured::default() }
}

/// The client's and the server's address.
fn ends(facts: &Facts) -> Option<[IpAddr; 2]> {
    Some([facts.subject.client.ip(), facts.subject.server?.ip()])
}

/// How many segments of a sender the capture holds.
fn segments(facts: &Facts, sender: Direction) -> u64 {
    facts.tcp.leg(Leg::Single).counts().map_or(0, |counts| counts[sender.index()].segments)
}

/// A session that both ends hold.
struct Compared<'a> {
    facts: &'a Facts,
    diff: Diff,
    between: [&'a str; 2],
}

fn compared<'a>(
    taken: &'a [Taken],
    pairing: &Pairing,
    hops: &[Pairing],
    at: usize,
) -> Option<Compared<'a>> {
    let [client, .., server] = taken else { return None };
    let (facts, diff) = diff(client, server, pairing, at)?;
    let between = hop(taken, hops, at, facts, &diff);
    Some(Compared { facts, diff, between })
}

/// What the session of a capture has become in a later one, where it is there.
fn diff<'a>(
    near: &'a Taken,
    far: &'a Taken,
    pairing: &Pairing,
    at: usize,
) -> Option<(&'a Facts, Diff)> {
    let matched = pairing.of_client(at)?;
    let held = [near.held(at)?, far.held(matched.server)?];
    Some((held[1].facts, Diff::of(held, matched.key, pairing.clock)))
}

/// The two neighbouring captures between which a session's trouble shows as it does between the ends.
fn hop<'a>(
    taken: &'a [Taken],
    hops: &[Pairing],
    at: usize,
    facts: &Facts,
    whole: &Diff,
) -> [&'a str; 2] {
    let names = |near: &'a Taken, far: &'a Taken| [near.name.as_str(), far.name.as_str()];
    let ends = names(&taken[0], &taken[taken.len() - 1]);
    let Some(shown) = trouble(taken[0].sessions[at].facts(), facts, whole) else { return ends };
    let mut here = at;
    for (pair, pairing) in taken.windows(2).zip(hops) {
        let (near, far) = (&pair[0], &pair[1]);
        let Some((there, diff)) = diff(near, far, pairing, here) else { return ends };
        if trouble(near.sessions[here].facts(), there, &diff).as_ref() == Some(&shown) {
            return names(near, far);
        }
        let Some(next) = pairing.of_client(here) else { return ends };
        here = next.server;
    }
    ends
}

/// What two captures prove of a session.
fn trouble(here: &Facts, there: &Facts, diff: &Diff) -> Option<String> {
    let pair =
        Pair { here: Side::Client, there: There::Seen(there, diff), file: "", between: ["", ""] };
    let judgement = verdict::judge(&Case { pair: Some(pair), ..Case::new(here, &[]) });
    let named = judgement.cause.or(judgement.what)?;
    named.opinion.control.filter(|control| *control == Control::Pair)?;
    Some(named.id().to_owned())
}

/// The servers of the client's sessions that the other capture holds as well, each once.
fn reached(client: &Taken, pairing: &Pairing) -> Vec<IpAddr> {
    let servers = pairing.matched.iter().filter_map(|matched| {
        client.sessions.get(matched.client)?.facts().subject.server.map(|server| server.ip())
    });
    servers.collect::<BTreeSet<_>>().into_iter().collect()
}

/// A capture beside which the sessions are looked at that it does not hold.
struct Other<'a> {
    taken: &'a Taken,
    side: Side,
    clock: Clock,
    /// Its connections that were accepted and are no session of the other capture, in order of start.
    unclaimed: Vec<&'a Facts>,
    /// The servers that it holds calls to. A capture that holds nothing of any client of a host would not show another
    /// one's either.
    called: HashSet<IpAddr>,
    /// The servers of the other capture of whose sessions it holds some.
    reached: Vec<IpAddr>,
}

impl<'a> Other<'a> {
    fn of(taken: &'a Taken, side: Side, pairing: &Pairing, reached: Vec<IpAddr>) -> Other<'a> {
        let matched = pairing.matched.iter();
        let claimed: HashSet<usize> = match side {
            Side::Client => matched.map(|matched| matched.client).collect(),
            Side::Server => matched.map(|matched| matched.server).collect(),
        };
        let unclaimed = taken.sessions.iter().enumerate().filter_map(|(at, session)| {
            let facts = session.facts();
            (!facts.was_only_dialled() && !claimed.contains(&at)).then_some(facts)
        });
        let clock = pairing.clock.unwrap_or(Clock::ASSUMED);
        let calls = taken.sessions.iter().map(Session::facts);
        let calls = calls.filter(|facts| segments(facts, Direction::ToServer) > 0);
        let called = calls.filter_map(|facts| facts.subject.server.map(|server| server.ip()));
        Other {
            taken,
            side,
            clock,
            unclaimed: unclaimed.collect(),
            called: called.collect(),
            reached,
        }
    }

    /// What it means that it does not hold a session of the capture at the other side.
    fn lacks(&'a self, capture: &'a Taken, at: usize) -> There<'a> {
        let facts = capture.sessions[at].facts();
        let here = |time| self.clock.on_other(self.side.other(), time);
        let started = here(facts.subject.started);
        if !self.taken.span.covers(started, self.clock.error) {
            return There::NotRunning;
        }
        let host = |facts: &Facts| facts.subject.server.map(|server| server.ip());
        let same_host = host(facts).is_some_and(|host| self.called.contains(&host));
        let names = facts.resolved.as_ref().map(|led| Names {
            here: capture.answers(&led.name),
            there: self.taken.answers(&led.name),
            hosts: &self.taken.hosts,
            reached: &self.reached,
        });
        let unclaimed = self.may_hold(facts, [started, here(facts.now)]);
        There::Absent { same_host, unclaimed, names: names.unwrap_or_default() }
    }

    /// A connection that nobody claims began meanwhile and may be the session, passed on by something that ends
    /// TCP.
    fn may_hold(&self, facts: &Facts, [started, ended]: [Timestamp; 2]) -> bool {
        let window = self.clock.error.saturating_mul(3).max(Clock::ASSUMED.error);
        let port = |facts: &Facts| facts.subject.server.map(|server| server.port());
        let began = |other: &Facts| other.subject.started.0;
        let from =
            self.unclaimed.partition_point(|it| began(it) < started.0.saturating_sub(window));
        let meanwhile = self.unclaimed[from..]
            .iter()
            .take_while(|it| began(it) <= ended.0.saturating_add(window));
        meanwhile.into_iter().any(|it| it.x224.request.is_seen() || port(it) == port(facts))
    }
}

/// A session to be judged.
struct View<'a> {
    at: usize,
    there: There<'a>,
    between: [&'a str; 2],
    source: String,
}

/// The verdicts, numbered through.
struct Report<'o> {
    identities: &'o Identities,
    output: &'o mut Output,
    reported: u64,
    cases: u64,
}

impl Report<'_> {
    /// Judges sessions of one capture beside another.
    fn list(&mut self, capture: &Taken, other: &Taken, here: Side, views: &[View<'_>]) {
        let facts = |view: &View<'_>| capture.sessions[view.at].facts();
        let book = CaseBook::whole(views.iter().map(|view| Summary::of(facts(view))));
        let mut cases = 0;
        for (n, view) in (0..).zip(views) {
            let around = book.around(n);
            cases = cases.max(around.case);
            let (there, between) = (view.there, view.between);
            let pair = Some(Pair { here, there, file: &other.file, between });
            let case = Case { pair, ..Case::among(facts(view), &around) };
            self.reported += 1;
            let place = Place {
                source: view.source.clone(),
                file: Some(capture.file.clone()),
                index: self.reported,
                case: self.cases + around.case,
                r#final: true,
                supersedes: None,
            };
            self.output.connection(&verdict::connection(&case, &place, self.identities));
        }
        self.cases += cases;
    }
}
