//! Which session of one capture is which of another. Addresses and ports mean nothing: networks translate
//! them. What the peers themselves made unique decides, then what they said and when.

mod groups;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::Hash;

use crate::diff::{Clock, Key, Side};
use crate::facts::Facts;
use crate::input::{Direction, Leg, Segment, SegmentKind, Timestamp};
use crate::wire::tls::ClientHello;
use groups::{Group, Groups};

/// One session in two captures: its number in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matched {
    /// Among the sessions of the client's side.
    pub client: usize,
    /// Among the sessions of the server's side.
    pub server: usize,
    /// By what.
    pub key: Key,
}

/// All sessions of two captures, put together.
#[derive(Clone, Debug, Default)]
pub struct Pairing {
    /// The sessions that both hold, in the client's order.
    pub matched: Vec<Matched>,
    /// How their clocks stand; `None` without a session in both.
    pub clock: Option<Clock>,
}

/// Puts the sessions of the client's side and of the server's side together. Each list is in order of start.
pub fn pair(client: &[&Facts], server: &[&Facts]) -> Pairing {
    let free = [vec![true; client.len()], vec![true; server.len()]];
    let mut search = Search { lists: [client, server], free, matched: Vec::new(), clock: None };
    search.unique(random);
    // Sequence numbers are drawn at random, and most translators leave them alone.
    search.unique(isn);
    search.clock = estimate(client, server, &search.matched);
    // A client that was refused comes again and asks for something else.
    search.near(Key::Request, asked, |a, b| is_one_user(a, b) && ask_the_same(a, b));
    search.near(Key::Request, asked, is_one_user);
    // Where the cookie was altered, the time and the size of what was said are left.
    search.near(Key::Time, asked, say_the_same);
    // Who ends TCP dials when it has accepted, or when it has read what is asked for.
    search.near(Key::Time, |facts| facts.subject.started, may_be_dialled_for);
    search.near(Key::Time, asked, may_be_dialled_for);
    let mut matched = search.matched;
    matched.sort_by_key(|matched| matched.client);
    Pairing { clock: estimate(client, server, &matched), matched }
}

impl Pairing {
    /// The session of the server's side that a session of the client's side is.
    pub fn of_client(&self, client: usize) -> Option<Matched> {
        let at = self.matched.binary_search_by_key(&client, |matched| matched.client).ok()?;
        self.matched.get(at).copied()
    }
}

/// So far apart two captures may stamp what they see at once, in ns.
const STAMPS: u64 = 10_000_000;

/// A pairing in the making.
struct Search<'a> {
    lists: [&'a [&'a Facts]; 2],
    free: [Vec<bool>; 2],
    matched: Vec<Matched>,
    clock: Option<Clock>,
}

impl<'a> Search<'a> {
    fn take(&mut self, client: usize, server: usize, key: Key) {
        self.free[0][client] = false;
        self.free[1][server] = false;
        self.matched.push(Matched { client, server, key });
    }

    fn free(&self, side: Side) -> impl Iterator<Item = (usize, &'a Facts)> {
        let list = self.lists[side.index()].iter().copied().enumerate();
        list.filter(move |(at, _)| self.free[side.index()][*at])
    }

    /// Other sessions tell how the clocks stand.
    fn is_compared(&self) -> bool {
        self.clock.is_some_and(|clock| clock.error < Clock::ASSUMED.error)
    }

    /// Both lead to one address that means the same everywhere.
    fn is_one_address(&self, client: usize, server: usize) -> bool {
        let address = |facts: &Facts| facts.subject.server;
        let [a, b] = [self.lists[0][client], self.lists[1][server]].map(address);
        a == b && a.is_some_and(|address| !address.ip().is_loopback())
    }

    /// Takes those that share a value which nobody else has.
    fn unique<K: Eq + Hash>(&mut self, key: impl Fn(&Facts) -> Option<K>) {
        // By value, who has it on each side; a second one makes it worthless.
        let mut owners: HashMap<K, [Vec<usize>; 2]> = HashMap::new();
        for side in Side::BOTH {
            for (at, facts) in self.free(side) {
                if let Some(value) = key(facts) {
                    owners.entry(value).or_default()[side.index()].push(at);
                }
            }
        }
        for [client, server] in owners.into_values() {
            if let (&[client], &[server]) = (&client[..], &server[..]) {
                self.take(client, server, Key::Random);
            }
        }
    }

    /// Takes those that fit and began at the same time, where no other fits as well; of several that do, a
    /// client's retries for one, those that follow one another in the same rhythm at both ends.
    fn near(
        &mut self,
        key: Key,
        began: impl Fn(&Facts) -> Timestamp,
        fits: impl Fn(&Facts, &Facts) -> bool,
    ) {
        let clock = self.clock.unwrap_or(Clock::ASSUMED);
        // Where one that is known for sure went to the same address at both ends, another address is another host.
        let addresses_are_kept = self.matched.iter().any(|matched| {
            matched.key == Key::Random && self.is_one_address(matched.client, matched.server)
        });
        let window = clock.error.saturating_mul(3).max(Clock::ASSUMED.error);
        // Nothing arrives before it was sent.
        let early = match self.is_compared() {
            true => clock.error.saturating_mul(3).max(STAMPS),
            false => window,
        };
        let fits = |a: &Facts, b: &Facts| {
            let elsewhere = key == Key::Request && a.subject.server != b.subject.server;
            fits(a, b) && !(elsewhere && addresses_are_kept)
        };
        let mut theirs: Vec<_> =
            self.free(Side::Server).map(|(at, facts)| (began(facts).0, at, facts)).collect();
        theirs.sort_by_key(|(time, at, _)| (*time, *at));
        let mut ours: Vec<_> = self
            .free(Side::Client)
            .map(|(at, facts)| (clock.on_other(Side::Client, began(facts)).0, at, facts))
            .collect();
        ours.sort_by_key(|(time, at, _)| (*time, *at));
        let mut groups = Groups::default();
        for (time, at, facts) in ours {
            let from = theirs.partition_point(|(other, ..)| *other < time.saturating_sub(early));
            let close = theirs[from..]
                .iter()
                .take_while(|(other, ..)| *other <= time.saturating_add(window));
            let partners = close.filter(|(_, _, other)| fits(facts, other));
            groups.add((time, at), partners.map(|(time, at, _)| (*time, *at)));
        }
        for (client, server) in groups.list.iter().filter_map(Group::in_order).flatten() {
            let sure = self.is_compared() || self.is_one_address(client, server);
            self.take(client, server, if sure { key } else { Key::Time });
        }
    }
}

