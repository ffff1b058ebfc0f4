use std::net::{Ipv4Addr, SocketAddr};

use rdpwhy_analyzer::facts::{InputEnd, Subject, Vantage};
use rdpwhy_analyzer::input::{Direction, Input, Origin};
use rdpwhy_analyzer::session::Session;

use super::*;
use crate::demo::x224;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The keys with how often, in order.
fn counts(latencies: &Latencies) -> Vec<(Step, Leg, u64)> {
    latencies.iter().map(|(step, leg, histogram)| (step, leg, histogram.len())).collect()
}

fn median_ms(latencies: &Latencies, step: Step, leg: Leg) -> u64 {
    let found = latencies.iter().find(|(s, l, _)| (*s, *l) == (step, leg)).unwrap();
    (found.2.value_at_quantile(0.5) as f64 / 1e6).round() as u64
}

fn session(vantage: Vantage) -> Session {
    let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Session::new(Subject {
        client: address(50_000),
        server: Some(address(3389)),
        server_name: None,
        relay: [(vantage == Vantage::Relay).then(|| address(13_389)), None],
        vantage,
        starts_in_the_middle: false,
        started: Timestamp(0),
    })
}

/// Feeds times in ms.
fn feed(session: &mut Session, at: u64, input: Input<'_>) {
    session.feed(Timestamp(at * 1_000_000), Origin::Socket, input);
}

fn data(session: &mut Session, at: u64, dir: Direction, bytes: &[u8]) {
    feed(session, at, Input::Data { dir, bytes });
}

/// TLS record of application data, RFC 5246 6.2.3.
fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16).to_be_bytes();
    [&[kind, 3, 3], &length[..], body].concat()
}

#[test]
fn times_outside_the_range_count_as_its_ends() {
    let mut latencies = Latencies::default();
    assert!(latencies.is_empty());
    latencies.record(Step::Tcp, Leg::Single, Duration::ZERO);
    latencies.record(Step::Tcp, Leg::Single, Duration::from_secs(9999));
    let (_, _, histogram) = latencies.iter().next().unwrap();
    assert!(histogram.equivalent(histogram.min(), 1_000), "{}", histogram.min());
    assert!(histogram.equivalent(histogram.max(), 3_600_000_000_000), "{}", histogram.max());
    assert_eq!(histogram.len(), 2);
}

#[test]
fn merging_adds_by_step_and_leg() {
    let [mut one, mut other] = <[Latencies; 2]>::default();
    one.record(Step::X224, Leg::Server, ms(2));
    other.record(Step::X224, Leg::Server, ms(4));
    other.record(Step::X224, Leg::Single, ms(4));
    one.merge(&other);
    assert_eq!(counts(&one), [(Step::X224, Leg::Server, 2), (Step::X224, Leg::Single, 1)]);
}

#[test]
fn the_steps_of_a_relayed_session_stand_on_their_legs() {
    let mut relayed = session(Vantage::Relay);
    let opened = |leg, took| Input::Opened { leg, took: Some(ms(took)) };
    feed(&mut relayed, 1, opened(input::Leg::Client, 1));
    feed(&mut relayed, 5, opened(input::Leg::Server, 3));
    data(&mut relayed, 10, Direction::ToServer, &x224::request("a", 0, x224::SSL));
    data(&mut relayed, 30, Direction::ToClient, &x224::response(x224::RDP));
    // T.125 Connect-Initial in X.224 Data.
    data(&mut relayed, 35, Direction::ToServer, &[3, 0, 0, 10, 2, 0xf0, 0x80, 0x7f, 0x65, 0]);
    relayed.finish(Timestamp(40_000_000), InputEnd::Open);
    let mut measured = Measured::default();
    measured.session(relayed.facts());
    let found = &measured.latencies;
    let expected = [
        (Step::Tcp, Leg::Client, 1, 1),
        (Step::Tcp, Leg::Server, 1, 3),
        (Step::X224, Leg::Server, 1, 20),
        (Step::FirstData, Leg::Both, 1, 35),
        (Step::ClientTurn, Leg::Client, 1, 5),
        (Step::ServerTurn, Leg::Server, 1, 20),
    ];
    assert_eq!(counts(found), expected.map(|(step, leg, count, _)| (step, leg, count)));
    for (step, leg, _, took) in expected {
        assert_eq!(median_ms(found, step, leg), took, "{step:?}");
    }
    assert_eq!(measured.span(), [Timestamp(0), Timestamp(40_000_000)]);
}

#[test]
fn what_the_relay_held_until_it_reached_the_server_is_no_wait_for_it() {
    let mut relayed = session(Vantage::Relay);
    data(&mut relayed, 2, Direction::ToServer, &x224::request("a", 0, x224::SSL));
    let leg = input::Leg::Server;
    feed(&mut relayed, 1005, Input::Opened { leg, took: Some(ms(1000)) });
    data(&mut relayed, 1025, Direction::ToClient, &x224::response(x224::SSL));
    relayed.finish(Timestamp(1_040_000_000), InputEnd::Open);
    let mut measured = Measured::default();
    measured.session(relayed.facts());
    for step in [Step::X224, Step::ServerTurn] {
        assert_eq!(median_ms(&measured.latencies, step, Leg::Server), 20, "{step:?}");
    }
}

