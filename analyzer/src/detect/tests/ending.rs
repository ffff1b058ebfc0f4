//! Who closed, how, and what that alone proves.

use super::{Expected, fails, silent};
use crate::input::{Close, Direction, RelayNote, SegmentCounts, SegmentKind};
use crate::report::{Connection, Outcome};
use crate::testing::{HYBRID, MSTSC, SSL, ToClient, ToServer, Trace};
use crate::wire::tls::samples::{EC_CERTIFICATE, WINDOWS_LIKE_CERTIFICATE};

pub(super) const FIRED: &[&str] = &[
    "rst-genuine-server",
    "rst-genuine-client",
    "clean-close-no-reason",
    "truncated-tls",
    "relay-induced",
    "rst-immune",
    "proxy-header-sent",
    "client-rehearsal-close",
    "cert-key-inaccessible",
];

#[test]
fn a_close_without_a_reason_names_the_side_and_abstains_on_why() {
    for (dir, side) in [(ToServer, "client"), (ToClient, "server")] {
        for (how, what, word) in [
            (Close::Fin, "clean-close-no-reason", "fin"),
            (Close::Error("ETIMEDOUT"), "clean-close-no-reason", "error"),
            (Close::Rst, "rst-genuine", "rst"),
        ] {
            let what = if what == "rst-genuine" { format!("{what}-{side}") } else { what.into() };
            // Behind a timeout stands no segment of anyone.
            let party = if word == "error" { "unknown" } else { side };
            // In the middle of CredSSP.
            let trace = Trace::relay().negotiated(MSTSC, HYBRID).tls13().app(ToServer, 100, 1);
            let report = trace.after_ms(10).app(ToClient, 300, 1).close(dir, how).report();
            assert_eq!(report.outcome, Outcome::Failed);
            assert_eq!(report.verdict.what, Some(what));
            assert_eq!(report.verdict.cause, None);
            assert_eq!((report.verdict.party.as_str(), report.ended.how.as_str()), (party, word));
            assert_eq!(report.ended.from.as_deref(), Some(side));
            assert_eq!(report.reached.as_deref(), Some("credssp"));
            assert_eq!(report.reached_basis.as_deref(), Some("inferred"));
            // A relay can not tell the host from its network.
            assert!(report.verdict.confidence.who <= 0.6);
        }
    }
}

#[test]
fn what_was_said_before_the_close_is_not_called_silence() {
    let start = || Trace::relay().negotiated(SSL, SSL);
    let standard = || Trace::relay().negotiated(0, 0).mcs(ToServer, &[0x7F, 0x65]);
    for (trace, clause) in [
        (start().tls13(), "gave no reason on the wire"),
        (start().tls13().app(ToClient, 19, 1), "an encrypted record of an alert's size"),
        (start().tls13().app(ToServer, 19, 1), "gave no reason on the wire"),
        (start().tls12(EC_CERTIFICATE).to_client(&[21, 3, 3, 0, 3, 9, 9, 9]), "encrypted alert"),
        (standard().mcs(ToClient, &[0x21, 0x80]), "MCS Disconnect Provider Ultimatum"),
        (standard().mcs(ToServer, &[0x21, 0x80]), "the other side's MCS Disconnect Provider"),
    ] {
        for end in [trace.clone().fin(ToClient), trace.rst(ToClient)] {
            let sentence = end.report().verdict.sentence;
            assert!(sentence.contains(clause), "{sentence}");
        }
    }
    let report = standard().mcs(ToClient, &[0x21, 0x80]).rst(ToClient).report();
    assert!(report.evidence.iter().any(|item| item.fact.contains("reason 3")));
}

#[test]
fn a_reset_with_a_foreign_ttl_names_nobody() {
    let start = || Trace::capture().negotiated(MSTSC, HYBRID).client_hello_13().after_ms(2);
    let genuine = start().segment(ToClient, SegmentKind::Rst, 57, 57).rst(ToClient).report();
    assert_eq!(genuine.verdict.what.as_deref(), Some("rst-genuine-server"));
    assert_eq!((genuine.verdict.party.as_str(), genuine.verdict.confidence.who), ("server", 0.93));
    let foreign = start().segment(ToClient, SegmentKind::Rst, 64, 57).rst(ToClient).report();
    assert_eq!(foreign.verdict.what.as_deref(), Some("rst-of-unclear-origin"));
    assert_eq!(foreign.verdict.cause, None);
    silent(&foreign, "rst-genuine-server");
    assert_eq!(foreign.verdict.party, "unknown");
    assert!(foreign.evidence.iter().any(|item| item.fact.contains("TTL 64")));
}

