//! What every report must keep, whatever it says: design section 5.

use std::collections::HashSet;

use crate::case::{Case, Summary};
use crate::detect::{Class, Detector, Kind, Party, rows};
use crate::report::{Connection, Outcome};
use crate::session::Session;
use crate::verdict::{self, Identities, Place};

const REACHED: &[&str] = &[
    "none",
    "tcp",
    "x224_request",
    "x224_confirm",
    "tls_client_hello",
    "tls_server_hello",
    "tls_encrypted",
    "tls_finished",
    "credssp",
    "mcs",
    "licensing",
    "active",
];
const HOW: &[&str] = &[
    "fin",
    "rst",
    "icmp",
    "timeout",
    "error",
    "relay_deadline",
    "capture_end",
    "open",
    "never_opened",
];
const PARTY: &[&str] =
    &["client", "client_network", "relay", "server_network", "server", "network", "unknown"];
const CLASS: &[&str] = &[
    "interference",
    "downgrade",
    "abort",
    "reachability",
    "server-config",
    "credentials",
    "session",
    "performance",
    "relay",
    "benign",
];

/// The row that may print this id.
pub(crate) fn row(id: &str) -> Option<&'static Detector> {
    let row = if id.starts_with("tls-alert-") { "tls-alert-N" } else { id };
    rows().find(|detector| detector.id == row)
}

/// The report of a session; names of people are hashed.
pub(crate) fn report(session: &Session, siblings: &[&Summary]) -> Connection {
    of_case(&Case::new(session.facts(), siblings))
}

/// The report of a case.
pub(crate) fn of_case(case: &Case<'_>) -> Connection {
    let place = Place {
        source: "test".into(),
        file: None,
        index: 1,
        case: 1,
        r#final: true,
        supersedes: None,
    };
    let report = verdict::uncalibrated(case, &place, &Identities::Hashed([7; 32]));
    check(&report);
    assert_eq!(verdict::named(case), (&report).into(), "the verdict in short is another");
    report
}

/// Panics where a report breaks the contract.
pub(crate) fn check(report: &Connection) {
    words(report);
    evidence(report);
    verdict(report);
    let json = serde_json::to_string(report).unwrap();
    let back: Connection = serde_json::from_str(&json).unwrap();
    assert_eq!(&back, report, "the report does not survive its own JSON");
    assert!(!json.contains("alice"), "a user's name is printed: {json}");
}

fn words(report: &Connection) {
    let is = |list: &[&str], word: &Option<String>| {
        assert!(word.as_deref().is_none_or(|word| list.contains(&word)), "{word:?}");
    };
    is(REACHED, &report.reached);
    is(&["seen", "inferred"], &report.reached_basis);
    assert_eq!(report.reached.is_some(), report.reached_basis.is_some());
    is(HOW, &Some(report.ended.how.clone()));
    is(&["client", "server", "both", "single"], &report.ended.leg);
    is(&["client", "server", "relay"], &report.ended.from);
    is(PARTY, &Some(report.verdict.party.clone()));
    is(CLASS, &report.verdict.class);
    for id in report.causes.iter().map(|cause| &cause.id).chain(&report.verdict.what) {
        assert!(row(id).is_some(), "{id} is in no row");
    }
    assert!(!report.calibrated, "detectors are tested by their own words");
}

fn evidence(report: &Connection) {
    let ids: HashSet<&str> = report.evidence.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids.len(), report.evidence.len(), "evidence ids are not unique");
    let facts: HashSet<_> =
        report.evidence.iter().map(|item| (&item.fact, format!("{:?}", item.origin))).collect();
    assert_eq!(facts.len(), report.evidence.len(), "a fact stands twice: {:?}", report.evidence);
    let causes = report.causes.iter().flat_map(|cause| cause.r#for.iter().chain(&cause.against));
    let findings = report.findings.iter().flat_map(|finding| &finding.evidence);
    let ruled_out = report.ruled_out.iter().map(|row| &row.by);
    for id in causes.chain(findings).chain(ruled_out) {
        assert!(ids.contains(id.as_str()), "{id} is cited and not there");
    }
    for cause in &report.causes {
        assert!(!cause.r#for.is_empty(), "{} rests on nothing", cause.id);
    }
    for finding in &report.findings {
        assert!(!finding.evidence.is_empty(), "{} rests on nothing", finding.id);
    }
    assert!(
        report.verdict.what.is_none() || !report.evidence.is_empty(),
        "a verdict without evidence"
    );
}

fn verdict(report: &Connection) {
    let verdict = &report.verdict;
    let confidence = verdict.confidence;
    for number in [confidence.what, confidence.who, confidence.why] {
        assert!(number == 0.0 || (0.5..=0.99).contains(&number), "{confidence:?}");
    }
    assert_eq!(verdict.what.is_some(), confidence.what > 0.0);
    assert_eq!(verdict.cause.is_some(), confidence.why > 0.0);
    assert_eq!(verdict.party != word(Party::Unknown), confidence.who > 0.0);
    assert!(!verdict.sentence.is_empty());
    if report.outcome != Outcome::Failed {
        assert!(report.mstsc.code.is_none());
    }
    let broke = report.outcome == Outcome::Established && verdict.what.is_some();
    if report.outcome != Outcome::Failed && !broke {
        assert_eq!((&verdict.cause, report.causes.len()), (&None, 0));
        assert!(report.next.is_empty());
    }
    if let Some(cause) = &verdict.cause {
        let candidate = report.causes.iter().find(|candidate| candidate.id == *cause).unwrap();
        assert_eq!(candidate.confidence, confidence.why);
    }
    let leading = verdict.cause.as_ref().or(verdict.what.as_ref()).and_then(|id| row(id));
    let accused = leading.is_some_and(|row| {
        row.kind != Kind::Note && matches!(row.class, Class::Interference | Class::Downgrade)
    });
    assert_eq!(accused, verdict.control.is_some(), "nobody is accused without a control");
    let order: Vec<f64> = report.causes.iter().map(|cause| cause.confidence).collect();
    assert!(order.is_sorted_by(|a, b| a >= b), "{order:?}");
    for finding in &report.findings {
        let named = verdict.what.as_ref() == Some(&finding.id)
            || report.causes.iter().any(|cause| cause.id == finding.id);
        assert!(!named, "{} stands twice", finding.id);
    }
    for row in &report.ruled_out {
        let named = report.causes.iter().any(|cause| cause.id == row.id)
            || verdict.what.as_ref() == Some(&row.id);
        assert!(!named, "{} is named and ruled out", row.id);
    }
}

fn word(party: Party) -> String {
    serde_json::to_value(party).unwrap().as_str().unwrap().to_owned()
}
