//! What a detector says, and the row that introduces it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::case::Case;
use crate::diff::Side;
use crate::event::At;
use crate::facts::Seen;

/// One row of the catalogue.
#[derive(Clone, Copy)]
pub struct Detector {
    /// The product's id of the phenomenon or cause.
    pub id: &'static str,
    /// What kind of statement it makes.
    pub kind: Kind,
    /// What it belongs to.
    pub class: Class,
    /// Ids (or prefixes ending in `-`) of the phenomena that this cause would explain.
    pub explains: &'static [&'static str],
    /// What to do about it, with how to undo it where it changes anything.
    pub remedy: &'static str,
    /// Read-only checks that would decide or confirm, cheapest first.
    pub next: &'static [Next],
    /// The opinion on a case; `None` where there is none.
    pub detect: fn(&Case<'_>) -> Option<Opinion>,
}

/// What kind of statement a detector makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What was seen; explains nothing by itself.
    Phenomenon,
    /// Why it was seen.
    Cause,
    /// Both at once: the peer said why, or the observation is the definition.
    Definition,
    /// True, and explains nothing of this end.
    Note,
}

/// What a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the contract's own words
pub enum Class {
    Interference,
    Downgrade,
    Abort,
    Reachability,
    ServerConfig,
    Credentials,
    Session,
    Performance,
    Relay,
    Benign,
}

/// Whom a verdict names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// C, the client host.
    Client,
    /// NC, the network between client and relay.
    ClientNetwork,
    /// P, ourselves.
    Relay,
    /// NS, the network between relay and server.
    ServerNetwork,
    /// S, the server host.
    Server,
    /// The network of a single capture.
    Network,
    /// Not known.
    Unknown,
}

/// How sure a detector is, before caps and before it is held against what was measured
/// ([`calibration`](crate::verdict::calibration)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Band {
    /// Listed as a candidate, never named as the verdict.
    Weak,
    /// .55
    Possible,
    /// .8
    Probable,
    /// .93
    High,
    /// .99
    Certain,
}

impl Band {
    /// The band's number.
    pub fn confidence(self) -> f64 {
        match self {
            Band::Weak => 0.4,
            Band::Possible => 0.55,
            Band::Probable => 0.8,
            Band::High => 0.93,
            Band::Certain => 0.99,
        }
    }

    /// The word printed for a confidence; `None` below the lowest band.
    pub fn word(confidence: f64) -> Option<&'static str> {
        match confidence {
            c if c >= 0.985 => Some("certain"),
            c if c >= 0.9 => Some("high"),
            c if c >= 0.7 => Some("probable"),
            c if c >= 0.5 => Some("possible"),
            _ => None,
        }
    }
}

/// A source of evidence. Within one only the strongest piece counts: two marks of one RST that come from
/// the same stack are one observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Time to live.
    Ttl,
    /// IPv4 identification.
    IpId,
    /// Sequence numbers of one segment.
    Sequence,
    /// How often the same segment came.
    Repetition,
    /// What its sender went on to do.
    Continuation,
    /// Times.
    Timing,
    /// What was said in TLS, X.224 or RDP.
    Protocol,
    /// Counters of a kernel or a capture.
    Counters,
    /// Other connections of the case.
    Siblings,
}

/// What would have differed had the path been clean. Without one nobody accuses the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// Three or more earlier segments of the same flow, and two independent tests against them.
    Baseline,
    /// A sibling connection that passed the same step.
    Sibling,
    /// Captures from both ends.
    Pair,
    /// An active probe.
    Probe,
}

/// A read-only check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// What it would tell.
    pub what: &'static str,
    /// The command, where there is one.
    pub command: Option<&'static str>,
}

/// Something measured, never inferred.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// What was measured, as a clause.
    pub fact: Cow<'static, str>,
    /// When and where; `None` for what was measured by its absence.
    pub at: Option<At>,
    /// In which of two captures; `None` where there is one.
    pub side: Option<Side>,
}

/// What one detector says of one case.
#[derive(Clone, Debug)]
pub struct Opinion {
    /// The id, where it is finer than the row's (`tls-alert-40`).
    pub id: Option<Cow<'static, str>>,
    /// How sure, before the weights.
    pub band: Band,
    /// Natural logarithms of likelihood ratios, by their source.
    pub weights: Vec<(Group, f64)>,
    /// What the accusation of a path rests on.
    pub control: Option<Control>,
    /// Whom it concerns, and how sure of that.
    pub party: Option<(Party, Band)>,
    /// One sentence for the ticket.
    pub says: Cow<'static, str>,
    /// What speaks for it.
    pub supports: Vec<Evidence>,
    /// What speaks against it.
    pub contradicts: Vec<Evidence>,
    /// What would decide and is not known.
    pub unknown: Vec<&'static str>,
    /// It is true and does not explain this end, whatever the row's kind.
    pub fact_only: bool,
}