#[test]
fn the_end_inside_a_record_is_no_orderly_end() {
    let cut = [0x17, 3, 3, 1, 0, 9, 9, 9];
    let report = fails(
        &Trace::relay().negotiated(SSL, SSL).tls13().to_client(&cut).fin(ToClient),
        &Expected {
            what: Some("truncated-tls"),
            cause: None,
            class: Some("abort"),
            party: "server",
            reached: "tls_finished",
            how: "fin",
        },
    );
    silent(&report, "clean-close-no-reason");
    // Clean twin: whole records. Decoys: the other side's record is cut; bytes are missing.
    let handshake = || Trace::relay().negotiated(SSL, SSL).tls13();
    silent(&handshake().app(ToClient, 3, 1).fin(ToClient).report(), "truncated-tls");
    silent(&handshake().to_client(&cut).fin(ToServer).report(), "truncated-tls");
    let holes = Trace::capture().negotiated(SSL, SSL).tls13().gap(ToClient, Some(40));
    silent(&holes.to_client(&cut).fin(ToClient).report(), "truncated-tls");
}

#[test]
fn the_relay_accuses_itself_first() {
    for note in [RelayNote::Deadline("idle".into()), RelayNote::Error("no memory".into())] {
        let how = if matches!(note, RelayNote::Error(_)) { "error" } else { "relay_deadline" };
        let start = || Trace::relay().negotiated(MSTSC, HYBRID).client_hello_13().after_ms(900);
        let report = fails(
            &start().relay_note(note.clone()).after_ms(1).rst(ToServer),
            &Expected {
                what: Some("relay-induced"),
                cause: Some("relay-induced"),
                class: Some("relay"),
                party: "relay",
                reached: "tls_client_hello",
                how,
            },
        );
        assert_eq!(report.ended.from.as_deref(), Some("relay"));
        // Decoy: the session was dead before the relay noticed anything.
        let dead = start().rst(ToClient).after_ms(5).relay_note(note).report();
        assert_eq!(dead.verdict.what.as_deref(), Some("rst-genuine-server"));
        silent(&dead, "relay-induced");
    }
    let told = Trace::relay().negotiated(MSTSC, HYBRID).relay_note(RelayNote::Shutdown).report();
    assert_eq!(told.outcome, Outcome::Unknown);
}

#[test]
fn a_session_that_ignores_resets_says_so_and_is_judged_as_without() {
    let start = || Trace::relay().negotiated(MSTSC, HYBRID).client_hello_13();
    let report = start().relay_note(RelayNote::RstImmune).fin(ToClient).report();
    assert!(report.findings.iter().any(|finding| finding.id == "rst-immune"), "{report:#?}");
    let plain = start().fin(ToClient).report();
    assert_eq!(report.verdict.what, plain.verdict.what);
    silent(&plain, "rst-immune");
    // Decoy: another note of the relay's.
    silent(&start().relay_note(RelayNote::Shutdown).fin(ToClient).report(), "rst-immune");
}

#[test]
fn a_header_that_the_server_may_not_expect_is_said_and_judged_with_care() {
    let asked = |header: bool| {
        let trace = Trace::relay().open();
        let trace = if header { trace.relay_note(RelayNote::HeaderSent) } else { trace };
        trace.cr(MSTSC).all_acknowledged().after_ms(12_000).fin(ToServer).report()
    };
    let (with, without) = (asked(true), asked(false));
    let finding = with.findings.iter().find(|finding| finding.id == "proxy-header-sent");
    assert!(finding.is_some_and(|finding| finding.says.contains("expects none")), "{with:#?}");
    let confidence = |report: &Connection| {
        let cause = report.causes.iter().find(|cause| cause.id == "service-down-after-accept");
        cause.map(|cause| cause.confidence)
    };
    assert!(confidence(&with) < confidence(&without) && with.verdict.cause.is_none(), "{with:#?}");
    silent(&without, "proxy-header-sent");
    // A server that has answered took it.
    let took = Trace::relay().negotiated(MSTSC, HYBRID).relay_note(RelayNote::HeaderSent);
    let took = took.fin(ToClient).report();
    assert!(took.findings.iter().any(|finding| finding.says.contains("took it")), "{took:#?}");
}

