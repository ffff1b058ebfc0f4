//! Who belongs to whom: summaries of the sessions of one run, and the cases they form. Touched when a
//! session starts to matter and when it ends, never per byte.

use std::collections::{BTreeSet, HashMap, VecDeque, hash_map};
use std::net::{IpAddr, SocketAddr};

use crate::case::Summary;
use crate::input::{Direction, Timestamp};

/// Siblings of a session that are given, before it and behind it: more of them tell no more, and a brute-force attack
/// makes thousands.
const SIBLINGS: usize = 16;
/// Sessions that are given, or looked at, on one side of one: earlier ones that wait for it, and those whose ends are
/// nearest to its own.
const NEAREST: usize = 64;
/// How many sessions are remembered, and how far one is searched for: a rehearsal's sibling comes soon.
const REMEMBERED: usize = 4096;

/// Summaries of a run in the order in which they were noted.
#[derive(Debug)]
pub struct CaseBook {
    entries: VecDeque<Entry>,
    /// Where each session stands, counted from the first one ever noted.
    places: HashMap<u64, usize>,
    /// Where the sessions of each client stand. Those of others come between two attempts of a user in any number,
    /// and are passed over.
    clients: HashMap<IpAddr, VecDeque<usize>>,
    /// Sessions that their servers closed, by when that was.
    closed: BTreeSet<Closing>,
    /// Sessions that were noted and are forgotten.
    forgotten: usize,
    /// How many are not.
    most: usize,
    cases: u64,
}

/// Where a session stands among all, and where those of its client do.
#[derive(Clone, Copy)]
struct Place<'b> {
    at: usize,
    own: Option<&'b VecDeque<usize>>,
}

#[derive(Debug)]
struct Entry {
    index: u64,
    case: u64,
    summary: Summary,
}

/// A session that its server closed: by which, when, and its number.
type Closing = (SocketAddr, Timestamp, u64);

/// The sessions around one, as far as a verdict may rest on them.
#[derive(Clone, Debug)]
pub struct Around<'a> {
    /// The number of its case.
    pub case: u64,
    /// The other sessions of the same client and server, in the order they were noted.
    pub siblings: Vec<&'a Summary>,
    /// How many other sessions of its server were ended together with it.
    pub together: usize,
    /// The latest session that may have sent this one's client here.
    pub sent_by: Option<&'a Summary>,
    /// The first session to which this one may have sent its client.
    pub sent_to: Option<&'a Summary>,
}

impl Default for CaseBook {
    /// An empty book of a run that goes on: it forgets the oldest sessions.
    fn default() -> CaseBook {
        CaseBook::remembering(REMEMBERED)
    }
}

impl CaseBook {
    /// The book of a whole run: summaries in order of their start, which are its sessions 0, 1, 2, ...
    pub fn whole(summaries: impl IntoIterator<Item = Summary>) -> CaseBook {
        let mut book = CaseBook::remembering(usize::MAX);
        for (index, summary) in (0..).zip(summaries) {
            book.note(index, summary);
        }
        book
    }

    fn remembering(most: usize) -> CaseBook {
        let (entries, places, clients, closed) = Default::default();
        CaseBook { entries, places, clients, closed, forgotten: 0, most, cases: 0 }
    }

    /// Notes a session, or what became of it since; gives the number of its case.
    pub fn note(&mut self, index: u64, summary: Summary) -> u64 {
        let closing = closing(index, &summary);
        if let Some(at) = self.place(index) {
            let entry = &mut self.entries[at - self.forgotten];
            self::closing(index, &entry.summary).map(|before| self.closed.remove(&before));
            self.closed.extend(closing);
            entry.summary = summary;
            return entry.case;
        }
        let case = self.case_of(&summary);
        if self.entries.len() == self.most {
            self.forget();
        }
        let at = self.forgotten + self.entries.len();
        self.places.insert(index, at);
        self.clients.entry(summary.client).or_default().push_back(at);
        self.closed.extend(closing);
        self.entries.push_back(Entry { index, case, summary });
        case
    }

