//! Credentials by their shape, users who cancel, sessions that give way, requests that contradict themselves.

use super::{claims, silent};
use crate::case::Case;
use crate::casebook::CaseBook;
use crate::input::SegmentKind;
use crate::report::{Connection, Outcome};
use crate::testing::bytes::tpdu;
use crate::testing::contract;
use crate::testing::{HYBRID, MSTSC, SSL, ToClient, ToServer, Trace};
use crate::wire::tls::samples::EC_CERTIFICATE;

pub(super) const FIRED: &[&str] = &[
    "nla-bad-credentials",
    "server-error-info",
    "licensing-failure",
    "credssp-pubkey-mismatch",
    "user-cancel",
    "session-replaced",
    "server-redirection",
    "server-crash-close",
    "x224-correlation-stripped",
    "x224-negreq-removed",
    "cert-untrusted-chain",
    "slow-path-timeout",
];

fn nla() -> Trace {
    Trace::relay().negotiated(MSTSC, HYBRID).tls13().app(ToClient, 255, 2)
}

/// NEGOTIATE, CHALLENGE, AUTHENTICATE with the client's proof.
fn authenticated(trace: Trace) -> Trace {
    let trace = trace.app(ToServer, 105, 1).after_ms(3).app(ToClient, 250, 1).after_ms(3);
    trace.app(ToServer, 640, 1).after_ms(20)
}

/// Standard RDP security up to the channels' joins.
fn standard_security() -> Trace {
    let trace = Trace::capture().negotiated(0, 0).mcs(ToServer, &[0x7F, 0x65, 0x82, 0, 0]);
    trace.mcs(ToClient, &[0x7F, 0x66, 0x82, 0, 0]).mcs(ToServer, &[0x64, 0, 6, 3, 0xEB, 0x70, 0])
}

/// User data of a Send Data Indication on the I/O channel.
fn says(trace: Trace, data: &[u8]) -> Trace {
    let head = [0x68, 0, 1, 3, 0xEB, 0x70, u8::try_from(data.len()).unwrap()];
    trace.mcs(ToClient, &[&head[..], data].concat())
}

fn error_info(code: u8) -> [u8; 22] {
    [0x16, 0, 0x17, 0, 0, 0, 0, 0, 0, 0, 0, 1, 8, 0, 0x2F, 0, 0, 0, code, 0, 0, 0]
}

fn licensing(code: u8, transition: u8) -> [u8; 20] {
    [0x80, 0, 0, 0, 0xFF, 3, 0x10, 0, code, 0, 0, 0, transition, 0, 0, 0, 4, 0, 0, 0]
}

#[test]
fn a_servers_reason_in_clear_is_the_reason() {
    let report = says(standard_security(), &error_info(7)).fin(ToClient).report();
    assert_eq!(report.verdict.cause.as_deref(), Some("server-error-info"), "{report:#?}");
    assert!(report.verdict.sentence.contains("ERRINFO_SERVER_DENIED_CONNECTION"), "{report:#?}");
    // The clean twin says that there is none; the decoy is ciphertext of the same length.
    let mut cipher = error_info(7);
    cipher[..2].copy_from_slice(&[8, 0]);
    for twin in [error_info(0), cipher] {
        silent(&says(standard_security(), &twin).fin(ToClient).report(), "server-error-info");
    }
}

#[test]
fn a_servers_reason_for_ending_a_session_that_came_up_is_told() {
    const FAST_PATH: [u8; 6] = [0, 6, 0, 1, 0, 0];
    let up = || standard_security().to_client(&FAST_PATH).after_ms(3_000);
    let idle = says(up(), &error_info(3)).fin(ToClient).report();
    assert_eq!(idle.outcome, Outcome::Established, "{idle:#?}");
    assert_eq!(idle.verdict.cause.as_deref(), Some("server-error-info"), "{idle:#?}");
    assert!(idle.verdict.sentence.contains("Later:"), "{idle:#?}");
    // His own leaving is no fault of a session that the user had, and is said to be his.
    for code in [0xB, 0xC] {
        let left = says(up(), &error_info(code)).fin(ToClient).report();
        assert_eq!((left.outcome, left.verdict.what.as_deref()), (Outcome::Established, None));
        assert!(left.findings.iter().any(|finding| finding.id == "server-error-info"), "{left:#?}");
    }
    // The clean twin ends without a word.
    assert_eq!(up().fin(ToClient).report().verdict.what, None);
}

