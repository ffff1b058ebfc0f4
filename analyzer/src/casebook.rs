//! Who belongs to whom: summaries of the sessions of one run, and the cases they form. Touched when a
//! session starts to matter and when it ends, never per byte.

use std::collections::VecDeque;

use crate::case::Summary;

/// Summaries of a run, oldest first, bounded.
#[derive(Debug, Default)]
pub struct CaseBook {
    entries: VecDeque<Entry>,
    cases: u64,
}

#[derive(Debug)]
struct Entry {
    index: u64,
    case: u64,
    summary: Summary,
}

impl CaseBook {
    /// How many sessions are remembered; a rehearsal's sibling comes soon.
    const REMEMBERED: usize = 4096;

    /// Notes a session, or what became of it since; gives the number of its case.
    pub fn note(&mut self, index: u64, summary: Summary) -> u64 {
        if let Some(entry) = self.position(index).and_then(|at| self.entries.get_mut(at)) {
            entry.summary = summary;
            return entry.case;
        }
        let case = self.case_of(&summary);
        if self.entries.len() == Self::REMEMBERED {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry { index, case, summary });
        case
    }

    /// The other sessions of the same client and server, in the order they were noted.
    pub fn siblings(&self, index: u64) -> Vec<Summary> {
        let Some((at, this)) =
            self.position(index).and_then(|at| Some((at, self.entries.get(at)?)))
        else {
            return Vec::new();
        };
        let related =
            |entry: &&Entry| entry.index != index && entry.summary.is_sibling_of(&this.summary);
        self.around(at).filter(related).map(|entry| entry.summary.clone()).collect()
    }

    /// Sessions noted earlier to which this one may be the awaited sibling.
    pub fn awaited_by(&self, index: u64) -> Vec<u64> {
        let Some((at, this)) =
            self.position(index).and_then(|at| Some((at, self.entries.get(at)?)))
        else {
            return Vec::new();
        };
        let before = |entry: &&Entry| this.summary.follows(&entry.summary);
        self.around(at).filter(before).map(|entry| entry.index).collect()
    }

    /// Where a session stands; the latest are asked for most.
    fn position(&self, index: u64) -> Option<usize> {
        self.entries.iter().rposition(|entry| entry.index == index)
    }

    /// Those that were noted around it.
    fn around(&self, at: usize) -> impl DoubleEndedIterator<Item = &Entry> {
        nearby(self.entries.len(), at).filter_map(|other| self.entries.get(other))
    }

    /// The case that this session continues, or a new one.
    fn case_of(&mut self, summary: &Summary) -> u64 {
        let latest = self.around(self.entries.len());
        let earlier = latest.rev().find(|entry| summary.follows(&entry.summary));
        match earlier {
            Some(entry) => entry.case,
            None => {
                self.cases += 1;
                self.cases
            }
        }
    }
}

/// The cases of a whole input at once: summaries in order of their start, case numbers in the same order.
pub fn cases(summaries: &[Summary]) -> Vec<u64> {
    let mut numbers: Vec<u64> = Vec::with_capacity(summaries.len());
    let mut cases = 0;
    for (at, summary) in summaries.iter().enumerate() {
        let earlier = nearby(summaries.len(), at).filter(|other| *other < at).rev();
        let continued = earlier.into_iter().find(|other| summary.follows(&summaries[*other]));
        let number = continued.map(|other| numbers[other]).unwrap_or_else(|| {
            cases += 1;
            cases
        });
        numbers.push(number);
    }
    numbers
}

/// The siblings of one session of a whole input.
pub fn siblings(summaries: &[Summary], of: usize) -> Vec<Summary> {
    nearby(summaries.len(), of)
        .filter(|other| *other != of && summaries[*other].is_sibling_of(&summaries[of]))
        .map(|other| summaries[other].clone())
        .collect()
}

/// Of so many, the sessions that began around the same time: a bound, because a brute-force attack makes thousands.
fn nearby(many: usize, of: usize) -> impl DoubleEndedIterator<Item = usize> + use<> {
    const NEIGHBOURS: usize = 64;
    of.saturating_sub(NEIGHBOURS)..(of + NEIGHBOURS + 1).min(many)
}
