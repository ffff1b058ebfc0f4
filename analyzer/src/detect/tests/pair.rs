//! Two captures of one session: what they prove together, what a clean path looks like, and what looks
//! alike and is not the path's doing.

use super::{claims, silent};
use crate::input::{ConnectFailureKind, SegmentKind};
use crate::report::{Connection, Outcome, Vantage};
use crate::testing::bytes::{negotiation_answer, tpdu};
use crate::testing::ends::{OPTIONS, absent, both};
use crate::testing::{HYBRID, MSTSC, SSL, ToClient, ToServer, Trace};
use crate::wire::tls::samples::{self, EC_CERTIFICATE, WINDOWS_LIKE_CERTIFICATE};

pub(super) const FIRED: &[&str] = &[
    "x224-protocols-cleared",
    "x224-negreq-removed",
    "x224-cookie-altered",
    "x224-correlation-stripped",
    "neg-rsp-rewritten",
    "neg-failure-forged",
    "neg-flags-shape",
    "clienthello-rewritten",
    "tls-version-downgrade",
    "tls-cert-substituted",
    "tls-cert-cloned",
    "tls-record-tampered",
    "data-injected",
    "rst-inpath-reject",
    "rst-injected-toclient",
    "rst-injected-toserver",
    "idle-timeout-rst",
    "lb-reset",
    "fin-injected",
    "payload-trigger-drop",
    "pmtu-blackhole-c2s",
    "pmtu-blackhole-s2c",
    "idle-timeout-silent",
    "half-open-asymmetric",
    "syn-proxy-fake-open",
    "transparent-tcp-proxy",
    "tcp-option-rewrite",
    "not-in-other-capture",
];

/// TCP up, as every capture of these scripts holds it.
fn start() -> Trace {
    Trace::capture().shaken().after_ms(5)
}

/// The client gives up after an answer that it can not use.
fn gives_up(trace: Trace) -> Trace {
    trace.after_ms(5).ended(ToServer, SegmentKind::Fin, 900)
}

#[track_caller]
fn proves(report: &Connection, id: &str, party: &str) {
    let verdict = &report.verdict;
    assert_eq!(report.outcome, Outcome::Failed, "{report:#?}");
    assert_eq!(verdict.what.as_deref(), Some(id), "{report:#?}");
    assert_eq!(
        (verdict.cause.as_deref(), verdict.party.as_str()),
        (Some(id), party),
        "{report:#?}"
    );
    assert_eq!(report.vantage, Vantage::V6);
}

/// No pair opinion stands anywhere in a report.
#[track_caller]
fn clean(report: &Connection) {
    for id in FIRED {
        silent(report, id);
    }
}

/// A Connection Request with alice's cookie and these negotiation blocks.
fn request(trace: Trace, cookie: &str, blocks: &[u8]) -> Trace {
    let variable = [format!("Cookie: mstshash={cookie}\r\n").as_bytes(), blocks].concat();
    trace.to_server(&tpdu(0xE0, &variable))
}

#[test]
fn a_request_that_arrives_otherwise_than_it_was_sent_was_rewritten() {
    let sent = gives_up(start().cr(MSTSC).after_ms(5).cc(0));
    let arrived = gives_up(start().cr(0).after_ms(5).cc(0));
    let report = both(&sent, &arrived);
    proves(&report, "x224-protocols-cleared", "network");
    assert_eq!(report.verdict.confidence.what, 0.99);
    assert!(
        report
            .evidence
            .iter()
            .any(|item| item.fact.contains("0b000000 was sent, 00000000 arrived"))
    );
    let files: Vec<_> =
        report.evidence.iter().filter_map(|item| item.origin.as_ref()?.file.as_deref()).collect();
    assert!(files.contains(&"server.pcapng"), "{files:?}");
    // Both sides hold the same: the server itself answered so, or the client asked for no more.
    clean(&both(&sent, &sent));
    clean(&both(&arrived, &arrived));
    // A session that was established nevertheless did not fail of it.
    let up = |asked| start().cr(asked).cc(SSL).tls13().desktop();
    let lived = both(&up(MSTSC), &up(SSL));
    assert_eq!(lived.outcome, Outcome::Established);
    assert!(claims(&lived, "x224-protocols-cleared"));

    let removed = gives_up(request(start(), "alice", &[]).after_ms(5).cc(0));
    proves(&both(&sent, &removed), "x224-negreq-removed", "network");
    clean(&both(&removed, &removed));
}