#[test]
fn a_licensing_error_is_told_from_the_good_one() {
    let report = says(standard_security(), &licensing(2, 1)).fin(ToClient).report();
    assert_eq!(report.verdict.cause.as_deref(), Some("licensing-failure"), "{report:#?}");
    assert!(report.verdict.sentence.contains("ERR_NO_LICENSE"), "{report:#?}");
    // STATUS_VALID_CLIENT is how servers without licensing answer, and 7 is also an ERRINFO.
    let valid = says(standard_security(), &licensing(7, 2));
    silent(&valid.fin(ToClient).report(), "licensing-failure");
    let denied = says(says(standard_security(), &licensing(7, 2)), &error_info(7));
    silent(&denied.fin(ToClient).report(), "licensing-failure");
    // It was asked to try again, and got a licence.
    let again = says(standard_security(), &licensing(3, 4));
    let granted = [0x80, 0, 0, 0, 3, 3, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    silent(&says(again, &granted).rst(ToServer).report(), "licensing-failure");
}

fn confidence(report: &Connection, id: &str) -> f64 {
    report.causes.iter().find(|cause| cause.id == id).map_or(0.0, |cause| cause.confidence)
}

#[test]
fn a_server_that_ends_at_authenticate_refused_the_credentials() {
    let twelve = Trace::relay().negotiated(MSTSC, HYBRID).tls12(EC_CERTIFICATE);
    for (how, trace) in [
        ("closes without a word", authenticated(nla()).fin(ToClient)),
        ("says goodbye by an alert", authenticated(nla()).app(ToClient, 19, 1).fin(ToClient)),
        (
            "sends an error and the client leaves",
            authenticated(nla()).app(ToClient, 60, 1).fin(ToServer),
        ),
        (
            "sends an error as long as a proof and closes, as FreeRDP 3's",
            authenticated(nla()).app(ToClient, 84, 1).app(ToClient, 19, 1).fin(ToClient),
        ),
        ("in TLS 1.2", authenticated(twelve).fin(ToClient)),
    ] {
        let report = trace.report();
        assert_eq!(
            report.verdict.what.as_deref(),
            Some("nla-bad-credentials"),
            "{how}: {report:#?}"
        );
        assert_eq!(report.verdict.class.as_deref(), Some("credentials"), "{how}");
        assert_eq!(report.verdict.party, "server", "{how}");
        assert!(report.verdict.confidence.why < 0.9, "{how}: the account's state looks the same");
        // Interception would look the same: a candidate, not an accusation.
        assert!(confidence(&report, "credssp-pubkey-mismatch") < 0.5);
    }
    // It thought about it for longer than the client had patience.
    let late = authenticated(nla()).after_ms(10_000).all_acknowledged().fin(ToServer);
    let late = late.after_ms(5_000).app(ToClient, 60, 1).report();
    assert_eq!(late.verdict.cause.as_deref(), Some("nla-bad-credentials"), "{late:#?}");
    // Clean twin: the server proves its key. Decoys: it ends earlier, the client leaves by itself, no NLA.
    let proved = authenticated(nla()).app(ToClient, 120, 1).after_ms(5);
    silent(&proved.clone().app(ToServer, 150, 1).fin(ToClient).report(), "nla-bad-credentials");
    silent(&proved.fin(ToServer).report(), "nla-bad-credentials");
    // The shortest proof there is: FreeRDP 3's server sends it.
    let least = authenticated(nla()).app(ToClient, 76, 1).fin(ToServer).report();
    silent(&least, "nla-bad-credentials");
    assert!(claims(&least, "credssp-pubkey-mismatch"));
    silent(&nla().app(ToServer, 105, 1).fin(ToClient).report(), "nla-bad-credentials");
    silent(&authenticated(nla()).fin(ToServer).report(), "nla-bad-credentials");
    let without = Trace::relay().negotiated(MSTSC, SSL).tls13().app(ToClient, 255, 2);
    silent(&authenticated(without).fin(ToClient).report(), "nla-bad-credentials");
}

#[test]
fn a_client_that_leaves_at_the_proof_makes_interception_a_candidate() {
    let proved = || authenticated(nla()).app(ToClient, 120, 1).after_ms(5);
    let report = proved().fin(ToServer).report();
    assert!(claims(&report, "credssp-pubkey-mismatch"));
    assert_eq!((report.verdict.cause.as_deref(), report.verdict.control.as_deref()), (None, None));
    silent(&proved().app(ToServer, 150, 1).fin(ToServer).report(), "credssp-pubkey-mismatch");
    let back = Trace::relay().starting_at(5_000).negotiated(MSTSC, HYBRID).tls13().desktop();
    silent(&proved().fin(ToServer).report_with(&[back]), "credssp-pubkey-mismatch");
}

#[test]
fn a_client_that_leaves_at_a_prompt_may_have_been_cancelled() {
    let cancelled = |trace: Trace| trace.after_ms(4_000).fin(ToServer).report();
    for trace in
        [Trace::relay().negotiated(MSTSC, HYBRID), Trace::relay().negotiated(MSTSC, HYBRID).tls13()]
    {
        let report = cancelled(trace);
        assert!(claims(&report, "user-cancel"));
        assert_eq!(report.verdict.cause, None, "a program that gives up looks the same");
    }
    // The server left; the client said why; nobody was asked anything yet.
    silent(&Trace::relay().negotiated(MSTSC, HYBRID).tls13().fin(ToClient).report(), "user-cancel");
    let alert = Trace::relay().negotiated(MSTSC, HYBRID).client_hello_12().server_hello_12();
    silent(&cancelled(alert.alert(ToServer, 2, 48)), "user-cancel");
    silent(&cancelled(Trace::relay().negotiated(MSTSC, HYBRID).client_hello_13()), "user-cancel");
}

#[test]
fn a_second_session_of_one_user_ends_the_first() {
    let first = || Trace::relay().negotiated(SSL, SSL).tls13().desktop().after_ms(20_000);
    let second = |ms| Trace::relay().starting_at(ms).negotiated(SSL, SSL).tls13().desktop();
    let report = first().fin(ToClient).report_with(&[second(15_000)]);
    assert_eq!(report.outcome, Outcome::Established);
    assert!(claims(&report, "session-replaced"), "{report:#?}");
    // The other is another user's; the client left by itself; there was no other; it came much earlier.
    let request = tpdu(0xE0, b"Cookie: mstshash=another\r\n\x01\0\x08\0\x01\0\0\0");
    let another = Trace::relay().starting_at(15_000).open().to_server(&request).cc(SSL);
    silent(&first().fin(ToClient).report_with(&[another.tls13().desktop()]), "session-replaced");
    silent(&first().fin(ToServer).report_with(&[second(15_000)]), "session-replaced");
    silent(&first().fin(ToClient).report(), "session-replaced");
    let late = first().after_ms(60_000).fin(ToClient).report_with(&[second(15_000)]);
    silent(&late, "session-replaced");
}

#[test]
fn a_server_that_dies_in_the_middle_of_a_message_is_no_usual_end() {
    let up = || Trace::capture().negotiated(SSL, SSL).tls13().desktop().after_ms(900);
    let half = [23, 3, 3, 4, 0, 1, 2, 3];
    let report = up().to_client(&half).fin(ToClient).report();
    assert_eq!(report.outcome, Outcome::Established);
    assert_eq!(report.verdict.what.as_deref(), Some("truncated-tls"), "{report:#?}");
    assert_eq!((report.verdict.party.as_str(), report.verdict.cause.as_deref()), ("server", None));
    assert!(claims(&report, "server-crash-close"));
    // A message that was finished; the client's own; one that a RST may have overtaken; no session yet.
    for other in [
        up().fin(ToClient),
        up().to_server(&half).fin(ToServer),
        up().to_client(&half).fin(ToServer),
        up().to_client(&half).rst(ToClient),
        Trace::capture().negotiated(SSL, SSL).client_hello_13().to_client(&half).fin(ToClient),
    ] {
        silent(&other.report(), "server-crash-close");
    }
    assert_eq!(up().fin(ToClient).report().verdict.what, None);
    for end in [up().to_client(&half).fin(ToServer), up().to_client(&half).rst(ToClient)] {
        assert_eq!(end.report().verdict.what, None);
    }
}

#[test]
fn a_token_right_after_a_session_tells_of_a_broker() {
    let asks = |trace: Trace, routing: &[u8]| {
        let request = [routing, b"\r\n\x01\0\x08\0\x01\0\0\0"].concat();
        trace.open().to_server(&tpdu(0xE0, &request)).cc(SSL)
    };
    let token = b"Cookie: msts=3640205228.15629.0000";
    let next = |ms, routing: &[u8]| asks(Trace::capture().starting_at(ms), routing).tls13();
    // A broker may send its client on before it shows anything.
    let broker = || asks(Trace::capture(), b"Cookie: mstshash=alice").tls13().after_ms(100);
    let pairs = |first: &Trace, second: &Trace| {
        let book = CaseBook::whole([first.summary(), second.summary()]);
        let case = |trace: &Trace, of: u64| {
            let (session, around) = (trace.session(), book.around(of));
            let (sent_by, sent_to) = (around.sent_by, around.sent_to);
            contract::of_case(&Case { sent_by, sent_to, ..Case::new(session.facts(), &[]) })
        };
        [case(first, 0), case(second, 1)]
    };
    let left = broker().fin(ToServer);
    let [from, to] = pairs(&left, &next(300, token));
    assert_eq!(from.verdict.what.as_deref(), Some("server-redirection"), "{from:#?}");
    assert_eq!((from.outcome, from.verdict.confidence.what), (Outcome::Rehearsal, 0.55));
    assert!(to.findings.iter().any(|finding| finding.id == "server-redirection"), "{to:#?}");
    // A session that came up is none that failed.
    let desktop = broker().desktop().fin(ToServer);
    let [shown, _] = pairs(&desktop, &next(900, token));
    assert_eq!((shown.outcome, shown.verdict.what), (Outcome::Established, None));
    // Of one that was left before, it explains little when it comes later.
    let [later, _] = pairs(&left, &next(2_900, token));
    assert_eq!(later.outcome, Outcome::Failed);
    // Decoys: the user himself comes again; a farm's user comes much later; somebody was refused, or is another.
    let another = |mut trace: Trace| {
        trace.subject.client = "192.0.2.77:50000".parse().unwrap();
        trace
    };
    for (first, second) in [
        (left.clone(), next(300, b"Cookie: mstshash=alice")),
        (left.clone(), next(9_000, token)),
        (asks(Trace::capture(), b"Cookie: mstshash=alice").fin(ToServer), next(300, token)),
        (another(left), next(300, token)),
    ] {
        for report in pairs(&first, &second) {
            silent(&report, "server-redirection");
        }
    }
}

#[test]
fn a_request_that_contradicts_itself_makes_the_path_a_candidate() {
    let request = |flags| [3, 0, 0, 19, 14, 0xE0, 0, 0, 0, 0, 0, 1, flags, 8, 0, 3, 0, 0, 0];
    let hung_up = |flags| Trace::relay().open().to_server(&request(flags)).fin(ToClient).report();
    assert!(claims(&hung_up(8), "x224-correlation-stripped"));
    assert_eq!(hung_up(8).verdict.control, None);
    silent(&hung_up(0), "x224-correlation-stripped");
    let bare = [3, 0, 0, 11, 6, 0xE0, 0, 0, 0, 0, 0];
    let refused = |siblings: &[Trace]| {
        Trace::relay()
            .open()
            .to_server(&bare)
            .after_ms(5)
            .cc_failure(1)
            .fin(ToClient)
            .report_with(siblings)
    };
    let other = Trace::relay().starting_at(9_000).open().cr(MSTSC).cc(HYBRID);
    assert!(claims(&refused(&[other]), "x224-negreq-removed"));
    silent(&refused(&[]), "x224-negreq-removed");
    let old = Trace::relay().starting_at(9_000).open().to_server(&bare);
    silent(&refused(&[old]), "x224-negreq-removed");
}

#[test]
fn an_authority_that_the_client_does_not_know() {
    let refused = |number, certificate: &str| {
        let trace = Trace::relay().negotiated(SSL, SSL).client_hello_12().server_hello_12();
        let trace = trace.certificate(ToClient, &[certificate]).server_hello_done();
        trace.alert(ToServer, 2, number).fin(ToServer).report()
    };
    // The recorded certificate with another issuer: both names are in it once.
    let mut issued = crate::wire::tls::samples::bytes(EC_CERTIFICATE);
    let name = issued.windows(2).position(|pair| pair == [0x13, 0x30]);
    let by = crate::wire::tls::CertificateSummary::from_der(&issued).unwrap();
    assert!(by.self_issued, "{by:?} {name:?}");
    let cn = by.common_name.unwrap();
    let at = issued.windows(cn.len()).position(|part| part == cn.as_bytes()).unwrap();
    issued[at] ^= 1;
    let hex: String = issued.iter().map(|byte| format!("{byte:02x}")).collect();
    let report = refused(48, &hex);
    assert!(claims(&report, "cert-untrusted-chain"), "{report:#?}");
    silent(&report, "cert-self-signed");
    silent(&refused(48, EC_CERTIFICATE), "cert-untrusted-chain");
    silent(&refused(40, &hex), "cert-untrusted-chain");
}

#[test]
fn a_client_that_does_not_wait_for_a_slow_path() {
    use crate::input::{Leg, TcpSample};
    let late = |tried| Trace::relay().negotiated(MSTSC, HYBRID).after_ms(tried).client_hello_13();
    let left = |rtt_ms: u32, waited| {
        let rtt = Some(rtt_ms * 1000);
        let sample = TcpSample { unacked: Some(0), min_rtt_us: rtt, ..Default::default() };
        late(4_000).after_ms(waited).socket(Leg::Server, sample).fin(ToServer).report()
    };
    let report = left(2_000, 2_100);
    assert_eq!(report.verdict.cause.as_deref(), Some("slow-path-timeout"), "{report:#?}");
    assert_eq!(report.verdict.class.as_deref(), Some("performance"));
    assert_eq!(report.verdict.party, "server_network");
    // What arrives behind the end came too late.
    let rtt = TcpSample { min_rtt_us: Some(2_000_000), ..Default::default() };
    let ended = |tried| late(tried).after_ms(2_100).socket(Leg::Server, rtt).fin(ToServer);
    let report = ended(4_000).after_ms(50).server_hello_13().report();
    assert_eq!(report.verdict.cause.as_deref(), Some("slow-path-timeout"), "{report:#?}");
    // Who leaves long before any timer has changed his mind.
    let soon = ended(100).report();
    silent(&soon, "slow-path-timeout");
    assert_eq!(soon.verdict.party, "unknown", "and may have had no patience");
    // A fast path; a slow path and a server that waits much longer than that.
    silent(&left(20, 2_100), "slow-path-timeout");
    silent(&left(600, 9_000), "slow-path-timeout");
    // Within a round trip no answer is due, however long that is.
    silent(&left(5_700, 5_200), "unanswered-turn");
    assert!(claims(&left(600, 5_200), "unanswered-turn"));
}

#[test]
fn time_stamps_tell_which_syn_was_answered() {
    let stamped = |at: u8, echo: u8| [1, 1, 8, 10, 0, 0, 0, at, 0, 0, 0, echo];
    let syns = |echo: u8| {
        let syn =
            |trace: Trace, at| trace.kept_as(ToServer, SegmentKind::Syn, 1000, &stamped(at, 0));
        let again = syn(syn(Trace::capture(), 1).after_ms(1_000), 2).after_ms(2_000);
        let again = syn(again, 3).after_ms(150);
        again.kept_as(ToClient, SegmentKind::SynAck, 5000, &stamped(9, echo))
    };
    let left =
        |echo: u8, waited| syns(echo).open().cr(MSTSC).after_ms(waited).fin(ToServer).report();
    // The first one, 3.15 s ago: the path may be slow, and no answer was due yet.
    let slow = left(1, 3_700);
    assert_eq!(slow.verdict.cause.as_deref(), Some("slow-path-timeout"), "{slow:#?}");
    assert_eq!((slow.verdict.party.as_str(), slow.verdict.confidence.who), ("network", 0.55));
    assert_eq!(slow.verdict.confidence.why, 0.55);
    // A confirm that comes at once shows that the first answers were lost.
    let quick = syns(1).open().cr(MSTSC).after_ms(5).cc(HYBRID).client_hello_13();
    silent(&quick.after_ms(3_700).fin(ToServer).report(), "slow-path-timeout");
    // The last one, 150 ms ago: the others were lost, and the server did not answer.
    silent(&left(3, 3_700), "slow-path-timeout");
    // A client that waits much longer than the path takes.
    silent(&left(1, 9_000), "slow-path-timeout");
}
