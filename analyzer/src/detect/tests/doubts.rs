//! Ordinary situations that look like a fault to who asks for too little: each must not be called one.

use super::{claims, silent};
use crate::input::{Close, Direction, Leg, Segment, SegmentCounts, SegmentKind, TcpSample};
use crate::report::Outcome;
use crate::testing::{HYBRID, MSTSC, SSL, ToClient, ToServer, Trace};
use crate::wire::tls::samples::{EC_CERTIFICATE, WINDOWS_LIKE_CERTIFICATE};

/// Two hours of a session.
fn session() -> Trace {
    Trace::relay().negotiated(MSTSC, SSL).tls13().desktop().after_ms(7_200_000)
}

#[test]
fn a_packet_that_came_late_hours_ago_is_no_hole() {
    let once = TcpSample {
        unacked: Some(0),
        rcv_ooopack: Some(1),
        data_segs_in: Some(40_000),
        ..Default::default()
    };
    let idle = session().after_ms(45_000).socket(Leg::Server, once).rst(ToServer).report();
    assert_eq!((idle.outcome, idle.verdict.what.as_deref()), (Outcome::Established, None));
    silent(&idle, "transmission-stalled");
    silent(&idle, "pmtu-blackhole-s2c");
    // Given up by the reader, and filled by the network: everything was acknowledged.
    let filled = SegmentCounts {
        segments: 900,
        bytes: 500_000,
        acknowledged: Some(500_000),
        behind_hole: 262_144,
        largest: 1460,
        ..Default::default()
    };
    let client = SegmentCounts { segments: 800, ..Default::default() };
    let captured = Trace::capture().negotiated(MSTSC, SSL).tls13().desktop().after_ms(40_000);
    silent(&captured.counts(client, filled).fin(ToServer).report(), "transmission-stalled");
}

#[test]
fn a_kernel_that_gave_up_has_nothing_outstanding_and_proves_nothing() {
    let asked = || {
        let tls =
            Trace::relay().negotiated(MSTSC, HYBRID).tls13().app(ToClient, 1400, 2).after_ms(5);
        tls.app(ToServer, 500, 1).after_ms(30_000)
    };
    let lost = |acked| TcpSample {
        unacked: Some(0),
        rcv_ooopack: Some(0),
        rcv_mss: Some(1448),
        bytes_sent: Some(9_000),
        bytes_retrans: Some(4_000),
        bytes_acked: Some(acked),
        ..Default::default()
    };
    let vain = asked().socket(Leg::Server, lost(1_001)).rst(ToClient).report();
    silent(&vain, "unanswered-turn");
    silent(&vain, "server-stall");
    let arrived = asked().socket(Leg::Server, lost(5_001)).rst(ToClient).report();
    assert!(claims(&arrived, "server-stall"), "{arrived:#?}");
    assert!(claims(
        &asked().socket(Leg::Server, lost(5_001)).rst(ToClient).report(),
        "server-stall"
    ));
    // A client that stops in the middle of a record has asked nothing.
    let half = asked().to_server(&[23, 3, 3, 8, 0, 1, 2, 3]).after_ms(30_000).all_acknowledged();
    silent(&half.fin(ToClient).report(), "unanswered-turn");
}

#[test]
fn headers_alone_tell_no_silence() {
    let trace = Trace::capture().open().skipped(ToServer, 43).skipped(ToClient, 19);
    for trace in [trace.clone().rst(ToServer), trace.after_ms(3_600_000).fin(ToServer)] {
        let report = trace.report();
        assert_eq!((report.outcome, report.complete), (Outcome::Unknown, false));
        assert!(!report.verdict.sentence.contains("before anything was said"), "{report:#?}");
        assert!(!report.verdict.sentence.contains("gave no reason on the wire"), "{report:#?}");
    }
}

#[test]
fn who_closes_behind_words_that_were_cut_off_may_only_answer() {
    let mut request = [0; 43];
    request[..7].copy_from_slice(&[3, 0, 0, 43, 38, 0xE0, 0]);
    let asks = |kept: usize| {
        let trace = Trace::capture().open().to_server(&request[..kept]);
        trace.skipped(ToServer, 43 - kept as u64)
    };
    for kept in [0, 30] {
        let report = asks(kept).after_ms(9_000).fin(ToServer).report();
        assert_eq!(report.verdict.party, "unknown", "{report:#?}");
    }
    // Clean twin: all of it is there. Decoy: so is what came behind it.
    let said = Trace::capture().open().cr(SSL).cc(SSL).after_ms(5).fin(ToServer).report();
    assert_eq!(said.verdict.party, "client");
    let hello = asks(30).cc(SSL).client_hello_13().after_ms(5).fin(ToClient).report();
    assert_eq!(hello.verdict.party, "server");
}

