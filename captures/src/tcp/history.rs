//! The head of a stream, kept for the comparison with later copies of its bytes.

use super::Memory;
use super::waiting::{Piece, differ, slice};

/// The first delivered bytes of one direction.
#[derive(Debug, Default)]
pub(super) struct History {
    bytes: Vec<u8>,
    ended: bool,
}

impl History {
    /// Delivered bytes kept: the head of the stream, where verdicts rest.
    const KEPT: u64 = 8 * 1024;
    /// Once the stream is this long, its head is not compared any more.
    pub(super) const UNTIL: u64 = 64 * 1024;

    /// Whether nothing will be compared any more.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether a piece is not equal to the bytes that came at its place before.
    pub(super) fn differs(&self, piece: &Piece<'_>) -> bool {
        let until = piece.end.min(self.bytes.len() as u64);
        if piece.start >= until {
            return false;
        }
        differ(slice(&self.bytes, 0, piece.start, until), piece.between(piece.start, until))
    }

    /// Takes a piece that is delivered now.
    pub(super) fn remember(&mut self, piece: &Piece<'_>, memory: &mut Memory) {
        if self.ended {
            return;
        }
        if piece.end > Self::UNTIL {
            return self.end(memory);
        }
        if piece.start > Self::KEPT {
            return;
        }
        let head = piece.between(piece.start, Self::KEPT);
        // A hole in it would shift what follows.
        if self.bytes.len() as u64 == piece.start && memory.take(head.len()) {
            // It doubles, but takes no room for what is never kept: thousands of streams have one.
            if self.bytes.capacity() - self.bytes.len() < head.len() {
                let most = (Self::KEPT as usize).saturating_sub(self.bytes.len());
                self.bytes.reserve_exact(head.len().max(self.bytes.len()).min(most));
            }
            self.bytes.extend_from_slice(head);
        }
    }

    /// Forgets the delivered bytes: nothing will be compared with them any more.
    pub(super) fn end(&mut self, memory: &mut Memory) {
        memory.release(self.bytes.len());
        self.bytes = Vec::new();
        self.ended = true;
    }
}
