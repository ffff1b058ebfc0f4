//! What is not in the input was not for that reason not said or not there: captures that were cut to a snapshot length,
//! that lost packets, or that end at a bad moment.

use super::{claims, silent};
use crate::event::{CUT_HANDSHAKE, LEFT_OUT};
use crate::facts::InputEnd;
use crate::input::{ConnectFailureKind, Input, Leg, RelayNote, SegmentCounts, SegmentKind};
use crate::report::{Connection, Outcome};
use crate::testing::bytes::tpdu;
use crate::testing::{MSTSC, SSL, Step, ToClient, ToServer, Trace};
use crate::wire::tls::samples::EC_CERTIFICATE;

/// The same with what each side sends at once in one packet, of which the capture kept this much.
fn cut(trace: &Trace, keep: usize) -> Trace {
    let mut packets: Vec<(_, Step)> = Vec::new();
    for (time, step) in &trace.steps {
        match (packets.last_mut(), step) {
            (Some((at, Step::Data(dir, all))), Step::Data(next, more))
                if at == time && dir == next =>
            {
                all.extend_from_slice(more);
            }
            _ => packets.push((*time, step.clone())),
        }
    }
    let mut short = trace.clone();
    short.steps.clear();
    for (time, step) in packets {
        let Step::Data(dir, mut bytes) = step else {
            short.steps.push((time, step));
            continue;
        };
        let hidden = bytes.len().saturating_sub(keep);
        bytes.truncate(keep);
        short.steps.push((time, Step::Data(dir, bytes)));
        if hidden > 0 {
            let skipped = Input::Skipped { dir, bytes: hidden as u64 };
            short.steps.push((time, Step::Other(Box::new(skipped))));
        }
    }
    short
}

/// It may be a session or nothing that is known; it did not fail, and nothing is said to be missing on the wire.
#[track_caller]
fn accuses_nobody(report: &Connection) {
    assert!(matches!(report.outcome, Outcome::Unknown | Outcome::Established), "{report:#?}");
    assert!(!report.complete, "{report:#?}");
    silent(report, "nla-not-offered");
    for claim in ["before anything", "before any", "without sending", "gave no reason"] {
        let told = serde_json::to_string(report).unwrap();
        assert!(!told.contains(claim), "{claim}: {told}");
    }
}

#[test]
fn a_session_of_which_a_snapshot_length_hides_parts_did_not_fail() {
    let up = Trace::capture().open().negotiated(MSTSC, SSL).tls12(EC_CERTIFICATE).desktop();
    let up = up.after_ms(4_000).fin(ToServer);
    assert_eq!(up.report().outcome, Outcome::Established);
    for keep in (4..600).step_by(7) {
        let report = cut(&up, keep).report();
        accuses_nobody(&report);
    }
    // Clean twin: the same client leaves behind the confirm, and the input would show more.
    let left = Trace::capture().open().negotiated(MSTSC, SSL).after_ms(50).fin(ToServer).report();
    assert_eq!((left.outcome, left.complete), (Outcome::Failed, true));
    assert!(claims(&left, "nla-not-offered"));
}

#[test]
fn a_record_that_was_cut_hides_what_it_may_hold() {
    let asked = || Trace::capture().open().negotiated(SSL, SSL).client_hello_12();
    let hidden = asked().server_hello_12().certificate(ToClient, &[EC_CERTIFICATE]);
    let report = cut(&hidden.fin(ToServer), 120).report();
    let tls = report.tls.as_ref().unwrap();
    assert_eq!(tls.certificate_hidden.as_deref(), Some("lost"), "{report:#?}");
    accuses_nobody(&report);
    let limits = |trace: &Trace| trace.session().facts().limits.clone();
    let record = [&[22, 3, 3, 4, 0][..], &[2; 60]].concat();
    assert_eq!(limits(&asked().to_client(&record).skipped(ToClient, 964)), [CUT_HANDSHAKE]);
    assert_eq!(
        limits(&asked().to_client(&record).skipped(ToClient, 1200)),
        [CUT_HANDSHAKE, LEFT_OUT]
    );
    // A relay's recording leaves out on purpose.
    let up = |trace: Trace| trace.open().negotiated(SSL, SSL).tls13().app(ToClient, 900, 1);
    assert_eq!(limits(&up(Trace::capture()).skipped(ToClient, 5_000)), [LEFT_OUT]);
    assert!(limits(&up(Trace::relay()).skipped(ToClient, 5_000)).is_empty());
    // A session that was cut within its handshake ends behind it for a reason that is not hidden there.
    let behind = cut(&asked().server_hello_12().certificate(ToClient, &[EC_CERTIFICATE]), 300);
    let behind = behind.server_hello_done().finished(ToServer).finished(ToClient);
    let ended = behind.app(ToServer, 90, 1).after_ms(5).rst(ToClient).report();
    assert_eq!((ended.outcome, ended.complete), (Outcome::Failed, false), "{ended:#?}");
}