#[test]
fn an_alert_behind_words_that_were_cut_off_tells_of_no_handshake() {
    let asked = Trace::capture().open().skipped(ToServer, 43).after_ms(9);
    let cut = asked.alert(ToClient, 2, 10).fin(ToClient).report();
    assert!(!cut.verdict.sentence.contains("handshake"), "{}", cut.verdict.sentence);
    let whole = Trace::capture().open().cr(SSL).cc(SSL).client_hello_13();
    let whole = whole.alert(ToClient, 2, 10).fin(ToClient).report();
    assert!(whole.verdict.sentence.contains("handshake"), "{}", whole.verdict.sentence);
}

#[test]
fn a_first_packet_that_was_lost_hides_no_later_step() {
    let headers = Trace::capture().open().skipped(ToServer, 43).skipped(ToClient, 19);
    assert!(headers.session().facts().is_unread());
    let lost = Trace::capture().open().cr(SSL).gap(ToClient, Some(19)).client_hello_13();
    assert!(!lost.server_hello_13().session().facts().is_unread());
}

#[test]
fn a_prompt_on_a_slow_path_is_the_users_turn() {
    let slow = TcpSample { min_rtt_us: Some(700_000), ..Default::default() };
    let prompt = Trace::relay().negotiated(SSL, SSL).tls13().after_ms(10_000);
    let left = prompt.app(ToServer, 19, 1).socket(Leg::Server, slow).fin(ToServer).report();
    silent(&left, "slow-path-timeout");
    // A goodbye at the end of a wait for an answer that could not have come is one of patience; at the end of a
    // longer wait it is not, and neither is one that follows the answer.
    let asks = || Trace::relay().negotiated(SSL, SSL).after_ms(5_000).client_hello_13();
    let waits = |ms| asks().after_ms(ms);
    let gives_up = |trace: Trace| {
        trace.alert(ToServer, 1, 90).socket(Leg::Server, slow).fin(ToServer).report()
    };
    assert!(claims(&gives_up(waits(900)), "slow-path-timeout"));
    silent(&gives_up(waits(9_000)), "slow-path-timeout");
    silent(&gives_up(waits(900).server_hello_13()), "slow-path-timeout");
    // Who was told to end while it waited leaves when the answer comes: so may who refuses what came.
    let told = Trace::relay().negotiated(SSL, SSL).after_ms(9_000).tls13().app(ToServer, 19, 1);
    let told = told.socket(Leg::Server, slow).fin(ToServer).report();
    assert_eq!(told.verdict.confidence.why, 0.55, "{told:#?}");
    assert!(told.causes[0].says.contains("left the moment an answer came"), "{told:#?}");
    assert_eq!(
        (told.verdict.party.as_str(), told.verdict.confidence.who),
        ("server_network", 0.55)
    );
}

#[test]
fn a_host_that_is_gone_is_no_loss_of_packets() {
    let client = SegmentCounts {
        data_segments: 90,
        bytes: 9_000,
        acknowledged: Some(8_900),
        retransmitted: 5,
        repeated: 5,
        ..Default::default()
    };
    let server = |repeated, acknowledged| SegmentCounts {
        data_segments: 90_000,
        bytes: 90_000,
        acknowledged: Some(acknowledged),
        retransmitted: 5,
        repeated,
        ..Default::default()
    };
    let ended = |server| {
        let trace = Trace::capture().negotiated(SSL, SSL).tls13().app(ToServer, 60, 1);
        trace.after_ms(20_000).counts(client, server).rst(ToServer).report()
    };
    // Hours ago some of the server's came twice; or it is as stuck as the client.
    assert_ne!(ended(server(0, 90_000)).verdict.cause.as_deref(), Some("packet-loss"));
    assert_eq!(ended(server(5, 80_000)).verdict.cause.as_deref(), Some("packet-loss"));
}