    /// The sessions around one that was noted and is not forgotten; nobody else around any other.
    pub fn around(&self, index: u64) -> Around<'_> {
        let Some(place) = self.place(index).map(|at| self.among_own(at)) else {
            let (siblings, together, sent_by, sent_to) = Default::default();
            return Around { case: 0, siblings, together, sent_by, sent_to };
        };
        Around {
            case: self.at(place.at).case,
            siblings: self.siblings(place),
            together: self.together(place.at),
            sent_by: self.sent_by(place).map(|entry| &entry.summary),
            sent_to: self.sent_to(place).map(|entry| &entry.summary),
        }
    }

    /// Sessions noted earlier to which this one may be the awaited sibling.
    pub fn awaited_by(&self, index: u64) -> Vec<u64> {
        let Some(place) = self.place(index).map(|at| self.among_own(at)) else { return Vec::new() };
        let this = self.at(place.at);
        let before = |entry: &&Entry| this.summary.follows(&entry.summary);
        let mut awaiting: Vec<u64> =
            self.before(place).filter(before).take(NEAREST).map(|entry| entry.index).collect();
        awaiting.reverse();
        awaiting
    }

    fn siblings<'b>(&'b self, place: Place<'b>) -> Vec<&'b Summary> {
        let this = &self.at(place.at).summary;
        let related = |entry: &&Entry| entry.summary.is_sibling_of(this);
        let mut siblings = Vec::with_capacity(2 * SIBLINGS);
        let earlier = self.before(place).filter(related).take(SIBLINGS);
        siblings.extend(earlier.map(|entry| &entry.summary));
        siblings.reverse();
        let later = self.behind(place).filter(related).take(SIBLINGS);
        siblings.extend(later.map(|entry| &entry.summary));
        siblings
    }

    /// As far as is known by now, and among those that ended next to it.
    fn together(&self, at: usize) -> usize {
        let Entry { index, summary, .. } = self.at(at);
        let Some(key) = closing(*index, summary) else { return 0 };
        let before = self.closed.range(..key).rev().take(NEAREST);
        let behind = self.closed.range(key..).skip(1).take(NEAREST);
        let others = before.chain(behind).filter_map(|(_, _, other)| self.place(*other));
        others.filter(|other| summary.ended_with(&self.at(*other).summary)).count()
    }

    fn sent_by<'b>(&'b self, place: Place<'b>) -> Option<&'b Entry> {
        let this = &self.at(place.at).summary;
        // Few bring a token.
        let before = this.token.then(|| self.before(place)).into_iter().flatten();
        before.into_iter().find(|earlier| earlier.summary.may_have_sent(this))
    }

    fn sent_to<'b>(&'b self, place: Place<'b>) -> Option<&'b Entry> {
        let this = &self.at(place.at).summary;
        let next = self.behind(place).find(|next| this.may_have_sent(&next.summary))?;
        // Of several that were left, the last one sent it.
        let sender = self.sent_by(self.among_own(self.place(next.index)?))?;
        std::ptr::eq(&sender.summary, this).then_some(next)
    }

    /// The case that this session continues, or a new one.
    fn case_of(&mut self, summary: &Summary) -> u64 {
        let at = self.forgotten + self.entries.len();
        let place = Place { at, own: self.clients.get(&summary.client) };
        let earlier = self.before(place).find(|entry| summary.follows(&entry.summary));
        match earlier.map(|entry| entry.case) {
            Some(case) => case,
            None => {
                self.cases += 1;
                self.cases
            }
        }
    }

    fn among_own(&self, at: usize) -> Place<'_> {
        Place { at, own: self.clients.get(&self.at(at).summary.client) }
    }

    /// Those of the same client that were noted before it, the latest first.
    fn before<'b>(&'b self, Place { at, own }: Place<'b>) -> impl Iterator<Item = &'b Entry> {
        let own = own.map(|own| own.range(..own.partition_point(|other| *other < at)).rev());
        own.into_iter()
            .flatten()
            .take_while(move |other| at - **other <= REMEMBERED)
            .map(|other| self.at(*other))
    }

    /// Those of the same client that were noted after it.
    fn behind<'b>(&'b self, Place { at, own }: Place<'b>) -> impl Iterator<Item = &'b Entry> {
        let own = own.map(|own| own.range(own.partition_point(|other| *other <= at)..));
        own.into_iter()
            .flatten()
            .take_while(move |other| **other - at <= REMEMBERED)
            .map(|other| self.at(*other))
    }

    /// Where a session stands that is remembered.
    fn place(&self, index: u64) -> Option<usize> {
        self.places.get(&index).copied()
    }

    fn at(&self, at: usize) -> &Entry {
        &self.entries[at - self.forgotten]
    }

    /// Forgets the oldest.
    fn forget(&mut self) {
        let Some(Entry { index, summary, .. }) = self.entries.pop_front() else { return };
        self.forgotten += 1;
        self.places.remove(&index);
        closing(index, &summary).map(|closing| self.closed.remove(&closing));
        if let hash_map::Entry::Occupied(mut own) = self.clients.entry(summary.client) {
            own.get_mut().pop_front();
            if own.get().is_empty() {
                own.remove();
            }
        }
    }
}