#[test]
fn an_answer_of_which_the_beginning_was_kept_is_known_by_it() {
    let asked =
        Trace::capture().open().cr(MSTSC).to_client(b"HTTP/1.1 400 Bad Request\r\nServer: x");
    let report = asked.skipped(ToClient, 300).fin(ToServer).report();
    assert_eq!((report.verdict.cause.as_deref(), report.complete), (Some("http-answer"), false));
}

#[test]
fn clear_rdp_behind_a_hole_does_not_tell_of_a_tls_that_did_not_start() {
    let asked = || Trace::capture().open().negotiated(SSL, SSL).client_hello_12();
    let clear = [3, 0, 0, 9, 2, 0xF0, 0x80, 0x21, 0x80];
    let lost = asked().gap(ToClient, Some(7)).to_client(&clear).fin(ToClient).report();
    silent(&lost, "tls-plaintext-after-hello");
    assert!(claims(&asked().to_client(&clear).fin(ToClient).report(), "tls-plaintext-after-hello"));
}

#[test]
fn one_syn_without_an_answer_says_little_where_its_client_reaches_the_server() {
    let dialled = || {
        let syn = Trace::capture().segment(ToServer, SegmentKind::Syn, 64, 64).after_ms(9_500);
        let failed = syn.connect_failed(ConnectFailureKind::NoAnswer, 9_500);
        failed.input_ends(InputEnd::Capture)
    };
    assert!(claims(&dialled().report(), "tcp-syn-drop"));
    let reached = Trace::capture().starting_at(1_000).open().negotiated(SSL, SSL).tls13();
    silent(&dialled().report_with(&[reached]), "tcp-syn-drop");
    // Decoy: another attempt of it that reached nobody either.
    assert!(claims(&dialled().report_with(&[dialled().starting_at(1_000)]), "tcp-syn-drop"));
}

#[test]
fn a_syn_that_was_to_go_no_farther_than_a_router_asks_for_the_path() {
    let exceeded = |ttl: u8| {
        let kind =
            ConnectFailureKind::Icmp { kind: 11, code: 0, offender: "10.0.0.1".parse().ok() };
        let syn = Trace::capture().segment(ToServer, SegmentKind::Syn, ttl, ttl);
        syn.connect_failed(kind, 3).input_ends(InputEnd::Capture).report()
    };
    let traced = exceeded(2);
    assert_eq!(traced.outcome, Outcome::NotRdp, "{traced:#?}");
    assert!(traced.verdict.sentence.contains("traceroute"), "{}", traced.verdict.sentence);
    let far = exceeded(64);
    assert_eq!((far.outcome, far.verdict.party.as_str()), (Outcome::Failed, "network"));
    assert!(far.verdict.sentence.contains("loop") && !far.verdict.sentence.contains("is off"));
}

#[test]
fn another_user_of_iso_transport_does_not_ask_for_remote_desktop() {
    let request = |variable: &[u8]| {
        let trace = Trace::capture().open().to_server(&tpdu(0xE0, variable)).after_ms(9_000);
        trace.all_acknowledged().fin(ToServer).report()
    };
    let other = request(&[0xC0, 1, 10, 0xC1, 2, 1, 0, 0xC2, 2, 1, 2]);
    assert_eq!(other.outcome, Outcome::NotRdp, "{other:#?}");
    assert_eq!(request(b"").outcome, Outcome::Failed);
}

#[test]
fn what_was_ignored_ended_nothing() {
    let up = || Trace::capture().open().negotiated(SSL, SSL).tls13();
    let reset = |trace: Trace| trace.captured(ToClient, SegmentKind::Rst, |_| ()).rst(ToClient);
    let goes_on = |trace: Trace| {
        let trace = trace.captured(ToClient, SegmentKind::AfterRst, |after| after.len = 900);
        trace.step(Input::ResetIgnored { leg: Leg::Single, dir: ToClient }).desktop()
    };
    let report = goes_on(reset(up())).after_ms(900).fin(ToServer).report();
    assert_eq!(report.outcome, Outcome::Established, "{report:#?}");
    assert_eq!(report.ended.from.as_deref(), Some("client"));
    silent(&report, "rst-");
    // A RST behind it is one by itself.
    let again = reset(goes_on(reset(up())).after_ms(900)).session();
    let leg = again.facts().tcp.leg(Leg::Single);
    assert_eq!((leg.closes.len(), leg.kept(SegmentKind::Rst).count()), (1, 1));
    assert_eq!(leg.kept(SegmentKind::IgnoredRst).count(), 1);
}

#[test]
fn the_order_of_packets_decides_where_a_clock_is_coarse() {
    // The server answers the client's FIN with an alert, in the same tick.
    let asked = || Trace::capture().open().negotiated(MSTSC, SSL);
    let answered = asked().fin(ToServer).alert(ToClient, 2, 50).fin(ToClient).report();
    silent(&answered, "tls-alert-50");
    assert_eq!(answered.verdict.party, "client", "{answered:#?}");
    let gave_up = asked().alert(ToClient, 2, 50).fin(ToServer).report();
    assert!(claims(&gave_up, "tls-alert-50"));
}

