//! The X.224 negotiation: refusals, and answers that a client does not accept.

use super::{Expected, fails, silent};
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
    "nla-not-offered",
    "nego-failure-tail",
];

/// MCS Disconnect Provider Ultimatum, provider initiated.
const ULTIMATUM: &[u8] = &[0x21, 0x80];
const CONNECT_INITIAL: &[u8] = &[0x7F, 0x65, 0x82, 0x01];

fn refused(code: u32) -> Trace {
    Trace::relay().open().cr(SSL).after_ms(3).cc_failure(code).after_ms(1)
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
