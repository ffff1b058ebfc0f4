//! Waiting: servers that stall, windows that close, packets that are lost.

use super::{Expected, fails, silent};
use crate::facts::InputEnd;
use crate::input::{Close, Leg, Segment, SegmentCounts, SegmentKind, TcpSample};
use crate::report::Outcome;
use crate::testing::{HYBRID, MSTSC, SSL, ToClient, ToServer, Trace};
use crate::wire::tls::samples::EC_CERTIFICATE;

pub(super) const FIRED: &[&str] = &[
    "server-stall",
    "unanswered-turn",
    "zero-window-stall",
    "packet-loss",
    "transmission-stalled",
    "pmtu-blackhole-s2c",
    "pmtu-blackhole-c2s",
    "payload-trigger-drop",
    "idle-timeout-silent",
    "idle-timeout-rst",
];

fn hello() -> Trace {
    Trace::relay().negotiated(MSTSC, HYBRID).client_hello_13()
}

#[test]
fn a_server_that_lets_a_machine_turn_wait() {
    let expected = |reached| Expected {
        what: Some("unanswered-turn"),
        cause: Some("server-stall"),
        class: Some("server-config"),
        party: "server",
        reached,
        how: "fin",
    };
    // In CredSSP: the whole TLS flight of the server has passed before.
    let tls = Trace::relay().negotiated(MSTSC, HYBRID).tls13().app(ToClient, 255, 2).after_ms(5);
    let credssp = || tls.clone().app(ToServer, 500, 1).after_ms(30_000);
    for end in [ToServer, ToClient] {
        let report = fails(&credssp().all_acknowledged().fin(end), &expected("credssp"));
        assert_eq!(report.verdict.confidence.what, 0.93);
        assert_eq!(report.verdict.confidence.why, 0.93);
    }
    // A goodbye of the client's at the end of its patience is no word that the server left unanswered.
    let goodbye = credssp().all_acknowledged().app(ToServer, 19, 1).fin(ToServer);
    fails(&goodbye, &expected("credssp"));
    // One that was answered in time, whatever the server says behind the end.
    let answered = credssp().app(ToClient, 300, 1).after_ms(5).all_acknowledged().fin(ToServer);
    silent(&answered.after_ms(9_000).app(ToClient, 300, 1).report(), "unanswered-turn");
    // Without a word on what was acknowledged it is possible at most.
    let unsure = fails(&credssp().fin(ToServer), &expected("credssp"));
    assert_eq!((unsure.verdict.confidence.what, unsure.verdict.confidence.why), (0.55, 0.55));
    assert!(!unsure.verdict.sentence.contains("took"), "{}", unsure.verdict.sentence);
    // A capture that ends during the wait shows it, too.
    let open = credssp().all_acknowledged().input_ends(InputEnd::Capture).report();
    assert_eq!(open.verdict.cause.as_deref(), Some("server-stall"));
}

