//! The server's certificate: facts by themselves, causes only where the client says so.

use super::{claims, silent};
use crate::report::{Connection, Outcome};
use crate::testing::{HYBRID, MSTSC, ToClient, ToServer, Trace};
use crate::wire::tls::samples::{EC_CERTIFICATE, TINY_CERTIFICATE, WINDOWS_LIKE_CERTIFICATE};

pub(super) const FIRED: &[&str] = &[
    "cert-expired",
    "cert-name-mismatch",
    "cert-self-signed",
    "cert-malformed",
    "client-rejects-cert",
];

const YEAR_MS: u64 = 366 * 86_400_000;

fn agreed() -> Trace {
    Trace::relay().negotiated(MSTSC, HYBRID)
}

/// The server's flight over this certificate, to a client that names rdp.example.com.
fn shown(start: Trace, certificate: &str) -> Trace {
    let flight = start.client_hello_13().server_hello_12();
    flight.certificate(ToClient, &[certificate]).server_hello_done().after_ms(5)
}

fn alerted(start: Trace, certificate: &str, number: u8) -> Connection {
    shown(start, certificate).alert(ToServer, 2, number).rst(ToServer).report()
}

#[test]
fn a_refusal_that_names_the_certificates_defect_confirms_it() {
    let expired = || Trace::relay().starting_at(2 * YEAR_MS).negotiated(MSTSC, HYBRID);
    for (report, number, cause) in [
        (alerted(agreed(), EC_CERTIFICATE, 48), 48, "cert-self-signed"),
        (alerted(expired(), EC_CERTIFICATE, 45), 45, "cert-expired"),
        (alerted(agreed(), TINY_CERTIFICATE, 42), 42, "cert-malformed"),
    ] {
        assert_eq!(report.verdict.what, Some(format!("tls-alert-{number}")));
        assert_eq!(report.verdict.cause.as_deref(), Some(cause));
        assert_eq!(report.verdict.confidence.why, 0.8);
        assert_eq!(report.verdict.class.as_deref(), Some("server-config"));
        assert_eq!((report.verdict.party.as_str(), report.ended.how.as_str()), ("client", "rst"));
        assert_eq!(report.reached.as_deref(), Some("tls_server_hello"));
        assert!(claims(&report, "client-rejects-cert"));
    }
}

#[test]
fn a_refusal_that_does_not_name_the_defect_stays_a_refusal() {
    for number in [42, 43, 44, 46, 49] {
        let report = alerted(agreed(), EC_CERTIFICATE, number);
        assert_eq!(report.verdict.confidence.why, 0.93);
        assert_eq!(report.verdict.cause.as_deref(), Some("client-rejects-cert"));
        for cause in report.causes.iter().filter(|cause| cause.id != "client-rejects-cert") {
            assert!(cause.confidence <= 0.4, "{cause:?}");
        }
    }
    // The number alone, without the certificate it speaks of.
    let lost = Trace::capture().negotiated(MSTSC, HYBRID).client_hello_12().server_hello_12();
    let lost = lost.gap(ToClient, Some(900)).alert(ToServer, 2, 48).rst(ToServer).report();
    assert_eq!(lost.verdict.cause.as_deref(), Some("client-rejects-cert"));
    assert_eq!(lost.verdict.confidence.why, 0.55);
    // The server's alert, and one that is not about certificates.
    let server = shown(agreed(), EC_CERTIFICATE).alert(ToClient, 2, 42).rst(ToClient).report();
    silent(&server, "client-rejects-cert");
    let other = alerted(agreed(), EC_CERTIFICATE, 80);
    assert_eq!(other.verdict.cause, None);
    silent(&other, "client-rejects-cert");
}

#[test]
fn a_certificates_fact_alone_is_never_the_cause() {
    let expired = || Trace::relay().starting_at(2 * YEAR_MS).negotiated(MSTSC, HYBRID);
    for (start, certificate, id) in [
        (expired(), EC_CERTIFICATE, "cert-expired"),
        (agreed(), EC_CERTIFICATE, "cert-self-signed"),
        (agreed(), WINDOWS_LIKE_CERTIFICATE, "cert-name-mismatch"),
        (agreed(), TINY_CERTIFICATE, "cert-malformed"),
    ] {
        // The client leaves within the handshake and says nothing: candidates.
        let left = shown(start.clone(), certificate).fin(ToServer).report();
        assert!(claims(&left, id), "{id}");
        assert_eq!(left.verdict.cause, None);
        assert!(left.causes.iter().all(|cause| cause.confidence <= 0.4));
        // The server ends it: a fact beside it.
        let server = shown(start.clone(), certificate).rst(ToClient).report();
        assert!(server.findings.iter().any(|finding| finding.id == id), "{id}");
        assert!(!server.causes.iter().any(|cause| cause.id == id));
        // The client lived with it, and the session was up.
        let session = shown(start, certificate).finished(ToServer).finished(ToClient).desktop();
        let session = session.rst(ToServer).report();
        assert_eq!(session.outcome, Outcome::Established);
        assert!(session.findings.iter().any(|finding| finding.id == id), "{id}");
    }
}

