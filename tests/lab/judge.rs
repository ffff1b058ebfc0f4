//! Compares what the program said with what was right.

use crate::recipe::{Expected, Label, Vantage, Which, Why};
use crate::support::json::{at, text};
use serde_json::Value;

/// One connection at one vantage, judged.
#[derive(Clone, Debug)]
pub struct Judged {
    /// From where.
    pub vantage: Vantage,
    /// What was right.
    pub expected: Expected,
    /// What was said; `None` where the program reported no such connection.
    pub said: Option<Said>,
    /// How each point fared.
    pub marks: Marks,
    /// Whether the vantage is one that establishes the row.
    pub best: bool,
    /// Whether a wrong name was let pass because it was only called possible.
    pub forgiven: bool,
}

/// What the program said of one connection, as far as it is judged.
#[derive(Clone, Debug)]
pub struct Said {
    pub outcome: String,
    pub reached: String,
    pub from: String,
    pub what: String,
    pub cause: String,
    pub class: String,
    pub party: String,
    pub confidence: [f64; 3],
    /// The candidate causes, best first, each with its confidence.
    pub causes: Vec<(String, f64)>,
    /// The findings.
    pub findings: Vec<String>,
}

/// How one point fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// As expected.
    Right,
    /// Another answer.
    Wrong,
    /// No answer where one was possible.
    Abstained,
    /// The recipe leaves it open.
    NotAsked,
}

/// The points.
#[derive(Clone, Copy, Debug)]
pub struct Marks {
    pub outcome: Mark,
    pub reached: Mark,
    pub from: Mark,
    pub what: Mark,
    pub why: Mark,
    pub party: Mark,
    pub finds: Mark,
}

impl Marks {
    /// Each with its name.
    pub fn named(&self) -> [(&'static str, Mark); 7] {
        [
            ("outcome", self.outcome),
            ("reached", self.reached),
            ("from", self.from),
            ("what", self.what),
            ("why", self.why),
            ("party", self.party),
            ("finds", self.finds),
        ]
    }
}

impl Marks {
    /// What was only called possible is no wrong answer where no more can be known. Whether there was
    /// something to let pass.
    fn forgive(&mut self, said: &Said) -> bool {
        let mut forgiven = false;
        let [_, who, why] = said.confidence;
        for (mark, confidence) in [(&mut self.party, who), (&mut self.why, why)] {
            if *mark == Mark::Wrong && confidence < PROBABLE {
                *mark = Mark::Abstained;
                forgiven = true;
            }
        }
        forgiven
    }
}

/// The least confidence that is called more than possible.
const PROBABLE: f64 = 0.7;

impl Judged {
    /// Whether nothing wrong was said.
    pub fn sound(&self) -> bool {
        self.marks.named().iter().all(|(_, mark)| *mark != Mark::Wrong)
    }

