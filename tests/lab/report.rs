//! Writes `RESULTS.md`.

use crate::calibrate::Worth;
use crate::conditions;
use crate::degrade::Damage;
use crate::draw::Half;
use crate::recipes::RECIPES;
use crate::results::{
    Answer, Reliability, Row, Sample, Tally, class_of, ratio, risk_coverage, rows,
};
use crate::run::Done;
use rdpwhy_analyzer::verdict::calibration::{Claim, calibrated_by, own};
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;

/// Pairs of causes that are easily mistaken for each other; any of the left against any of the right.
/// The decoys of each recipe come on top.
const CONFUSABLE: [(&[&str], &[&str]); 6] = [
    (&["pmtu-blackhole-s2c", "pmtu-blackhole-c2s"], &["payload-trigger-drop", "server-stall"]),
    (
        &["rst-genuine-server", "rst-genuine-client"],
        &[
            "rst-injected-toclient",
            "rst-injected-toserver",
            "rst-inpath-reject",
            "idle-timeout-rst",
        ],
    ),
    (&["cert-key-inaccessible", "tls-plaintext-after-hello"], &["rst-inpath-reject"]),
    (
        &["x224-protocols-cleared", "x224-negreq-removed", "neg-rsp-rewritten"],
        &["neg-rsp-unrequested", "ssl-not-allowed"],
    ),
    (&["idle-timeout-silent"], &["server-stall", "service-down-after-accept"]),
    (&["nla-bad-credentials"], &["nla-account-restriction", "server-stall"]),
];

/// How answers are counted that are neither right nor wrong at first sight.
const RULES: &str = "\nRules that make figures better than a bare comparison would:\n\n\
- Where a vantage can only suggest a row, a wrong party or cause that is called no more than possible (below 0.7) counts \
as an abstention, not as an error. A wrong phenomenon is always an error, and for calibration a wrong name is wrong.\n\
- In a damaged capture, to say only how the connection ended (a close, a RST), or to give what was seen again as its cause, \
is an abstention, not an error, if no wrong party or other cause is named.\n\
- `transmission-stalled` and `unanswered-turn` are right for the rows they are symptoms of where the row can only be \
suggested, and abstentions where it is established; `rst-of-unclear-origin` is an abstention wherever there was a RST.\n\
- To say less than the vantage allows is no claim for calibration; a cause or party that was let pass is one, and false.\n\
- A defect of a certificate is found where it stands among the candidate causes: it is read from the certificate.\n";

/// The report.
pub fn markdown(done: &Done) -> String {
    let samples = &done.samples;
    let mut text = String::from(
        "# What the laboratory found\n\nWritten by `tests/run lab --full`. Each sample is one connection, seen from one \
         vantage: V1 one capture, V2 the relay's own facts, V3 the relay with captures of both legs, V6 two captures compared. \
         An answer is right when phenomenon and cause are; it is an abstention when less was said than the vantage allows. \
         Each recipe says before its run at which vantages the row is *established* and where it can only be *suggested*, \
         because what would decide it is not on the wire there; these are counted apart. Where that is less than the \
         catalogue grants the vantage, `unsaid.md` says why.\n",
    );
    text += RULES;
    let forgiven = samples.iter().filter(|s| s.damage == Damage::None && s.judged.forgiven).count();
    writeln!(text, "\nThe first of these rules was applied {forgiven} times.").unwrap();
    let worth = Worth::fitted(samples);
    let sound: Vec<&Sample> = samples.iter().filter(|s| s.damage == Damage::None).collect();
    writeln!(text, "\n{}", runs(done, sound.len())).unwrap();
    for half in [Half::HeldOut, Half::Training] {
        let of_half: Vec<&Sample> = sound.iter().filter(|s| s.half == half).copied().collect();
        if !of_half.is_empty() {
            write!(text, "\n## The {} half\n", half.name()).unwrap();
            text += &totals(&of_half);
            text += &per_row(&of_half);
            text += &calibration(&of_half, &worth);
        }
    }
    text += &accusations(&sound);
    text += &confusions(&sound);
    text += &conditions::tables(samples);
    write!(text, "\n## Cited packets\n\n{}\n", done.citations.markdown()).unwrap();
    text += "\n## What was wrong\n";
    text += &misses(&sound);
    text +=
        "\n## What was left unsaid\n\nWhere the vantage establishes the row. Why: `unsaid.md`.\n";
    text += &unsaid(&sound);
    text += "\n## What was wrong with damaged captures only\n";
    text += &misses(&damaged_only(samples));
    text += "\n## Runs of each recipe\n";
    text += &runs_per_recipe(&sound);
    text
}