#[test]
fn cookies_and_correlation_ids_are_notes_and_no_name_is_shown() {
    let blocks = [1, 0, 8, 0, 1, 0, 0, 0];
    let plain = |cookie| gives_up(request(start(), cookie, &blocks).after_ms(5).cc(SSL));
    let report = both(&plain("alice"), &plain("alicf"));
    assert!(claims(&report, "x224-cookie-altered"));
    assert_eq!(report.verdict.cause, None);
    silent(&report, "x224-protocols-cleared");
    let without = gives_up(start().to_server(&tpdu(0xE0, &blocks)).after_ms(5).cc(SSL));
    assert!(claims(&both(&plain("alice"), &without), "x224-cookie-altered"));
    clean(&both(&plain("alice"), &plain("alice")));

    let mut correlated = vec![1, 8, 8, 0, 1, 0, 0, 0, 6, 0, 36, 0];
    correlated.extend([7; 32]);
    let with = gives_up(request(start(), "alice", &correlated).after_ms(5).cc(SSL));
    assert!(claims(&both(&with, &plain("alice")), "x224-correlation-stripped"));
    clean(&both(&with, &with));
}

#[test]
fn an_answer_that_arrives_otherwise_than_it_was_sent_was_rewritten() {
    let with = |answer: Vec<u8>| gives_up(start().cr(MSTSC).after_ms(5).to_client(&answer));
    let (nla, tls) = (negotiation_answer(2, HYBRID), negotiation_answer(2, SSL));
    let refusal = negotiation_answer(3, 3);
    proves(&both(&with(tls.clone()), &with(nla.clone())), "neg-rsp-rewritten", "network");
    proves(&both(&with(refusal.clone()), &with(nla.clone())), "neg-failure-forged", "network");
    // The server's own refusal is its own.
    let own = both(&with(refusal.clone()), &with(refusal));
    clean(&own);
    assert_eq!(own.verdict.what.as_deref(), Some("ssl-cert-not-on-server"));
    clean(&both(&with(tls.clone()), &with(tls.clone())));
    let mut flagged = tls.clone();
    let flags = flagged.len() - 7;
    flagged[flags] = 0x1F;
    let shape = both(&with(tls), &with(flagged));
    assert!(claims(&shape, "neg-flags-shape"));
    silent(&shape, "neg-rsp-rewritten");
}

#[test]
fn a_greeting_that_arrives_otherwise_was_rewritten_or_answered_by_another() {
    let hello = |hex: &str| start().cr(SSL).cc(SSL).after_ms(5).to_server(&samples::bytes(hex));
    let end = |trace: Trace| {
        trace.after_ms(5).alert(ToServer, 2, 48).ended(ToServer, SegmentKind::Rst, 900)
    };
    let own = end(hello(samples::OPENSSL_HELLO).after_ms(5).server_hello_13());
    let other = end(hello(samples::XFREERDP_HELLO).after_ms(5).server_hello_13());
    proves(&both(&own, &other), "clienthello-rewritten", "network");
    clean(&both(&own, &own));
    // Edited in place: the random stays, the offer of TLS 1.3 is gone.
    let mut edited = samples::bytes(samples::OPENSSL_HELLO);
    let versions = edited.windows(4).position(|w| w == [0, 0x2B, 0, 9]).unwrap();
    edited[versions + 5..versions + 7].copy_from_slice(&[3, 3]);
    let lowered =
        end(start().cr(SSL).cc(SSL).after_ms(5).to_server(&edited).after_ms(5).server_hello_12());
    let asked = end(hello(samples::OPENSSL_HELLO).after_ms(5).server_hello_12());
    let report = both(&asked, &lowered);
    proves(&report, "tls-version-downgrade", "network");
    assert!(claims(&report, "clienthello-rewritten"));
    // The server's own choice of TLS 1.2 is no downgrade on the way.
    clean(&both(&asked, &asked));
}

