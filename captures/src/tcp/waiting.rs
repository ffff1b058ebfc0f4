//! Data that arrived before an earlier part of its stream.

use std::collections::VecDeque;

use super::{At, Memory};

/// Pieces that may wait per direction.
const MAX_PIECES: usize = 256;
/// Captured bytes that may wait per direction.
const MAX_BYTES: usize = 256 * 1024;

/// Bytes of the stream, borrowed from a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'p> {
    pub(super) at: At,
    /// Place of the first byte in the stream.
    pub(super) start: u64,
    /// Place after the last byte, captured or not.
    pub(super) end: u64,
    /// The captured head of it.
    pub(super) bytes: &'p [u8],
}

impl<'p> Piece<'p> {
    /// The part from `from` to `to`, which lie inside.
    pub(super) fn part(&self, from: u64, to: u64) -> Piece<'p> {
        let bytes = self.between(from, to);
        Piece { start: from, end: to, bytes, ..*self }
    }

    /// The captured bytes from `from` to `to`.
    pub(super) fn between(&self, from: u64, to: u64) -> &'p [u8] {
        slice(self.bytes, self.start, from, to)
    }
}

/// A piece that waits.
#[derive(Debug)]
pub(super) struct WaitingPiece {
    pub(super) at: At,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) bytes: Box<[u8]>,
    /// The first part of its segment, which counts it.
    pub(super) leads: bool,
}

/// The pieces of one direction, sorted, without overlap.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pieces: VecDeque<WaitingPiece>,
    held: usize,
    crowded: bool,
}

/// What came of an insertion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Inserted {
    /// Some of it was new.
    pub(super) new: bool,
    /// It overlaps an earlier piece and is not equal to it.
    pub(super) differs: bool,
}

impl Waiting {
    /// The piece that comes first in the stream.
    pub(super) fn first(&self) -> Option<&WaitingPiece> {
        self.pieces.front()
    }

    /// Bytes of the stream that wait, captured or not.
    pub(super) fn bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.end - piece.start).sum()
    }

    /// Whether something has to go now.
    pub(super) fn is_over(&self) -> bool {
        self.pieces.len() > MAX_PIECES
            || self.held > MAX_BYTES
            || (self.crowded && !self.pieces.is_empty())
    }

    /// Keeps what of `piece` no earlier one covers: the first copy wins.
    pub(super) fn insert(&mut self, piece: &Piece<'_>, memory: &mut Memory) -> Inserted {
        let mut outcome = Inserted::default();
        let mut cursor = piece.start;
        let mut index = self.pieces.partition_point(|old| old.end <= piece.start);
        while cursor < piece.end {
            let Some(old) = self.pieces.get(index).filter(|old| old.start < piece.end) else {
                self.keep(index, piece.part(cursor, piece.end), !outcome.new, memory);
                outcome.new = true;
                break;
            };
            if old.start > cursor {
                let part = piece.part(cursor, old.start);
                cursor = old.start;
                self.keep(index, part, !outcome.new, memory);
                outcome.new = true;
            } else {
                let until = old.end.min(piece.end);
                let theirs = slice(&old.bytes, old.start, cursor, until);
                outcome.differs |= differ(theirs, piece.between(cursor, until));
                cursor = until;
            }
            index += 1;
        }
        outcome
    }

    /// Takes the first piece out.
    pub(super) fn pop(&mut self, memory: &mut Memory) -> Option<WaitingPiece> {
        let piece = self.pieces.pop_front()?;
        self.held -= piece.bytes.len();
        memory.release(cost(&piece.bytes));
        Some(piece)
    }

    fn keep(&mut self, index: usize, part: Piece<'_>, leads: bool, memory: &mut Memory) {
        // All flows together hold too much: this one has to give way at once.
        if !memory.take(cost(part.bytes)) {
            memory.used += cost(part.bytes);
            self.crowded = true;
        }
        self.held += part.bytes.len();
        let Piece { at, start, end, bytes } = part;
        self.pieces.insert(index, WaitingPiece { at, start, end, bytes: bytes.into(), leads });
    }
}

/// What a piece takes, in bytes: one that was cut off by the capture takes some as well.
fn cost(bytes: &[u8]) -> usize {
    size_of::<WaitingPiece>() + bytes.len()
}

/// Whether two copies of the same bytes differ, as far as both were captured.
pub(super) fn differ(one: &[u8], other: &[u8]) -> bool {
    one.iter().zip(other).any(|(a, b)| a != b)
}

/// The bytes between two places of the stream, of a buffer that begins at `start`; less where it holds less.
pub(super) fn slice(bytes: &[u8], start: u64, from: u64, to: u64) -> &[u8] {
    let place =
        |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX).min(bytes.len());
    bytes.get(place(from)..place(to)).unwrap_or(&[])
}
