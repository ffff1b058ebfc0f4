//! Captures of two ends, put together.

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
    let theirs = [hello(HOUR, samples::OPENSSL_HELLO), hello(HOUR + 500, samples::XFREERDP_HELLO)];
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
