//! What all runs together gave: the samples, and the figures computed from them.

use crate::calibrate::is_claim;
use crate::degrade::Damage;
use crate::draw::Half;
use crate::judge::{Judged, Mark};
use crate::recipe::{Vantage, Why};
use crate::topology::Ip;
use rdpwhy_analyzer::catalogue::ROWS;
use rdpwhy_analyzer::verdict::calibration::Claim;
use std::collections::{BTreeMap, BTreeSet};

/// One connection at one vantage of one run.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The recipe.
    pub recipe: &'static str,
    /// The row it makes; `none` where there was no fault.
    pub row: &'static str,
    /// The recipes it could be mistaken for.
    pub decoys: &'static [&'static str],
    /// Its half.
    pub half: Half,
    /// Its seed.
    pub seed: u64,
    /// The version of the Internet Protocol.
    pub ip: Ip,
    /// What was done to the capture.
    pub damage: Damage,
    /// Label, answer and marks.
    pub judged: Judged,
}

/// What a sample came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What was said is right.
    Right,
    /// Something else was said.
    Wrong,
    /// Nothing was said, or less than the vantage allows.
    Abstained,
}

/// Phenomena that say how a connection ended and nothing else.
const GENERAL: [&str; 3] = ["clean-close-no-reason", "rst-genuine-server", "rst-genuine-client"];

impl Vantage {
    /// The class of the catalogue.
    pub fn class(self) -> &'static str {
        match self {
            Self::At(_) => "V1",
            Self::Relay => "V2",
            Self::RelayPackets => "V3",
            Self::Pair(..) => "V6",
        }
    }
}

impl Sample {
    /// Whether the run had a fault.
    pub fn is_fault(&self) -> bool {
        self.row != "none"
    }

    /// Whether the label says what it was: a phenomenon, a finding, or a cause that is decided.
    pub fn asks(&self) -> bool {
        let expected = &self.judged.expected;
        let silent = expected.what.is_empty() && expected.finds.is_empty();
        self.is_fault() && (!silent || matches!(expected.why, Why::Is(_)))
    }

    /// Whether the row itself is decided at this vantage.
    pub fn decides(&self) -> bool {
        let expected = &self.judged.expected;
        let named = expected.what.contains(&self.row) || expected.finds.contains(&self.row);
        self.is_fault() && self.judged.best && (named || expected.why == Why::Is(self.row))
    }

    /// Whether the row is what the label is about, decided or not.
    fn is_about_its_row(&self) -> bool {
        self.asks() || (self.is_fault() && self.judged.expected.why.id() == Some(self.row))
    }

    /// Whether phenomenon, cause and finding are right together.
    pub fn answer(&self) -> Answer {
        let marks = &self.judged.marks;
        let said = self.judged.said.as_ref();
        // Where bytes are missing, to say only how it ended is to say less.
        let less = self.damage != Damage::None
            && marks.party != Mark::Wrong
            && said.is_some_and(|said| GENERAL.contains(&said.what.as_str()));
        // So is to give what happened again as its cause.
        let again = self.damage != Damage::None
            && marks.party != Mark::Wrong
            && marks.finds != Mark::Wrong
            && said.is_some_and(|said| {
                said.cause == said.what && self.judged.expected.what.contains(&said.what.as_str())
            });
        match (marks.what, marks.why) {
            (Mark::Right, Mark::Wrong) if again => Answer::Abstained,
            (Mark::Wrong, why) if less && why != Mark::Wrong => Answer::Abstained,
            (Mark::Wrong, _) | (_, Mark::Wrong) => Answer::Wrong,
            _ if marks.finds == Mark::Wrong => Answer::Wrong,
            _ if self.judged.said.is_none() => Answer::Wrong,
            (Mark::Abstained, _) | (_, Mark::Abstained) => Answer::Abstained,
            _ if marks.finds == Mark::Abstained => Answer::Abstained,
            _ => Answer::Right,
        }
    }

    /// The name the program gave: the cause, or else the phenomenon.
    pub fn named(&self) -> Option<&str> {
        let said = self.judged.said.as_ref()?;
        [&said.cause, &said.what].into_iter().map(String::as_str).find(|id| *id != "null")
    }