impl Evidence {
    /// Something measured at a time and place.
    pub fn at(at: At, fact: impl Into<Cow<'static, str>>) -> Evidence {
        Evidence { fact: fact.into(), at: Some(at), side: None }
    }

    /// Something measured by its absence, or over the whole input.
    pub fn absent(fact: impl Into<Cow<'static, str>>) -> Evidence {
        Evidence { fact: fact.into(), at: None, side: None }
    }

    /// Something measured where a fact was seen.
    pub fn of<T>(seen: &Seen<T>, fact: impl Into<Cow<'static, str>>) -> Evidence {
        Evidence::at(seen.at, fact)
    }

    /// Says in which of two captures.
    pub fn side(mut self, side: Side) -> Evidence {
        self.side = Some(side);
        self
    }
}

impl Opinion {
    /// An opinion that names nobody yet and cites nothing yet.
    pub fn new(band: Band, says: impl Into<Cow<'static, str>>) -> Opinion {
        Opinion {
            id: None,
            band,
            weights: Vec::new(),
            control: None,
            party: None,
            says: says.into(),
            supports: Vec::new(),
            contradicts: Vec::new(),
            unknown: Vec::new(),
            fact_only: false,
        }
    }

    /// Shifts the odds by a piece of evidence: positive for, negative against.
    pub fn weigh(mut self, group: Group, log_ratio: f64) -> Opinion {
        self.weights.push((group, log_ratio));
        self
    }

    /// Says what would have differed on a clean path.
    pub fn control(mut self, control: Option<Control>) -> Opinion {
        self.control = control;
        self
    }

    /// 0 to 1: the band's number where nothing was weighed, else its odds shifted by the strongest piece
    /// of each group.
    pub fn confidence(&self) -> f64 {
        let prior = self.band.confidence();
        if self.weights.is_empty() {
            return prior;
        }
        let mut groups: BTreeMap<Group, f64> = BTreeMap::new();
        for (group, weight) in &self.weights {
            let strongest = groups.entry(*group).or_default();
            if weight.abs() > strongest.abs() {
                *strongest = *weight;
            }
        }
        let odds = (prior / (1.0 - prior)).ln() + groups.values().sum::<f64>();
        let confidence = 1.0 / (1.0 + (-odds).exp());
        confidence.clamp(0.01, Band::Certain.confidence())
    }

    /// Names a party.
    pub fn party(mut self, party: Party, band: Band) -> Opinion {
        self.party = Some((party, band));
        self
    }

    /// Gives a finer id than the row's.
    pub fn id(mut self, id: String) -> Opinion {
        self.id = Some(Cow::Owned(id));
        self
    }

    /// Cites what speaks for it.
    pub fn supports(mut self, evidence: Evidence) -> Opinion {
        self.supports.push(evidence);
        self
    }

    /// Cites what speaks against it.
    pub fn contradicts(mut self, evidence: Evidence) -> Opinion {
        self.contradicts.push(evidence);
        self
    }

    /// States that it explains nothing here.
    pub fn only_a_fact(mut self) -> Opinion {
        self.fact_only = true;
        self
    }

    /// Says what is not known and would decide.
    pub fn unknown(mut self, what: &'static str) -> Opinion {
        self.unknown.push(what);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_shift_the_odds_once_per_group() {
        let opinion = || Opinion::new(Band::Possible, "");
        assert_eq!(opinion().confidence(), 0.55);
        let once = opinion().weigh(Group::Ttl, 2.0).confidence();
        let twice = opinion().weigh(Group::Ttl, 2.0).weigh(Group::Ttl, 1.0).confidence();
        assert_eq!(once, twice, "the weaker mark of one group adds nothing");
        let both = opinion().weigh(Group::Ttl, 2.0).weigh(Group::Timing, 1.0).confidence();
        let against = opinion().weigh(Group::Ttl, -2.0).confidence();
        assert!(against < 0.55 && 0.55 < once && once < both && both <= 0.99);
    }
}
