//! No connection, or one to something that is no Remote Desktop host.

use super::{Expected, claims, fails, silent};
use crate::facts::InputEnd;
use crate::input::{ConnectFailureKind, Leg, RelayNote, SegmentCounts, TcpSample};
use crate::report::Outcome;
use crate::testing::{HYBRID, MSTSC, ToClient, ToServer, Trace};

pub(super) const FIRED: &[&str] = &[
    "name-not-found",
    "icmp-reject",
    "tcp-refused-rst",
    "tcp-syn-drop",
    "http-answer",
    "proxy-connect-needed",
    "tls-first-endpoint",
    "non-rdp-endpoint",
    "service-down-after-accept",
    "lb-no-backend",
    "connect-error",
];

fn refused(kind: ConnectFailureKind, after_ms: u64) -> Trace {
    Trace::relay().open_client().after_ms(after_ms).connect_failed(kind, after_ms)
}

fn icmp(offender: &str) -> ConnectFailureKind {
    ConnectFailureKind::Icmp { kind: 3, code: 13, offender: offender.parse().ok() }
}

#[test]
fn a_failed_connect_is_named_by_what_ended_it() {
    let no_name = ConnectFailureKind::NameNotFound("no such host".into());
    for (kind, id, party, how) in [
        (ConnectFailureKind::Refused, "tcp-refused-rst", "unknown", "rst"),
        (icmp("10.0.0.1"), "icmp-reject", "server_network", "icmp"),
        (icmp("10.0.0.9"), "icmp-reject", "server", "icmp"),
        (ConnectFailureKind::NoAnswer, "tcp-syn-drop", "unknown", "timeout"),
        (no_name, "name-not-found", "unknown", "never_opened"),
    ] {
        let expected = Expected {
            what: Some(id),
            cause: Some(id),
            class: Some("reachability"),
            party,
            reached: "tcp",
            how,
        };
        let report = fails(&refused(kind, 9_500), &expected);
        for other in ["tcp-refused-rst", "icmp-reject", "tcp-syn-drop", "name-not-found"] {
            assert_eq!(claims(&report, other), other == id, "{other}");
        }
        assert_eq!(report.mstsc.code.as_deref(), Some("0x904"));
        assert!(report.mstsc.direct.is_some());
    }
}

#[test]
fn no_failed_connect_is_left_without_a_name() {
    let other = |name: &str| ConnectFailureKind::Other(name.into());
    for (kind, id) in [
        (ConnectFailureKind::ResetAfterSynAck, "rst-of-unclear-origin"),
        (other("ENETUNREACH"), "connect-error"),
        (other("EAI_AGAIN"), "name-not-found"),
        (other("EADDRNOTAVAIL"), "connect-error"),
        (other("EAFNOSUPPORT"), "connect-error"),
    ] {
        let report = refused(kind.clone(), 3).report();
        assert_eq!(report.outcome, Outcome::Failed);
        assert_eq!(report.verdict.what.as_deref(), Some(id), "{kind:?}");
    }
    // A neighbour that is asked and does not answer takes a while.
    let silent_neighbour = refused(other("EHOSTUNREACH"), 3_000).report();
    assert_eq!(silent_neighbour.verdict.what.as_deref(), Some("tcp-syn-drop"));
    // Of several addresses the one that answered tells most, in whatever order they were tried.
    let no_route = || refused(other("ENETUNREACH"), 0);
    let also = |trace: Trace, kind, ms| trace.failed_to("10.0.0.8:3389".parse().ok(), kind, ms);
    for trace in [
        also(no_route(), ConnectFailureKind::Refused, 3),
        also(refused(ConnectFailureKind::Refused, 3), other("ENETUNREACH"), 0),
        also(refused(ConnectFailureKind::NoAnswer, 20_000), ConnectFailureKind::Refused, 3),
    ] {
        assert_eq!(trace.report().verdict.what.as_deref(), Some("tcp-refused-rst"));
    }
    // Clean twin: another address could be reached.
    let reached = refused(other("EAFNOSUPPORT"), 3).negotiated(MSTSC, HYBRID).fin(ToServer);
    silent(&reached.report(), "connect-error");
}

#[test]
fn a_system_that_gives_up_early_makes_a_silence_less_sure() {
    let silence = |ms| refused(ConnectFailureKind::NoAnswer, ms).report();
    assert_eq!(silence(9_500).verdict.confidence.why, 0.8);
    let early = silence(3_000);
    assert_eq!(early.verdict.cause.as_deref(), Some("tcp-syn-drop"));
    assert_eq!(early.verdict.confidence.why, 0.55);
    // Decoy: it was the relay's own deadline.
    let deadline = Trace::relay().open_client().after_ms(3_000);
    let deadline = deadline.relay_note(RelayNote::Deadline("no connection".into()));
    let deadline = deadline.connect_failed(ConnectFailureKind::NoAnswer, 3_000).report();
    silent(&deadline, "tcp-syn-drop");
    assert_eq!(deadline.verdict.what.as_deref(), Some("relay-induced"));
}

