//! Which session of one capture is which of another. Addresses and ports mean nothing: networks translate
//! them. What the peers themselves made unique decides, then what they said and when.

use crate::diff::{Clock, Key, Side};
use crate::facts::Facts;
use crate::input::{Direction, Leg, Segment, SegmentKind, Timestamp};
use crate::wire::tls::ClientHello;

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

/// Clocks that nothing compares are trusted this far, in ns.
const UNKNOWN_ERROR: u64 = 2_000_000_000;

/// Puts the sessions of the client's side and of the server's side together. Each list is in order of start.
pub fn pair(client: &[&Facts], server: &[&Facts]) -> Pairing {
    let mut pairing = Pairing::default();
    pairing.unique(client, server, random);
    // Sequence numbers are drawn at random, and most translators leave them alone.
    pairing.unique(client, server, isn);
    pairing.clock = estimate(client, server, &pairing.matched);
    pairing.near(client, server, Key::Request, |a, b| {
        let (a, b) = (a.x224.request.value(), b.x224.request.value());
        a.zip(b).is_some_and(|(a, b)| a.routing.is_some() && a.routing == b.routing)
    });
    // Where the cookie was altered, the time and the size of what was said are left.
    pairing.near(client, server, Key::Time, |a, b| {
        a.x224.request.is_seen() && b.x224.request.is_seen()
    });
    pairing.near(client, server, Key::Time, |a, b| {
        let said = |facts: &Facts| facts.x224.request.is_seen();
        let port = |facts: &Facts| facts.subject.server.map(|server| server.port());
        (!said(a) || !said(b)) && port(a) == port(b)
    });
    pairing.clock = estimate(client, server, &pairing.matched);
    pairing.matched.sort_by_key(|matched| matched.client);
    pairing
}

impl Pairing {
    fn is_free(&self, client: Option<usize>, server: Option<usize>) -> bool {
        !self
            .matched
            .iter()
            .any(|matched| client == Some(matched.client) || server == Some(matched.server))
    }

    /// Takes those that share a value which nobody else has.
    fn unique<K: PartialEq>(
        &mut self,
        client: &[&Facts],
        server: &[&Facts],
        key: impl Fn(&Facts) -> Option<K>,
    ) {
        let keys = |list: &[&Facts]| list.iter().map(|facts| key(facts)).collect::<Vec<_>>();
        let (ours, theirs) = (keys(client), keys(server));
        for (at, value) in ours.iter().enumerate() {
            if value.is_none() || !self.is_free(Some(at), None) {
                continue;
            }
            let alike = |list: &[Option<K>]| list.iter().filter(|other| *other == value).count();
            let found = theirs.iter().position(|other| other == value);
            if let Some(found) = found
                && alike(&ours) == 1
                && alike(&theirs) == 1
                && self.is_free(None, Some(found))
            {
                self.matched.push(Matched { client: at, server: found, key: Key::Random });
            }
        }
    }

    /// Takes those that fit and began at the same time, where no other fits as well.
    fn near(
        &mut self,
        client: &[&Facts],
        server: &[&Facts],
        key: Key,
        fits: impl Fn(&Facts, &Facts) -> bool,
    ) {
        let clock = self.clock.unwrap_or(Clock { offset: 0, error: UNKNOWN_ERROR });
        let window = clock.error.saturating_mul(3).max(UNKNOWN_ERROR);
        let free = |list: &[&Facts], is_free: &dyn Fn(usize) -> bool| -> Vec<usize> {
            (0..list.len()).filter(|at| is_free(*at)).collect()
        };
        let ours = free(client, &|at| self.is_free(Some(at), None));
        let theirs = free(server, &|at| self.is_free(None, Some(at)));
        let close = |a: usize, b: usize| {
            let here = clock.on_other(Side::Client, began(client[a]));
            here.0.abs_diff(began(server[b]).0) <= window && fits(client[a], server[b])
        };
        for &at in &ours {
            let partners: Vec<usize> =
                theirs.iter().copied().filter(|other| close(at, *other)).collect();
            if let [only] = partners[..]
                && ours.iter().filter(|other| close(**other, only)).count() == 1
            {
                self.matched.push(Matched { client: at, server: only, key });
            }
        }
    }
}

/// When a session began to speak: its request, where there is one, for a server may be dialled before.
fn began(facts: &Facts) -> Timestamp {
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
                let half = (there - back) / 2;
                Some(Clock { offset: back + half, error: half.unsigned_abs().max(1000) })
            }
            (there, _) => Some(Clock { offset: there, error: UNKNOWN_ERROR }),
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
    let data = client.stream(dir).first.zip(server.stream(dir).first);
    let mut moments: Vec<_> = same.map(|((a, _), (b, _))| (a, b)).into_iter().collect();
    moments.extend(data.map(|(a, b)| (a.time, b.time)));
    moments
}
