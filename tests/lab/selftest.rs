//! The laboratory's own figures, computed from samples made by hand.

use crate::citations::tests as citations;
use crate::degrade::Damage;
use crate::draw::Half;
use crate::judge::judge;
use crate::recipe::{Expected, FAILED, Label, Vantage, Which, Why};
use crate::report::measured;
use crate::results::{Answer, Reliability, Sample, Tally, risk_coverage, rows};
use crate::topology::{Ip, Port};
use serde_json::json;

/// Every check with its name; a check that fails panics.
pub const CHECKS: [(&str, fn()); 11] = [
    ("answers", answers),
    ("precision and recall", precision_and_recall),
    ("calibration", calibration),
    ("risk and coverage", risk_and_coverage),
    ("figures for the program", figures_for_the_program),
    citations::CHECKS[0],
    citations::CHECKS[1],
    citations::CHECKS[2],
    citations::CHECKS[3],
    citations::CHECKS[4],
    citations::CHECKS[5],
];

/// One sample of a row: what was right, at a vantage that establishes it or not, and what was said.
fn sample(row: &'static str, expected: Expected, best: bool, said: [&str; 3], sure: f64) -> Sample {
    let vantage = Vantage::At(Port::C);
    let label = Label { vantages: vec![vantage], which: Which::Every, expected, best };
    let [what, cause, party] = said.map(|word| (word != "-").then_some(word));
    let object = json!({
        "outcome": "failed", "reached": "tls_finished", "ended": { "from": "client" },
        "causes": [], "findings": [],
        "verdict": {
            "class": "abort", "what": what, "cause": cause, "party": party.unwrap_or("unknown"),
            "confidence": { "what": sure, "who": sure, "why": sure },
        },
    });
    let judged = judge(vantage, &label, &[object]).remove(0);
    Sample {
        recipe: "by-hand",
        row,
        decoys: &[],
        half: Half::HeldOut,
        seed: 1,
        ip: Ip::V4,
        damage: Damage::None,
        judged,
    }
}

/// A label of one row, with whom to name.
fn of(row: &'static [&'static str], why: Why) -> Expected {
    Expected { what: row, why, party: &["network"], ..FAILED }
}

const DROP: &[&str] = &["payload-trigger-drop"];
const FORGED: &[&str] = &["rst-injected-toclient"];

fn dropped(best: bool, said: [&str; 3], sure: f64) -> Sample {
    sample(DROP[0], of(DROP, Why::Perhaps(DROP[0])), best, said, sure)
}

fn forged(said: [&str; 3]) -> Sample {
    sample(FORGED[0], of(FORGED, Why::Perhaps(FORGED[0])), true, said, 0.9)
}

fn answers() {
    let is = |sample: Sample, answer| assert_eq!(sample.answer(), answer, "{sample:?}");
    is(dropped(true, [DROP[0], "-", "network"], 0.9), Answer::Right);
    is(dropped(true, ["server-stall", "-", "server"], 0.9), Answer::Wrong);
    is(dropped(true, ["-", "-", "-"], 0.0), Answer::Abstained);
    // A symptom alone is all there is to say, or less than that; with its cause it is right.
    is(dropped(false, ["transmission-stalled", "-", "-"], 0.9), Answer::Right);
    is(dropped(true, ["transmission-stalled", "-", "-"], 0.9), Answer::Abstained);
    is(dropped(true, ["transmission-stalled", DROP[0], "-"], 0.9), Answer::Right);
    is(dropped(true, ["transmission-stalled", "packet-loss", "-"], 0.9), Answer::Wrong);
    is(dropped(true, ["unanswered-turn", "-", "-"], 0.9), Answer::Wrong);
    is(forged(["rst-of-unclear-origin", "-", "-"]), Answer::Abstained);
    is(dropped(true, ["rst-of-unclear-origin", "-", "-"], 0.9), Answer::Wrong);
    // Where it can only be suggested, "possible" is no claim, but a phenomenon always is.
    let guess = dropped(false, [DROP[0], "server-stall", "server"], 0.55);
    assert!(guess.judged.sound() && guess.judged.forgiven, "{guess:?}");
    is(guess, Answer::Abstained);
    is(dropped(false, [DROP[0], "server-stall", "-"], 0.8), Answer::Wrong);
    is(dropped(false, ["server-stall", "-", "-"], 0.55), Answer::Wrong);
    // However a label words it, a RST that names nobody is an abstention; a finding stands for itself.
    let worded = of(&["rst-injected-toclient", "rst-of-unclear-origin"], Why::Open);
    let unclear = ["rst-of-unclear-origin", "-", "-"];
    is(sample(FORGED[0], worded, false, unclear, 0.9), Answer::Abstained);
    let found = Expected { finds: DROP, ..of(DROP, Why::Open) };
    is(sample(DROP[0], found, true, ["-", "-", "-"], 0.0), Answer::Abstained);
    let other = Expected { never: DROP, ..of(&[], Why::Open) };
    let taken = sample(FORGED[0], other, true, [DROP[0], "-", "-"], 0.9);
    assert!(!taken.judged.sound(), "{taken:?}");
    is(taken, Answer::Wrong);
    // What holds as well is right, as phenomenon and as cause.
    let both = Expected { also: &["fin-injected"], ..of(DROP, Why::Is(DROP[0])) };
    let said = |what, cause| sample(DROP[0], both.clone(), true, [what, cause, "-"], 0.9);
    is(said("fin-injected", "fin-injected"), Answer::Right);
    is(said("fin-injected", "data-injected"), Answer::Wrong);
    // A cause that is decided has to be named.
    let decided = sample(DROP[0], of(&[], Why::Is(DROP[0])), true, ["other", "-", "-"], 0.9);
    is(decided, Answer::Abstained);
}