/// TLS done; the client leaves for a prompt.
fn rehearsal() -> Trace {
    Trace::relay().negotiated(MSTSC, HYBRID).tls13().rst(ToServer)
}

/// The next connection, this long after the first one began.
fn next(ms: u64) -> Trace {
    Trace::relay().starting_at(ms).negotiated(MSTSC, HYBRID).tls13()
}

#[test]
fn a_client_that_comes_back_and_gets_further_had_rehearsed() {
    let report = rehearsal().report_with(&[next(34_000).desktop().rst(ToServer)]);
    assert_eq!(report.outcome, Outcome::Rehearsal);
    assert_eq!(report.verdict.what.as_deref(), Some("client-rehearsal-close"));
    assert_eq!(report.verdict.class.as_deref(), Some("benign"));
    assert_eq!((report.verdict.party.as_str(), report.verdict.cause), ("client", None));
    // In NLA, too: the server's pubKeyAuth reply, then a FIN.
    let nla = Trace::relay().negotiated(MSTSC, HYBRID).tls12(EC_CERTIFICATE);
    let nla = nla.app(ToServer, 100, 1).app(ToClient, 300, 1).fin(ToServer);
    let report = nla.report_with(&[next(3_000).desktop()]);
    assert_eq!(report.outcome, Outcome::Rehearsal);
    // The client says goodbye, and the server's FIN is the faster one.
    let said = |dir| Trace::capture().negotiated(SSL, SSL).tls13().app(dir, 19, 1).fin(ToClient);
    let report = said(ToServer).report_with(&[next(3_000).desktop()]);
    assert_eq!(report.outcome, Outcome::Rehearsal, "{report:#?}");
    let report = said(ToClient).report_with(&[next(3_000).desktop()]);
    assert_eq!(report.outcome, Outcome::Failed, "the server's own goodbye");
}

#[test]
fn a_goodbye_that_comes_too_late_to_be_acknowledged_spoils_no_rehearsal() {
    let capture = Trace::capture().negotiated(SSL, SSL).tls12(EC_CERTIFICATE);
    let goodbye = [21, 3, 3, 0, 3, 9, 9, 9];
    let left = capture.to_server(&goodbye).fin(ToServer).after_ms(2).to_client(&goodbye);
    let sent = SegmentCounts { bytes: 900, acknowledged: Some(900), ..Default::default() };
    let server = SegmentCounts { bytes: 900, acknowledged: Some(892), ..Default::default() };
    let back = Trace::capture().starting_at(3_000).negotiated(SSL, SSL).tls12(EC_CERTIFICATE);
    let back = || back.clone().desktop();
    let report = left.counts(sent, server).rst(ToServer).report_with(&[back()]);
    assert_eq!(report.outcome, Outcome::Rehearsal, "{report:#?}");
    // The server answers and is the first to close.
    let goodbye = |trace: Trace, dir| trace.after_ms(2).app(dir, 19, 1);
    let asked = || goodbye(Trace::capture().negotiated(SSL, SSL).tls13(), ToServer);
    let left = goodbye(asked(), ToClient).fin(ToClient).rst(ToServer).counts(sent, server);
    assert_eq!(left.report_with(&[back()]).outcome, Outcome::Rehearsal);
    // What it had said before that did not arrive, and was sent again.
    let unheard = asked().fin(ToServer).counts(sent, server);
    let again = SegmentCounts { retransmitted: 1, ..server };
    let in_vain = goodbye(asked(), ToClient).fin(ToClient).rst(ToServer).counts(sent, again);
    for trace in [unheard, in_vain] {
        assert_eq!(trace.report_with(&[back()]).outcome, Outcome::Failed);
    }
}

