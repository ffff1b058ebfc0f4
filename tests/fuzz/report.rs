//! What must hold for every report: it is bounded, it can be written as JSON and read back, its evidence is
//! there, and its text moves no cursor.

use rdpwhy_analyzer::case::Case;
use rdpwhy_analyzer::report::text::{self, Style};
use rdpwhy_analyzer::report::{Connection, Outcome};
use rdpwhy_analyzer::verdict::{self, Identities, Place};

/// The longest JSON of one connection: facts are bounded, whatever the input was.
const LONGEST_JSON: usize = 1 << 20;

/// Judges a case and checks its report. Out: the report as JSON, for checks that need more than this.
pub fn check(case: &Case<'_>) -> String {
    let place = Place {
        source: "fuzz".to_owned(),
        file: Some("fuzz".to_owned()),
        index: 1,
        case: 1,
        r#final: true,
        supersedes: None,
    };
    let hashed = verdict::connection(case, &place, &Identities::Hashed([7; 32]));
    contract(&hashed);
    let shown = verdict::connection(case, &place, &Identities::Shown);
    contract(&shown);
    for width in [60, 100, 120] {
        texts(&shown, width);
    }
    json(&hashed);
    json(&shown)
}

fn json(connection: &Connection) -> String {
    let json = serde_json::to_string(connection).expect("a report is JSON");
    assert!(json.len() <= LONGEST_JSON, "a report of {} bytes", json.len());
    // A number that is none would be written as null, and would not be read back.
    let back: Connection = serde_json::from_str(&json).expect("a report can be read back");
    assert_eq!(back.verdict, connection.verdict);
    json
}

fn contract(connection: &Connection) {
    let verdict = &connection.verdict;
    let sure = &verdict.confidence;
    for confidence in [sure.what, sure.who, sure.why] {
        assert!((0.0..=1.0).contains(&confidence), "{sure:?}");
    }
    let unnamed = connection.outcome == Outcome::Failed && verdict.what.is_none();
    assert!(!unnamed, "an unnamed failure: {connection:#?}");
    assert_eq!(verdict.cause.is_none(), sure.why < 0.5, "{verdict:?}");
    let class = verdict.class.as_deref();
    let accuses = matches!(class, Some("interference" | "downgrade"));
    assert!(!accuses || verdict.control.is_some(), "accused without a control: {verdict:?}");
    assert!(connection.duration_ms.is_finite() && connection.duration_ms >= 0.0);
    let used = connection
        .causes
        .iter()
        .flat_map(|cause| cause.r#for.iter().chain(&cause.against))
        .chain(connection.findings.iter().flat_map(|finding| &finding.evidence))
        .chain(connection.ruled_out.iter().map(|row| &row.by));
    for id in used {
        assert!(connection.evidence.iter().any(|item| item.id == *id), "no evidence {id}");
    }
}

fn texts(connection: &Connection, width: usize) {
    let plain = text::connection(connection, &Style { color: false, width });
    let bad = plain.chars().find(|c| *c != '\n' && is_hostile(*c));
    assert_eq!(bad, None, "in the text: {plain:?}");
    let colored = text::connection(connection, &Style { color: true, width });
    assert_eq!(without_colors(&colored), plain, "colours change the text");
}

/// Moves the cursor, or reorders or hides what stands beside it.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Takes out what the text paints with: `ESC [ digits and semicolons m`, and nothing else.
fn without_colors(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        out.push_str(rest.strip_prefix('m').expect("an escape that is no colour"));
    }
    out
}
