//! From opinions to one verdict: outcome, what, who, why, each with its own confidence.
//!
//! A phenomenon and the cause that explains it do not compete. When the evidence does not decide, the
//! verdict abstains on why and still says what, step, leg and closer. Interference and downgrade need a
//! control; without one they stand among the causes and never in the verdict.

mod build;
pub mod calibration;
mod community;
mod ended;
mod layers;
mod legs;
mod mstsc;
mod outcome;
mod ruled_out;
mod words;

#[cfg(test)]
pub(crate) use build::uncalibrated;
pub use build::{Identities, Place, connection};
pub use outcome::awaits_sibling;

use std::borrow::Cow;
use std::rc::Rc;

use crate::case::Case;
use crate::detect::{Class, Detector, Kind, Opinion, pair, rows};
use crate::report::{Connection, Outcome};

/// Below this an opinion is listed and not named.
const NAMED: f64 = 0.5;

/// Below this an opinion is not even listed: what was seen speaks against it.
const LISTED: f64 = 0.1;

/// A named cause must lead its nearest unrelated rival by this much.
const MARGIN: f64 = 0.15;

/// What interference and downgrade can reach without a control.
const WITHOUT_CONTROL: f64 = 0.45;

/// An opinion with the row it comes from and its confidence after caps.
pub struct Ranked {
    /// The row.
    pub row: &'static Detector,
    /// What it says.
    pub opinion: Opinion,
    /// 0 to 1.
    pub confidence: f64,
}

/// The judgement of one case, before it is put into the contract's words.
pub struct Judgement {
    /// What became of the session.
    pub outcome: Outcome,
    /// The most specific thing that was seen.
    pub what: Option<Rc<Ranked>>,
    /// The cause that is named.
    pub cause: Option<Rc<Ranked>>,
    /// All candidate causes, best first.
    pub causes: Vec<Rc<Ranked>>,
    /// Everything else that is true.
    pub findings: Vec<Rc<Ranked>>,
}

impl Ranked {
    /// The opinion's id: the row's, or a finer one.
    pub fn id(&self) -> &str {
        self.opinion.id.as_deref().unwrap_or(self.row.id)
    }

    /// True when this row would explain `id`. A prefix ends in `-`.
    pub fn explains(&self, id: &str) -> bool {
        self.row.explains.iter().any(|explained| match explained.strip_suffix('-') {
            Some(_) => id.starts_with(explained),
            None => *explained == id,
        })
    }

    /// An accusation of the path. A note accuses nobody.
    fn accuses(&self) -> bool {
        self.row.kind != Kind::Note
            && matches!(self.row.class, Class::Interference | Class::Downgrade)
    }

    /// An accusation that rests on nothing which a clean path would have shown differently.
    fn needs_control(&self) -> bool {
        self.accuses() && self.opinion.control.is_none()
    }

    fn is_seen(&self) -> bool {
        !self.opinion.fact_only
            && self.confidence >= NAMED
            && matches!(self.row.kind, Kind::Phenomenon | Kind::Definition)
    }

    /// It is no way in which good sessions end.
    fn breaks_sessions(&self) -> bool {
        matches!(self.row.class, Class::Interference | Class::Performance)
    }

    fn may_be_cause(&self) -> bool {
        !self.opinion.fact_only && matches!(self.row.kind, Kind::Cause | Kind::Definition)
    }
}

/// What a verdict comes to: enough to count it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// What became of the session.
    pub outcome: Outcome,
    /// The id of what was seen.
    pub what: Option<Cow<'a, str>>,
    /// The id of the cause.
    pub cause: Option<Cow<'a, str>>,
}

impl<'a> From<&'a Connection> for Named<'a> {
    fn from(report: &'a Connection) -> Named<'a> {
        let [what, cause] =
            [&report.verdict.what, &report.verdict.cause].map(|id| id.as_deref().map(Cow::from));
        Named { outcome: report.outcome, what, cause }
    }
}