/// Four of one row: two named, one taken for the other row, one unsaid; one of the other row.
fn some() -> Vec<Sample> {
    vec![
        dropped(true, [DROP[0], "-", "network"], 0.9),
        dropped(true, [DROP[0], "-", "network"], 0.9),
        dropped(true, [FORGED[0], "-", "-"], 0.6),
        dropped(true, ["-", "-", "-"], 0.0),
        forged([FORGED[0], "-", "server"]),
    ]
}

fn precision_and_recall() {
    let samples = some();
    let rows = rows(&samples.iter().collect::<Vec<_>>());
    let (dropped, forged) = (rows[DROP[0]], rows[FORGED[0]]);
    assert_eq!((dropped.support, dropped.found, dropped.mistaken), (4, 2, 0));
    assert_eq!((forged.support, forged.found, forged.mistaken), (1, 1, 1));
    assert_eq!((dropped.recall(), dropped.precision()), (Some(0.5), Some(1.0)));
    assert_eq!((forged.recall(), forged.precision()), (Some(1.0), Some(0.5)));
    let tally = Tally::answers(samples.iter());
    assert_eq!((tally.right, tally.wrong, tally.abstained), (3, 1, 1));
    assert_eq!((tally.accuracy(), tally.abstention()), (Some(0.75), Some(0.2)));
    assert_eq!(Tally::default().accuracy(), None);
    let party = Tally::of(samples.iter().map(|sample| sample.judged.marks.party));
    assert_eq!((party.right, party.wrong, party.abstained), (2, 1, 2));
}

fn calibration() {
    let near = |got: Option<f64>, right: f64| {
        assert!(got.is_some_and(|got| (got - right).abs() < 1e-9), "{got:?}, not {right}");
    };
    let claims = Reliability { claims: vec![(0.9, true), (0.9, false), (0.6, true), (1.0, true)] };
    // The bin of .9 and 1.0: 2.8 claimed, 2 true; that of .6: 0.6 claimed, 1 true.
    near(claims.ece(), (0.8 + 0.4) / 4.0);
    near(claims.brier(), (0.01 + 0.81 + 0.16) / 4.0);
    assert_eq!(Reliability::default().ece(), None);
    assert_eq!(Reliability::default().brier(), None);
    // What was not said is no claim; what was forgiven is one, and not true.
    let samples = [some(), vec![dropped(false, [DROP[0], "server-stall", "-"], 0.55)]].concat();
    let of = |kind| Reliability::of(samples.iter(), kind).claims;
    assert_eq!(of(0).len(), 5);
    assert_eq!(of(1), [(0.9, true), (0.9, true), (0.9, false)]);
    assert_eq!(of(2), [(0.55, false)]);
}

fn risk_and_coverage() {
    let samples = some();
    let curve = risk_coverage(&samples.iter().collect::<Vec<_>>());
    // The least confident answer is the wrong one; the fifth sample was not answered.
    assert_eq!(curve.last(), Some(&(80, 0.25)));
    assert!(curve[..curve.len() - 1].iter().all(|(percent, risk)| *percent <= 70 || *risk == 0.25));
    assert!(curve.iter().filter(|(percent, _)| *percent <= 60).all(|(_, risk)| *risk == 0.0));
}

fn figures_for_the_program() {
    let mut samples = some();
    let mut training = dropped(true, [FORGED[0], "-", "-"], 0.9);
    training.half = Half::Training;
    let mut damaged = dropped(true, [FORGED[0], "-", "-"], 0.9);
    damaged.damage = Damage::Cut;
    // Where a row is only suggested it has no support; a wrong name is one all the same.
    samples.extend([training, damaged, dropped(false, [FORGED[0], "-", "-"], 0.9)]);
    let lines = [
        "id\tprecision\trecall\tsupport".to_owned(),
        format!("{}\t1.000\t0.500\t4", DROP[0]),
        format!("{}\t0.333\t1.000\t1\n", FORGED[0]),
    ];
    assert_eq!(measured(&samples), lines.join("\n"));
}