    /// What was wrong, for people; empty where nothing was.
    pub fn complaint(&self) -> String {
        let Some(said) = &self.said else { return "no connection reported".to_owned() };
        let expected = &self.expected;
        let why = match expected.why {
            Why::Open => "none".to_owned(),
            Why::Is(id) => id.to_owned(),
            Why::Perhaps(id) => format!("{id} or none"),
        };
        let (findings, never) = (said.findings.join("|"), expected.never.join("|"));
        let rows = [
            (self.marks.finds, "findings", &findings, never),
            (self.marks.outcome, "outcome", &said.outcome, expected.outcome.join("|")),
            (self.marks.reached, "reached", &said.reached, expected.reached.join("|")),
            (self.marks.from, "from", &said.from, expected.from.join("|")),
            (self.marks.what, "what", &said.what, expected.what.join("|")),
            (self.marks.why, "why", &said.cause, why),
            (self.marks.party, "party", &said.party, expected.party.join("|")),
        ];
        let wrong = rows.iter().filter(|(mark, ..)| *mark == Mark::Wrong);
        wrong
            .map(|(_, name, got, right)| format!("{name} {got}, not {right}"))
            .collect::<Vec<_>>()
            .join("; ")
    }
}

/// Judges the objects at one vantage by a label.
pub fn judge(vantage: Vantage, label: &Label, objects: &[Value]) -> Vec<Judged> {
    let chosen: Vec<&Value> = match label.which {
        Which::Every => objects.iter().collect(),
        Which::Nth(number) => objects.get(number).into_iter().collect(),
    };
    let one = |said: Option<Said>| {
        let mut marks = compare(&label.expected, said.as_ref(), label.best);
        let suggested = said.as_ref().filter(|_| !label.best);
        let forgiven = suggested.is_some_and(|said| marks.forgive(said));
        let (expected, best) = (label.expected.clone(), label.best);
        Judged { vantage, expected, said, marks, best, forgiven }
    };
    if chosen.is_empty() {
        return vec![one(None)];
    }
    chosen.iter().map(|object| one(Some(Said::of(object)))).collect()
}

impl Said {
    fn of(object: &Value) -> Self {
        let confidence = ["what", "who", "why"].map(|name| {
            object.pointer(&format!("/verdict/confidence/{name}")).and_then(Value::as_f64)
        });
        let causes = at(object, "/causes").as_array().cloned().unwrap_or_default();
        let findings = at(object, "/findings").as_array().cloned().unwrap_or_default();
        let cause =
            |row: &Value| (text(row, "/id"), at(row, "/confidence").as_f64().unwrap_or(0.0));
        Self {
            outcome: text(object, "/outcome"),
            reached: text(object, "/reached"),
            from: text(object, "/ended/from"),
            what: text(object, "/verdict/what"),
            cause: text(object, "/verdict/cause"),
            class: text(object, "/verdict/class"),
            party: text(object, "/verdict/party"),
            confidence: confidence.map(Option::unwrap_or_default),
            causes: causes.iter().map(cause).collect(),
            findings: findings.iter().map(|row| text(row, "/id")).collect(),
        }
    }
}

/// Phenomena, each with the rows it is a symptom of. A verdict's `what` is what was seen and its `cause`
/// the row that explains it, so for a row that is a cause either is right as `what`.
const SYMPTOMS: [(&str, &[&str]); 5] = [
    (
        "transmission-stalled",
        &[
            "pmtu-blackhole-s2c",
            "pmtu-blackhole-c2s",
            "payload-trigger-drop",
            "idle-timeout-silent",
            "packet-loss",
            "ch-fragmentation-intolerance",
            "tls-version-intolerance",
        ],
    ),
    ("unanswered-turn", &["server-stall", "pmtu-blackhole-s2c", "service-down-after-accept"]),
    // A refusal that does not fit the request.
    ("neg-failure-other", &["neg-failure-forged", "x224-protocols-cleared", "x224-negreq-removed"]),
    ("clean-close-no-reason", &["slow-path-timeout"]),
    ("rst-genuine-client", &["slow-path-timeout"]),
];

/// What is said of a RST that does not quite look like its sender: it names nobody, so it is an
/// abstention wherever there was a RST.
const UNCLEAR: &str = "rst-of-unclear-origin";

/// The rows that end in a RST.
const RESETS: [&str; 8] = [
    "rst-genuine-server",
    "rst-genuine-client",
    "rst-injected-toclient",
    "rst-injected-toserver",
    "rst-inpath-reject",
    "idle-timeout-rst",
    "lb-reset",
    "syn-proxy-fake-open",
];

/// Judges the phenomenon. A symptom alone is all that can be said where a vantage only suggests the row;
/// where it establishes the row, or where the cause is left out, it is less than could be said.
fn phenomenon(expected: &Expected, said: Option<&Said>, best: bool) -> Mark {
    let Some(said) = said.filter(|_| !expected.what.is_empty()) else {
        return if expected.what.is_empty() { Mark::NotAsked } else { Mark::Wrong };
    };
    let what = said.what.as_str();
    let right = |id: &str| expected.what.contains(&id) || expected.why.id() == Some(id);
    let less = if right(&said.cause) { Mark::Right } else { Mark::Abstained };
    let explains =
        SYMPTOMS.iter().any(|(id, rows)| *id == what && rows.iter().any(|row| right(row)));
    match what {
        UNCLEAR if RESETS.iter().any(|row| right(row)) => less,
        _ if expected.what.contains(&what) || expected.also.contains(&what) => Mark::Right,
        // Where there is something to be found, the verdict need not be about it.
        "null" if !expected.finds.is_empty() => Mark::NotAsked,
        "null" => Mark::Abstained,
        _ if explains && best => less,
        _ if explains => Mark::Right,
        _ => Mark::Wrong,
    }
}

fn compare(expected: &Expected, said: Option<&Said>, best: bool) -> Marks {
    let mark = |right: &[&str], got: Option<&String>, silence: &str| match got {
        _ if right.is_empty() => Mark::NotAsked,
        Some(got) if right.contains(&got.as_str()) => Mark::Right,
        Some(got) if got == silence => Mark::Abstained,
        _ => Mark::Wrong,
    };
    let why = match (said.map(|said| said.cause.as_str()), expected.why) {
        (None, _) => Mark::NotAsked,
        // What a session without a fault is about has no cause either.
        (Some("null"), Why::Is(_)) => Mark::Abstained,
        (Some("null"), _) => Mark::Right,
        (Some(got), Why::Is(id) | Why::Perhaps(id)) if got == id => Mark::Right,
        (Some(got), _) if expected.also.contains(&got) => Mark::Right,
        (Some(got), Why::Open | Why::Perhaps(_)) if expected.what.contains(&got) => Mark::Right,
        _ => Mark::Wrong,
    };
    // A finding may be called the phenomenon or the cause as well. What is wrong with a certificate is a fact
    // wherever it stands.
    let found = |said: &Said, id: &str| {
        let listed = id.starts_with("cert-") && said.causes.iter().any(|(cause, _)| cause == id);
        listed || said.findings.iter().chain([&said.what, &said.cause]).any(|found| found == id)
    };
    let finds = match said {
        Some(said) if expected.never.iter().any(|id| found(said, id)) => Mark::Wrong,
        _ if expected.finds.is_empty() => Mark::NotAsked,
        Some(said) if expected.finds.iter().any(|id| found(said, id)) => Mark::Right,
        _ => Mark::Abstained,
    };
    Marks {
        finds,
        outcome: mark(expected.outcome, said.map(|said| &said.outcome), "unknown"),
        reached: mark(expected.reached, said.map(|said| &said.reached), "-"),
        from: mark(expected.from, said.map(|said| &said.from), "-"),
        what: phenomenon(expected, said, best),
        why,
        party: mark(expected.party, said.map(|said| &said.party), "unknown"),
    }
}