#[test]
fn what_only_looks_like_a_rehearsal_is_none() {
    let desktop = |ms| next(ms).desktop();
    let mut another_client = desktop(3_000);
    let mut another_server = desktop(3_000);
    another_server.subject.server = "10.0.0.77:3389".parse().ok();
    another_client.subject.client = "10.0.0.6:50111".parse().unwrap();
    for (why, sibling) in [
        ("it ends at the same step", next(3_000).rst(ToServer)),
        ("too late", desktop(140_000)),
        ("another client", another_client),
        ("another server", another_server),
        ("it came before", Trace::relay().negotiated(MSTSC, HYBRID).tls13().desktop()),
    ] {
        let report = rehearsal().report_with(&[sibling]);
        assert_eq!(report.outcome, Outcome::Failed, "{why}");
        silent(&report, "client-rehearsal-close");
    }
    // Side by side with the sibling for a while.
    let long = Trace::relay().negotiated(MSTSC, HYBRID).tls13().after_ms(20_000).rst(ToServer);
    assert_eq!(long.report_with(&[desktop(5_000)]).outcome, Outcome::Failed);
    // The server ended it; the client said why.
    let server = Trace::relay().negotiated(MSTSC, HYBRID).tls13().rst(ToClient);
    assert_eq!(server.report_with(&[desktop(3_000)]).outcome, Outcome::Failed);
    let early = Trace::relay().negotiated(MSTSC, HYBRID).rst(ToServer);
    assert_eq!(early.report_with(&[desktop(3_000)]).outcome, Outcome::Failed);
}

#[test]
fn a_hello_without_an_answer_has_a_candidate_and_no_cause() {
    let hello = || Trace::relay().negotiated(MSTSC, HYBRID).client_hello_13().after_ms(3);
    for (trace, what, how) in [
        (hello().rst(ToClient), "rst-genuine-server", "rst"),
        (hello().fin(ToClient), "clean-close-no-reason", "fin"),
    ] {
        let report = fails(
            &trace,
            &Expected {
                what: Some(what),
                cause: None,
                class: Some("abort"),
                party: "server",
                reached: "tls_client_hello",
                how,
            },
        );
        assert_eq!(report.causes[0].id, "cert-key-inaccessible");
        assert!(report.causes[0].confidence < 0.5);
        assert!(!report.next.is_empty());
    }
    // Clean twin and decoys: an answer, an alert, the client's own close, clear RDP.
    for trace in [
        hello().server_hello_13().fin(ToClient),
        hello().alert(ToClient, 2, 40).fin(ToClient),
        hello().fin(ToServer),
        hello().mcs(ToClient, &[0x21, 0x80]).rst(ToClient),
        Trace::relay().negotiated(0, 0).rst(ToClient),
        // It waited for the hello in vain; a part of one came; the way to it was lost; an end before the confirm.
        Trace::relay().negotiated(MSTSC, HYBRID).after_ms(30_000).fin(ToClient),
        Trace::relay().negotiated(MSTSC, HYBRID).to_server(&[22, 3, 1, 1, 0, 1]).rst(ToClient),
        Trace::relay().negotiated(MSTSC, HYBRID).close(ToClient, Close::Error("EHOSTUNREACH")),
        Trace::capture().open().cr(MSTSC).rst(ToClient).after_ms(1).cc(HYBRID),
    ] {
        silent(&trace.report(), "cert-key-inaccessible");
    }
}

#[test]
fn a_server_that_agrees_and_closes_before_the_hello_has_the_same_candidate() {
    let agreed = || Trace::capture().negotiated(MSTSC, HYBRID).after_ms(1).fin(ToClient);
    for trace in [agreed(), agreed().after_ms(1).client_hello_13().rst(ToClient)] {
        let report = trace.report();
        assert_eq!(report.verdict.what.as_deref(), Some("clean-close-no-reason"));
        assert_eq!(report.causes[0].id, "cert-key-inaccessible");
        assert!(report.causes[0].confidence < 0.5);
        let fact = "the server agreed to TLS and closed 6.0 ms later, before a ClientHello came";
        assert!(report.evidence.iter().any(|evidence| evidence.fact == fact), "{report:#?}");
    }
}

