//! TLS hellos, alerts and downgrades.

use super::{Expected, claims, fails, silent};
use crate::report::Outcome;
use crate::testing::{HYBRID, MSTSC, SSL, ToClient, ToServer, Trace};
use crate::wire::tls::samples::EC_CERTIFICATE;

pub(super) const FIRED: &[&str] = &[
    "tls-plaintext-after-hello",
    "tls-alert-N",
    "no-common-version",
    "no-common-cipher",
    "server-rejects-client-cert",
    "tls13-sentinel",
    "tls-cipher-downgrade",
    "fallback-retry",
];

const TO_TLS12: &[u8; 8] = b"DOWNGRD\x01";
const TO_TLS11: &[u8; 8] = b"DOWNGRD\x00";

fn agreed() -> Trace {
    Trace::relay().negotiated(MSTSC, HYBRID)
}

#[test]
fn a_server_whose_tls_does_not_start() {
    let ultimatum = &[0x21, 0x80];
    let report = fails(
        &agreed().client_hello_13().mcs(ToClient, ultimatum).rst(ToClient),
        &Expected {
            what: Some("tls-plaintext-after-hello"),
            cause: Some("tls-plaintext-after-hello"),
            class: Some("server-config"),
            party: "server",
            reached: "tls_client_hello",
            how: "rst",
        },
    );
    assert_eq!(report.verdict.confidence.why, 0.93);
    assert!(report.evidence.iter().any(|item| item.fact.contains("Ultimatum")));
    // Clean twin and decoys: TLS starts; the packet comes before the hello.
    let clear = Trace::relay().negotiated(0, 0).mcs(ToClient, ultimatum).rst(ToClient);
    let waits = agreed().after_ms(9_000).mcs(ToClient, ultimatum).rst(ToClient);
    // What the client said is not in the input.
    let unread = agreed().gap(ToServer, Some(60)).mcs(ToClient, ultimatum).rst(ToClient);
    for trace in [agreed().tls13().fin(ToClient), clear, waits, unread] {
        silent(&trace.report(), "tls-plaintext-after-hello");
    }
    // Decoy: the client speaks no TLS either, whatever it was told.
    let both = agreed().mcs(ToServer, &[0x7F, 0x65, 0x82, 0x01]).mcs(ToClient, ultimatum);
    let report = both.rst(ToClient).report();
    silent(&report, "tls-plaintext-after-hello");
    assert_eq!((report.verdict.cause, report.verdict.control), (None, None));
    assert_eq!(report.causes[0].id, "neg-rsp-rewritten");
    for trace in [agreed().client_hello_13(), Trace::relay().negotiated(0, 0)] {
        let clear = trace.mcs(ToServer, &[0x7F, 0x65, 0x82, 0x01]).mcs(ToClient, ultimatum);
        silent(&clear.rst(ToClient).report(), "neg-rsp-rewritten");
    }
}

#[test]
fn an_alert_says_who_gave_up_and_not_why() {
    for (dir, party) in [(ToServer, "client"), (ToClient, "server")] {
        for number in [10, 40, 47, 50, 80, 112, 200] {
            let trace = agreed().client_hello_12();
            let trace = if dir == ToServer { trace.server_hello_12() } else { trace };
            let report = trace.alert(dir, 2, number).after_ms(1).rst(dir).report();
            let what = format!("tls-alert-{number}");
            assert_eq!(report.verdict.what, Some(what));
            assert_eq!(report.verdict.party, party);
            assert_eq!(report.verdict.cause, None, "the number alone is no cause: {report:#?}");
            assert_eq!(report.tls.as_ref().unwrap().alerts[0].code, Some(number));
            assert_eq!(report.outcome, Outcome::Failed);
        }
    }
}