#[test]
fn another_certificate_than_the_servers_is_substituted_or_cloned() {
    let shown = |hex: &str| {
        let flight = start().cr(SSL).cc(SSL).client_hello_12().after_ms(5).server_hello_12();
        let flight = flight.certificate(ToClient, &[hex]).server_hello_done().after_ms(5);
        flight.alert(ToServer, 2, 48).ended(ToServer, SegmentKind::Rst, 300)
    };
    proves(
        &both(&shown(WINDOWS_LIKE_CERTIFICATE), &shown(EC_CERTIFICATE)),
        "tls-cert-substituted",
        "network",
    );
    // The same names, serial and dates over another signature.
    let mut clone = samples::bytes(EC_CERTIFICATE);
    *clone.last_mut().unwrap() ^= 1;
    let clone: String = clone.iter().map(|byte| format!("{byte:02x}")).collect();
    proves(&both(&shown(&clone), &shown(EC_CERTIFICATE)), "tls-cert-cloned", "network");
    let refused = both(&shown(EC_CERTIFICATE), &shown(EC_CERTIFICATE));
    clean(&refused);
    assert_eq!(refused.verdict.what.as_deref(), Some("tls-alert-48"));
}

#[test]
fn a_record_that_was_altered_is_told_from_one_that_was_sent_so() {
    let up = |byte: u8| {
        let trace = start().cr(SSL).cc(SSL).tls13();
        let trace = trace.to_client(&[&[23, 3, 3, 0, 4][..], &[byte; 4]].concat()).after_ms(5);
        trace.ended(ToServer, SegmentKind::Rst, 900)
    };
    let report = both(&up(0xFF), &up(0xAB));
    proves(&report, "tls-record-tampered", "network");
    // What is encrypted is no one's business.
    assert!(!report.evidence.iter().any(|item| item.fact.contains("ffffffff")));
    clean(&both(&up(0xFF), &up(0xFF)));
}

#[test]
fn bytes_that_nobody_sent_were_injected() {
    let page = b"HTTP/1.1 403 Forbidden\r\n\r\n";
    let answered = gives_up(start().cr(SSL).after_ms(5).to_client(page));
    let silent_server = gives_up(start().cr(SSL).after_ms(5));
    proves(&both(&answered, &silent_server), "data-injected", "network");
    // A web server really is on that port.
    let own = both(&answered, &answered);
    clean(&own);
    assert_eq!(own.verdict.what.as_deref(), Some("http-answer"));
    // A second version of the same place.
    let twice = |trace: Trace| trace.kept(ToClient, SegmentKind::DifferingOverlap, 1);
    let forged = gives_up(twice(start().cr(SSL).after_ms(5).to_client(page)));
    let sent = gives_up(start().cr(SSL).after_ms(5).cc(SSL));
    proves(&both(&forged, &sent), "data-injected", "network");
}

#[test]
fn a_reset_that_its_sender_did_not_send_is_the_paths() {
    let asked = || start().cr(MSTSC).after_ms(5);
    let reset = |trace: Trace| trace.ended(ToClient, SegmentKind::Rst, 1);
    // What the client sent was held back.
    proves(&both(&reset(asked()), &start().after_ms(5)), "rst-inpath-reject", "network");
    // It arrived, and the server went on to answer.
    let answered = asked().cc(SSL).ended(ToClient, SegmentKind::Fin, 20);
    let report = both(&reset(asked()), &answered);
    proves(&report, "rst-injected-toclient", "network");
    assert_eq!(report.verdict.confidence.what, 0.99);
    silent(&report, "rst-genuine-server");
    // The server's own one is confirmed.
    let own = both(&reset(asked()), &reset(asked()));
    clean(&own);
    let verdict =
        (own.verdict.what.as_deref(), own.verdict.party.as_str(), own.verdict.confidence.who);
    assert_eq!(verdict, (Some("rst-genuine-server"), "server", 0.99));
    // A capture that lacks what was acknowledged proves no absence.
    let acknowledged = |bytes| crate::input::SegmentCounts {
        segments: 3,
        acknowledged: Some(bytes),
        ..Default::default()
    };
    let holes = start().after_ms(5).counts(acknowledged(40), acknowledged(90));
    let doubtful = both(&reset(asked()), &holes);
    clean(&doubtful);
    let verdict = (doubtful.verdict.what.as_deref(), doubtful.verdict.party.as_str());
    assert_eq!(verdict, (Some("rst-genuine-server"), "unknown"));
    assert_eq!(doubtful.verdict.confidence.what, 0.55);
}

#[test]
fn a_reset_to_the_server_that_the_client_did_not_send_is_the_paths() {
    let asked = || start().cr(MSTSC).after_ms(5);
    // The client was still asking, and met the dead socket's own reset.
    let client = asked().after_ms(20).ended(ToClient, SegmentKind::Rst, 1);
    let server = asked().ended(ToServer, SegmentKind::Rst, 48).after_ms(20).kept(
        ToClient,
        SegmentKind::Rst,
        1,
    );
    proves(&both(&client, &server), "rst-injected-toserver", "network");
    let own = asked().ended(ToServer, SegmentKind::Rst, 48);
    clean(&both(&own, &own));
}

