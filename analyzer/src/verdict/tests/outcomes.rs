//! What became of a session, and how far it got.

use crate::facts::InputEnd;
use crate::input::{ConnectFailureKind, RelayNote, SegmentCounts};
use crate::report::Outcome;
use crate::testing::{HYBRID, MSTSC, SSL, ToClient, ToServer, Trace};
use crate::verdict::awaits_sibling;
use crate::wire::tls::samples::EC_CERTIFICATE;

fn agreed() -> Trace {
    Trace::relay().negotiated(MSTSC, HYBRID)
}

#[test]
fn more_than_ten_records_of_the_server_are_a_session() {
    let tls13 = |server| agreed().tls13().app(ToServer, 400, 3).app(ToClient, 300, server);
    let tls12 =
        |server| agreed().tls12(EC_CERTIFICATE).app(ToServer, 400, 3).app(ToClient, 300, server);
    for (trace, outcome, reached) in [
        (tls13(11), Outcome::Established, "active"),
        (tls13(10), Outcome::Failed, "credssp"),
        (tls12(11), Outcome::Established, "active"),
        (tls12(10), Outcome::Failed, "credssp"),
    ] {
        // mstsc ends most good sessions with a RST; a server may close them in any way.
        for end in [trace.clone().rst(ToServer), trace.clone().fin(ToClient), trace.rst(ToClient)] {
            let report = end.report();
            assert_eq!((report.outcome, report.reached.as_deref()), (outcome, Some(reached)));
            assert_eq!(report.reached_basis.as_deref(), Some("inferred"));
        }
    }
    let report = tls13(11).rst(ToServer).report();
    assert_eq!(report.verdict.class.as_deref(), Some("benign"));
    assert_eq!((report.verdict.what, report.verdict.remedy), (None, None));
    assert!(report.verdict.sentence.contains("TLS 1.3"), "{}", report.verdict.sentence);
}

#[test]
fn a_long_tls13_flight_of_the_server_is_no_session() {
    // Twenty records of certificates before the client has said anything.
    let flight = agreed().client_hello_13().server_hello_13().app(ToClient, 900, 20);
    let report = flight.clone().rst(ToClient).report();
    assert_eq!(
        (report.outcome, report.reached.as_deref()),
        (Outcome::Failed, Some("tls_encrypted"))
    );
    // Nor is a client that only finishes and leaves, with the server's tickets behind it.
    let left = flight.app(ToServer, 69, 1).app(ToClient, 255, 2).rst(ToServer).report();
    assert_eq!((left.outcome, left.reached.as_deref()), (Outcome::Failed, Some("tls_finished")));
}

#[test]
fn an_established_session_stays_one_whatever_ends_it() {
    let desktop = || agreed().tls13().desktop();
    for end in [
        desktop().relay_note(RelayNote::Deadline("session".into())).rst(ToClient),
        desktop().to_client(&[0x17, 3, 3, 1, 0, 1]).rst(ToClient),
        desktop().rst(ToServer).rst(ToClient),
        desktop().input_ends(InputEnd::Capture),
    ] {
        let report = end.report();
        assert_eq!(report.outcome, Outcome::Established);
        assert_eq!((report.verdict.what, report.causes.len()), (None, 0));
        assert!(report.findings.iter().all(|finding| finding.id == "relay-induced"));
    }
}

#[test]
fn a_relay_and_a_capture_agree_on_what_and_why() {
    let scripts: &[fn(Trace) -> Trace] = &[
        |trace| trace.negotiated(MSTSC, HYBRID).tls13().desktop().rst(ToServer),
        |trace| trace.negotiated(MSTSC, HYBRID).tls13().rst(ToServer),
        |trace| trace.negotiated(MSTSC, HYBRID).client_hello_13().rst(ToClient),
        |trace| trace.negotiated(MSTSC, SSL).fin(ToServer),
        |trace| trace.negotiated(SSL, 0).fin(ToServer),
        |trace| trace.open().cr(SSL).cc_failure(3).fin(ToClient),
        |trace| trace.open().cr(SSL).to_client(b"SSH-2.0-x\r\n").fin(ToServer),
        |trace| trace.open().cr(SSL).after_ms(20_000).fin(ToServer),
        |trace| trace.negotiated(SSL, SSL).client_hello_12().alert(ToClient, 2, 70).fin(ToClient),
        |trace| trace.negotiated(SSL, SSL).client_hello_12().mcs(ToClient, &[0x21, 0x80]),
        |trace| trace.connect_failed(ConnectFailureKind::Refused, 2),
        |trace| trace.open().fin(ToServer),
    ];
    for (n, script) in scripts.iter().enumerate() {
        let said = |start| {
            let report = script(start).report();
            let causes: Vec<_> =
                report.causes.into_iter().map(|cause| (cause.id, cause.confidence)).collect();
            (report.outcome, report.reached, report.verdict.what, report.verdict.cause, causes)
        };
        assert_eq!(said(Trace::relay()), said(Trace::capture()), "script {n}");
    }
}

