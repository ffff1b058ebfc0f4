//! What was said arrived otherwise.

use super::super::{claims, silent};
use super::{clean, gives_up, proves, start};
use crate::input::SegmentKind;
use crate::report::Outcome;
use crate::testing::bytes::{negotiation_answer, tpdu};
use crate::testing::ends::both;
use crate::testing::{HYBRID, MSTSC, SSL, ToClient, ToServer, Trace};
use crate::wire::tls::samples::{self, EC_CERTIFICATE, WINDOWS_LIKE_CERTIFICATE};

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
    // Where nothing but the time ties them together, it may be another session: a suspicion, no verdict.
    let mut elsewhere = other.clone();
    elsewhere.subject.server = "192.0.2.99:3390".parse().ok();
    let unnumbered = |trace: &Trace| trace.clone().without_segments();
    let report = both(&unnumbered(&own), &unnumbered(&elsewhere));
    assert_eq!(report.verdict.what.as_deref(), Some("tls-alert-48"));
    assert_eq!(report.verdict.cause, own.report().verdict.cause);
    assert!(claims(&report, "not-in-other-capture"));
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
fn another_library_answers_in_another_manner() {
    let answered = |random_end: &[u8; 8], suite| {
        let hello = start().cr(SSL).cc(SSL).client_hello_12().after_ms(5);
        let hello = hello.server_hello_12_with(random_end, suite).after_ms(5);
        hello.alert(ToServer, 2, 48).ended(ToServer, SegmentKind::Rst, 300)
    };
    let own = answered(b"serverXX", 0xC02C);
    let noted = |other: &Trace| claims(&both(other, &own), "tls-stack-mismatch");
    assert!(noted(&answered(b"anotherX", 0xC02F)));
    // Another connection of the same library, and the same hello at both ends.
    assert!(!noted(&answered(b"anotherX", 0xC02C)));
    assert!(!noted(&own));
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
    // A record in the server's name that wins the race: the server's own comes after it.
    let up = |byte: u8| {
        let trace = start().cr(SSL).cc(SSL).tls13();
        trace.to_client(&[&[23, 3, 3, 0, 4][..], &[byte; 4]].concat()).after_ms(5)
    };
    let report = both(&gives_up(twice(up(0xFF))), &gives_up(up(0xAB)));
    proves(&report, "data-injected", "network");
    silent(&report, "tls-record-tampered");
}

#[test]
fn noise_before_the_clients_hello_leaves_no_hello_at_the_servers_side() {
    let agreed = || start().cr(SSL).cc(SSL).after_ms(5);
    let sent = gives_up(agreed().client_hello_13());
    let noise = agreed().to_server(&[0x5A; 60]).kept(ToServer, SegmentKind::DifferingOverlap, 1);
    proves(&both(&sent, &gives_up(noise)), "data-injected", "network");
    // A server that goes on in clear RDP for it has no fault of its own, and its end comes before the client's bytes.
    let clear = |trace: Trace| {
        trace.after_ms(5).mcs(ToClient, &[0x21, 0x80]).ended(ToClient, SegmentKind::Rst, 900)
    };
    let report = both(&clear(agreed().client_hello_13()), &clear(agreed().to_server(&[0x5A; 60])));
    proves(&report, "data-injected", "network");
    silent(&report, "tls-plaintext-after-hello");
    // Clean twin; decoy: a client that says so itself.
    clean(&both(&sent, &gives_up(agreed().client_hello_13())));
    let own = gives_up(agreed().to_server(&[0x5A; 60]));
    clean(&both(&own, &own));
    // Another decoy: a box that takes TLS off, behind which the server speaks RDP in clear.
    let behind = gives_up(start().cr(SSL).cc(0).after_ms(5).to_server(&[0x5A; 60]));
    silent(&both(&sent, &behind), "data-injected");
}