#[test]
fn a_failed_attempt_before_a_successful_one_is_no_failure() {
    let report = Trace::relay()
        .open_client()
        .connect_failed(ConnectFailureKind::Refused, 2)
        .negotiated(MSTSC, HYBRID)
        .tls13()
        .desktop()
        .rst(ToServer)
        .report();
    assert_eq!(report.outcome, Outcome::Established);
    silent(&report, "tcp-refused-rst");
    assert_eq!(report.legs.server.unwrap().attempts.len(), 1);
}

#[test]
fn a_client_that_gives_up_while_the_relay_still_dials() {
    let dialing = Trace::relay().open_client().relay_note(RelayNote::Dialing);
    let late = dialing.clone().after_ms(12_000).fin(ToServer).report();
    assert_eq!(late.verdict.what.as_deref(), Some("tcp-syn-drop"));
    // Too early to say that nothing will answer; and no port scan, for the server was never reached.
    let early = dialing.clone().after_ms(3_000).fin(ToServer).report();
    assert_eq!(early.outcome, Outcome::Failed);
    assert_eq!((early.verdict.cause.as_deref(), early.verdict.party.as_str()), (None, "unknown"));
    silent(&early, "tcp-syn-drop");
    // No SYN has left: the server's name is still looked up.
    let unresolved = Trace::relay().open_client().after_ms(12_000).fin(ToServer).report();
    assert_eq!(unresolved.outcome, Outcome::Failed);
    silent(&unresolved, "tcp-syn-drop");
    // Who asked for its address was not answered before the client left.
    let asked = Trace::relay().open_client().after_ms(12_000).fin(ToServer);
    let asked = asked.failed_to(None, ConnectFailureKind::NameUnanswered, 12_000).report();
    assert_eq!(asked.verdict.what.as_deref(), Some("name-not-found"), "{asked:#?}");
    assert!(asked.evidence.iter().any(|fact| fact.fact.contains("nothing after 12.0 s")));
    // The request waits in the relay: no service has it, so no service hangs.
    let request = dialing.cr(MSTSC).after_ms(12_000).fin(ToServer).report();
    assert_eq!(request.verdict.what.as_deref(), Some("tcp-syn-drop"));
    silent(&request, "service-down-after-accept");
}

#[test]
fn a_capture_that_ends_too_early_shows_no_syn_drop() {
    let short = Trace::capture()
        .after_ms(40)
        .connect_failed(ConnectFailureKind::NoAnswer, 40)
        .input_ends(InputEnd::Capture);
    assert_eq!(short.report().outcome, Outcome::Unknown);
    silent(&short.report(), "tcp-syn-drop");
    let long = Trace::capture()
        .after_ms(21_000)
        .connect_failed(ConnectFailureKind::NoAnswer, 21_000)
        .input_ends(InputEnd::Capture);
    assert_eq!(long.report().verdict.cause.as_deref(), Some("tcp-syn-drop"));
    // A client that sends data has had a SYN-ACK, whatever the capture holds of it.
    let asymmetric = Trace::capture()
        .cr(MSTSC)
        .after_ms(21_000)
        .connect_failed(ConnectFailureKind::NoAnswer, 21_000);
    silent(&asymmetric.report(), "tcp-syn-drop");
}

const HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n";
const PORTAL: &[u8] = b"HTTP/1.1 302 Found\r\nLocation: http://login/\r\n\r\n";

#[test]
fn another_service_on_the_port_is_named_by_its_first_bytes() {
    for (answer, id) in [
        (HTTP, "http-answer"),
        (PORTAL, "http-answer"),
        (&b"\x15\x03\x01\x00\x02\x02\x0a"[..], "tls-first-endpoint"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "non-rdp-endpoint"),
        (b"RFB 003.008\n", "non-rdp-endpoint"),
        (b"a protocol nobody ever saw", "non-rdp-endpoint"),
    ] {
        for end in [Trace::fin, Trace::rst] {
            let asked = Trace::relay().open().cr(MSTSC).after_ms(5).to_client(answer).after_ms(1);
            let report = end(asked, ToClient).report();
            assert_eq!(report.outcome, Outcome::Failed, "{id}");
            assert_eq!(report.verdict.what.as_deref(), Some(id));
            assert_eq!(report.verdict.cause.as_deref(), Some(id));
            assert_eq!(report.verdict.class.as_deref(), Some("reachability"));
            assert_eq!(report.reached.as_deref(), Some("x224_request"));
            for other in ["http-answer", "tls-first-endpoint", "non-rdp-endpoint"] {
                assert_eq!(claims(&report, other), other == id, "{other}");
            }
        }
    }
}