/// The verdict without its report, which costs several times as much.
pub fn named(case: &Case<'_>) -> Named<'static> {
    let Judgement { outcome, what, cause, .. } = judge(case);
    let id = |ranked: Rc<Ranked>| ranked.opinion.id.clone().unwrap_or(ranked.row.id.into());
    Named { outcome, what: what.map(id), cause: cause.map(id) }
}

/// Judges one case.
pub fn judge(case: &Case<'_>) -> Judgement {
    let mut opinions: Vec<Rc<Ranked>> = Vec::new();
    for ranked in rows().filter_map(|row| ask(row, case)) {
        if !opinions.iter().any(|other| other.id() == ranked.id()) {
            opinions.push(Rc::new(ranked));
        }
    }
    let outcome = outcome::outcome(case, &opinions);
    let what = match outcome {
        Outcome::Failed | Outcome::Rehearsal => opinions.iter().find(|o| o.is_seen()).cloned(),
        Outcome::Established => {
            // Cut off, or ended for a reason that the server gave.
            let by_server = |o: &Ranked| match o.id() {
                "truncated-tls" => case.this.cut_off_by_server().is_some(),
                "server-error-info" => true,
                _ => false,
            };
            opinions.iter().find(|o| o.is_seen() && (o.breaks_sessions() || by_server(o))).cloned()
        }
        _ => None,
    };
    let explained = matches!(outcome, Outcome::Failed | Outcome::Established);
    let causes = if explained { candidates(&opinions, what.as_deref()) } else { Vec::new() };
    let cause = if explained { name_cause(&causes) } else { None };
    let mut findings = findings(opinions, what.as_deref(), &causes);
    if matches!(outcome, Outcome::Established | Outcome::NotRdp) {
        // How a good session is closed, mostly by a RST, is no finding.
        findings.retain(|finding| finding.row.class != Class::Abort);
    }
    Judgement { outcome, what, cause, causes, findings }
}

fn ask(row: &'static Detector, case: &Case<'_>) -> Option<Ranked> {
    let opinion = pair::located(row.id, case, (row.detect)(case)?)?;
    let mut ranked = Ranked { row, confidence: opinion.confidence(), opinion };
    if ranked.needs_control() {
        ranked.confidence = ranked.confidence.min(WITHOUT_CONTROL);
    }
    Some(ranked)
}

/// Causes that explain something that was seen, or were seen themselves; best first.
fn candidates(opinions: &[Rc<Ranked>], what: Option<&Ranked>) -> Vec<Rc<Ranked>> {
    let Some(what) = what else { return Vec::new() };
    let mut causes: Vec<Rc<Ranked>> = opinions
        .iter()
        .filter(|opinion| opinion.may_be_cause() && opinion.confidence >= LISTED)
        .filter(|opinion| {
            // A definition that is sure enough was seen: the most specific one is the verdict, and the
            // others compete with nothing. A weak one is a candidate like any cause.
            let seen = opinion.row.kind == Kind::Definition && opinion.is_seen();
            opinion.id() == what.id() || !seen && explains_seen(opinion, opinions)
        })
        .cloned()
        .collect();
    causes.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    causes
}

fn explains_seen(cause: &Ranked, opinions: &[Rc<Ranked>]) -> bool {
    opinions.iter().any(|seen| seen.is_seen() && cause.explains(seen.id()))
}

/// The cause to name: the best one, if it is likely, leads its unrelated rivals, and needs no control
/// that is missing. Where a deeper cause explains it and is itself probable, that one.
fn name_cause(causes: &[Rc<Ranked>]) -> Option<Rc<Ranked>> {
    const PROBABLE: f64 = 0.7;
    let mut best = causes.iter().find(|cause| !cause.needs_control())?;
    let rival = causes.iter().find(|other| {
        other.id() != best.id() && !other.explains(best.id()) && !best.explains(other.id())
    });
    let margin = rival.map_or(1.0, |rival| best.confidence - rival.confidence);
    if best.confidence < NAMED || margin < MARGIN {
        return None;
    }
    if let Some(deeper) = causes.iter().find(|cause| {
        cause.explains(best.id()) && cause.confidence >= PROBABLE && !cause.needs_control()
    }) {
        best = deeper;
    }
    Some(best.clone())
}

fn findings(
    opinions: Vec<Rc<Ranked>>,
    what: Option<&Ranked>,
    causes: &[Rc<Ranked>],
) -> Vec<Rc<Ranked>> {
    let taken = |id: &str| {
        what.is_some_and(|what| what.id() == id) || causes.iter().any(|cause| cause.id() == id)
    };
    opinions
        .into_iter()
        // What is weakly suspected and explains nothing here is no finding.
        .filter(|opinion| opinion.opinion.fact_only || opinion.confidence >= NAMED)
        .filter(|opinion| !taken(opinion.id()))
        // A general phenomenon adds nothing to the specific one that explains it.
        .filter(|opinion| !what.is_some_and(|what| what.explains(opinion.id())))
        .collect()
}

#[cfg(test)]
mod tests;