#[test]
fn a_first_flight_that_does_not_come_may_be_lost_as_a_whole() {
    let report = hello().after_ms(8_000).all_acknowledged().fin(ToServer).report();
    assert_eq!(report.verdict.what.as_deref(), Some("unanswered-turn"));
    assert_eq!((report.verdict.cause.as_deref(), report.verdict.party.as_str()), (None, "unknown"));
    for id in ["server-stall", "pmtu-blackhole-s2c"] {
        assert!(report.causes.iter().any(|cause| cause.id == id), "{id} is possible");
    }
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
        silent(&report, "unanswered-turn");
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
    // A relay knows it of its client's leg, too.
    let shut = Trace::relay().negotiated(SSL, SSL).tls13();
    let shut = shut.segment(ToServer, SegmentKind::ZeroWindow, 64, 64).after_ms(7_000);
    let report = shut.rst(ToServer).report();
    assert_eq!(report.verdict.what.as_deref(), Some("zero-window-stall"));
    assert_eq!(report.verdict.party, "client");
    // Decoy: its kernel's count is of the whole connection.
    let limited =
        TcpSample { rwnd_limited_us: Some(6_000_000), snd_wnd: Some(0), ..Default::default() };
    let counted = Trace::relay().negotiated(SSL, SSL).tls13().after_ms(6_100);
    let counted = counted.socket(Leg::Client, limited).rst(ToServer);
    silent(&counted.report(), "zero-window-stall");
    // With packets: the window that the relay itself announces to the server is not the client's.
    let own = Trace::relay().negotiated(SSL, SSL).tls13();
    let own =
        own.captured(ToServer, SegmentKind::ZeroWindow, |s| s.leg = Leg::Server).after_ms(7_000);
    silent(&own.rst(ToServer).report(), "zero-window-stall");
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

/// What a relay's kernel says of a transmission in vain: nothing acknowledged behind `acknowledged` bytes.
fn in_vain(acknowledged: u64, sent: u64, sacked: u32) -> TcpSample {
    TcpSample {
        unacked: Some(2),
        retransmits: Some(5),
        sacked: Some(sacked),
        rcv_ooopack: Some(0),
        bytes_acked: Some(acknowledged + 1),
        bytes_sent: Some(sent),
        bytes_retrans: Some(0),
        snd_mss: Some(1448),
        ..Default::default()
    }
}

#[test]
fn a_part_that_arrives_behind_a_hole_shows_a_black_hole() {
    // From the server: the tail of its flight came, nothing in order.
    let tail = TcpSample {
        unacked: Some(0),
        rcv_ooopack: Some(2),
        data_segs_in: Some(4),
        ..Default::default()
    };
    let report = hello().after_ms(9_000).socket(Leg::Server, tail).fin(ToServer).report();
    assert_eq!(report.verdict.what.as_deref(), Some("transmission-stalled"), "{report:#?}");
    assert_eq!(report.verdict.cause.as_deref(), Some("pmtu-blackhole-s2c"));
    assert_eq!(report.verdict.party, "server_network");
    assert_eq!(report.verdict.control.as_deref(), Some("baseline"));
    // Towards the server: a large message, its tail was reported as arrived.
    let vain =
        hello().after_ms(9_000).socket(Leg::Server, in_vain(42, 3_500, 1)).fin(ToServer).report();
    assert_eq!(vain.verdict.cause.as_deref(), Some("pmtu-blackhole-c2s"), "{vain:#?}");
    silent(&vain, "payload-trigger-drop");
    // Clean twin: the same wait, and large packets had come before. Decoy: it went on after all.
    let fine = Trace::relay().negotiated(MSTSC, HYBRID).tls13().app(ToClient, 255, 2);
    let fine = fine.app(ToServer, 500, 1).after_ms(9_000).all_acknowledged().fin(ToServer).report();
    silent(&fine, "pmtu-blackhole-s2c");
    let late =
        hello().after_ms(9_000).server_hello_13().socket(Leg::Server, tail).fin(ToServer).report();
    silent(&late, "pmtu-blackhole-s2c");
}

#[test]
fn what_vanishes_whole_has_candidates_and_no_cause() {
    // No larger than what had arrived: not its size.
    let small =
        hello().after_ms(9_000).socket(Leg::Server, in_vain(400, 800, 0)).fin(ToServer).report();
    assert_eq!(small.verdict.what.as_deref(), Some("transmission-stalled"));
    assert_eq!(small.verdict.cause, None);
    assert_eq!(small.causes[0].id, "payload-trigger-drop", "{small:#?}");
    let pmtu = small.causes.iter().find(|cause| cause.id == "pmtu-blackhole-c2s");
    assert!(pmtu.is_none_or(|cause| cause.confidence < 0.3 && !cause.against.is_empty()));
    // Larger: both are possible.
    let large =
        hello().after_ms(9_000).socket(Leg::Server, in_vain(42, 3_500, 0)).fin(ToServer).report();
    assert_eq!(large.verdict.cause, None);
    for id in ["payload-trigger-drop", "pmtu-blackhole-c2s"] {
        assert!(large.causes.iter().any(|cause| cause.id == id), "{id}: {large:#?}");
    }
    // Clean twin, and a wait too short to tell.
    silent(
        &hello().after_ms(9_000).all_acknowledged().fin(ToServer).report(),
        "transmission-stalled",
    );
    let soon =
        hello().after_ms(900).socket(Leg::Server, in_vain(42, 3_500, 0)).fin(ToServer).report();
    silent(&soon, "payload-trigger-drop");
}

#[test]
fn a_capture_shows_the_same_from_both_sides_of_the_loss() {
    let hello = || Trace::capture().negotiated(MSTSC, HYBRID).client_hello_13().after_ms(9_000);
    let sent = |largest, largest_acknowledged, behind_hole| SegmentCounts {
        segments: 9,
        data_segments: 6,
        retransmitted: 4,
        repeated: 4,
        bytes: 3_000,
        acknowledged: Some(42),
        largest,
        largest_acknowledged,
        behind_hole,
        ..Default::default()
    };
    let other =
        SegmentCounts { segments: 4, bytes: 19, acknowledged: Some(19), ..Default::default() };
    // Beside the receiver, and beside the sender.
    let receiver = hello().counts(other, sent(700, 19, 700)).fin(ToServer).report();
    assert_eq!(receiver.verdict.cause.as_deref(), Some("pmtu-blackhole-s2c"), "{receiver:#?}");
    let sender = hello().counts(sent(1460, 42, 0), other).fin(ToServer).report();
    assert_eq!(sender.verdict.what.as_deref(), Some("transmission-stalled"), "{sender:#?}");
    assert_eq!((sender.verdict.cause.as_deref(), sender.verdict.party.as_str()), (None, "network"));
}

fn idle(ms: u64) -> Trace {
    Trace::relay().negotiated(MSTSC, SSL).tls13().desktop().after_ms(ms).app(ToServer, 60, 1)
}

#[test]
fn a_connection_that_was_forgotten_while_it_was_idle() {
    let broken = |trace: Trace, sample| trace.after_ms(9_000).socket(Leg::Server, sample);
    let silent_drop = broken(idle(300_000), in_vain(4_000, 4_060, 0)).rst(ToServer).report();
    assert_eq!(silent_drop.outcome, Outcome::Established);
    assert_eq!(
        silent_drop.verdict.what.as_deref(),
        Some("transmission-stalled"),
        "{silent_drop:#?}"
    );
    assert!(silent_drop.causes.iter().any(|cause| cause.id == "idle-timeout-silent"));
    assert_eq!(silent_drop.verdict.cause, None, "a host that went to sleep looks the same");
    assert!(silent_drop.verdict.sentence.contains("Later: "));
    // It did not: the same client came through to it at once. One that came no further tells nothing.
    let next = || Trace::relay().starting_at(315_000);
    let again = || broken(idle(300_000), in_vain(4_000, 4_060, 0)).rst(ToServer);
    let known = again().report_with(&[next().negotiated(MSTSC, SSL).tls13().desktop()]);
    assert_eq!(known.verdict.cause.as_deref(), Some("idle-timeout-silent"), "{known:#?}");
    assert_eq!(known.verdict.control.as_deref(), Some("sibling"));
    // Later on, the host may have come back as well.
    let late = Trace::relay().starting_at(335_000).negotiated(MSTSC, SSL).tls13().desktop();
    assert_eq!(again().report_with(&[late]).verdict.cause, None);
    // Neither is it a client that paused for its user, although it leaves and comes back: it had spoken in vain.
    let prompt =
        || Trace::relay().negotiated(MSTSC, SSL).tls13().after_ms(300_000).app(ToServer, 60, 1);
    let unheard = broken(prompt(), in_vain(4_000, 4_060, 0)).fin(ToServer).after_ms(4_000);
    let came_back = Trace::relay().starting_at(309_500).negotiated(MSTSC, SSL).tls13().desktop();
    let report = unheard.report_with(&[came_back]);
    assert_eq!(report.outcome, Outcome::Failed, "{report:#?}");
    assert_eq!(report.verdict.cause.as_deref(), Some("idle-timeout-silent"));
    let refused = next().open().cr(MSTSC);
    assert_eq!(again().report_with(&[refused]).verdict.cause, None);
    let soon = broken(idle(4_000), in_vain(4_000, 4_060, 0)).rst(ToServer);
    assert_ne!(soon.report().verdict.cause.as_deref(), Some("idle-timeout-silent"));
    // A kernel that repeats seldom, on a way that was slow at first; and one that heard something meanwhile.
    let seldom = |heard: u32| TcpSample {
        retransmits: Some(1),
        rtt_us: Some(900_000),
        last_ack_recv_ms: Some(heard),
        ..in_vain(4_000, 4_060, 0)
    };
    let rare = broken(idle(300_000), seldom(9_000)).rst(ToServer).report();
    assert_eq!(rare.verdict.what.as_deref(), Some("transmission-stalled"), "{rare:#?}");
    silent(&broken(idle(300_000), seldom(1_000)).rst(ToServer).report(), "transmission-stalled");
    // A client whose patience ends says goodbye: that is no progress, and no new pause either.
    let sample = in_vain(4_000, 4_060, 0);
    let stuck = || idle(300_000).after_ms(9_000).socket(Leg::Server, sample);
    let goodbye = stuck().app(ToServer, 19, 1).fin(ToServer).report();
    assert_eq!(goodbye.verdict.what.as_deref(), Some("transmission-stalled"), "{goodbye:#?}");
    assert!(
        goodbye.causes.iter().any(|c| c.id == "idle-timeout-silent" && c.says.contains("300 s"))
    );
    // What it says and then waits for is.
    let waits = stuck().app(ToServer, 60, 1).after_ms(2_000).fin(ToServer).report();
    silent(&waits, "transmission-stalled");
    // Without a pause before it; with a pause and an answer behind it.
    let busy = broken(idle(100), in_vain(4_000, 4_060, 0)).rst(ToServer).report();
    silent(&busy, "idle-timeout-silent");
    let answered = idle(300_000).after_ms(5).app(ToClient, 90, 1).rst(ToServer).report();
    silent(&answered, "idle-timeout-silent");
}

#[test]
fn a_reset_in_answer_to_the_first_word_after_a_pause() {
    let start = || Trace::capture().negotiated(MSTSC, SSL).tls13().app(ToServer, 300, 1);
    let reset_of = |trace: Trace, ttl, ip_id| {
        let rst = |rst: &mut Segment| (rst.ttl, rst.ip_id) = (Some(ttl), Some(ip_id));
        trace.after_ms(5).captured(ToClient, SegmentKind::Rst, rst).rst(ToClient)
    };
    let reset = |trace, ttl, ip_id| reset_of(trace, ttl, ip_id).report();
    let paused = || start().after_ms(5).app(ToClient, 90, 1).after_ms(250_000).app(ToServer, 60, 1);
    let forgotten = reset(paused(), 62, 4711);
    assert_eq!(forgotten.verdict.cause.as_deref(), Some("idle-timeout-rst"), "{forgotten:#?}");
    let odd = reset(paused(), 62, 0);
    assert_eq!(odd.verdict.cause, None);
    assert!(odd.causes.iter().any(|cause| cause.id == "idle-timeout-rst"));
    let next = Trace::capture().starting_at(255_000).negotiated(MSTSC, SSL).tls13().desktop();
    let known = reset_of(paused(), 62, 0).report_with(&[next]);
    assert_eq!(known.verdict.cause.as_deref(), Some("idle-timeout-rst"), "{known:#?}");
    // A relay that does not see the RST's packets cannot tell a host that was started anew.
    let unseen = idle(300_000).after_ms(5).rst(ToClient);
    let after = Trace::relay().starting_at(301_000).negotiated(MSTSC, SSL).tls13().desktop();
    let unseen = unseen.report_with(&[after]);
    assert_ne!(unseen.verdict.cause.as_deref(), Some("idle-timeout-rst"), "{unseen:#?}");
    // The server's own RST after a pause; a forged one without a pause.
    let own = reset(paused(), 64, 101);
    assert_eq!(own.verdict.cause, None);
    silent(&reset(start(), 62, 4711), "idle-timeout-rst");
}