/// How many runs there were, and how those fared that gave nothing.
fn runs(done: &Done, samples: usize) -> String {
    let Done { passed, failed, broken, repeated, skipped, .. } = done;
    format!(
        "{} runs, {samples} samples of whole captures. Something wrong was said in {failed} of them. {repeated} were made a \
         second time, because their peers broke down before anything was judged; {broken} broke down twice; {skipped} were \
         skipped for want of a peer.",
        passed + failed
    )
}

/// With the fault, and as clean twins.
fn runs_per_recipe(samples: &[&Sample]) -> String {
    let mut count: BTreeMap<&str, [HashSet<u64>; 4]> = BTreeMap::new();
    for sample in samples {
        let twin =
            RECIPES.iter().any(|recipe| recipe.name == sample.recipe && recipe.row != sample.row);
        let column = usize::from(sample.half == Half::Training) + 2 * usize::from(twin);
        count.entry(sample.recipe).or_default()[column].insert(sample.seed);
    }
    let mut text = String::from(
        "\n| recipe | held-out | training | clean twins held-out | clean twins training |\n|---|---|---|---|---|\n",
    );
    for (recipe, runs) in count {
        let runs = runs.map(|seeds| seeds.len().to_string()).join(" | ");
        writeln!(text, "| {recipe} | {runs} |").unwrap();
    }
    text
}

fn totals(samples: &[&Sample]) -> String {
    let mut text = String::from(
        "\nTop-1, top-3 and abstentions are of samples whose label says what it was (n); the other columns of all.\n\n\
         | vantage | samples | n | top-1 | top-3 | abstained | party | party unsaid | step | closer |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (best, word) in [(Some(true), "established"), (Some(false), "suggested"), (None, "both")] {
        for class in ["V1", "V2", "V3", "V6", ""] {
            let of: Vec<&Sample> = samples
                .iter()
                .filter(|s| s.is_fault() && best.is_none_or(|best| s.judged.best == best))
                .filter(|s| class.is_empty() || s.judged.vantage.class() == class)
                .copied()
                .collect();
            if !of.is_empty() {
                let name = if class.is_empty() { "all" } else { class };
                writeln!(text, "| {name}, {word} | {} |", total(&of)).unwrap();
            }
        }
    }
    text
}

/// The cells of one line of totals.
fn total(of: &[&Sample]) -> String {
    let asked: Vec<&Sample> = of.iter().filter(|s| s.asks()).copied().collect();
    let answers = Tally::answers(asked.iter().copied());
    let top3 = ratio(asked.iter().filter(|s| s.among(3)).count(), asked.len());
    let party = Tally::of(of.iter().map(|s| s.judged.marks.party));
    let step = Tally::of(of.iter().map(|s| s.judged.marks.reached));
    let closer = Tally::of(of.iter().map(|s| s.judged.marks.from));
    let shares = [
        answers.accuracy(),
        top3,
        answers.abstention(),
        party.accuracy(),
        party.abstention(),
        step.accuracy(),
        closer.accuracy(),
    ];
    format!("{} | {} | {}", of.len(), asked.len(), shares.map(share).join(" | "))
}

