//! Waiting: servers that stall, windows that close, packets that are lost.

use super::{Expected, fails, silent};
use crate::facts::InputEnd;
use crate::input::{Close, Leg, SegmentCounts, SegmentKind, TcpSample};
use crate::report::Outcome;
use crate::testing::{HYBRID, MSTSC, SSL, ToClient, ToServer, Trace};
use crate::wire::tls::samples::EC_CERTIFICATE;

pub(super) const FIRED: &[&str] = &["server-stall", "zero-window-stall", "packet-loss"];

fn hello() -> Trace {
    Trace::relay().negotiated(MSTSC, HYBRID).client_hello_13()
}

#[test]
fn a_server_that_lets_a_machine_turn_wait() {
    let expected = Expected {
        what: Some("server-stall"),
        cause: Some("server-stall"),
        class: Some("server-config"),
        party: "server",
        reached: "tls_client_hello",
        how: "fin",
    };
    let sure = hello().after_ms(8_000).all_acknowledged();
    assert_eq!(fails(&sure.clone().fin(ToServer), &expected).verdict.confidence.what, 0.93);
    assert_eq!(fails(&sure.fin(ToClient), &expected).verdict.confidence.what, 0.93);
    // Without a word on what was acknowledged it is possible at most.
    let unsure = hello().after_ms(8_000).fin(ToServer);
    let report = fails(&unsure, &expected);
    assert_eq!(report.verdict.confidence.what, 0.55);
    assert!(!report.verdict.sentence.contains("delivered"), "{}", report.verdict.sentence);
    // The CredSSP turn is the server's as well.
    let credssp = Trace::relay().negotiated(MSTSC, HYBRID).tls13().app(ToServer, 500, 1);
    let credssp = credssp.after_ms(30_000).all_acknowledged().fin(ToClient).report();
    assert_eq!(credssp.verdict.cause.as_deref(), Some("server-stall"));
    // A capture that ends during the wait shows it, too.
    let open = hello().after_ms(8_000).all_acknowledged().input_ends(InputEnd::Capture).report();
    assert_eq!(open.verdict.what.as_deref(), Some("server-stall"));
}

#[test]
fn a_user_who_thinks_is_no_stall_of_the_server() {
    let nla = || Trace::relay().negotiated(MSTSC, HYBRID);
    let wait = |trace: Trace| trace.after_ms(60_000).all_acknowledged().fin(ToServer).report();
    for (turn, trace) in [
        ("between confirm and hello", nla()),
        ("after the TLS 1.3 handshake", nla().tls13()),
        ("after the TLS 1.2 handshake", nla().tls12(EC_CERTIFICATE)),
        (
            "after a resumed TLS 1.2 handshake, where the client's Finished comes last",
            nla().client_hello_12().server_hello_12().finished(ToClient).finished(ToServer),
        ),
        (
            "after the server's CredSSP turn",
            nla().tls13().app(ToServer, 99, 1).app(ToClient, 300, 1),
        ),
        ("after its own encrypted alert", nla().tls13().app(ToServer, 500, 1).app(ToServer, 19, 1)),
        ("after its own alert", nla().client_hello_12().server_hello_12().alert(ToServer, 2, 48)),
    ] {
        let report = wait(trace);
        assert_eq!(report.outcome, Outcome::Failed, "{turn}");
        silent(&report, "server-stall");
    }
}

#[test]
fn lost_packets_are_no_stall_of_the_server() {
    let late = || hello().after_ms(8_000);
    let unacked = TcpSample { unacked: Some(1), rcv_ooopack: Some(0), ..Default::default() };
    let hole = TcpSample { unacked: Some(0), rcv_ooopack: Some(2), ..Default::default() };
    for sample in [unacked, hole] {
        silent(&late().socket(Leg::Server, sample).fin(ToServer).report(), "server-stall");
    }
    silent(&late().gap(ToClient, None).fin(ToServer).report(), "server-stall");
    silent(&hello().after_ms(800).all_acknowledged().fin(ToServer).report(), "server-stall");
    let desktop = Trace::relay().negotiated(MSTSC, HYBRID).tls13().desktop();
    let idle = desktop.app(ToServer, 50, 1).after_ms(90_000).all_acknowledged().rst(ToServer);
    assert_eq!(idle.report().outcome, Outcome::Established);
    silent(&idle.report(), "server-stall");
}