#[test]
fn what_is_no_fatal_alert_names_nothing() {
    for (level, number) in [(1, 0), (2, 0), (1, 90), (1, 112)] {
        let report = agreed().client_hello_12().alert(ToServer, level, number).fin(ToServer);
        assert_eq!(report.report().verdict.what.as_deref(), Some("clean-close-no-reason"));
    }
    // Encrypted: its number is not known. It is shown as what it is.
    let encrypted = agreed().tls12(EC_CERTIFICATE).to_client(&[21, 3, 3, 0, 4, 2, 80, 9, 9]);
    let report = encrypted.fin(ToClient).report();
    assert_eq!(report.verdict.what.as_deref(), Some("clean-close-no-reason"));
    let alert = &report.tls.as_ref().unwrap().alerts[0];
    assert_eq!((alert.encrypted, alert.code), (true, None));
    // Its two bytes are missing: that is a hole, not encryption.
    let mut cut = Trace::capture().negotiated(SSL, SSL).client_hello_12();
    cut = cut.to_client(&[21, 3, 3, 0, 2]).skipped(ToClient, 2).fin(ToClient);
    let report = cut.report();
    assert!(!report.complete);
    assert_eq!(report.tls.unwrap().alerts.len(), 0);
}

#[test]
fn an_alert_is_enough_where_the_capture_ends() {
    let alert = Trace::capture().negotiated(SSL, SSL).client_hello_12().alert(ToClient, 2, 80);
    assert_eq!(alert.report().outcome, Outcome::Failed);
}

#[test]
fn no_common_version() {
    // The server says so: possible. The client refuses the server's choice: probable.
    let server = agreed().client_hello_12().alert(ToClient, 2, 70).fin(ToClient).report();
    assert_eq!(server.verdict.what.as_deref(), Some("tls-alert-70"));
    assert_eq!(server.verdict.cause.as_deref(), Some("no-common-version"));
    assert_eq!(server.verdict.confidence.why, 0.55);
    let client = agreed().client_hello_12().server_hello_12().alert(ToServer, 2, 70).fin(ToServer);
    let client = client.report();
    assert_eq!(client.verdict.confidence.why, 0.8);
    assert_eq!(client.verdict.class.as_deref(), Some("server-config"));
    // The same user came with a version out of this offer, and was let in.
    let all = agreed().client_hello_13().alert(ToClient, 2, 70).fin(ToClient);
    let older = agreed().after_ms(50).tls12(EC_CERTIFICATE).desktop();
    assert_eq!(all.report().verdict.cause.as_deref(), Some("no-common-version"));
    silent(&all.report_with(&[older]), "no-common-version");
    // Decoys: another number; the server's alert behind its own choice of a version.
    let other = agreed().client_hello_12().alert(ToClient, 2, 80).fin(ToClient);
    let behind = agreed().client_hello_12().server_hello_12().alert(ToClient, 2, 70).fin(ToClient);
    for trace in [other, behind, agreed().tls13().fin(ToClient)] {
        silent(&trace.report(), "no-common-version");
    }
}

#[test]
fn no_common_cipher_is_a_candidate() {
    for number in [40, 71] {
        let report = agreed().client_hello_13().alert(ToClient, 2, number).fin(ToClient).report();
        assert_eq!(report.verdict.cause, None);
        assert_eq!(report.causes[0].id, "no-common-cipher");
        assert!(report.causes[0].confidence <= 0.45);
    }
    let chosen = agreed().client_hello_12().server_hello_12().alert(ToClient, 2, 40).fin(ToClient);
    let clients = agreed().client_hello_12().server_hello_12().alert(ToServer, 2, 40).fin(ToServer);
    for trace in [chosen, clients, agreed().client_hello_13().alert(ToClient, 2, 80).fin(ToClient)]
    {
        silent(&trace.report(), "no-common-cipher");
    }
}