#[test]
fn what_the_input_does_not_show_is_unknown() {
    let start = || Trace::capture().negotiated(SSL, SSL).client_hello_12().server_hello_12();
    let one = SegmentCounts { segments: 9, ..Default::default() };
    for (why, trace) in [
        ("the capture ends", start().input_ends(InputEnd::Capture)),
        ("it is still open", start()),
        ("a hole", start().gap(ToClient, Some(100)).fin(ToServer)),
        ("a hole of unknown size", start().gap(ToServer, None).fin(ToServer)),
        ("one direction", start().counts(one, SegmentCounts::default()).fin(ToServer)),
        (
            "it starts in the middle",
            Trace::capture_from_the_middle().app(ToClient, 9, 2).fin(ToServer),
        ),
        ("nothing at all", Trace::capture_from_the_middle()),
    ] {
        let report = trace.report();
        assert_eq!(report.outcome, Outcome::Unknown, "{why}");
        assert_eq!((report.verdict.what, report.verdict.cause), (None, None), "{why}");
        assert_eq!(report.verdict.party, "unknown");
        assert_eq!(report.reached.is_none(), trace.subject.starts_in_the_middle, "{why}");
    }
    assert!(!start().gap(ToClient, Some(100)).fin(ToServer).report().complete);
    assert_eq!(start().input_ends(InputEnd::Capture).report().ended.how, "capture_end");
    assert_eq!(start().report().ended.how, "open");
}

#[test]
fn a_record_with_losses_is_incomplete_and_the_session_is_not() {
    let lost = agreed().tls13().relay_note(RelayNote::RecorderLost(100)).rst(ToClient).report();
    assert_eq!((lost.complete, lost.outcome), (false, Outcome::Failed));
    assert_eq!(lost.verdict.what.as_deref(), Some("rst-genuine-server"));
}

#[test]
fn other_clients_are_not_rdp() {
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"RDG_OUT_DATA /remoteDesktopGateway/ HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"SSH-2.0-nmap\r\n",
        b"0123456789abcdef0123",
        b"junk",
    ] {
        for dir in [ToServer, ToClient] {
            let report = Trace::capture().open().to_server(bytes).fin(dir).report();
            assert_eq!(report.outcome, Outcome::NotRdp, "{bytes:?}");
            assert_eq!(report.verdict.what, None);
            assert_eq!(report.verdict.class, None);
        }
    }
}

#[test]
fn a_client_without_a_byte_is_a_probe_and_a_server_that_hangs_up_is_not() {
    for start in [Trace::capture(), Trace::relay()] {
        for end in [Trace::fin, Trace::rst] {
            let probe = end(start.clone().open().after_ms(2), ToServer).report();
            assert_eq!(probe.outcome, Outcome::NotRdp);
            assert!(probe.verdict.sentence.contains("without a byte"));
            let hung_up = end(start.clone().open().after_ms(2), ToClient).report();
            assert_eq!(hung_up.outcome, Outcome::Failed);
        }
    }
    // A hole is not silence.
    let hole = Trace::capture().open().gap(ToServer, None).fin(ToServer).report();
    assert_eq!(hole.outcome, Outcome::Unknown);
}

#[test]
fn only_a_pause_that_a_sibling_could_explain_is_provisional() {
    let provisional = |trace: Trace| awaits_sibling(trace.session().facts());
    assert!(provisional(agreed().tls13().rst(ToServer)));
    assert!(provisional(agreed().tls12(EC_CERTIFICATE).fin(ToServer)));
    for trace in [
        agreed().tls13(),
        agreed().tls13().rst(ToClient),
        agreed().tls13().rst(ToServer).rst(ToClient),
        agreed().tls13().desktop().rst(ToServer),
        agreed().client_hello_13().rst(ToServer),
        agreed().client_hello_12().server_hello_12().alert(ToServer, 2, 48).rst(ToServer),
        agreed().tls13().relay_note(RelayNote::Deadline("x".into())).after_ms(1).rst(ToServer),
    ] {
        assert!(!provisional(trace));
    }
}

#[test]
fn steps_are_named_as_far_as_they_are_seen() {
    let mcs = |pdu: &[u8]| Trace::capture().negotiated(0, 0).mcs(ToServer, pdu);
    for (trace, reached, basis) in [
        (Trace::capture(), "none", "seen"),
        (Trace::capture().open(), "tcp", "seen"),
        (Trace::capture().open().cr(SSL), "x224_request", "seen"),
        (agreed(), "x224_confirm", "seen"),
        (agreed().client_hello_13(), "tls_client_hello", "seen"),
        (agreed().client_hello_12().server_hello_12(), "tls_server_hello", "seen"),
        (agreed().client_hello_13().hello_retry_request(), "tls_server_hello", "seen"),
        (
            agreed().client_hello_13().server_hello_13().app(ToClient, 99, 1),
            "tls_encrypted",
            "seen",
        ),
        (agreed().tls13(), "tls_finished", "inferred"),
        (agreed().tls12(EC_CERTIFICATE), "tls_finished", "seen"),
        (agreed().tls12(EC_CERTIFICATE).app(ToServer, 99, 1), "credssp", "inferred"),
        (Trace::relay().negotiated(SSL, SSL).tls13().app(ToServer, 99, 1), "mcs", "inferred"),
        (mcs(&[0x7F, 0x65]), "mcs", "seen"),
        (mcs(&[0x7F, 0x65]).mcs(ToClient, &[0x68, 0]), "licensing", "inferred"),
    ] {
        let report = trace.report();
        assert_eq!(report.reached.as_deref(), Some(reached));
        assert_eq!(report.reached_basis.as_deref(), Some(basis), "{reached}");
    }
}