#[test]
fn resets_to_both_ends_tell_by_the_time_before_them() {
    let client = |ms| start().cr(MSTSC).cc(SSL).after_ms(ms).ended(ToClient, SegmentKind::Rst, 20);
    let server = |ms| start().cr(MSTSC).cc(SSL).after_ms(ms).ended(ToServer, SegmentKind::Rst, 48);
    proves(&both(&client(40_000), &server(40_000)), "idle-timeout-rst", "network");
    proves(&both(&client(5_000), &server(5_000)), "lb-reset", "network");
    proves(&both(&client(2), &server(2)), "rst-injected-toclient", "network");
    // The server's own idle policy.
    clean(&both(&client(40_000), &client(40_000)));
    clean(&both(&client(5_000), &client(5_000)));
}

#[test]
fn a_fin_that_its_sender_did_not_send_is_the_paths() {
    let fin = |trace: Trace| trace.ended(ToClient, SegmentKind::Fin, 1);
    let asked = || start().cr(MSTSC).after_ms(5);
    proves(
        &both(&fin(asked()), &asked().cc(SSL).ended(ToServer, SegmentKind::Fin, 48)),
        "fin-injected",
        "network",
    );
    let own = both(&fin(asked()), &fin(asked()));
    clean(&own);
    assert_eq!((own.verdict.party.as_str(), own.verdict.confidence.who), ("server", 0.99));
}

#[test]
fn a_message_that_never_arrives_is_told_by_its_size() {
    let negotiated = || start().cr(SSL).cc(SSL).after_ms(5);
    let hello = |repeated, largest| {
        gives_up(negotiated().client_hello_13().after_ms(4000).repeats(ToServer, repeated, largest))
    };
    let without = |largest| gives_up(negotiated().after_ms(4000).repeats(ToServer, 0, largest));
    // 339 bytes pass everywhere.
    proves(&both(&hello(4, 339), &without(48)), "payload-trigger-drop", "network");
    // Two copies may be lost by chance.
    clean(&both(&hello(1, 339), &without(48)));
    clean(&both(&hello(4, 339), &hello(0, 339)));
    // A large one that no other passed.
    let large = |trace: Trace| trace.to_server(&[&[22, 3, 1, 5, 0x78][..], &[1; 1400]].concat());
    let sent = gives_up(large(negotiated()).after_ms(4000).repeats(ToServer, 4, 1405));
    let report = both(&sent, &without(48));
    proves(&report, "pmtu-blackhole-c2s", "network");
    silent(&report, "payload-trigger-drop");
    // As large a one did pass.
    let report = both(&sent, &without(1405));
    proves(&report, "payload-trigger-drop", "network");
    silent(&report, "pmtu-blackhole-c2s");
    // In between, one capture pair does not decide.
    let middle = |trace: Trace| trace.to_server(&[&[22, 3, 1, 3, 0x20][..], &[1; 800]].concat());
    let sent = gives_up(middle(negotiated()).after_ms(4000).repeats(ToServer, 4, 805));
    let report = both(&sent, &without(48));
    assert!(claims(&report, "payload-trigger-drop") && claims(&report, "pmtu-blackhole-c2s"));
}

#[test]
fn a_flight_of_the_server_that_never_arrives_is_a_black_hole() {
    let asked = || start().cr(SSL).cc(SSL).after_ms(5).client_hello_13().after_ms(5);
    let flight = asked().server_hello_13().app(ToClient, 1400, 1);
    let server = gives_up(flight.after_ms(4000).repeats(ToClient, 4, 1460));
    let client = gives_up(asked().after_ms(4000).repeats(ToClient, 0, 19));
    proves(&both(&client, &server), "pmtu-blackhole-s2c", "network");
    clean(&both(&server, &server));
}

#[test]
fn a_silence_before_the_loss_speaks_for_a_forgotten_connection() {
    let idle = || start().cr(SSL).cc(SSL).after_ms(40_000);
    let client = gives_up(idle().client_hello_13().after_ms(4000).repeats(ToServer, 4, 339));
    let server = gives_up(idle().after_ms(4000).repeats(ToServer, 0, 48));
    let report = both(&client, &server);
    proves(&report, "idle-timeout-silent", "network");
    silent(&report, "payload-trigger-drop");
    clean(&both(&client, &client));
}

