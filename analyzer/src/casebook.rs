//! Who belongs to whom: summaries of the sessions of one run, and the cases they form. Touched when a
//! session starts to matter and when it ends, never per byte.

use std::collections::{HashMap, VecDeque};

use crate::case::Summary;

/// Siblings of a session that are given, before it and behind it: more of them tell no more, and a brute-force attack
/// makes thousands.
const SIBLINGS: usize = 16;
/// Sessions that are looked at, before one and behind it, for those that ended with it or wait for it.
const NEAREST: usize = 64;

/// Summaries of a run, oldest first, bounded.
#[derive(Debug, Default)]
pub struct CaseBook {
    entries: VecDeque<Entry>,
    /// Where each session stands, counted from the first one ever noted.
    places: HashMap<u64, usize>,
    /// Sessions that were noted and are forgotten.
    forgotten: usize,
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
        if self.entries.len() == Self::REMEMBERED
            && let Some(oldest) = self.entries.pop_front()
        {
            self.places.remove(&oldest.index);
            self.forgotten += 1;
        }
        self.places.insert(index, self.forgotten + self.entries.len());
        self.entries.push_back(Entry { index, case, summary });
        case
    }

    /// The other sessions of the same client and server, in the order they were noted.
    pub fn siblings(&self, index: u64) -> Vec<&Summary> {
        let Some((at, this)) =
            self.position(index).and_then(|at| Some((at, self.entries.get(at)?)))
        else {
            return Vec::new();
        };
        let related =
            |entry: &&Entry| entry.index != index && entry.summary.is_sibling_of(&this.summary);
        let mut siblings = Vec::with_capacity(2 * SIBLINGS);
        let earlier = self.before(at).filter(related).take(SIBLINGS);
        siblings.extend(earlier.map(|entry| &entry.summary));
        siblings.reverse();
        let later = self.entries.iter().skip(at + 1).filter(related).take(SIBLINGS);
        siblings.extend(later.map(|entry| &entry.summary));
        siblings
    }

    /// How many of the other sessions of its server ended together with this one, as far as is known by now.
    pub fn together(&self, index: u64) -> usize {
        let this = self.position(index).and_then(|at| self.entries.get(at));
        let Some(this) = this.filter(|this| this.summary.closed.is_some()) else { return 0 };
        let others = self.entries.iter().rev().take(NEAREST).filter(|entry| entry.index != index);
        others.filter(|entry| this.summary.ended_with(&entry.summary)).count()
    }

    /// The latest session that may have sent this one's client here.
    pub fn sent_by(&self, index: u64) -> Option<&Summary> {
        let at = self.position(index)?;
        let this = &self.entries.get(at)?.summary;
        // Few bring a token.
        let before = this.token.then(|| self.before(at)).into_iter().flatten();
        before.map(|entry| &entry.summary).find(|earlier| earlier.may_have_sent(this))
    }

    /// The first session to which this one may have sent its client.
    pub fn sent_to(&self, index: u64) -> Option<&Summary> {
        let at = self.position(index)?;
        let this = &self.entries.get(at)?.summary;
        let next = self.entries.range(at + 1..).find(|next| this.may_have_sent(&next.summary))?;
        // Of several that were left, the last one sent it.
        let sender = self.sent_by(next.index)?;
        std::ptr::eq(sender, this).then_some(&next.summary)
    }

    /// Sessions noted earlier to which this one may be the awaited sibling.
    pub fn awaited_by(&self, index: u64) -> Vec<u64> {
        let Some((at, this)) =
            self.position(index).and_then(|at| Some((at, self.entries.get(at)?)))
        else {
            return Vec::new();
        };
        let before = |entry: &&Entry| this.summary.follows(&entry.summary);
        let mut awaiting: Vec<u64> =
            self.before(at).filter(before).take(NEAREST).map(|entry| entry.index).collect();
        awaiting.reverse();
        awaiting
    }

    /// Where a session stands among those that are remembered.
    fn position(&self, index: u64) -> Option<usize> {
        self.places.get(&index)?.checked_sub(self.forgotten)
    }

    /// Those noted before it, the latest first. Other clients' sessions between two attempts of a user are many
    /// on a busy relay: they are passed over, not counted.
    fn before(&self, at: usize) -> impl Iterator<Item = &Entry> {
        self.entries.range(..at).rev()
    }

    /// The case that this session continues, or a new one.
    fn case_of(&mut self, summary: &Summary) -> u64 {
        let earlier = self.entries.iter().rev().find(|entry| summary.follows(&entry.summary));
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
        let earlier = nearby(summaries, at).filter(|other| *other < at).rev();
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
pub fn siblings(summaries: &[Summary], of: usize) -> Vec<&Summary> {
    nearby(summaries, of)
        .filter(|other| *other != of && summaries[*other].is_sibling_of(&summaries[of]))
        .map(|other| &summaries[other])
        .collect()
}

/// How many other sessions of a whole input, of the same server, ended together with one.
pub fn together(summaries: &[Summary], of: usize) -> usize {
    nearby(summaries, of)
        .filter(|other| *other != of && summaries[*other].ended_with(&summaries[of]))
        .count()
}

/// The latest session of a whole input that may have sent the client of one here.
pub fn sent_by(summaries: &[Summary], of: usize) -> Option<&Summary> {
    let before = nearby(summaries, of).filter(|other| *other < of).rev();
    before.map(|other| &summaries[other]).find(|earlier| earlier.may_have_sent(&summaries[of]))
}

/// The first session of a whole input to which one may have sent its client.
pub fn sent_to(summaries: &[Summary], of: usize) -> Option<&Summary> {
    let this = &summaries[of];
    let mut behind = nearby(summaries, of).filter(|other| *other > of);
    let next = behind.find(|other| this.may_have_sent(&summaries[*other]))?;
    let sender = sent_by(summaries, next)?;
    std::ptr::eq(sender, this).then_some(&summaries[next])
}

/// Sessions that began around the same time: a bound, because a brute-force attack makes thousands.
fn nearby(summaries: &[Summary], of: usize) -> impl DoubleEndedIterator<Item = usize> + use<> {
    of.saturating_sub(NEAREST)..(of + NEAREST + 1).min(summaries.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::bytes::tpdu;
    use crate::testing::{MSTSC, SSL, ToClient, ToServer, Trace};

    fn summary(client: [u8; 4], at: u64) -> Summary {
        let mut trace = Trace::relay().starting_at(at);
        trace.subject.client = (client, 50_000).into();
        trace.open().cr(MSTSC).summary()
    }

    #[test]
    fn a_sibling_is_found_behind_any_number_of_other_clients() {
        let mut book = CaseBook::default();
        let case = book.note(0, summary([10, 0, 0, 1], 0));
        for other in 1..1_000u16 {
            let [high, low] = other.to_be_bytes();
            book.note(u64::from(other), summary([10, 1, high, low], u64::from(other) * 20));
        }
        assert_eq!(book.note(1_000, summary([10, 0, 0, 1], 30_000)), case);
        assert_eq!((book.siblings(1_000).len(), book.siblings(0).len()), (1, 1));
        assert_eq!(book.awaited_by(1_000), [0]);
    }

    #[test]
    fn the_oldest_sessions_are_forgotten_and_the_others_found() {
        let mut book = CaseBook::default();
        let last = CaseBook::REMEMBERED as u64 + 10;
        for index in 0..=last {
            let [.., high, low] = index.to_be_bytes();
            book.note(index, summary([10, 2, high, low], index));
        }
        let known = |index| book.position(index).and_then(|at| book.entries.get(at));
        assert_eq!((known(10).map(|entry| entry.index), book.places.len()), (None, 4096));
        for index in [11, 12, last] {
            assert_eq!(known(index).map(|entry| entry.index), Some(index));
        }
        // What is noted again stays where it is.
        let case = known(11).unwrap().case;
        assert_eq!(book.note(11, summary([10, 2, 0, 11], 11)), case);
        assert_eq!(book.entries.len(), CaseBook::REMEMBERED);
    }

    #[test]
    fn sessions_that_a_server_ended_in_the_same_second_are_counted() {
        let ended = |client: u8, started: u64, at: u64, by| {
            let mut trace = Trace::relay().starting_at(started);
            trace.subject.client = ([10, 0, 0, client], 50_000).into();
            trace.open().cr(MSTSC).after_ms(at - started).fin(by).summary()
        };
        let all = [
            ended(1, 0, 19_000, ToClient),
            ended(2, 4_000, 19_600, ToClient),
            ended(3, 8_000, 19_900, ToClient),
            ended(4, 12_000, 19_500, ToServer),
            ended(5, 13_000, 30_000, ToClient),
            // One that began with it and met the same refusal.
            ended(6, 8_500, 19_900, ToClient),
        ];
        let mut book = CaseBook::default();
        for (index, summary) in (0..).zip(&all) {
            book.note(index, summary.clone());
        }
        let counted: Vec<usize> = (0..all.len()).map(|at| together(&all, at)).collect();
        assert_eq!(counted, [3, 3, 2, 0, 0, 2]);
        assert_eq!((0..6).map(|index| book.together(index)).collect::<Vec<_>>(), counted);
    }

    #[test]
    fn a_token_leads_from_the_session_that_was_left_last_whatever_its_server() {
        let session = |started: u64, server: &str, routing: &[u8]| {
            let mut trace = Trace::relay().starting_at(started);
            trace.subject.server = server.parse().ok();
            let request = [routing, b"\r\n\x01\0\x08\0\x01\0\0\0"].concat();
            let trace = trace.open().to_server(&tpdu(0xE0, &request)).cc(SSL).tls13();
            trace.after_ms(400).fin(ToServer).summary()
        };
        let (user, token) = (&b"Cookie: mstshash=alice"[..], &b"Cookie: msts=9"[..]);
        let all = [
            session(0, "10.0.0.1:3389", user),
            session(2_000, "10.0.0.1:3389", user),
            session(3_000, "10.0.0.2:3389", token),
            session(20_000, "10.0.0.3:3389", token),
        ];
        let mut book = CaseBook::default();
        for (index, summary) in (0..).zip(&all) {
            book.note(index, summary.clone());
        }
        let places =
            |found: Option<&Summary>| found.and_then(|found| all.iter().position(|it| it == found));
        for (of, by, to) in
            [(0, None, None), (1, None, Some(2)), (2, Some(1), None), (3, None, None)]
        {
            assert_eq!((places(sent_by(&all, of)), places(sent_to(&all, of))), (by, to), "{of}");
            let index = of as u64;
            assert_eq!(
                (places(book.sent_by(index)), places(book.sent_to(index))),
                (by, to),
                "{of}"
            );
        }
    }

    #[test]
    fn of_thousands_of_attempts_the_nearest_are_given_in_their_order() {
        let mut book = CaseBook::default();
        for index in 0..500 {
            book.note(index, summary([10, 0, 0, 1], index * 100));
        }
        let siblings = book.siblings(250);
        assert_eq!(siblings.len(), 2 * SIBLINGS);
        assert!(siblings.windows(2).all(|pair| pair[0].started < pair[1].started));
        assert_eq!(book.awaited_by(499).first(), Some(&(499 - NEAREST as u64)));
    }
}
