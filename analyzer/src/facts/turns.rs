//! Turns of the conversation: how long each side took to answer the other. What a side says while the other
//! is still speaking is no turn of its own.

use crate::input::{Direction, Timestamp};

/// How long the latest turns took that nobody has taken.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    speaker: Option<Direction>,
    waits: [Vec<u64>; 2],
    counts: [u64; 2],
}

impl Turns {
    /// How many turns are kept per side until they are taken; later ones are only counted.
    pub const KEPT: usize = 32;

    /// How long the sender of `dir` took, in ns: from the last byte of the other side to its own first one.
    /// At most [`Turns::KEPT`] turns, in order.
    pub fn waits(&self, dir: Direction) -> &[u64] {
        &self.waits[dir.index()]
    }

    /// How many turns the sender of `dir` had, kept or not.
    pub fn count(&self, dir: Direction) -> u64 {
        self.counts[dir.index()]
    }

    /// No more turns of one side can be kept before these are taken.
    pub fn are_full(&self) -> bool {
        self.waits.iter().any(|waits| waits.len() >= Turns::KEPT)
    }

    /// The turns that are kept were taken.
    pub(crate) fn taken(&mut self) {
        self.waits.iter_mut().for_each(Vec::clear);
    }

    /// Whether more bytes of `dir` are no turn: its sender is speaking.
    #[inline]
    pub(super) fn goes_on(&self, dir: Direction) -> bool {
        self.speaker == Some(dir)
    }

    /// Bytes of `dir` came at `now`; the other side's last ones had come at `other`.
    pub(super) fn spoke(&mut self, dir: Direction, now: Timestamp, other: Option<Timestamp>) {
        let before = self.speaker.replace(dir);
        let Some(other) = other.filter(|_| before == Some(dir.reverse())) else { return };
        let count = &mut self.counts[dir.index()];
        *count = count.saturating_add(1);
        let waits = &mut self.waits[dir.index()];
        if waits.len() < Turns::KEPT {
            waits.push(now.since(other).as_nanos() as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{ToClient, ToServer};

    #[test]
    fn a_turn_begins_where_the_speaker_changes() {
        let mut turns = Turns::default();
        let mut last = [None, None];
        for (dir, at) in
            [(ToServer, 10), (ToServer, 20), (ToClient, 50), (ToClient, 60), (ToServer, 61)]
        {
            turns.spoke(dir, Timestamp(at), last[dir.reverse().index()]);
            last[dir.index()] = Some(Timestamp(at));
        }
        assert_eq!(turns.waits(ToClient), [30]);
        assert_eq!(turns.waits(ToServer), [1]);
    }

    #[test]
    fn later_turns_are_counted_and_not_kept() {
        let mut turns = Turns::default();
        for at in 0..100 {
            let (dir, other) = if at % 2 == 0 { (ToServer, at) } else { (ToClient, at) };
            turns.spoke(dir, Timestamp(at), other.checked_sub(1).map(Timestamp));
        }
        assert_eq!((turns.count(ToClient), turns.count(ToServer)), (50, 49));
        assert_eq!(turns.waits(ToClient), [1; Turns::KEPT]);
        assert!(turns.are_full());
        turns.taken();
        assert!(!turns.are_full());
        turns.spoke(ToServer, Timestamp(107), Some(Timestamp(99)));
        assert_eq!((turns.waits(ToServer), turns.count(ToServer)), (&[8][..], 50));
    }
}
