//! Every one of the [`rows`](super::rows): a case that fires it, its clean twin, and a decoy twin with
//! another cause for the same symptom.

mod absence;
mod certificate;
mod doubts;
mod ending;
mod negotiation;
mod pair;
mod path;
mod reachability;
mod session;
mod stall;
mod tls;

use std::collections::BTreeSet;

use crate::report::{Connection, Outcome};
use crate::testing::Trace;

/// What a script must lead to.
struct Expected {
    what: Option<&'static str>,
    cause: Option<&'static str>,
    class: Option<&'static str>,
    party: &'static str,
    reached: &'static str,
    how: &'static str,
}

/// Asserts a failure's verdict.
#[track_caller]
fn fails(trace: &Trace, expected: &Expected) -> Connection {
    let report = trace.report();
    let got = (
        report.outcome,
        report.verdict.what.as_deref(),
        report.verdict.cause.as_deref(),
        report.verdict.class.as_deref(),
        report.verdict.party.as_str(),
        report.reached.as_deref(),
        report.ended.how.as_str(),
    );
    let wanted = (
        Outcome::Failed,
        expected.what,
        expected.cause,
        expected.class,
        expected.party,
        Some(expected.reached),
        expected.how,
    );
    assert_eq!(got, wanted, "{report:#?}");
    report
}

/// True when an id stands anywhere in what a report claims.
fn claims(report: &Connection, id: &str) -> bool {
    report.verdict.what.as_deref() == Some(id)
        || report.causes.iter().any(|cause| cause.id == id)
        || report.findings.iter().any(|finding| finding.id == id)
}

#[track_caller]
fn silent(report: &Connection, id: &str) {
    assert!(!claims(report, id), "{id} is claimed: {report:#?}");
}

/// The ids that the scripts of these tests fire. A row without one fails here.
#[test]
fn every_row_has_a_case_that_fires_it() {
    let fired = [
        reachability::FIRED,
        negotiation::FIRED,
        tls::FIRED,
        certificate::FIRED,
        ending::FIRED,
        stall::FIRED,
        path::FIRED,
        session::FIRED,
        pair::FIRED,
    ];
    let fired: BTreeSet<&str> = fired.concat().into_iter().collect();
    let rows: BTreeSet<&str> = super::rows().map(|row| row.id).collect();
    assert_eq!(fired, rows);
}
