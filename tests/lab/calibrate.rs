//! What the detectors' confidences are worth, by the training half.

use crate::degrade::Damage;
use crate::draw::Half;
use crate::judge::Mark;
use crate::results::Sample;
use rdpwhy_analyzer::verdict::calibration::{Claim, LEVELS, fit, own};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// How many claims at each level were right and wrong, of each kind of claim, and what that makes the levels worth.
pub struct Worth {
    counts: [[[usize; 2]; LEVELS.len()]; Claim::ALL.len()],
}

/// Whether a mark belongs to a claim. To say what was seen and not all of it claims nothing false; a cause or a
/// party that was let pass was one.
pub fn is_claim(claim: Claim, mark: Mark) -> bool {
    match claim {
        Claim::What => matches!(mark, Mark::Right | Mark::Wrong),
        Claim::Who | Claim::Why => mark != Mark::NotAsked,
    }
}

impl Worth {
    /// By the whole captures of the training half.
    pub fn fitted(samples: &[Sample]) -> Worth {
        let mut counts = [[[0; 2]; LEVELS.len()]; Claim::ALL.len()];
        for (claim, _, _, confidence, right) in claims(samples) {
            // What was weighed stands between two levels and counts at the nearer.
            let distance = |at: &usize| (LEVELS[*at].0 - confidence).abs();
            let nearest = (0..LEVELS.len()).min_by(|a, b| distance(a).total_cmp(&distance(b)));
            counts[claim as usize][nearest.unwrap_or(0)][usize::from(!right)] += 1;
        }
        Worth { counts }
    }

    /// What the levels are worth.
    pub fn of(&self, claim: Claim) -> [f64; LEVELS.len()] {
        fit(self.counts[claim as usize])
    }

    /// The table of the program: claim, level, its worth, and how many claims at it were right and wrong.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for claim in Claim::ALL {
            let rows = LEVELS.iter().zip(self.of(claim)).zip(self.counts[claim as usize]);
            for (((level, _), worth), [right, wrong]) in rows {
                writeln!(text, "{}\t{level}\t{worth:.3}\t{right}\t{wrong}", claim.name()).unwrap();
            }
        }
        text
    }
}

/// The claims themselves, by what was claimed, from where, and how confidently, in percent.
pub fn training(samples: &[Sample]) -> Value {
    let mut count: BTreeMap<(&str, &str, &str, u64), [usize; 2]> = BTreeMap::new();
    for (claim, id, vantage, confidence, right) in claims(samples) {
        let key = (claim.name(), id, vantage, (confidence * 100.0).round() as u64);
        count.entry(key).or_default()[usize::from(!right)] += 1;
    }
    type Row<'a> = ((&'a str, &'a str, &'a str, u64), [usize; 2]);
    let row = |((claim, id, vantage, percent), [right, wrong]): Row<'_>| json!({"claim": claim, "id": id, "vantage": vantage, "percent": percent, "right": right, "wrong": wrong});
    json!({ "claims": count.into_iter().map(row).collect::<Vec<_>>() })
}

/// Each claim: its kind, its id, the vantage, the detector's own confidence, and whether it was true.
fn claims(samples: &[Sample]) -> impl Iterator<Item = (Claim, &str, &str, f64, bool)> {
    let training = samples.iter().filter(|s| s.half == Half::Training && s.damage == Damage::None);
    training.flat_map(|sample| {
        let (marks, vantage) = (&sample.judged.marks, sample.judged.vantage.class());
        let kinds = sample.judged.said.iter().flat_map(move |said| {
            let of =
                [(marks.what, &said.what), (marks.party, &said.what), (marks.why, &said.cause)];
            Claim::ALL.into_iter().zip(of).zip(said.confidence)
        });
        kinds.filter_map(move |((claim, (mark, id)), worth)| {
            let claimed = is_claim(claim, mark) && worth > 0.0 && id != "null";
            claimed.then(|| (claim, id.as_str(), vantage, own(claim, worth), mark == Mark::Right))
        })
    })
}