#[test]
fn a_portal_is_told_from_a_web_server() {
    let says = |answer| {
        let trace = Trace::relay().open().cr(MSTSC).to_client(answer).fin(ToClient);
        trace.report().verdict.sentence
    };
    assert!(says(PORTAL).contains("portal"));
    assert!(!says(HTTP).contains("portal"));
}

#[test]
fn a_forward_proxy_is_told_from_other_web_servers() {
    /// As Squid 5.7 answers an X.224 request, and what RFC 9110 15.5.8 asks for.
    const SQUID: &[u8] =
        b"HTTP/1.1 400 Bad Request\r\nServer: squid/5.7\r\nX-Squid-Error: ERR_PROTOCOL_UNKNOWN 0\r\n\r\n";
    const LOGIN: &[u8] =
        b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x\r\n\r\n";
    let report = |answer| Trace::relay().open().cr(MSTSC).to_client(answer).fin(ToClient).report();
    let squid = report(SQUID);
    assert_eq!(squid.verdict.what.as_deref(), Some("http-answer"));
    assert_eq!(
        squid.verdict.cause.as_deref(),
        Some("http-answer"),
        "one of several ways to meet it"
    );
    assert!(squid.causes.iter().any(|cause| cause.id == "proxy-connect-needed"), "{squid:#?}");
    let login = report(LOGIN);
    assert_eq!(login.verdict.cause.as_deref(), Some("proxy-connect-needed"), "{login:#?}");
    silent(&report(HTTP), "proxy-connect-needed");
    silent(&report(PORTAL), "proxy-connect-needed");
}

#[test]
fn a_web_client_that_gets_a_web_answer_is_no_failure_of_rdp() {
    for (asked, answered) in [
        (&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], HTTP),
        (b"SSH-2.0-PuTTY\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"),
    ] {
        let report =
            Trace::capture().open().to_server(asked).to_client(answered).fin(ToClient).report();
        assert_eq!(report.outcome, Outcome::NotRdp);
        silent(&report, "http-answer");
        silent(&report, "non-rdp-endpoint");
    }
}

#[test]
fn a_few_bytes_that_could_become_rdp_are_not_another_protocol() {
    let report =
        Trace::capture().open().cr(MSTSC).to_client(&[3]).after_ms(1).rst(ToClient).report();
    silent(&report, "non-rdp-endpoint");
    assert_eq!(report.verdict.what.as_deref(), Some("truncated-tls"));
    assert_eq!(report.verdict.cause, None);
}

#[test]
fn a_short_answer_is_judged_when_nothing_more_can_come() {
    for answer in [&b"HTTP/1.1 200 OK\r\n"[..], b"bye\n"] {
        let left = Trace::capture().open().cr(MSTSC).to_client(answer).after_ms(1).fin(ToServer);
        assert_eq!(left.report().verdict.class.as_deref(), Some("reachability"));
    }
}

#[test]
fn bytes_behind_a_hole_are_not_another_protocol() {
    let start = || Trace::capture().open().cr(MSTSC);
    for hole in [
        start().gap(ToClient, Some(19)).to_client(b"bytes of an encrypted record"),
        start().gap(ToClient, None).to_client(b"bytes of an encrypted record"),
        start().skipped(ToClient, 19).to_client(b"bytes of an encrypted record"),
    ] {
        silent(&hole.fin(ToClient).report(), "non-rdp-endpoint");
    }
}

#[test]
fn a_service_that_hangs_behind_its_listener() {
    let asked = Trace::relay().open().cr(MSTSC).after_ms(12_000);
    let report = fails(
        &asked.clone().all_acknowledged().fin(ToServer),
        &Expected {
            what: Some("service-down-after-accept"),
            cause: Some("service-down-after-accept"),
            class: Some("server-config"),
            party: "server",
            reached: "x224_request",
            how: "fin",
        },
    );
    // A forwarder whose host does not answer acknowledges, too.
    assert_eq!(report.verdict.confidence.what, 0.8);
    // Without a word on what was acknowledged it is possible, and says no more than that.
    let unsure = asked.clone().fin(ToServer).report();
    assert_eq!(unsure.verdict.confidence.what, 0.55);
    assert!(!unsure.verdict.sentence.contains("took"), "{}", unsure.verdict.sentence);
    // Decoy: the request never arrived.
    let lost = TcpSample { unacked: Some(1), ..Default::default() };
    let dropped = asked.socket(Leg::Server, lost).fin(ToServer).report();
    assert_eq!(dropped.verdict.cause, None);
    assert_ne!(dropped.verdict.what.as_deref(), Some("service-down-after-accept"));
    // Clean twin: the answer came.
    let answered = Trace::relay().open().cr(MSTSC).after_ms(12_000).cc(HYBRID).fin(ToServer);
    silent(&answered.report(), "service-down-after-accept");
}