#[test]
fn credentials_that_were_refused_are_no_rehearsal_because_the_next_are_right() {
    let start = || Trace::relay().negotiated(MSTSC, HYBRID).tls13();
    let asked = start().app(ToServer, 100, 1).app(ToClient, 300, 1).app(ToServer, 600, 1);
    let refused = asked.after_ms(5).app(ToClient, 60, 1).after_ms(5).fin(ToServer);
    let next = Trace::relay().starting_at(12_000).negotiated(MSTSC, HYBRID).tls13().desktop();
    let report = refused.report_with(std::slice::from_ref(&next));
    assert_eq!(report.outcome, Outcome::Failed, "{report:#?}");
    assert_eq!(report.verdict.cause.as_deref(), Some("nla-bad-credentials"));
    let prompt = start().after_ms(900).fin(ToServer).report_with(&[next]);
    assert_eq!(prompt.outcome, Outcome::Rehearsal);
}

#[test]
fn a_monitor_does_not_insist() {
    let check = |at| Trace::relay().starting_at(at).negotiated(MSTSC, SSL).fin(ToServer);
    let [one, many] = [1, 5].map(|count: u64| {
        let others: Vec<Trace> = (1..=count).map(|number| check(number * 20_000)).collect();
        check(0).report_with(&others).verdict
    });
    assert_eq!((one.cause.as_deref(), one.confidence.why), (Some("nla-not-offered"), 0.8));
    assert!(many.confidence.why < 0.7, "{many:#?}");
    // Long ago is another story.
    let old = check(0).report_with(&[check(600_000)]);
    assert_eq!(old.verdict.cause, None);
}

#[test]
fn who_accepts_an_answer_elsewhere_does_not_refuse_it_here() {
    let answered = || Trace::relay().negotiated(SSL, 0);
    let elsewhere = Trace::relay().starting_at(20_000).negotiated(SSL, 0);
    let elsewhere = elsewhere.mcs(ToServer, &[0x7F, 0x65, 0x82, 0x01]).fin(ToServer);
    let prompt = answered().after_ms(6_000).fin(ToServer).report_with(&[elsewhere]);
    assert_eq!(prompt.verdict.cause, None, "{prompt:#?}");
    assert!(claims(&prompt, "neg-rsp-unrequested"), "it is a finding");
    let lost = answered().close(ToServer, Close::Error("ETIMEDOUT")).report();
    assert_eq!(lost.verdict.cause, None);
}

#[test]
fn a_server_that_had_not_agreed_to_tls_or_had_not_heard_of_it_broke_nothing() {
    let ultimatum = &[0x21, 0x80];
    let scanner = Trace::relay().negotiated(SSL, 0).client_hello_13().mcs(ToClient, ultimatum);
    silent(&scanner.rst(ToClient).report(), "tls-plaintext-after-hello");
    let restarted = Trace::relay().negotiated(SSL, SSL).after_ms(20_000).mcs(ToClient, ultimatum);
    let late = restarted.after_ms(9_000).client_hello_13().rst(ToClient).report();
    silent(&late, "tls-plaintext-after-hello");
    // The two may cross.
    let crossing = Trace::relay().negotiated(SSL, SSL).mcs(ToClient, ultimatum).client_hello_13();
    assert!(claims(&crossing.rst(ToClient).report(), "tls-plaintext-after-hello"));
}

#[test]
fn whose_alert_it_is_decides_whose_refusal() {
    let mixed = |steady| {
        let trace = Trace::capture().negotiated(MSTSC, SSL).client_hello_12().server_hello_12();
        let trace = trace.certificate(ToClient, &[WINDOWS_LIKE_CERTIFICATE]).alert(ToServer, 2, 42);
        let fin = |fin: &mut Segment| fin.baseline.ttl_is_steady = steady;
        trace.captured(ToServer, SegmentKind::Fin, fin).fin(ToServer).report().verdict
    };
    assert_eq!(mixed(true).party, "client");
    let unsure = mixed(false);
    assert_eq!(
        (unsure.cause.as_deref(), unsure.party.as_str()),
        (Some("client-rejects-cert"), "unknown")
    );
}

#[test]
fn where_an_alert_stood_is_said_only_of_what_was_seen() {
    let start = || Trace::relay().negotiated(SSL, SSL);
    let said = |trace: Trace| trace.alert(ToServer, 2, 47).fin(ToServer).report().verdict.sentence;
    assert!(said(start().client_hello_13()).contains("after its own hello"));
    assert!(
        said(start().client_hello_13().hello_retry_request()).contains("after the server's hello")
    );
    let cut = start().to_server(&[22, 3, 1, 0, 200, 1]).skipped(ToServer, 199);
    let cut = cut.alert(ToClient, 2, 40).fin(ToClient).report().verdict.sentence;
    assert!(!cut.contains("before any hello"), "{cut}");
}