#[test]
fn who_closes_behind_the_others_ultimatum_did_not_end_it() {
    let asks = &[0x7F, 0x65, 0x82, 0x01];
    let clear = || Trace::capture().negotiated(0, 0).mcs(ToServer, asks).after_ms(2);
    let told = clear().mcs(ToClient, &[0x21, 0x80]).after_ms(1).fin(ToServer).report();
    assert_eq!(told.ended.from.as_deref(), Some("client"));
    assert_eq!(told.verdict.party, "server");
    let words = "after the other side's MCS Disconnect Provider Ultimatum";
    assert!(told.verdict.sentence.contains(words), "{}", told.verdict.sentence);
    assert!(told.evidence.iter().any(|item| item.fact.contains("from the server")));
    assert_eq!(told.mstsc.code, None, "it heard of no close");
    // A RST is none of its own, either.
    let reset = clear().mcs(ToServer, &[0x21, 0x80]).after_ms(1).rst(ToClient).report();
    assert_eq!(reset.verdict.party, "client");
    assert!(reset.verdict.sentence.contains(words), "{}", reset.verdict.sentence);
    assert!(reset.evidence.iter().any(|item| item.fact.contains("from the client")));
    // Decoys: no ultimatum; one that answers the client's own.
    assert_eq!(clear().fin(ToServer).report().verdict.party, "client");
    let own = clear().mcs(ToServer, &[0x21, 0x80]).after_ms(1).mcs(ToClient, &[0x21, 0x80]);
    assert_eq!(own.fin(ToServer).report().verdict.party, "client");
}

#[test]
fn an_alert_that_ends_nothing_is_no_goodbye() {
    // unrecognized_name, a warning that comes beside a ServerHello.
    let hello = || Trace::capture().negotiated(MSTSC, HYBRID).client_hello_12().after_ms(2);
    let warned = |warning: u8| hello().alert(ToClient, 1, warning).after_ms(2).fin(ToServer);
    assert_eq!(warned(112).report().verdict.party, "client");
    assert_eq!(warned(0).report().verdict.party, "server");
    // Of two goodbyes at one time the first packet is the first.
    let goodbye = [21, 3, 3, 0, 3, 9, 9, 9];
    let at_once = |one: Direction| {
        let open = Trace::capture().negotiated(SSL, SSL).tls12(EC_CERTIFICATE);
        let said =
            if one == ToServer { open.to_server(&goodbye) } else { open.to_client(&goodbye) };
        if one == ToServer { said.to_client(&goodbye) } else { said.to_server(&goodbye) }
    };
    for (first, party) in [(ToServer, "client"), (ToClient, "server")] {
        assert_eq!(at_once(first).fin(ToClient).report().verdict.party, party);
        assert_eq!(at_once(first).fin(ToServer).report().verdict.party, party);
    }
}

#[test]
fn of_long_sessions_no_goodbye_is_told_that_a_replay_could_not_tell() {
    let long = |records: usize| {
        let trace = Trace::relay().negotiated(SSL, SSL).tls13().app(ToClient, 300, records);
        let left = trace.after_ms(900).app(ToServer, 19, 1).after_ms(2).app(ToClient, 19, 1);
        left.fin(ToClient).fin(ToServer).report().ended.from
    };
    assert_eq!((long(3).as_deref(), long(70)), (Some("client"), None));
}

#[test]
fn both_legs_dead_at_once_names_neither() {
    let report = Trace::relay()
        .negotiated(MSTSC, HYBRID)
        .tls12(WINDOWS_LIKE_CERTIFICATE)
        .rst(ToServer)
        .rst(ToClient)
        .report();
    assert_eq!(report.ended.leg.as_deref(), Some("both"));
    assert_eq!((report.ended.from, report.verdict.party.as_str()), (None, "unknown"));
    silent(
        &Trace::relay().negotiated(MSTSC, HYBRID).tls12(EC_CERTIFICATE).rst(ToServer).report(),
        "client-rehearsal-close",
    );
}

#[test]
fn of_both_legs_dead_at_once_the_first_goodbye_tells() {
    let closed = |first: Direction| {
        let open = Trace::relay().negotiated(SSL, SSL).tls13().after_ms(900).app(first, 19, 1);
        let answered = open.after_ms(2).app(first.reverse(), 19, 1).after_ms(1);
        answered.fin(ToServer).fin(ToClient).report_with(&[next(3_000).desktop()])
    };
    let [client, server] = [closed(ToServer), closed(ToClient)];
    assert_eq!(client.ended.leg.as_deref(), Some("both"));
    assert_eq!(
        (client.outcome, client.ended.from.as_deref()),
        (Outcome::Rehearsal, Some("client"))
    );
    assert_eq!(client.verdict.party, "client");
    assert_eq!((server.outcome, server.ended.from.as_deref()), (Outcome::Failed, Some("server")));
    assert_eq!(server.verdict.party, "server");
    assert!(server.verdict.sentence.starts_with("The server side closed"));
}