/// Counts of a capture: one side's segments, all of its bytes acknowledged if it has any.
fn counts(segments: u64, bytes: u64) -> SegmentCounts {
    let acknowledged = (segments > 0).then_some(bytes);
    SegmentCounts { segments, data_segments: segments, bytes, acknowledged, ..Default::default() }
}

#[test]
fn a_capture_of_one_direction_proves_no_silence() {
    let requested = Trace::capture().open().cr(MSTSC);
    let one = counts(4, 42);
    let report = requested.after_ms(30_000).counts(one, counts(0, 0)).fin(ToServer).report();
    silent(&report, "service-down-after-accept");
    assert_eq!(report.outcome, Outcome::Unknown);
    let hello = Trace::capture().open().cr(MSTSC).client_hello_13();
    let report = hello.after_ms(30_000).counts(one, counts(0, 0)).fin(ToServer).report();
    silent(&report, "server-stall");
    assert_eq!(report.outcome, Outcome::Unknown);
}

#[test]
fn accepted_and_dropped_at_once_is_a_candidate_only() {
    let report = fails(
        &Trace::relay().open().cr(MSTSC).after_ms(4).rst(ToClient),
        &Expected {
            what: Some("rst-genuine-server"),
            cause: None,
            class: Some("abort"),
            party: "server",
            reached: "x224_request",
            how: "rst",
        },
    );
    assert_eq!(report.causes[0].id, "lb-no-backend");
    assert!(report.causes[0].confidence < 0.5);
    // Who hung up is no surer where packets were captured: a forwarder's RST has its own address.
    let asked = Trace::capture().open().cr(MSTSC).after_ms(4);
    let answered = Trace::capture().negotiated(MSTSC, HYBRID).after_ms(4);
    for (trace, sure) in [(asked, false), (answered, true)] {
        for trace in [trace.clone().rst(ToClient), trace.fin(ToClient)] {
            let verdict = trace.report().verdict;
            assert_eq!((verdict.party.as_str(), verdict.confidence.who >= 0.7), ("server", sure));
        }
    }
    // Decoy: some servers hang up on unknown protocol bits.
    let unusual = Trace::relay().open().cr(0x1F).after_ms(4).rst(ToClient).report();
    assert_eq!(unusual.causes[0].against.len(), 1);
    // Clean twins: an answer, and a late end.
    let answered = Trace::relay().negotiated(MSTSC, HYBRID).rst(ToClient).report();
    silent(&answered, "lb-no-backend");
    silent(
        &Trace::relay().open().cr(MSTSC).after_ms(8_000).rst(ToClient).report(),
        "lb-no-backend",
    );
}

#[test]
fn reset_right_behind_the_syn_ack_says_what_was_seen() {
    let report = fails(
        &refused(ConnectFailureKind::ResetAfterSynAck, 3),
        &Expected {
            what: Some("rst-of-unclear-origin"),
            cause: None,
            class: Some("abort"),
            party: "unknown",
            reached: "tcp",
            how: "rst",
        },
    );
    for id in ["lb-no-backend", "syn-proxy-fake-open"] {
        assert!(claims(&report, id), "{id} has this shape");
    }
    let port_closed = refused(ConnectFailureKind::Refused, 3).report();
    silent(&port_closed, "lb-no-backend");
}

#[test]
fn an_error_of_the_system_is_named_and_has_no_cause() {
    let error = || refused(ConnectFailureKind::Other("EADDRNOTAVAIL".into()), 1);
    for trace in [error(), error().fin(ToServer)] {
        let report = trace.report();
        assert_eq!(report.outcome, Outcome::Failed);
        assert_eq!(report.verdict.what.as_deref(), Some("connect-error"));
        assert_eq!(report.verdict.cause, None);
        assert_eq!(report.ended.errno.as_deref(), Some("EADDRNOTAVAIL"));
    }
    // Decoys: the peer refuses; the neighbour does not answer; no name server does.
    let other = |name: &str| ConnectFailureKind::Other(name.into());
    let kinds =
        [(ConnectFailureKind::Refused, 3), (other("EHOSTUNREACH"), 3_000), (other("EAI_AGAIN"), 3)];
    for (kind, ms) in kinds {
        silent(&refused(kind, ms).report(), "connect-error");
    }
}