#[test]
fn an_issuers_chain_is_as_long_as_it_was_sent() {
    let hello = || Trace::relay().negotiated(MSTSC, SSL).client_hello_12().server_hello_12();
    let chain = |chain: &[&str]| {
        let report = hello().certificate(ToClient, chain).alert(ToServer, 2, 48).fin(ToServer);
        report.report().tls.unwrap().certificate.unwrap().chain_length
    };
    assert_eq!(chain(&[EC_CERTIFICATE]), 1);
    assert_eq!(chain(&[EC_CERTIFICATE, WINDOWS_LIKE_CERTIFICATE]), 2);
}

#[test]
fn a_reset_that_overtook_its_own_data_was_not_forged() {
    let relayed = |later: u64, seq| {
        let trace = Trace::relay().negotiated(MSTSC, SSL);
        let trace = trace.relay_note(crate::input::RelayNote::RstImmune).tls13();
        let trace = trace.captured(ToClient, SegmentKind::Rst, |_| {}).after_ms(later);
        let data = |data: &mut Segment| (data.len, data.seq) = (300, seq);
        let trace = trace.captured(ToClient, SegmentKind::AfterRst, data);
        claims(&trace.fin(ToServer).report(), "rst-injected-toclient")
    };
    // It stands before the place of the RST, and came right behind it.
    assert!(!relayed(1, 700));
    assert!(relayed(8, 700) && relayed(1, 1000));
}

#[test]
fn a_lone_syn_may_be_a_scanners() {
    let answers = |syns: u64| {
        let mut trace = Trace::capture();
        for _ in 0..syns {
            trace = trace.captured(ToServer, SegmentKind::Syn, |_| {}).after_ms(100);
        }
        for _ in 0..4 {
            trace = trace.captured(ToClient, SegmentKind::SynAck, |_| {}).after_ms(1000);
        }
        let seen = SegmentCounts { segments: 3, ..Default::default() };
        trace.counts(seen, seen).input_ends(crate::facts::InputEnd::Capture).report().verdict
    };
    let [lone, again] = [1, 2].map(answers);
    assert_eq!((lone.confidence.what, lone.confidence.who), (0.55, 0.55));
    assert_eq!((again.confidence.what, again.confidence.who), (0.93, 0.8));
}

#[test]
fn no_way_to_a_host_is_no_refusal_of_the_network() {
    let icmp = |code| {
        let offender = "10.0.0.1".parse().ok();
        let kind = crate::input::ConnectFailureKind::Icmp { kind: 3, code, offender };
        Trace::relay().open_client().after_ms(3_000).connect_failed(kind, 3_000).report().verdict
    };
    let [off, filtered] = [1, 13].map(icmp);
    assert!(off.sentence.contains("no way to the host") && off.confidence.who < 0.7, "{off:#?}");
    assert!(filtered.sentence.contains("refused") && filtered.confidence.who > 0.7);
}

#[test]
fn a_newer_hello_that_passes_elsewhere_is_tolerated() {
    let hello = |ms| Trace::relay().starting_at(ms).negotiated(SSL, SSL);
    let older = hello(2_000).client_hello_12().after_ms(5).server_hello_12();
    let newer = hello(5_000).client_hello_13().after_ms(5).server_hello_13();
    let failed = || hello(0).client_hello_13().after_ms(5).rst(ToClient);
    assert!(claims(&failed().report_with(std::slice::from_ref(&older)), "tls-version-intolerance"));
    silent(&failed().report_with(&[older, newer]), "tls-version-intolerance");
}

#[test]
fn a_way_that_changed_during_a_long_pause_forges_nothing() {
    let ended = |pause: u64, kind, dir: Direction| {
        let trace = Trace::capture().negotiated(MSTSC, SSL).tls13().app(ToClient, 90, 1);
        let other = |seen: &mut Segment| (seen.ttl, seen.ip_id) = (Some(63), Some(4711));
        let trace = trace.after_ms(pause).captured(dir, kind, other);
        match kind {
            SegmentKind::Rst => trace.rst(dir),
            _ => trace.fin(dir),
        }
        .report()
    };
    assert_eq!(ended(900_000, SegmentKind::Rst, ToClient).verdict.control, None);
    assert_eq!(ended(5, SegmentKind::Rst, ToClient).verdict.control.as_deref(), Some("baseline"));
    // A FIN accuses nobody unless its sender went on.
    assert_eq!(ended(5, SegmentKind::Fin, ToClient).verdict.control, None);
}