#[test]
fn a_window_that_stays_closed() {
    let start = || Trace::capture().negotiated(SSL, SSL).tls13();
    let zero = |trace: Trace, ms| {
        let closed = trace.segment(ToClient, SegmentKind::ZeroWindow, 64, 64).after_ms(ms);
        closed.segment(ToClient, SegmentKind::WindowOpen, 64, 64)
    };
    let expected = Expected {
        what: Some("zero-window-stall"),
        cause: None,
        class: Some("performance"),
        party: "server",
        reached: "tls_finished",
        how: "rst",
    };
    fails(&zero(start(), 7_000).rst(ToServer), &expected);
    // It never opened again.
    let shut = start().segment(ToClient, SegmentKind::ZeroWindow, 64, 64).after_ms(7_000);
    fails(&shut.rst(ToServer), &expected);
    // Clean twin: flow control at work, again and again.
    let mut short = start();
    for _ in 0..40 {
        short = zero(short, 400);
    }
    silent(&short.rst(ToServer).report(), "zero-window-stall");
    // A relay's kernel counts.
    let limited = |us| TcpSample { rwnd_limited_us: Some(us), ..Default::default() };
    let relayed = || Trace::relay().negotiated(SSL, SSL).tls13();
    let report = relayed().socket(Leg::Client, limited(6_000_000)).rst(ToServer).report();
    assert_eq!(report.verdict.what.as_deref(), Some("zero-window-stall"));
    assert_eq!(report.verdict.party, "client");
    let brief = relayed().socket(Leg::Client, limited(60_000)).rst(ToServer).report();
    silent(&brief, "zero-window-stall");
}

fn lossy(segments: u64, retransmitted: u64) -> SegmentCounts {
    SegmentCounts { segments, data_segments: segments, retransmitted, ..Default::default() }
}

#[test]
fn loss_is_the_cause_only_of_a_transmission_that_never_got_through() {
    let good = lossy(200, 0);
    let session = || Trace::capture().negotiated(SSL, SSL).tls13().app(ToServer, 300, 1);
    let end = Close::Error("ETIMEDOUT");
    let report = fails(
        &session().counts(lossy(200, 20), good).close(ToServer, end),
        &Expected {
            what: Some("clean-close-no-reason"),
            cause: Some("packet-loss"),
            class: Some("performance"),
            party: "network",
            reached: "mcs",
            how: "error",
        },
    );
    assert_eq!(report.verdict.confidence.why, 0.8);
    // True beside another end, and no explanation of it.
    let beside = session().counts(lossy(200, 20), good).fin(ToClient).report();
    assert_eq!((beside.verdict.cause, beside.causes.len()), (None, 0));
    assert!(beside.findings.iter().any(|finding| finding.id == "packet-loss"));
    // Clean twin; too few segments for a ratio; a mirror's copies are no loss.
    let mirrored = SegmentCounts { mirrored: 200, ..good };
    for counts in [lossy(200, 2), lossy(20, 5), mirrored] {
        silent(&session().counts(counts, good).close(ToServer, end).report(), "packet-loss");
    }
    // On the leg where it was measured.
    let retransmitting =
        TcpSample { total_retrans: Some(30), segs_out: Some(300), ..Default::default() };
    let relayed = Trace::relay().negotiated(SSL, SSL).tls13();
    let relayed = relayed.socket(Leg::Client, retransmitting).close(ToServer, end).report();
    assert_eq!(relayed.verdict.cause.as_deref(), Some("packet-loss"));
    assert_eq!(relayed.verdict.party, "client_network");
    assert!(relayed.causes[0].says.contains("between the client and the relay"));
}
