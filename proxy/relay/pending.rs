//! Bytes that were read and that their receiver did not take yet, and how many there are of all sessions together.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Of all sessions.
static HELD: AtomicUsize = AtomicUsize::new(0);
/// More than this, and whoever reads takes only a little at once: many receivers that take nothing hold little each.
const MUCH: usize = 256 << 20;

/// True when all sessions together hold much.
pub fn is_much() -> bool {
    HELD.load(Ordering::Relaxed) > MUCH
}

/// What one receiver did not take yet.
#[derive(Debug, Default)]
pub struct Pending {
    bytes: Vec<u8>,
    sent: usize,
}

impl Pending {
    /// These bytes, none of which was sent.
    pub fn of(bytes: Vec<u8>) -> Pending {
        HELD.fetch_add(bytes.len(), Ordering::Relaxed);
        Pending { bytes, sent: 0 }
    }

    /// True when nothing is left to send.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What is left to send.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Holds more, behind what there is.
    pub fn add(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            HELD.fetch_add(bytes.len(), Ordering::Relaxed);
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// So much of it was sent; true when that was all. Then the memory goes back: an idle flow keeps none.
    pub fn advance(&mut self, sent: usize) -> bool {
        self.sent += sent;
        let all = self.sent >= self.bytes.len();
        if all {
            *self = Pending::default();
        }
        all
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        HELD.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted_until_it_is_sent_or_given_up() {
        let before = HELD.load(Ordering::Relaxed);
        let held = || HELD.load(Ordering::Relaxed).wrapping_sub(before) as isize;
        // Other tests hold little beside it.
        const SIZE: usize = MUCH + (64 << 20);
        let mut pending = Pending::of(vec![1; SIZE - 2]);
        pending.add(&[2, 3]);
        assert!(is_much() && held() > MUCH as isize, "{}", held());
        assert!(!pending.advance(SIZE - 1));
        assert_eq!(pending.rest(), [3]);
        assert!(pending.advance(1) && pending.is_empty());
        assert!(!is_much());
        drop(Pending::of(vec![0; SIZE]));
        assert!(!is_much());
    }
}