#[test]
fn a_handshake_that_only_one_end_completes_is_half_open_or_faked() {
    let syn = |trace: Trace| trace.kept(ToServer, SegmentKind::Syn, 0).after_ms(1000);
    let syn_ack = |trace: Trace| trace.kept(ToClient, SegmentKind::SynAck, 0).after_ms(1000);
    let dialing = || syn(syn(syn(Trace::capture())));
    let no_answer = || dialing().connect_failed(ConnectFailureKind::NoAnswer, 9000);
    let answering = syn_ack(syn(syn_ack(syn(syn_ack(syn(Trace::capture()))))));
    proves(&both(&no_answer(), &answering), "half-open-asymmetric", "network");
    // The client's half is dead on its way.
    let opened = start().cr(MSTSC).after_ms(3000).repeats(ToServer, 4, 48);
    let again = syn_ack(syn_ack(syn_ack(Trace::capture().kept(ToServer, SegmentKind::Syn, 0))));
    proves(&both(&opened, &again), "half-open-asymmetric", "network");
    // Nothing came back because nothing was sent: the host's own silence.
    let ignored = both(&no_answer(), &dialing());
    clean(&ignored);
    let verdict = (ignored.verdict.what.as_deref(), ignored.verdict.party.as_str());
    assert_eq!(verdict, (Some("tcp-syn-drop"), "server"));

    // A box that answered for a closed port.
    let faked = start().cr(MSTSC).ended(ToClient, SegmentKind::Rst, 1);
    let closed = syn(Trace::capture())
        .kept(ToClient, SegmentKind::Rst, 0)
        .connect_failed(ConnectFailureKind::Refused, 1);
    let report = both(&faked, &closed);
    assert!(claims(&report, "syn-proxy-fake-open"), "{report:#?}");
    assert_eq!(report.verdict.cause.as_deref(), Some("syn-proxy-fake-open"));
    clean(&both(&faked, &faked));
}

#[test]
fn a_refusal_is_the_hosts_where_it_left_the_host() {
    let refused = || {
        Trace::capture().kept(ToServer, SegmentKind::Syn, 0).after_ms(2).kept(
            ToClient,
            SegmentKind::Rst,
            0,
        )
    };
    let client = refused().connect_failed(ConnectFailureKind::Refused, 2);
    let by_host = both(&client, &client);
    assert_eq!((by_host.verdict.party.as_str(), by_host.verdict.confidence.who), ("server", 0.99));
    let silent_host = Trace::capture().kept(ToServer, SegmentKind::Syn, 0).after_ms(2);
    assert_eq!(both(&client, &silent_host).verdict.party, "network");
    let before = absent(&client, true);
    assert_eq!(before.verdict.what.as_deref(), Some("tcp-refused-rst"));
    assert_eq!((before.verdict.party.as_str(), before.verdict.confidence.who), ("network", 0.93));
    assert!(claims(&before, "not-in-other-capture"));
    // Another host may have been dialled.
    assert_eq!(absent(&client, false).verdict.confidence.who, 0.55);
}

#[test]
fn another_stack_in_between_is_a_note() {
    let other = [2, 4, 5, 180, 4, 2, 8, 10, 9, 9, 9, 9, 0, 0, 0, 0, 1, 3, 3, 7];
    let shaken = |client: u32, server: u32, options: &[u8]| {
        let syn = Trace::capture().kept_as(ToServer, SegmentKind::Syn, client, options).after_ms(2);
        let open = syn.kept_as(ToClient, SegmentKind::SynAck, server, options).open();
        open.cr(SSL).after_ms(5).cc(SSL).after_ms(5).fin(ToServer)
    };
    let end_to_end = shaken(1, 2, OPTIONS);
    assert!(claims(&both(&end_to_end, &shaken(7, 8, &other)), "transparent-tcp-proxy"));
    // A translator draws the numbers anew and leaves the timestamps alone.
    clean(&both(&end_to_end, &shaken(7, 8, OPTIONS)));
    // One that clamps the MSS leaves the numbers alone.
    let clamped = [2, 4, 4, 176, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
    let report = both(&end_to_end, &shaken(1, 2, &clamped));
    assert!(claims(&report, "tcp-option-rewrite"));
    silent(&report, "transparent-tcp-proxy");
}
