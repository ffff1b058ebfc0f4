//! The X.224 negotiation: refusals, and answers that a client does not accept.

use super::{Expected, fails, silent};
use crate::input::Close;
use crate::report::Outcome;
use crate::testing::{HYBRID, MSTSC, SSL, ToClient, ToServer, Trace};

pub(super) const FIRED: &[&str] = &[
    "ssl-required",
    "ssl-not-allowed",
    "ssl-cert-not-on-server",
    "neg-inconsistent-flags",
    "nla-required",
    "neg-failure-other",
    "neg-rsp-unrequested",
    "neg-rsp-absent",
    "nla-not-offered",
    "nego-failure-tail",
];

/// MCS Disconnect Provider Ultimatum, provider initiated.
const ULTIMATUM: &[u8] = &[0x21, 0x80];
const CONNECT_INITIAL: &[u8] = &[0x7F, 0x65, 0x82, 0x01];

fn refused(code: u32) -> Trace {
    // What a client offers that this refusal fits.
    refuses(code, if code == 1 { 0 } else { SSL })
}

fn refuses(code: u32, requested: u32) -> Trace {
    Trace::relay().open().cr(requested).after_ms(3).cc_failure(code).after_ms(1)
}

#[test]
fn a_refusal_is_what_and_why() {
    for (code, id) in [
        (1, "ssl-required"),
        (2, "ssl-not-allowed"),
        (3, "ssl-cert-not-on-server"),
        (4, "neg-inconsistent-flags"),
        (5, "nla-required"),
        (6, "neg-inconsistent-flags"),
    ] {
        let expected = Expected {
            what: Some(id),
            cause: Some(id),
            class: Some("server-config"),
            party: "server",
            reached: "x224_confirm",
            how: "fin",
        };
        for dir in [ToClient, ToServer] {
            let report = fails(&refused(code).fin(dir), &expected);
            assert_eq!(report.verdict.confidence.why, 0.99);
            assert_eq!(report.causes.len(), 1, "{id} has no rival");
            assert!(report.findings.is_empty(), "{:?}", report.findings);
        }
        // Clean twin: the same request, accepted.
        silent(&Trace::relay().negotiated(SSL, SSL).fin(ToServer).report(), id);
    }
}

#[test]
fn an_unknown_refusal_is_seen_and_not_explained() {
    for code in [7, 0, 99] {
        let report = fails(
            &refused(code).fin(ToClient),
            &Expected {
                what: Some("neg-failure-other"),
                cause: None,
                class: Some("server-config"),
                party: "server",
                reached: "x224_confirm",
                how: "fin",
            },
        );
        silent(&report, "nla-required");
    }
}

#[test]
fn a_refusal_that_does_not_fit_the_request_names_no_cause() {
    for (code, requested, id) in [
        (1, SSL, "ssl-required"),
        (1, MSTSC, "ssl-required"),
        (2, 0, "ssl-not-allowed"),
        (5, HYBRID, "nla-required"),
        (5, MSTSC, "nla-required"),
    ] {
        let report = fails(
            &refuses(code, requested).fin(ToClient),
            &Expected {
                what: Some("neg-failure-other"),
                cause: None,
                class: Some("server-config"),
                party: "unknown",
                reached: "x224_confirm",
                how: "fin",
            },
        );
        silent(&report, id);
        assert!(report.verdict.sentence.contains("does not fit"), "{}", report.verdict.sentence);
    }
    // Clean twins: the same refusals of requests that they fit. Code 1 has two meanings.
    for (code, requested, words) in [
        (1, 0, "insists on TLS"),
        (1, HYBRID, "TLS without Network Level Authentication"),
        (2, MSTSC, "the old RDP security layer only"),
        (5, SSL, "did not offer it (it offered SSL)"),
    ] {
        let report = refuses(code, requested).fin(ToClient).report();
        silent(&report, "neg-failure-other");
        assert!(report.verdict.sentence.contains(words), "{}", report.verdict.sentence);
        assert_eq!(report.verdict.confidence.why, 0.99);
    }
}

#[test]
fn what_was_offered_is_not_said_where_the_request_was_not_seen() {
    for code in [1, 2, 5] {
        let cut = Trace::capture_from_the_middle().cc_failure(code).after_ms(1).fin(ToClient);
        let report = cut.report();
        assert!(!report.verdict.sentence.contains("not offer"), "{}", report.verdict.sentence);
        assert!(report.verdict.confidence.who < 0.7, "{report:#?}");
        silent(&report, "neg-failure-other");
    }
}