#[test]
fn a_good_certificate_has_no_finding_but_its_own_signature() {
    let report = alerted(agreed(), EC_CERTIFICATE, 48);
    for id in ["cert-expired", "cert-name-mismatch", "cert-malformed"] {
        silent(&report, id);
    }
    // A client that names nobody can not be told the wrong name.
    let unnamed = agreed().tls12(WINDOWS_LIKE_CERTIFICATE).fin(ToServer).report();
    silent(&unnamed, "cert-name-mismatch");
}

#[test]
fn leaving_right_after_a_defective_certificate_is_a_possible_refusal() {
    let done = |certificate| {
        shown(agreed(), certificate).finished(ToServer).finished(ToClient).after_ms(700)
    };
    let left = done(WINDOWS_LIKE_CERTIFICATE).fin(ToServer).report();
    assert_eq!(left.verdict.what.as_deref(), Some("clean-close-no-reason"));
    assert_eq!(left.verdict.cause.as_deref(), Some("client-rejects-cert"));
    assert_eq!(left.verdict.confidence.why, 0.55);
    assert_eq!(left.reached.as_deref(), Some("tls_finished"));
    // Without a defect the user may have cancelled for any reason.
    let good = done(EC_CERTIFICATE).fin(ToServer).report();
    assert_eq!(good.verdict.cause, None);
    // Decoys: it used the connection; the server left; it came back.
    let used = done(WINDOWS_LIKE_CERTIFICATE).app(ToServer, 99, 1).fin(ToServer);
    let server = done(WINDOWS_LIKE_CERTIFICATE).fin(ToClient);
    for trace in [used, server] {
        silent(&trace.report(), "client-rejects-cert");
    }
    let back = Trace::relay().starting_at(9_000).negotiated(MSTSC, HYBRID);
    let report = done(WINDOWS_LIKE_CERTIFICATE).fin(ToServer).report_with(&[back]);
    silent(&report, "client-rejects-cert");
}

#[test]
fn tls13_hides_the_certificate_and_says_so() {
    // The client's refusal, encrypted, in place of its Finished.
    let refused = agreed().client_hello_13().server_hello_13().app(ToClient, 900, 1);
    let report = refused.ccs(ToServer).app(ToServer, 19, 1).rst(ToServer).report();
    let tls = report.tls.as_ref().unwrap();
    assert_eq!((&tls.certificate, tls.certificate_hidden.as_deref()), (&None, Some("encrypted")));
    assert_eq!(report.reached.as_deref(), Some("tls_encrypted"));
    assert_eq!(report.verdict.cause, None);
    silent(&report, "client-rejects-cert");
}

#[test]
fn a_certificate_that_can_not_be_read_is_malformed_and_a_lost_one_is_not() {
    let unreadable = |body: &[u8]| {
        let flight = agreed().client_hello_12().server_hello_12().handshake(ToClient, 11, body);
        flight.alert(ToServer, 2, 50).rst(ToServer).report()
    };
    for body in [&[0, 0, 9, 0, 0, 1, 7][..], &[0, 0, 4, 0, 0, 1, 7], &[0, 0, 0]] {
        let report = unreadable(body);
        assert_eq!(report.verdict.cause.as_deref(), Some("cert-malformed"));
        assert_eq!(report.tls.unwrap().certificate_hidden.as_deref(), Some("malformed"));
    }
    let lost = Trace::capture().negotiated(MSTSC, HYBRID).client_hello_12().server_hello_12();
    let lost = lost.gap(ToClient, Some(900)).alert(ToServer, 2, 50).rst(ToServer).report();
    silent(&lost, "cert-malformed");
    assert_eq!(lost.tls.unwrap().certificate_hidden.as_deref(), Some("lost"));
    assert!(!lost.complete);
}