#[test]
fn a_server_that_demands_a_client_certificate() {
    let asked = || {
        let flight = agreed().client_hello_12().server_hello_12();
        flight.certificate(ToClient, &[EC_CERTIFICATE]).certificate_request().server_hello_done()
    };
    let fires = |trace: Trace| trace.after_ms(2).fin(ToClient).report();
    let empty = fires(asked().certificate(ToServer, &[]).alert(ToClient, 2, 40));
    assert_eq!(empty.verdict.what.as_deref(), Some("tls-alert-40"));
    assert_eq!(empty.verdict.cause.as_deref(), Some("server-rejects-client-cert"));
    assert_eq!(empty.verdict.confidence.why, 0.93);
    assert_eq!(empty.verdict.class.as_deref(), Some("credentials"));
    let sent = fires(asked().certificate(ToServer, &[EC_CERTIFICATE]).alert(ToClient, 2, 42));
    assert_eq!(sent.verdict.confidence.why, 0.55);
    // Clean twin: it is asked and goes on. Decoys: never asked; an alert about something else; the
    // client's own alert.
    let never = agreed().client_hello_12().server_hello_12().alert(ToClient, 2, 42);
    let other = asked().certificate(ToServer, &[]).alert(ToClient, 2, 80);
    let clients = asked().alert(ToServer, 2, 42);
    for trace in [asked().certificate(ToServer, &[]), never, other, clients] {
        silent(&fires(trace), "server-rejects-client-cert");
    }
}

#[test]
fn a_downgrade_is_never_named_without_a_control() {
    for (trace, id) in [
        (agreed().client_hello_13().server_hello_12_with(TO_TLS12, 0xC02C), "tls13-sentinel"),
        (
            agreed().client_hello_12().server_hello_12_with(b"notadown", 0x1301),
            "tls-cipher-downgrade",
        ),
    ] {
        let report = trace.after_ms(1).alert(ToServer, 2, 47).rst(ToServer).report();
        assert_eq!(report.verdict.what.as_deref(), Some("tls-alert-47"));
        assert_eq!(report.causes[0].id, id);
        assert!(report.causes[0].confidence < 0.5);
        assert_eq!(report.verdict.cause, None);
        assert_eq!(report.verdict.class.as_deref(), Some("abort"));
        // The client only notices; who changed what is open.
        assert_eq!(report.verdict.party, "unknown");
    }
}

#[test]
fn a_sentinel_for_a_client_that_offers_no_more_is_honest() {
    let honest = agreed().client_hello_12().server_hello_12_with(TO_TLS12, 0xC02C);
    let negotiated = agreed().client_hello_12().server_hello_12_with(TO_TLS11, 0xC02C);
    let plain = agreed().client_hello_13().server_hello_12();
    for trace in [honest, negotiated, plain, agreed().tls13()] {
        let report = trace.alert(ToServer, 2, 47).rst(ToServer).report();
        silent(&report, "tls13-sentinel");
        silent(&report, "tls-cipher-downgrade");
    }
}

#[test]
fn a_client_that_tries_again_with_less() {
    let first = agreed().client_hello_13().after_ms(3).rst(ToClient);
    let second = || Trace::relay().starting_at(900).negotiated(MSTSC, HYBRID);
    let retry = second().client_hello_12().alert(ToClient, 2, 86).fin(ToClient);
    let report = retry.report_with(std::slice::from_ref(&first));
    assert!(report.findings.iter().any(|finding| finding.id == "fallback-retry"));
    assert_eq!(report.verdict.what.as_deref(), Some("tls-alert-86"));
    assert_eq!(report.verdict.cause, None);
    // Clean twins and decoys: alone; the same offer again; an earlier one that was answered; too late.
    let late = Trace::relay().starting_at(60_000).negotiated(MSTSC, HYBRID).client_hello_12();
    let answered = agreed().client_hello_13().server_hello_13().fin(ToServer);
    let end = |trace: Trace| trace.alert(ToClient, 2, 86).fin(ToClient);
    for (trace, siblings) in [
        (retry.clone(), vec![]),
        (end(second().client_hello_13()), vec![first.clone()]),
        (retry, vec![answered]),
        (end(late), vec![first]),
    ] {
        assert!(!claims(&trace.report_with(&siblings), "fallback-retry"));
    }
}