/// The figures that the program shows of its rows: of the held-out half, whole captures, and the vantages where the
/// row is decided, if there are any. Columns are separated by tabs.
pub fn measured(samples: &[Sample]) -> String {
    let held_out: Vec<&Sample> =
        samples.iter().filter(|s| s.half == Half::HeldOut && s.damage == Damage::None).collect();
    // The catalogue has one row for all alerts.
    let mut measured: BTreeMap<String, Row> = BTreeMap::new();
    for (id, row) in rows(&held_out) {
        let id = if id.starts_with("tls-alert-") { "tls-alert-N".to_owned() } else { id };
        measured.entry(id).or_default().add(row);
    }
    let mut text = String::from("id\tprecision\trecall\tsupport\n");
    for (id, row) in measured {
        let (precision, recall) = (share(row.precision()), share(row.recall()));
        writeln!(text, "{id}\t{precision}\t{recall}\t{}", row.support).unwrap();
    }
    text
}

fn per_row(samples: &[&Sample]) -> String {
    let mut text = String::from(
        "\nRecall counts where the row is the answer, top-3 where it is that or one of the first three candidates: a row \
         that the vantage can only suggest is one of those.\n\n\
         | row | support | recall | top-3 | precision |\n|---|---|---|---|---|\n",
    );
    for (id, row) in rows(samples) {
        let shares = [row.recall(), row.top3(), row.precision()].map(share).join(" | ");
        writeln!(text, "| {id} | {} | {shares} |", row.support).unwrap();
    }
    text
}

fn calibration(samples: &[&Sample], worth: &Worth) -> String {
    let mut text = String::from(
        "\n| claim | n | ECE as detectors say | Brier | ECE calibrated by the training half | Brier |\n|---|---|---|---|---|---|\n",
    );
    for (kind, claim) in Claim::ALL.into_iter().enumerate() {
        let reported = Reliability::of(samples.iter().copied(), kind);
        let given = reported.mapped(|confidence| own(claim, confidence));
        let fitted = given.mapped(|confidence| calibrated_by(worth.of(claim), confidence));
        let figures = [given.ece(), given.brier(), fitted.ece(), fitted.brier()].map(share);
        let (name, n) = (claim.name(), given.claims.len());
        writeln!(text, "| {name} | {n} | {} |", figures.join(" | ")).unwrap();
    }
    let faults: Vec<&Sample> =
        samples.iter().filter(|s| s.asks() && s.judged.best).copied().collect();
    text += "\n| answered, of all | wrong among them |\n|---|---|\n";
    for (percent, risk) in risk_coverage(&faults) {
        writeln!(text, "| {percent} % | {} |", share(Some(risk))).unwrap();
    }
    text
}

/// Accusations where nobody is guilty.
fn accusations(samples: &[&Sample]) -> String {
    let innocent = |s: &&&Sample| ["none", "client-rehearsal-close"].contains(&s.row);
    let sessions: Vec<&&Sample> = samples.iter().filter(innocent).collect();
    let accused = sessions.iter().filter(|s| s.accuses()).count();
    let failed = sessions.iter().filter(|s| !s.judged.sound()).count();
    let connections =
        sessions.iter().filter(|s| ["V2", "V3"].contains(&s.judged.vantage.class())).count();
    let mut text = format!(
        "\n## Sessions without a fault\n\n{} samples of {connections} clean sessions and rehearsals: {accused} accused of interference or \
         downgrade, by verdict or finding; {failed} reported as something else than they were. What was found of them:\n\n\
         | finding | class | times |\n|---|---|---|\n",
        sessions.len()
    );
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for said in sessions.iter().filter_map(|s| s.judged.said.as_ref()) {
        for id in &said.findings {
            *count.entry(id).or_default() += 1;
        }
    }
    for (id, times) in count {
        let class = class_of(id).map_or_else(|| "-".to_owned(), |class| class.to_string());
        writeln!(text, "| {id} | {class} | {times} |").unwrap();
    }
    text
}