/// Both have one cookie or token.
fn is_one_user(a: &Facts, b: &Facts) -> bool {
    let (a, b) = (a.x224.request.value(), b.x224.request.value());
    a.zip(b).is_some_and(|(a, b)| a.routing.is_some() && a.routing == b.routing)
}

fn ask_the_same(a: &Facts, b: &Facts) -> bool {
    let requests = a.x224.request.value().zip(b.x224.request.value());
    requests.is_some_and(|(a, b)| a.negotiation == b.negotiation)
}

/// Both ask for the same, and greet at the same length where both greet.
fn say_the_same(a: &Facts, b: &Facts) -> bool {
    let size = |facts: &Facts| facts.tls.client_hello.value().map(|hello| hello.size);
    ask_the_same(a, b) && size(a).zip(size(b)).is_none_or(|(a, b)| a == b)
}

/// The server's side holds no more than that somebody dialled the port.
fn may_be_dialled_for(client: &Facts, server: &Facts) -> bool {
    let port = |facts: &Facts| facts.subject.server.map(|server| server.port());
    !server.x224.request.is_seen() && port(client) == port(server)
}

/// When a session asked for something, or began, if it did not: a server may be dialled before.
fn asked(facts: &Facts) -> Timestamp {
    facts.x224.request.seen().map_or(facts.subject.started, |seen| seen.at.time)
}

fn random(facts: &Facts) -> Option<[u8; 32]> {
    facts.tls.client_hello.value().map(|hello: &ClientHello| hello.random)
}

fn isn(facts: &Facts) -> Option<u32> {
    first(facts, SegmentKind::Syn).map(|(_, segment)| segment.seq)
}

fn first(facts: &Facts, kind: SegmentKind) -> Option<(Timestamp, &Segment)> {
    let leg = facts.tcp.leg(Leg::Single);
    leg.kept(kind).next().map(|seen| (seen.at.time, &seen.value))
}

/// When the server refused the SYN, whose number the RST acknowledges. RFC 9293 3.10.7.1.
fn refusal(facts: &Facts) -> Option<Timestamp> {
    let leg = facts.tcp.leg(Leg::Single);
    let is_dialing = leg.kept(SegmentKind::SynAck).next().is_none();
    let mut resets = leg.kept(SegmentKind::Rst).filter(|_| is_dialing);
    resets.find(|rst| rst.value.dir == Direction::ToClient).map(|rst| rst.at.time)
}

/// How the clocks stand, from what left one side and arrived at the other: nothing arrives before it was
/// sent, so the smallest differences of both directions bound the offset.
fn estimate(client: &[&Facts], server: &[&Facts], matched: &[Matched]) -> Option<Clock> {
    let mut bounds = Bounds::default();
    for one in matched {
        bounds.add(client[one.client], server[one.server]);
    }
    bounds.clock()
}

/// Smallest difference (server's clock minus client's) on the way there, largest on the way back.
#[derive(Default)]
struct Bounds {
    there: Option<i64>,
    back: Option<i64>,
}

impl Bounds {
    fn add(&mut self, client: &Facts, server: &Facts) {
        for dir in Direction::BOTH {
            for (here, there) in moments(client, server, dir) {
                let difference = there.0.wrapping_sub(here.0) as i64;
                match dir {
                    Direction::ToServer => {
                        self.there = Some(self.there.map_or(difference, |d| d.min(difference)));
                    }
                    Direction::ToClient => {
                        self.back = Some(self.back.map_or(difference, |d| d.max(difference)));
                    }
                }
            }
        }
    }

    fn clock(self) -> Option<Clock> {
        match (self.there?, self.back) {
            (there, Some(back)) if back <= there => {
                let half = there.saturating_sub(back) / 2;
                Some(Clock {
                    offset: back.saturating_add(half),
                    error: half.unsigned_abs().max(1000),
                })
            }
            (there, _) => Some(Clock { offset: there, ..Clock::ASSUMED }),
        }
    }
}

/// Times at both sides of what travelled in a direction: the handshake segment where it is the same one,
/// and the first data.
fn moments(client: &Facts, server: &Facts, dir: Direction) -> Vec<(Timestamp, Timestamp)> {
    let kind = match dir {
        Direction::ToServer => SegmentKind::Syn,
        Direction::ToClient => SegmentKind::SynAck,
    };
    // The first copies bound the offset too: what arrived first left no sooner than the first one.
    let opening = first(client, kind).zip(first(server, kind));
    let same = opening.filter(|((_, a), (_, b))| a.seq == b.seq);
    let refusal = refusal(client).zip(refusal(server)).filter(|_| dir == Direction::ToClient);
    let data = client.stream(dir).first.zip(server.stream(dir).first);
    let mut moments: Vec<_> = same.map(|((a, _), (b, _))| (a, b)).into_iter().collect();
    moments.extend(refusal);
    moments.extend(data.map(|(a, b)| (a.time, b.time)));
    moments
}