#[test]
fn what_a_server_says_behind_its_refusal_is_a_note() {
    let report = refused(2).mcs(ToClient, ULTIMATUM).fin(ToClient).report();
    assert_eq!(report.verdict.cause.as_deref(), Some("ssl-not-allowed"));
    assert_eq!(report.findings[0].id, "nego-failure-tail");
    silent(&refused(2).fin(ToClient).report(), "nego-failure-tail");
    // Decoy: an ultimatum without a refusal.
    let session = Trace::relay().negotiated(0, 0).mcs(ToClient, ULTIMATUM).fin(ToClient).report();
    silent(&session, "nego-failure-tail");
}

#[test]
fn a_damaged_or_cut_confirm_selects_nothing() {
    let damaged = [3, 0, 0, 15, 10, 0xD0, 0, 0, 0x12, 0x34, 0, 9, 9, 9, 9];
    let mut cut = Trace::capture().open().cr(MSTSC).to_client(&[3, 0, 0, 19, 14, 0xD0, 0, 0]);
    cut = cut.skipped(ToClient, 11);
    let damaged = Trace::capture().open().cr(MSTSC).to_client(&damaged);
    for trace in [damaged, cut] {
        let report = trace.after_ms(1).fin(ToServer).report();
        assert_eq!(report.rdp.selected, None);
        silent(&report, "nla-not-offered");
        silent(&report, "neg-rsp-unrequested");
    }
}

fn unrequested() -> Trace {
    Trace::relay().negotiated(SSL, 0)
}

#[test]
fn an_answer_nobody_asked_for_that_the_client_leaves() {
    let report = fails(
        &unrequested().fin(ToServer),
        &Expected {
            what: Some("neg-rsp-unrequested"),
            cause: Some("neg-rsp-unrequested"),
            class: Some("server-config"),
            party: "server",
            reached: "x224_confirm",
            how: "fin",
        },
    );
    assert_eq!(report.verdict.confidence.what, 0.93);
    silent(&report, "nla-not-offered");
    let asked_for = Trace::relay().negotiated(MSTSC, SSL).fin(ToServer).report();
    silent(&asked_for, "neg-rsp-unrequested");
}

#[test]
fn an_answer_nobody_asked_for_that_the_client_accepts_explains_nothing() {
    // The client goes on and its session works.
    let mut desktop = unrequested().mcs(ToServer, CONNECT_INITIAL).mcs(ToClient, &[0x7F, 0x66, 1]);
    desktop = desktop.mcs(ToClient, &[0x68, 0]).to_client(&[0, 4, 1, 1]).rst(ToServer);
    let desktop = desktop.report();
    assert_eq!(desktop.outcome, Outcome::Established);
    assert_eq!(desktop.verdict.what, None);
    assert!(desktop.findings.iter().any(|finding| finding.id == "neg-rsp-unrequested"));
    assert!(!desktop.findings[0].says.contains("left"), "{}", desktop.findings[0].says);
    // Decoys: it goes on and something else ends it; the server ends it.
    for decoy in [
        unrequested().mcs(ToServer, CONNECT_INITIAL).fin(ToClient),
        unrequested().mcs(ToServer, CONNECT_INITIAL).fin(ToServer),
        unrequested().fin(ToClient),
    ] {
        let report = decoy.report();
        assert_eq!(report.verdict.what.as_deref(), Some("clean-close-no-reason"));
        assert_eq!(report.verdict.cause, None);
    }
    // Still open: nothing failed.
    assert_eq!(unrequested().report().outcome, Outcome::Unknown);
}

/// A Connection Confirm without RDP_NEG_RSP.
const SILENT: [u8; 11] = [3, 0, 0, 11, 6, 0xD0, 0, 0, 0x12, 0x34, 0];

fn silently_confirmed() -> Trace {
    Trace::relay().open().cr(MSTSC).after_ms(3).to_client(&SILENT).after_ms(3)
}

#[test]
fn a_confirm_without_negotiation_that_the_client_leaves() {
    for (close, how) in [(Close::Fin, "fin"), (Close::Rst, "rst")] {
        let report = fails(
            &silently_confirmed().close(ToServer, close),
            &Expected {
                what: Some("neg-rsp-absent"),
                cause: Some("neg-rsp-absent"),
                class: Some("server-config"),
                party: "unknown",
                reached: "x224_confirm",
                how,
            },
        );
        // One occurrence could be a scanner's.
        assert_eq!(report.verdict.confidence.why, 0.55);
        silent(&report, "neg-rsp-unrequested");
        silent(&report, "nla-not-offered");
    }
    let again = Trace::relay().starting_at(20_000).open().cr(MSTSC).to_client(&SILENT);
    let left_again = again.clone().fin(ToServer);
    let repeated = silently_confirmed().fin(ToServer).report_with(&[left_again]);
    assert_eq!(repeated.verdict.confidence.why, 0.8);
    // It accepted that answer elsewhere.
    let accepted = again.mcs(ToServer, CONNECT_INITIAL);
    let report = silently_confirmed().fin(ToServer).report_with(&[accepted]);
    assert_eq!(report.verdict.what.as_deref(), Some("clean-close-no-reason"));
    assert_eq!(report.verdict.cause, None);
}

