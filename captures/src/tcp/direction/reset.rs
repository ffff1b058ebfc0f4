//! RSTs: which of them end their sender's stream, and what they tell of what was not captured. RFC 9293 3.10.7.4,
//! RFC 5961 3.2.

use std::time::Duration;

use super::{FARTHEST, Half};
use crate::tcp::At;

/// A RST farther ahead is one that its receiver ignores: guessed, or of an earlier connection.
pub(super) const LARGEST_LOSS: u64 = 1 << 22;

/// Where a RST stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reset {
    pub(super) at: At,
    pub(super) place: u64,
    /// Behind everything that is known to have been sent before it.
    known: u64,
    /// The same, as far as packets can change places on their way to the capture.
    behind: u64,
    /// Where the first data ends that its sender sent so long behind it that they did not.
    later: Option<u64>,
}

impl Half {
    /// Whether a RST ended it.
    pub(in crate::tcp) fn was_reset(&self) -> bool {
        self.reset.is_some()
    }

    /// Takes a RST of this sender, at `seq`, that ends its stream.
    pub(in crate::tcp) fn end(&mut self, at: At, seq: u32) {
        const MIXED_UP: u64 = 1 << 16;
        let known = self.next.max(self.acked.unwrap_or(0));
        let place = self.place(seq).and_then(|place| u64::try_from(place).ok()).unwrap_or(known);
        let behind = place.clamp(known, known + MIXED_UP);
        self.reset = Some(Box::new(Reset { at, place, known, behind, later: None }));
    }

    /// Notes data of this sender, at `seq`, behind its RST.
    pub(in crate::tcp) fn sent_behind_reset(&mut self, at: At, seq: u32, len: u32) {
        const MIXED_UP: Duration = Duration::from_millis(20);
        let place = self.reset.as_ref().and_then(|_| self.place(seq));
        let end = place.and_then(|place| u64::try_from(place + i64::from(len)).ok());
        let (Some(reset), Some(end)) = (&mut self.reset, end) else { return };
        // A RST farther away than packets change places is not where its sender had come to.
        let far = reset.place > reset.behind;
        if end > reset.known && (far || at.time.since(reset.at.time) >= MIXED_UP) {
            reset.later.get_or_insert(end);
        }
    }

    /// Forgets the RST where the peer has acknowledged what came behind it: it knows of none. `true` where it has.
    pub(in crate::tcp) fn outlives_reset(&mut self) -> bool {
        let Some((reset, acked)) = self.reset.as_ref().zip(self.acked) else { return false };
        // A FIN that was under way counts one.
        let outlived = acked > reset.behind + 1 || reset.later.is_some_and(|later| acked >= later);
        if outlived {
            self.reset = None;
        }
        outlived
    }

    /// No receiver takes a RST that stands before the stream or out of reach behind it. RFC 9293 3.10.7.4, RFC 5961 3.2.
    pub(in crate::tcp) fn can_reset_at(&self, seq: u32) -> bool {
        let Some(base) = self.base else { return true };
        let known = self.next.max(self.acked.unwrap_or(0)) as i64;
        // A stream that was captured from its SYN has nothing before that, as long as its numbers come once.
        let whole = self.isn.is_some() && known <= i64::from(FARTHEST);
        let early = whole && (seq.wrapping_sub(base) as i32) < -1;
        !early && self.place(seq).is_some_and(|place| place - known <= LARGEST_LOSS as i64)
    }

    /// Takes what a RST of the peer acknowledges of it.
    pub(in crate::tcp) fn claimed(&mut self, ack: u32) {
        let place = self.place(ack).and_then(|place| u64::try_from(place).ok());
        let unseen = place.filter(|place| {
            (1..=LARGEST_LOSS)
                .contains(&place.saturating_sub(self.next.max(self.acked.unwrap_or(0))))
        });
        if let Some(place) = unseen {
            let agree = self.claimed.is_none_or(|(other, agree)| agree && other == place);
            self.claimed = Some((place, agree));
        }
    }
}
