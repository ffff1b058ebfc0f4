//! What was sent and is not in the capture.

use rdpwhy_analyzer::input::{Direction, Input};

use super::Half;
use super::reset::{LARGEST_LOSS, Reset};
use crate::tcp::{At, Out};

impl Half {
    /// Declares the first hole lost, and delivers what follows it.
    pub(in crate::tcp) fn skip_hole(&mut self, dir: Direction, out: &mut Out) {
        if let Some((place, at)) = self.first_waiting().filter(|(place, _)| *place > self.next) {
            let bytes = Some(place - self.next);
            self.next = place;
            // What the peer acknowledged was lost by the capture, the rest on the way.
            if self.acked.is_none_or(|acked| acked < place) {
                let behind = self.waiting.as_ref().map_or(0, |waiting| waiting.bytes());
                self.seen.behind_hole = self.seen.behind_hole.saturating_add(behind);
            }
            out.send_late(at, Input::Gap { dir, bytes });
        }
        self.drain(dir, false, out);
    }

    /// Declares lost what the peer acknowledged and the capture does not show. A sender of whom nothing
    /// was captured lost nothing: the capture has one side only.
    pub(in crate::tcp) fn lost_at_the_end(&mut self, dir: Direction, at: At, out: &mut Out) {
        // A RST stands at its place in the stream: what is missing before it was not captured.
        let near = |reset: &&Reset| reset.place.saturating_sub(self.next) <= LARGEST_LOSS;
        let reset = self.reset.as_deref().filter(near).map(|reset| (reset.place, reset.at));
        if let Some((place, at)) = reset.filter(|_| self.fin.is_none()) {
            self.lost_until(place, dir, at, out);
        }
        // Its sender itself counts a number that is not there: its FIN was lost.
        if self.has_passed_one && self.fin.is_none() && self.reset.is_none() {
            out.send_late(at, Input::Gap { dir, bytes: None });
        }
        // One number more than bytes is a FIN that was not captured.
        let seen = self.seen.segments > 0 && self.fin.is_none();
        let claimed = self.claimed.filter(|(_, agree)| *agree).map(|(place, _)| place);
        let acked = self.acked.max(claimed).filter(|acked| seen && *acked > self.next + 1);
        if let Some(acked) = acked {
            self.lost_until(acked, dir, at, out);
        }
    }

    /// Notes where a segment without data stands.
    pub(in crate::tcp) fn stands_at(&mut self, seq: u32) {
        let one_behind = self.place(seq) == Some(self.next as i64 + 1);
        self.has_passed_one |= one_behind
            && !self.base_is_soft
            && self.fin.is_none()
            && self.waiting.is_none()
            && self.seen.bytes > 0;
    }

    /// Declares lost what the peer acknowledged, and nothing of it waits.
    pub(in crate::tcp) fn passed_unseen(&mut self, dir: Direction, at: At, out: &mut Out) {
        if let Some(acked) = self.acked {
            self.lost_until(acked.min(self.fin.unwrap_or(u64::MAX)), dir, at, out);
        }
    }

    /// The peer has acknowledged more of it than was seen.
    pub(in crate::tcp) fn is_behind(&self, ack: u32) -> bool {
        self.place(ack).is_some_and(|place| place > self.next as i64)
    }

    fn lost_until(&mut self, place: u64, dir: Direction, at: At, out: &mut Out) {
        if place > self.next && self.waiting.is_none() {
            let bytes = Some(place - self.next);
            self.next = place;
            out.send_late(at, Input::Gap { dir, bytes });
        }
    }
}
