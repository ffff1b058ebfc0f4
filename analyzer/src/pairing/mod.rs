//! Which session of one capture is which of another. Addresses and ports mean nothing: networks translate
//! them. What the peers themselves made unique decides, then what they said and when.

mod groups;

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
                let half = (there - back) / 2;
                Some(Clock { offset: back + half, error: half.unsigned_abs().max(1000) })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Session;
    use crate::testing::bytes::tpdu;
    use crate::testing::ends::OPTIONS;
    use crate::testing::{MSTSC, SSL, ToClient, ToServer, Trace};
    use crate::wire::tls::samples;

    const HOUR: u64 = 3_600_000;

    fn matched(client: &[Trace], server: &[Trace]) -> Pairing {
        let sessions = [client, server]
            .map(|traces| -> Vec<Session> { traces.iter().map(Trace::session).collect() });
        let [ours, theirs] =
            sessions.each_ref().map(|list| list.iter().map(Session::facts).collect::<Vec<_>>());
        pair(&ours, &theirs)
    }

    fn pairs(pairing: &Pairing) -> Vec<(usize, usize, Key)> {
        pairing.matched.iter().map(|one| (one.client, one.server, one.key)).collect()
    }

    /// A session without segments of its own, from another address: all that a translator leaves.
    fn hello(at: u64, hex: &str) -> Trace {
        let mut trace = Trace::capture().starting_at(at);
        trace.subject.client = "192.0.2.7:61000".parse().unwrap();
        trace.open().cr(SSL).after_ms(1).cc(SSL).after_ms(1).to_server(&samples::bytes(hex))
    }

    fn dial(at: u64, isn: u32) -> Trace {
        let trace = Trace::capture().starting_at(at);
        trace.kept_as(ToServer, SegmentKind::Syn, isn, OPTIONS).after_ms(1)
    }

    #[test]
    fn the_random_of_the_hello_decides_whatever_addresses_and_clocks_say() {
        let ours = [hello(0, samples::OPENSSL_HELLO), hello(500, samples::XFREERDP_HELLO)];
        let theirs =
            [hello(HOUR, samples::OPENSSL_HELLO), hello(HOUR + 500, samples::XFREERDP_HELLO)];
        let pairing = matched(&ours, &theirs);
        assert_eq!(pairs(&pairing), [(0, 0, Key::Random), (1, 1, Key::Random)]);
        let clock = pairing.clock.unwrap();
        assert_eq!(clock.offset, i64::try_from(HOUR).unwrap() * 1_000_000);
        // One random that stands twice decides nothing by itself.
        let twice = [theirs[0].clone(), theirs[0].clone()];
        assert_eq!(pairs(&matched(&ours[..1], &twice)), []);
    }

    #[test]
    fn where_the_greeting_was_made_anew_cookie_and_time_decide() {
        let ours = [hello(0, samples::OPENSSL_HELLO)];
        let near = hello(300, samples::XFREERDP_HELLO);
        let one = [near.clone()];
        assert_eq!(pairs(&matched(&ours, &one)), [(0, 0, Key::Request)]);
        // To another address, on clocks that nothing compares, it may be another session.
        let mut translated = near.clone();
        translated.subject.server = "192.0.2.99:3390".parse().ok();
        assert_eq!(pairs(&matched(&ours, &[translated.clone()])), [(0, 0, Key::Time)]);
        // What else passed tells how the clocks stand, and whether addresses are kept.
        let probe = |at| dial(at, 7).kept(ToClient, SegmentKind::SynAck, 0);
        let mut other_probe = probe(6);
        other_probe.subject.server = translated.subject.server;
        let beside = |theirs: [Trace; 2]| pairs(&matched(&[ours[0].clone(), probe(5)], &theirs));
        let paired = [(0, 0, Key::Request), (1, 1, Key::Random)];
        assert_eq!(beside([translated.clone(), other_probe.clone()]), paired);
        assert_eq!(beside([near.clone(), probe(6)]), paired);
        assert_eq!(beside([translated, probe(6)]), paired[1..], "another host");
        // Nothing is asked at the server before it is at the client.
        let early = |at| hello(at, samples::XFREERDP_HELLO);
        let late = [hello(1_000, samples::OPENSSL_HELLO), probe(5)];
        assert_eq!(pairs(&matched(&late, &[probe(6), early(700)])), [(1, 0, Key::Random)]);
        assert_eq!(
            pairs(&matched(&late, &[probe(6), early(1_300)])),
            [(0, 1, Key::Request), (1, 0, Key::Random)]
        );
        // Another session as near, or one of another time: nothing decides.
        let other = hello(600, samples::OPENSSL_TLS12_HELLO);
        assert_eq!(pairs(&matched(&ours, &[near, other])), []);
        assert_eq!(pairs(&matched(&ours, &[hello(9000, samples::XFREERDP_HELLO)])), []);
        // Another user at the same time, who greets otherwise, is another session.
        let asks = |id: &str, hex: &str| {
            let variable = [b"Cookie: mstshash=", id.as_bytes(), b"\r\n\x01\0\x08\0\x01\0\0\0"];
            let trace = Trace::capture().starting_at(300).open();
            trace.to_server(&tpdu(0xE0, &variable.concat())).to_server(&samples::bytes(hex))
        };
        assert_eq!(pairs(&matched(&ours, &[asks("mallory", samples::XFREERDP_HELLO)])), []);
    }

    #[test]
    fn retries_match_in_their_order_where_both_ends_have_one_rhythm() {
        let all = |times: &[u64], hex: &str| -> Vec<Trace> {
            times.iter().map(|at| hello(*at, hex)).collect()
        };
        let ours = all(&[0, 330, 900], samples::OPENSSL_HELLO);
        let anew = |times: &[u64]| all(times, samples::XFREERDP_HELLO);
        let in_order = [(0, 0, Key::Request), (1, 1, Key::Request), (2, 2, Key::Request)];
        assert_eq!(pairs(&matched(&ours, &anew(&[20, 345, 925]))), in_order);
        // What they ask for tells them apart in any rhythm.
        let asks = |at: u64, protocols: u32| {
            let mut trace = Trace::capture().starting_at(at);
            trace.subject.client = "192.0.2.7:61000".parse().unwrap();
            trace.open().cr(protocols)
        };
        let (ours_ask, theirs_ask) =
            ([asks(0, MSTSC), asks(30, SSL)], [asks(22, MSTSC), asks(31, SSL)]);
        assert_eq!(pairs(&matched(&ours_ask, &theirs_ask)), in_order[..2]);
        // Another rhythm, one session more or less: nothing decides.
        assert_eq!(pairs(&matched(&ours, &anew(&[20, 600, 925]))), []);
        assert_eq!(pairs(&matched(&ours, &anew(&[20, 345]))), []);
        assert_eq!(pairs(&matched(&ours[..2], &anew(&[20, 345, 925]))), []);
    }

    #[test]
    fn connections_that_said_nothing_match_by_number_or_by_time_alone() {
        let by_number = matched(&[dial(0, 7), dial(20, 8)], &[dial(HOUR, 8), dial(HOUR + 9, 7)]);
        assert_eq!(pairs(&by_number), [(0, 1, Key::Random), (1, 0, Key::Random)]);
        assert_eq!(pairs(&matched(&[dial(0, 7)], &[dial(40, 99)])), [(0, 0, Key::Time)]);
        assert_eq!(pairs(&matched(&[dial(0, 7), dial(20, 8)], &[dial(40, 99)])), []);
        // A slow client asks for something when what it reached has given up on it: the dials follow its SYNs.
        let slow = |at, waits| dial(at, 7).open().fin(ToClient).after_ms(waits).cr(MSTSC);
        let by_start = matched(&[slow(0, 72), slow(166, 1)], &[dial(12, 98), dial(175, 99)]);
        assert_eq!(pairs(&by_start), [(0, 0, Key::Time), (1, 1, Key::Time)]);
        // Where what is asked for leads to a server, they follow the requests.
        let reads = |at, waits| dial(at, 7).open().after_ms(waits).cr(MSTSC);
        let by_request = matched(&[reads(0, 72), reads(166, 1)], &[dial(74, 98), dial(168, 99)]);
        assert_eq!(pairs(&by_request), [(0, 0, Key::Time), (1, 1, Key::Time)]);
        let mut elsewhere = dial(40, 99);
        elsewhere.subject.server = "10.0.0.9:443".parse().ok();
        assert_eq!(pairs(&matched(&[dial(0, 7)], &[elsewhere])), []);
    }

    #[test]
    fn the_clock_is_bounded_by_what_travels_both_ways() {
        // 10 ms there, 30 ms back, and the server's clock is an hour ahead.
        let ours = Trace::capture().kept(ToServer, SegmentKind::Syn, 0).after_ms(40);
        let ours = ours.kept(ToClient, SegmentKind::SynAck, 0).open().cr(MSTSC);
        let theirs = Trace::capture().starting_at(HOUR + 10).kept(ToServer, SegmentKind::Syn, 0);
        let theirs = theirs.kept(ToClient, SegmentKind::SynAck, 0).open().after_ms(40).cr(MSTSC);
        let clock = matched(&[ours], &[theirs]).clock.unwrap();
        let ms = |ns: i64| ns / 1_000_000 - i64::try_from(HOUR).unwrap();
        assert_eq!((ms(clock.offset), clock.error), (-10, 20_000_000));
        // A refused connection tells as much.
        let refused = |at, ms| dial(at, 7).after_ms(ms).kept(ToClient, SegmentKind::Rst, 0);
        let knock = matched(&[refused(0, 40)], &[refused(HOUR + 10, 0)]).clock.unwrap();
        assert_eq!((ms(knock.offset), knock.error), (-10, 20_000_000));
        // An order is claimed only where the gap is three times the error.
        let here = Timestamp(1_000_000_000_000_000_000);
        let there = |ms: u64| Timestamp(clock.on_other(Side::Client, here).0 + ms * 1_000_000);
        assert_eq!(clock.is_before(here, there(60)), None);
        assert_eq!(clock.is_before(here, there(61)), Some(true));
        assert_eq!(clock.is_before(there(61), here), Some(false));
    }
}