#[test]
fn a_clock_that_was_never_set_judges_no_certificate() {
    let left = |mut trace: Trace, started: u64| {
        let shift = trace.subject.started.0 - started;
        trace.subject.started.0 -= shift;
        trace.steps.iter_mut().for_each(|(time, _)| time.0 -= shift);
        trace.report()
    };
    let presented = || {
        let trace = Trace::capture().open().negotiated(SSL, SSL).client_hello_12();
        let trace = trace.server_hello_12().certificate(ToClient, &[EC_CERTIFICATE]);
        trace.server_hello_done().after_ms(50).fin(ToServer)
    };
    silent(&left(presented(), 0), "cert-expired");
    // Twin: a clock of 2020 may be right.
    assert!(claims(&left(presented(), 1_577_836_800_000_000_000), "cert-expired"));
}

#[test]
fn last_words_in_clear_are_told() {
    let asked = || Trace::capture().open().cr(MSTSC);
    let refused =
        asked().to_client(&[3, 0, 0, 11, 6, 0x80, 0, 0, 0x12, 0x34, 0x88]).fin(ToClient).report();
    assert_eq!(refused.rdp.disconnected, Some(0x88), "{refused:#?}");
    let told = serde_json::to_string(&refused).unwrap();
    assert!(told.contains("0x88") && !told.contains("gave no reason"), "{told}");
    let hello = || asked().cc(SSL).client_hello_12().server_hello_12();
    let cancelled = hello().alert(ToServer, 1, 90).alert(ToServer, 1, 0).fin(ToServer).report();
    assert_eq!(cancelled.verdict.cause.as_deref(), Some("user-cancel"), "{cancelled:#?}");
    assert!(cancelled.verdict.sentence.contains("user_canceled"));
    // Twins: a goodbye alone, and one whose sender is not the one that left.
    assert!(!claims(&hello().alert(ToServer, 1, 0).fin(ToServer).report(), "user-cancel"));
    assert!(!claims(&hello().alert(ToClient, 1, 90).fin(ToClient).report(), "user-cancel"));
}

#[test]
fn a_close_that_was_not_captured_may_have_been_the_first() {
    let counts = |bytes, acknowledged| SegmentCounts {
        segments: 9,
        bytes,
        acknowledged: Some(acknowledged),
        ..Default::default()
    };
    // The client's FIN was acknowledged, 43 + 1, and is not there.
    let party = |acknowledged| {
        let trace = Trace::capture().open().negotiated(MSTSC, SSL);
        let trace = trace.counts(counts(43, acknowledged), counts(19, 19));
        let [alone, alerted] = [trace.clone(), trace.alert(ToClient, 2, 50)];
        [alone, alerted].map(|trace| trace.fin(ToClient).report().verdict.party)
    };
    assert_eq!(party(44), ["unknown", "unknown"]);
    assert_eq!(party(43), ["server", "server"]);
}

#[test]
fn a_relay_that_is_left_while_it_dials_says_what_it_tried() {
    let dialing = || Trace::relay().open_client().relay_note(RelayNote::Dialing).after_ms(5_000);
    let left = dialing().fin(ToServer).connect_failed(ConnectFailureKind::NoAnswer, 5_000).report();
    assert_eq!(
        (left.outcome, left.verdict.what.as_deref()),
        (Outcome::Failed, Some("tcp-syn-drop"))
    );
    assert!(left.verdict.confidence.what < 0.7, "{left:#?}");
    assert!(
        left.evidence.iter().any(|item| item.fact.contains("the client left without an answer"))
    );
    // Twin: nobody knows of an attempt.
    silent(&dialing().fin(ToServer).report(), "tcp-syn-drop");
}

#[test]
fn a_proxy_that_announces_nobody_asks_for_nothing() {
    let left = |note: RelayNote| {
        let trace = Trace::relay().open_client().relay_note(note).after_ms(3_000);
        trace.fin(ToServer).report()
    };
    let looked = left(RelayNote::Unannounced);
    assert_eq!((looked.outcome, looked.verdict.party.as_str()), (Outcome::NotRdp, "unknown"));
    silent(&looked, "relay-induced");
    assert_eq!(left(RelayNote::Error("no header".into())).verdict.party, "relay");
}

#[test]
fn a_rst_that_overtook_its_senders_last_data_stands_where_they_end() {
    let refused = |ends_at: u32| {
        let trace = Trace::capture().open().negotiated(SSL, SSL).client_hello_12();
        let trace = trace.captured(ToClient, SegmentKind::Rst, |rst| rst.seq = 1007).rst(ToClient);
        let data = |data: &mut crate::input::Segment| (data.seq, data.len) = (1000, ends_at - 1000);
        let trace = trace.captured(ToClient, SegmentKind::AfterRst, data);
        trace.alert(ToClient, 2, 40).report()
    };
    let overtaken = refused(1007);
    assert_eq!(overtaken.verdict.what.as_deref(), Some("tls-alert-40"), "{overtaken:#?}");
    assert_eq!(overtaken.verdict.party, "server");
    // Decoy: its sender goes on behind the place of the RST.
    let outlived = refused(1400);
    assert!(claims(&outlived, "rst-injected-toclient"), "{outlived:#?}");
}