fn confusions(samples: &[&Sample]) -> String {
    let mut text = String::from(
        "\n## Pairs that are easily confused\n\n| made | named | times |\n|---|---|---|\n",
    );
    let mut count: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for sample in samples {
        let Some(named) = sample.named().filter(|named| *named != sample.row) else { continue };
        let pair = |(left, right): &(&[&str], &[&str])| {
            (left.contains(&sample.row) && right.contains(&named))
                || (right.contains(&sample.row) && left.contains(&named))
        };
        if CONFUSABLE.iter().any(pair) || sample.decoys.contains(&named) {
            *count.entry((sample.row, named)).or_default() += 1;
        }
    }
    for ((made, named), times) in &count {
        writeln!(text, "| {made} | {named} | {times} |").unwrap();
    }
    if count.is_empty() {
        text += "| - | - | 0 |\n";
    }
    text
}

/// Wrong answers to damaged captures where the whole ones gave none.
fn damaged_only(samples: &[Sample]) -> Vec<&Sample> {
    let key = |s: &Sample| (s.recipe, s.half, s.seed, s.judged.vantage);
    let wrong = |s: &&Sample| s.answer() == Answer::Wrong;
    let whole: HashSet<_> =
        samples.iter().filter(|s| s.damage == Damage::None).filter(wrong).map(key).collect();
    let damaged = samples.iter().filter(|s| s.damage != Damage::None).filter(wrong);
    damaged.filter(|s| !whole.contains(&key(s))).collect()
}

/// What was wrong, by recipe, half and vantage.
fn misses(samples: &[&Sample]) -> String {
    let mut count: BTreeMap<(&str, &str, String, String), (usize, u64)> = BTreeMap::new();
    for sample in samples.iter().filter(|s| !s.judged.sound()) {
        let place = format!("{} {}", sample.judged.vantage.class(), sample.damage.name());
        let key = (sample.recipe, sample.half.name(), place, sample.judged.complaint());
        let entry = count.entry(key).or_insert((0, sample.seed));
        entry.0 += 1;
    }
    let mut text = String::from(
        "\n| recipe | half | vantage | what | times | a seed |\n|---|---|---|---|---|---|\n",
    );
    for ((recipe, half, vantage, what), (times, seed)) in count {
        let what = what.replace('|', "/");
        writeln!(text, "| {recipe} | {half} | {vantage} | {what} | {times} | {seed} |").unwrap();
    }
    text
}

/// Abstentions, by recipe and vantage, with what was said instead.
fn unsaid(samples: &[&Sample]) -> String {
    let mut count: BTreeMap<(&str, &str, String), (usize, u64)> = BTreeMap::new();
    let established = samples.iter().filter(|s| s.asks() && s.judged.best);
    for sample in established.filter(|s| s.answer() == Answer::Abstained) {
        let said = sample.judged.said.as_ref();
        let said = said.map_or_else(String::new, |said| format!("{} / {}", said.what, said.cause));
        let key = (sample.recipe, sample.judged.vantage.class(), said);
        let entry = count.entry(key).or_insert((0, sample.seed));
        entry.0 += 1;
    }
    let mut text = String::from(
        "\n| recipe | vantage | what / why was said | times | a seed |\n|---|---|---|---|---|\n",
    );
    for ((recipe, vantage, said), (times, seed)) in count {
        writeln!(text, "| {recipe} | {vantage} | {said} | {times} | {seed} |").unwrap();
    }
    text
}

/// A share as the report prints it.
pub fn share(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"))
}

/// Right, wrong and abstained answers of all faults, for the last lines on the screen.
pub fn summary(samples: &[Sample]) -> String {
    let faults = samples.iter().filter(|s| s.asks() && s.damage == Damage::None);
    let tally = Tally::answers(faults);
    let wrong = samples.iter().filter(|s| s.answer() == Answer::Wrong).count();
    format!(
        "{} answers right, {} wrong, {} abstained; {wrong} wrong with those to damaged captures",
        tally.right, tally.wrong, tally.abstained
    )
}
