//! What was said live, what is said of the recording, and what the scene expects, side by side.

use rdpwhy_analyzer::report::{Connection, Outcome};

use super::scenes::Scene;

/// One scene with what was said about it.
pub struct Row<'a> {
    /// The scene.
    pub scene: &'a Scene,
    /// The verdict as it fell.
    pub live: Option<&'a Connection>,
    /// The verdict from the recording.
    pub offline: Option<&'a Connection>,
}

/// Every scene with its two verdicts: the number of a session is that of its scene.
pub fn rows<'a>(
    scenes: &'a [Scene],
    live: &'a [Connection],
    offline: &'a [Connection],
) -> Vec<Row<'a>> {
    let by_number = |of: &'a [Connection], number| of.iter().find(|one| one.index == number);
    (1..)
        .zip(scenes)
        .map(|(number, scene)| Row {
            scene,
            live: by_number(live, number),
            offline: by_number(offline, number),
        })
        .collect()
}

impl Row<'_> {
    /// Everything in which the three differ; empty when they agree.
    pub fn differences(&self) -> Vec<String> {
        let (Some(live), Some(offline)) = (self.live, self.offline) else {
            let missing = if self.live.is_none() { "no verdict live" } else { "no verdict offline" };
            return vec![format!("{}: {missing}", self.scene.name)];
        };
        let mut differences = Vec::new();
        let mut compare = |field: &str, one: String, other: String| {
            if one != other {
                differences.push(format!("{}: {field}: {one}, {other}", self.scene.name));
            }
        };
        compare("live, expected", words(live), self.expected());
        compare("live, offline", words(live), words(offline));
        for (field, of) in FIELDS {
            compare(field, of(live), of(offline));
        }
        differences
    }

    fn expected(&self) -> String {
        let expected = &self.scene.expected;
        said(expected.outcome, expected.what, expected.cause)
    }
}

/// What else must be the same live and offline.
const FIELDS: &[(&str, fn(&Connection) -> String)] = &[
    ("client", |one| one.client.clone()),
    ("server", |one| one.server.clone().unwrap_or_default()),
    ("reached", |one| one.reached.clone().unwrap_or_default()),
    ("class", |one| one.verdict.class.clone().unwrap_or_default()),
    ("party", |one| one.verdict.party.clone()),
];

/// The table, its last line saying whether all agree.
pub fn table(rows: &[Row<'_>]) -> String {
    let none = || "none".to_owned();
    let mut lines = vec![["scene", "live", "offline", "expected", "agree"].map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        let live = row.live.map_or_else(none, words);
        // What repeats the column before it is not printed again.
        let unless_same = |other: String| if other == live { "same".to_owned() } else { other };
        let offline = unless_same(row.offline.map_or_else(none, words));
        let expected = unless_same(row.expected());
        let agree = if row.differences().is_empty() { "yes" } else { "NO" };
        [row.scene.name.to_owned(), live, offline, expected, agree.to_owned()]
    }));
    let mut text = String::new();
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    for line in &lines {
        let mut row = String::new();
        for (cell, width) in line.iter().zip(widths) {
            row += &format!("{cell:width$}  ");
        }
        text += row.trim_end();
        text.push('\n');
    }
    let agreeing = rows.iter().filter(|row| row.differences().is_empty()).count();
    text += &format!("live, offline and expectation agree for {agreeing} of {} scenes\n", rows.len());
    for difference in rows.iter().flat_map(Row::differences) {
        text += &format!("  {difference}\n");
    }
    text
}

fn words(connection: &Connection) -> String {
    let verdict = &connection.verdict;
    said(connection.outcome, verdict.what.as_deref(), verdict.cause.as_deref())
}

/// The cause, and behind it what was seen where that is something else.
fn said(outcome: Outcome, what: Option<&str>, cause: Option<&str>) -> String {
    match (outcome, what, cause) {
        (Outcome::Failed, Some(what), Some(cause)) if what == cause => what.to_owned(),
        (Outcome::Failed, Some(what), Some(cause)) => format!("{cause} ({what})"),
        (Outcome::Failed, Some(what), None) => format!("{what}, cause open"),
        (Outcome::Failed, None, _) => "failed".to_owned(),
        (Outcome::Established, ..) => "established".to_owned(),
        (Outcome::Rehearsal, ..) => "rehearsal".to_owned(),
        (Outcome::Unknown, ..) => "unknown".to_owned(),
        (Outcome::NotRdp, ..) => "not rdp".to_owned(),
    }
}
