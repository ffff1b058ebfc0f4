//! Confidences held against the laboratory's training half: of the claims that detectors make at a level of
//! their own, how many were right there.
//!
//! What was measured lowers a claim as far as it has to. It raises one no further than to the end of the word
//! that its detector chose (possible, probable, high, certain): the laboratory's mix of faults is not the
//! field's, and what a vantage may say at most stands.

use std::sync::OnceLock;

use crate::report::Connection;

/// One of the three claims of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// What was seen.
    What,
    /// Who did it.
    Who,
    /// Why.
    Why,
}

impl Claim {
    /// All three.
    pub const ALL: [Claim; 3] = [Claim::What, Claim::Who, Claim::Why];

    /// As the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Claim::What => "what",
            Claim::Who => "who",
            Claim::Why => "why",
        }
    }
}

/// The levels that detectors use, each with the end of its word.
pub const LEVELS: [(f64, f64); 4] = [(0.55, 0.6), (0.8, 0.89), (0.93, 0.98), (0.99, 0.99)];

/// Below this nothing is claimed.
const CLAIMED: f64 = 0.5;
/// Two levels stay two.
const APART: f64 = 0.001;
/// Fewer claims than this at a level say nothing about it.
const ENOUGH: f64 = 20.0;

/// Replaces the detectors' own confidences by what they are worth.
pub fn calibrate(report: &mut Connection) {
    let sure = &mut report.verdict.confidence;
    sure.what = calibrated(Claim::What, sure.what);
    sure.who = calibrated(Claim::Who, sure.who);
    sure.why = calibrated(Claim::Why, sure.why);
    for cause in &mut report.causes {
        cause.confidence = calibrated(Claim::Why, cause.confidence);
    }
    report.calibrated = true;
}

/// What a confidence of a detector's own, 0 to 1, is worth.
pub fn calibrated(claim: Claim, own: f64) -> f64 {
    calibrated_by(worth(claim), own)
}

/// The same by other levels' worth than the table's.
pub fn calibrated_by(worth: [f64; 4], own: f64) -> f64 {
    (between(own, knots(worth).into_iter()) * 1000.0).round() / 1000.0
}

/// The detector's own confidence that is reported as `worth`.
pub fn own(claim: Claim, worth: f64) -> f64 {
    between(worth, knots(self::worth(claim)).into_iter().map(|(own, worth)| (worth, own)))
}

/// What the levels are worth, from the claims right and wrong at each: never falling from one to the next.
pub fn fit(counts: [[usize; 2]; 4]) -> [f64; 4] {
    let mut worth = [0.0; 4];
    // Levels that are out of order are pooled: each takes the least of the means from it upwards, of which the
    // means downwards are the greatest.
    let mean = |from: usize, to: usize| {
        let [right, wrong] = [0, 1].map(|n| counts[from..=to].iter().map(|c| c[n] as f64).sum());
        let (right, wrong): (f64, f64) = (right, wrong);
        (right + wrong >= ENOUGH).then(|| (right + 0.5) / (right + wrong + 1.0))
    };
    for at in 0..LEVELS.len() {
        let pooled = (0..=at).filter_map(|from| {
            (at..LEVELS.len()).filter_map(|to| mean(from, to)).min_by(f64::total_cmp)
        });
        let (level, most) = LEVELS[at];
        let least = worth[..at].last().map_or(CLAIMED, |before: &f64| before + APART);
        let found = pooled.max_by(f64::total_cmp).unwrap_or(level);
        worth[at] = found.min(most).max(least);
    }
    worth
}

/// From nothing through the levels to certainty.
fn knots(worth: [f64; 4]) -> [(f64, f64); 7] {
    let mut knots = [
        (0.0, 0.0),
        (CLAIMED, CLAIMED),
        (0.0, 0.0),
        (0.0, 0.0),
        (0.0, 0.0),
        (0.0, 0.0),
        (1.0, 1.0),
    ];
    for (at, (level, _)) in LEVELS.iter().enumerate() {
        knots[at + 2] = (*level, worth[at]);
    }
    knots
}

/// What the levels are worth by the table, which is read once.
fn worth(claim: Claim) -> [f64; 4] {
    static WORTH: OnceLock<[[f64; 4]; 3]> = OnceLock::new();
    let read = |claim| LEVELS.map(|(level, _)| table(claim, level).unwrap_or(level));
    WORTH.get_or_init(|| Claim::ALL.map(read))[claim as usize]
}

/// The measured worth of a level.
fn table(claim: Claim, level: f64) -> Option<f64> {
    let mut lines = include_str!("../calibration.tsv").lines().map(|line| line.split('\t'));
    lines.find_map(|mut fields| {
        let same = fields.next() == Some(claim.name())
            && fields.next().and_then(|field| field.parse().ok()) == Some(level);
        fields.next().filter(|_| same)?.parse().ok()
    })
}

/// A point on the line through these points, which rise.
fn between(x: f64, points: impl Iterator<Item = (f64, f64)>) -> f64 {
    let mut before = (0.0, 0.0);
    for (at, value) in points {
        if x <= at {
            let part = if at > before.0 { (x - before.0) / (at - before.0) } else { 1.0 };
            return before.1 + part * (value - before.1);
        }
        before = (at, value);
    }
    before.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_level_and_rises() {
        for claim in Claim::ALL {
            assert_eq!(Claim::ALL[claim as usize], claim);
            assert!(LEVELS.iter().all(|(level, _)| table(claim, *level).is_some()), "{claim:?}");
            let knots = knots(worth(claim));
            assert!(knots.windows(2).all(|pair| pair[0].1 < pair[1].1), "{claim:?}: {knots:?}");
        }
    }

    #[test]
    fn what_is_reported_can_be_turned_back() {
        for claim in Claim::ALL {
            for percent in 0..=100 {
                let level = f64::from(percent) / 100.0;
                let back = own(claim, calibrated(claim, level));
                assert!((back - level).abs() < 0.08, "{claim:?} {level} {back}");
            }
            for (level, most) in LEVELS {
                assert!(calibrated(claim, level) <= most);
                assert!((own(claim, calibrated(claim, level)) - level).abs() < 0.005);
            }
            // What is not claimed stays as it was.
            assert_eq!(calibrated(claim, 0.4), 0.4);
        }
    }

    #[test]
    fn a_fit_lowers_freely_and_raises_within_the_word() {
        // As sure as they say, surer than they say, wrong half of the time, and hardly ever met.
        assert_eq!(
            fit([[55, 45], [80, 20], [93, 7], [9999, 1]]).map(|w| (w * 100.0) as u32),
            [54, 79, 92, 99]
        );
        assert_eq!(fit([[1000, 0], [1000, 0], [1000, 0], [1000, 0]]), [0.6, 0.89, 0.98, 0.99]);
        let fitted = fit([[60, 40], [90, 10], [500, 500], [990, 10]]);
        assert!(fitted[1] < 0.6 && fitted[2] < 0.6 && fitted[3] > 0.98, "{fitted:?}");
        assert!(fitted.windows(2).all(|pair| pair[0] < pair[1]), "{fitted:?}");
        assert_eq!(fit([[0, 0]; 4]), LEVELS.map(|(level, _)| level));
    }
}