#[test]
fn a_confirm_without_negotiation_that_explains_nothing() {
    let id = "neg-rsp-absent";
    // Clean twins: nothing was asked for; the client goes on in RDP security.
    let old_client = Trace::relay().open().cr(0).after_ms(3).to_client(&SILENT);
    silent(&old_client.fin(ToServer).report(), id);
    let goes_on = silently_confirmed().mcs(ToServer, CONNECT_INITIAL);
    silent(&goes_on.clone().fin(ToServer).report(), id);
    silent(&goes_on.fin(ToClient).report(), id);
    // Decoys: the server left; the answer is damaged; bytes of the client are missing; an answer of RDP
    // security in so many words.
    silent(&silently_confirmed().fin(ToClient).report(), id);
    let damaged = [3, 0, 0, 12, 7, 0xD0, 0, 0, 0x12, 0x34, 0, 9];
    let damaged = Trace::relay().open().cr(MSTSC).to_client(&damaged).after_ms(1);
    silent(&damaged.fin(ToServer).report(), id);
    let holes = Trace::capture().open().cr(MSTSC).to_client(&SILENT).gap(ToServer, Some(40));
    silent(&holes.fin(ToServer).report(), id);
    silent(&unrequested().fin(ToServer).report(), id);
    // Who reads a prompt before leaving does not insist.
    let prompt = silently_confirmed().after_ms(6_000).fin(ToServer).report();
    assert_eq!(prompt.verdict.cause, None);
    assert_eq!(prompt.causes[0].id, id);
}

fn without_nla() -> Trace {
    Trace::relay().negotiated(MSTSC, SSL)
}

#[test]
fn a_client_that_insists_on_nla() {
    let expected = Expected {
        what: Some("nla-not-offered"),
        cause: Some("nla-not-offered"),
        class: Some("server-config"),
        party: "client",
        reached: "x224_confirm",
        how: "fin",
    };
    // One occurrence could be a scanner's, or a client's that may not ask for a password.
    let once = without_nla().fin(ToServer).report();
    assert_eq!(
        (once.verdict.what.as_deref(), once.verdict.cause.as_deref()),
        (Some("clean-close-no-reason"), None)
    );
    assert!(once.causes.iter().any(|cause| cause.id == "nla-not-offered"));
    let again = without_nla().starting_at(20_000).open().cr(MSTSC);
    let again = again.cc(SSL).fin(ToServer);
    let repeated = without_nla().fin(ToServer).report_with(&[again]);
    assert_eq!(repeated.verdict.confidence.why, 0.8);
    // Restricted admin needs NLA.
    let restricted = [3, 0, 0, 19, 14, 0xE0, 0, 0, 0, 0, 0, 1, 1, 8, 0, 3, 0, 0, 0];
    let restricted = Trace::relay().open().to_server(&restricted).after_ms(5).cc(SSL);
    fails(&restricted.after_ms(5).fin(ToServer), &expected);
}

#[test]
fn a_user_who_cancels_at_the_prompt_does_not_insist() {
    // Between confirm and hello the client may ask for a password.
    let prompt = without_nla().after_ms(6_000).fin(ToServer).report();
    assert_eq!(prompt.verdict.what.as_deref(), Some("clean-close-no-reason"));
    assert_eq!(prompt.verdict.cause, None);
    // A weak definition is a candidate, as any cause is.
    assert_eq!(prompt.causes[0].id, "nla-not-offered");
    assert!(prompt.causes[0].confidence < 0.5);
    // It went on without NLA elsewhere.
    let elsewhere = Trace::relay().starting_at(9_000).negotiated(MSTSC, SSL).client_hello_13();
    let report = without_nla().fin(ToServer).report_with(&[elsewhere]);
    assert_eq!(report.verdict.cause, None);
}

#[test]
fn nla_that_was_offered_or_not_asked_for_is_not_missing() {
    for trace in [
        Trace::relay().negotiated(MSTSC, HYBRID).fin(ToServer),
        Trace::relay().negotiated(SSL, SSL).fin(ToServer),
        without_nla().client_hello_13().fin(ToServer),
        without_nla().fin(ToClient),
    ] {
        silent(&trace.report(), "nla-not-offered");
    }
}