fn closing(index: u64, summary: &Summary) -> Option<Closing> {
    let (dir, at) = summary.closed?;
    let server = summary.server.filter(|_| dir == Direction::ToClient)?;
    Some((server, at, index))
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
    fn a_sibling_is_found_behind_many_other_clients() {
        let mut book = CaseBook::default();
        let case = book.note(0, summary([10, 0, 0, 1], 0));
        for other in 1..1_000u16 {
            let [high, low] = other.to_be_bytes();
            book.note(u64::from(other), summary([10, 1, high, low], u64::from(other) * 20));
        }
        assert_eq!(book.note(1_000, summary([10, 0, 0, 1], 30_000)), case);
        let siblings = |index| book.around(index).siblings.len();
        assert_eq!((siblings(1_000), siblings(0), siblings(1)), (1, 1, 0));
        assert_eq!(book.awaited_by(1_000), [0]);
    }

    #[test]
    fn the_oldest_sessions_are_forgotten_and_the_others_found() {
        let mut book = CaseBook::default();
        let last = REMEMBERED as u64 + 10;
        for index in 0..=last {
            let [.., high, low] = index.to_be_bytes();
            book.note(index, summary([10, 2, high, low], index));
        }
        let known = |index| book.place(index).map(|at| book.at(at));
        assert_eq!((known(10).map(|entry| entry.index), book.places.len()), (None, REMEMBERED));
        assert_eq!((book.clients.len(), book.around(10).case), (REMEMBERED, 0));
        for index in [11, 12, last] {
            assert_eq!(known(index).map(|entry| entry.index), Some(index));
        }
        // What is noted again stays where it is.
        let case = known(11).unwrap().case;
        assert_eq!(book.note(11, summary([10, 2, 0, 11], 11)), case);
        assert_eq!(book.entries.len(), REMEMBERED);
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
        let mut book = CaseBook::whole(all.clone());
        let counted = |book: &CaseBook| [0, 1, 2, 3, 4, 5].map(|of| book.around(of).together);
        assert_eq!(counted(&book), [3, 3, 2, 0, 0, 2]);
        // What became of one since takes the place of what was known of it.
        book.note(0, ended(1, 0, 60_000, ToClient));
        assert_eq!(counted(&book), [0, 2, 1, 0, 0, 1]);
    }

    #[test]
    fn what_ended_together_is_found_however_long_ago_it_began() {
        let ended = |client: u16, started: u64, at: u64| {
            let [high, low] = client.to_be_bytes();
            let mut trace = Trace::relay().starting_at(started);
            trace.subject.client = ([10, 0, high, low], 50_000).into();
            trace.open().cr(MSTSC).after_ms(at - started).fin(ToClient).summary()
        };
        let mut all = vec![ended(0, 0, 400_500)];
        all.extend((1..200).map(|of| ended(of, u64::from(of) * 1000, u64::from(of) * 1000 + 500)));
        all.push(ended(200, 200_000, 400_400));
        let book = CaseBook::whole(all);
        assert_eq!([0, 100, 200].map(|of| book.around(of).together), [1, 0, 1]);
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
        let book = CaseBook::whole(all.clone());
        let places =
            |found: Option<&Summary>| found.and_then(|found| all.iter().position(|it| it == found));
        for (of, by, to) in
            [(0, None, None), (1, None, Some(2)), (2, Some(1), None), (3, None, None)]
        {
            let around = book.around(of);
            assert_eq!((places(around.sent_by), places(around.sent_to)), (by, to), "{of}");
        }
    }

    #[test]
    fn of_thousands_of_attempts_the_nearest_are_given_in_their_order() {
        let mut book = CaseBook::default();
        for index in 0..500 {
            book.note(index, summary([10, 0, 0, 1], index * 100));
        }
        let siblings = book.around(250).siblings;
        assert_eq!(siblings.len(), 2 * SIBLINGS);
        assert!(siblings.windows(2).all(|pair| pair[0].started < pair[1].started));
        assert_eq!(book.awaited_by(499).first(), Some(&(499 - NEAREST as u64)));
    }
}