    /// Whether the row, or what is right as well, is among what the program names first and its first candidates.
    pub fn among(&self, candidates: usize) -> bool {
        let mut right = self.judged.expected.what.iter().copied().chain([self.row]);
        right.any(|id| self.offers(id, candidates))
    }

    /// Whether this is what the program names first or one of its first candidates.
    fn offers(&self, row: &str, candidates: usize) -> bool {
        let Some(said) = &self.judged.said else { return false };
        let first = said.causes.iter().take(candidates).map(|(id, _)| id);
        [&said.what, &said.cause].into_iter().chain(first).any(|id| id == row)
    }

    /// The confidence in the answer as a whole.
    pub fn confidence(&self) -> f64 {
        let Some(said) = &self.judged.said else { return 1.0 };
        let [what, _, why] = said.confidence;
        if matches!(self.judged.expected.why, Why::Is(_)) || said.cause != "null" {
            what.min(why)
        } else {
            what
        }
    }

    /// Whether it accuses somebody of interference or downgrade, by its verdict or by a finding.
    pub fn accuses(&self) -> bool {
        let accusing = ["interference", "downgrade"];
        self.judged.said.as_ref().is_some_and(|said| {
            let found = said.findings.iter().filter_map(|id| class_of(id));
            accusing.contains(&said.class.as_str())
                || found.into_iter().any(|class| accusing.contains(&class.as_str()))
        })
    }
}

/// The class of a row of the catalogue, as reports write it.
pub fn class_of(id: &str) -> Option<String> {
    let row = ROWS.iter().find(|row| row.id == id)?;
    serde_json::to_value(row.class).ok()?.as_str().map(str::to_owned)
}

/// Right, wrong and abstained answers of some samples.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub right: usize,
    pub wrong: usize,
    pub abstained: usize,
}

impl Tally {
    /// Counts marks; those not asked for do not count.
    pub fn of(marks: impl Iterator<Item = Mark>) -> Self {
        let mut tally = Self::default();
        for mark in marks {
            match mark {
                Mark::Right => tally.right += 1,
                Mark::Wrong => tally.wrong += 1,
                Mark::Abstained => tally.abstained += 1,
                Mark::NotAsked => {}
            }
        }
        tally
    }

    /// Counts answers.
    pub fn answers<'a>(samples: impl Iterator<Item = &'a Sample>) -> Self {
        Self::of(samples.map(|sample| match sample.answer() {
            Answer::Right => Mark::Right,
            Answer::Wrong => Mark::Wrong,
            Answer::Abstained => Mark::Abstained,
        }))
    }

    /// All of them.
    pub fn total(&self) -> usize {
        self.right + self.wrong + self.abstained
    }

    /// The share of right ones among those that are right or wrong.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.right, self.right + self.wrong)
    }

    /// The share of abstentions.
    pub fn abstention(&self) -> Option<f64> {
        ratio(self.abstained, self.total())
    }
}

/// How one row of the catalogue fared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Row {
    /// Samples of the row.
    pub support: usize,
    /// Those that were named so.
    pub found: usize,
    /// Those of which it is the name or one of the first three candidates.
    pub among: usize,
    /// Other samples that were wrongly named so.
    pub mistaken: usize,
}

impl Row {
    /// Takes another row's samples in.
    pub fn add(&mut self, other: Self) {
        self.support += other.support;
        self.found += other.found;
        self.among += other.among;
        self.mistaken += other.mistaken;
    }

    /// The share of its samples that were named so.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.found, self.support)
    }

    /// The share of its samples of which it is the name or one of the first three candidates.
    pub fn top3(&self) -> Option<f64> {
        ratio(self.among, self.support)
    }

    /// The share of right names among all of this name.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.found, self.found + self.mistaken)
    }
}