#[test]
fn tls_lasts_until_both_sides_have_finished() {
    let mut single = session(Vantage::Capture);
    data(&mut single, 1, Direction::ToServer, &x224::request("a", 0, x224::SSL));
    data(&mut single, 2, Direction::ToClient, &x224::response(x224::SSL));
    let hello = |kind: u8, tail: &[u8]| {
        let body = [&[3, 3][..], &[7; 32], tail].concat();
        record(22, &[&[kind, 0, 0, body.len() as u8], body.as_slice()].concat())
    };
    // RFC 5246 7.4.1: no session, one suite, no compression; then ChangeCipherSpec and Finished.
    data(&mut single, 10, Direction::ToServer, &hello(1, &[0, 0, 2, 0, 0x9c, 1, 0]));
    data(&mut single, 20, Direction::ToClient, &hello(2, &[0, 0, 0x9c, 0]));
    let finish = [record(20, &[1]), record(22, &[0x55; 40])].concat();
    data(&mut single, 30, Direction::ToServer, &finish);
    data(&mut single, 44, Direction::ToClient, &finish);
    data(&mut single, 50, Direction::ToServer, &record(23, &[0x55; 60]));
    let mut latencies = Latencies::default();
    latencies.record_session(single.facts());
    assert_eq!(median_ms(&latencies, Step::Tls, Leg::Single), 34);
    assert_eq!(median_ms(&latencies, Step::FirstData, Leg::Single), 50);
}

#[test]
fn nothing_is_timed_across_a_hole() {
    let mut holed = session(Vantage::Capture);
    data(&mut holed, 1, Direction::ToServer, &x224::request("a", 0, x224::SSL));
    feed(&mut holed, 2, Input::Gap { dir: Direction::ToServer, bytes: Some(9) });
    data(&mut holed, 9, Direction::ToClient, &x224::response(x224::SSL));
    let mut latencies = Latencies::default();
    latencies.record_session(holed.facts());
    assert!(latencies.is_empty(), "{:?}", counts(&latencies));
}

fn logged() -> Vec<u8> {
    let mut latencies = Latencies::default();
    latencies.record(Step::Tls, Leg::Both, ms(5));
    latencies.record(Step::X224, Leg::Server, ms(1));
    let mut bytes = Vec::new();
    let mut log = hlog::Log::begin(&mut bytes, Timestamp(7_000_000_000)).unwrap();
    log.interval([7, 17].map(|s| Timestamp(s * 1_000_000_000)), &latencies).unwrap();
    log.interval([17, 20].map(|s| Timestamp(s * 1_000_000_000)), &latencies).unwrap();
    bytes
}

#[test]
fn a_log_is_read_as_it_was_written() {
    let (read, cut) = hlog::read(&logged()).unwrap();
    assert!(!cut);
    assert_eq!(counts(&read.latencies), [(Step::X224, Leg::Server, 2), (Step::Tls, Leg::Both, 2)]);
    assert_eq!(median_ms(&read.latencies, Step::Tls, Leg::Both), 5);
    assert_eq!(read.span(), [7, 20].map(|s| Timestamp(s * 1_000_000_000)));
}

#[test]
fn of_a_writer_that_was_killed_the_whole_lines_count() {
    let bytes = logged();
    let (read, cut) = hlog::read(&bytes[..bytes.len() - 9]).unwrap();
    assert!(cut);
    assert_eq!(counts(&read.latencies), [(Step::X224, Leg::Server, 2), (Step::Tls, Leg::Both, 1)]);
}

#[test]
fn a_log_of_another_program_or_a_damaged_one_is_refused() {
    let text = String::from_utf8(logged()).unwrap();
    let read = |text: &str| hlog::read(text.as_bytes()).map(|_| ()).unwrap_err().to_string();
    assert!(read(&text.replace("Tag=tls.both", "Tag=get")).contains("`get`"));
    let short =
        |line: &str| line[..line.len() - if line.starts_with("Tag") { 8 } else { 0 }].to_owned();
    let cut: Vec<String> = text.lines().map(short).collect();
    assert!(read(&(cut.join("\n") + "\n")).contains("damaged"));
    for other in ["", "PK\u{3}\u{4} something else"] {
        assert!(read(other).contains("no HdrHistogram"), "{other:?}");
    }
    // A histogram of two digits.
    let mut foreign = Vec::new();
    let two = Histogram::<u64>::new_with_bounds(1, 1000, 2).unwrap();
    use hdrhistogram::serialization::V2DeflateSerializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
    IntervalLogWriterBuilder::new()
        .begin_log_with(&mut foreign, &mut V2DeflateSerializer::new())
        .unwrap()
        .write_histogram(&two, ms(0), ms(1), Tag::new("tcp.single"))
        .unwrap();
    assert!(read(std::str::from_utf8(&foreign).unwrap()).contains("other bounds"));
}

#[test]
fn the_document_names_its_unit_and_what_is_corrected() {
    let mut latencies = Latencies::default();
    latencies.record(Step::Response, Leg::Single, ms(2));
    latencies.record(Step::Tcp, Leg::Single, ms(1));
    let json = serde_json::to_value(Document::new(&latencies)).unwrap();
    assert_eq!(json["schema"], "rdpwhy-latency/1");
    let [tcp, response] = [&json["histograms"][0], &json["histograms"][1]];
    assert_eq!((tcp["step"].as_str(), tcp["corrected"].as_bool()), (Some("tcp"), Some(false)));
    assert_eq!(response["corrected"], true);
    let p50 = response["p50_us"].as_f64().unwrap();
    assert!((1999.0..2003.0).contains(&p50), "{p50}");
}
