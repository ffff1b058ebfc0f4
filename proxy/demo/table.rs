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
            let missing =
                if self.live.is_none() { "no verdict live" } else { "no verdict offline" };
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

/// One field in words.
type Field = fn(&Connection) -> String;

/// What else must be the same live and offline.
const FIELDS: &[(&str, Field)] = &[
    ("client", |one| one.client.clone()),
    ("server", |one| one.server.clone().unwrap_or_default()),
    ("reached", |one| one.reached.clone().unwrap_or_default()),
    ("class", |one| one.verdict.class.clone().unwrap_or_default()),
    ("party", |one| one.verdict.party.clone()),
    ("sentence", |one| one.verdict.sentence.clone()),
    ("ended", |one| {
        let ended = &one.ended;
        let leg = ended.leg.as_deref().unwrap_or_default();
        let from = ended.from.as_deref().unwrap_or_default();
        format!("{} {leg} {from} {:?}", ended.how, ended.after_bytes)
    }),
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
    text +=
        &format!("live, offline and expectation agree for {agreeing} of {} scenes\n", rows.len());
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

#[cfg(test)]
mod tests {
    use super::super::scenes::SCENES;
    use super::*;
    use rdpwhy_analyzer::case::Case;
    use rdpwhy_analyzer::facts::{Subject, Vantage};
    use rdpwhy_analyzer::input::Timestamp;
    use rdpwhy_analyzer::session::Session;
    use rdpwhy_analyzer::verdict::{self, Identities, Place};

    /// A connection of which is said what its scene expects.
    fn as_expected(index: u64, scene: &Scene) -> Connection {
        let subject = Subject {
            client: "127.0.0.1:50000".parse().unwrap(),
            server: None,
            server_name: None,
            relay: [None, None],
            vantage: Vantage::Relay,
            starts_in_the_middle: false,
            started: Timestamp(1),
        };
        let session = Session::new(subject);
        let place = Place {
            source: "127.0.0.1:1".into(),
            file: None,
            index,
            case: 1,
            r#final: true,
            supersedes: None,
        };
        let case = Case::new(session.facts(), &[]);
        let mut connection = verdict::connection(&case, &place, &Identities::Shown);
        connection.outcome = scene.expected.outcome;
        connection.verdict.what = scene.expected.what.map(str::to_owned);
        connection.verdict.cause = scene.expected.cause.map(str::to_owned);
        connection
    }

    fn all() -> Vec<Connection> {
        (1..).zip(SCENES).map(|(index, scene)| as_expected(index, scene)).collect()
    }

    #[test]
    fn what_agrees_is_said_to_agree() {
        let (live, offline) = (all(), all());
        let rows = rows(SCENES, &live, &offline);
        assert!(rows.iter().all(|row| row.differences().is_empty()));
        let text = table(&rows);
        let all = format!("agree for {0} of {0} scenes", SCENES.len());
        assert!(text.contains(&all) && !text.contains("NO"), "{text}");
    }

    #[test]
    fn every_kind_of_disagreement_is_found() {
        let spoil: [fn(&mut Vec<Connection>); 5] = [
            |said| said[1].verdict.cause = None,
            |said| said[1].verdict.what = Some("icmp-reject".into()),
            |said| said[1].outcome = Outcome::Unknown,
            |said| said[1].verdict.party = "client".into(),
            |said| drop(said.remove(1)),
        ];
        for spoil in spoil {
            let mut spoiled = all();
            spoil(&mut spoiled);
            let good = all();
            for (live, offline) in [(&spoiled, &good), (&good, &spoiled)] {
                let rows = rows(SCENES, live, offline);
                let differing: Vec<&str> = rows
                    .iter()
                    .filter(|row| !row.differences().is_empty())
                    .map(|row| row.scene.name)
                    .collect();
                assert_eq!(differing, [SCENES[1].name]);
                let all_but_one = format!("for {} of {} scenes", SCENES.len() - 1, SCENES.len());
                assert!(table(&rows).contains(&all_but_one));
            }
        }
        // Both the same, and not what the scene is.
        let mut wrong = all();
        wrong[0].verdict.cause = None;
        let rows = rows(SCENES, &wrong, &wrong);
        assert!(!rows[0].differences().is_empty());
    }
}