/// Every row that was made or named. For its support only vantages count where it is decided, if there
/// are any; a name is a mistake at every vantage.
pub fn rows(samples: &[&Sample]) -> BTreeMap<String, Row> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let decided: BTreeSet<&str> = samples.iter().filter(|s| s.decides()).map(|s| s.row).collect();
    for sample in samples {
        let named = sample.named();
        let undecided = sample.is_about_its_row() && !decided.contains(sample.row);
        if sample.decides() || undecided {
            let row = rows.entry(sample.row.to_owned()).or_default();
            row.support += 1;
            let found = sample.judged.marks.finds == Mark::Right || named == Some(sample.row);
            row.found += usize::from(found);
            row.among += usize::from(found || sample.offers(sample.row, 3));
        }
        if sample.answer() == Answer::Wrong
            && let Some(named) = named
        {
            rows.entry(named.to_owned()).or_default().mistaken += 1;
        }
    }
    rows
}

/// Confidence against truth, of one kind of claim.
#[derive(Clone, Debug, Default)]
pub struct Reliability {
    /// Each claim: the confidence, and whether it was true.
    pub claims: Vec<(f64, bool)>,
}

impl Reliability {
    /// The claims of a kind (0 what, 1 who, 2 why) that the recipes decide.
    pub fn of<'a>(samples: impl Iterator<Item = &'a Sample>, kind: usize) -> Self {
        let claim = Claim::ALL[kind];
        let claims = samples.filter_map(|sample| {
            let said = sample.judged.said.as_ref()?;
            let (mark, spoken) = match kind {
                0 => (sample.judged.marks.what, &said.what),
                1 => (sample.judged.marks.party, &said.party),
                _ => (sample.judged.marks.why, &said.cause),
            };
            let claimed =
                !["null", "unknown"].contains(&spoken.as_str()) && said.confidence[kind] > 0.0;
            // What was forgiven as "possible" was not true for all that.
            (claimed && is_claim(claim, mark))
                .then_some((said.confidence[kind], mark == Mark::Right))
        });
        Self { claims: claims.collect() }
    }

    /// The same claims with other confidences.
    pub fn mapped(&self, to: impl Fn(f64) -> f64) -> Self {
        Self { claims: self.claims.iter().map(|(sure, right)| (to(*sure), *right)).collect() }
    }

    /// Expected calibration error over ten bins of equal width.
    pub fn ece(&self) -> Option<f64> {
        let mut bins = [(0usize, 0.0, 0usize); 10];
        for (confidence, right) in &self.claims {
            let bin = &mut bins[((confidence * 10.0) as usize).min(9)];
            bin.0 += 1;
            bin.1 += confidence;
            bin.2 += usize::from(*right);
        }
        let error: f64 = bins.iter().map(|(_, sum, right)| (sum - *right as f64).abs()).sum();
        (!self.claims.is_empty()).then(|| error / self.claims.len() as f64)
    }

    /// The mean squared difference between confidence and truth.
    pub fn brier(&self) -> Option<f64> {
        let square =
            |(confidence, right): &(f64, bool)| (confidence - f64::from(u8::from(*right))).powi(2);
        let sum: f64 = self.claims.iter().map(square).sum();
        (!self.claims.is_empty()).then(|| sum / self.claims.len() as f64)
    }
}

/// The error among the most confident answers: for each share of all samples, the share of wrong ones.
pub fn risk_coverage(samples: &[&Sample]) -> Vec<(usize, f64)> {
    let mut answered: Vec<&&Sample> =
        samples.iter().filter(|sample| sample.answer() != Answer::Abstained).collect();
    answered.sort_by(|a, b| b.confidence().total_cmp(&a.confidence()));
    let most = ratio(answered.len() * 100, samples.len()).unwrap_or_default() as usize;
    let steps = (1..=10).map(|step| step * 10).filter(|percent| *percent < most).chain([most]);
    steps
        .map(|percent| {
            let taken = (samples.len() * percent).div_ceil(100).clamp(1, answered.len().max(1));
            let wrong = answered.iter().take(taken).filter(|s| s.answer() == Answer::Wrong).count();
            (percent, wrong as f64 / taken as f64)
        })
        .collect()
}

/// A share; `None` of nothing.
pub fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
