//! A growing window over a byte source: what was read and not yet taken.

use std::io::{self, Read};
use std::ops::Range;

/// The largest record or block that is read, in bytes.
pub(super) const MAX_BLOCK: usize = 64 << 20;
const START: usize = 256 << 10;

/// Holds the unread bytes in one piece; reads only when asked for more than it has.
pub(super) struct Buffer<R> {
    source: R,
    /// What was read and not consumed lies from `start` to `end`; never `start` behind `end` or `end` outside.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
}

impl<R: Read> Buffer<R> {
    /// Takes the source; reads nothing yet.
    pub(super) fn new(source: R) -> Self {
        Buffer { source, bytes: vec![0; START], start: 0, end: 0, offset: 0 }
    }

    /// The bytes that were read and not consumed.
    pub(super) fn available(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Some of the available bytes, by their place among them; none where they are not all there.
    #[inline]
    pub(super) fn piece(&self, place: Range<usize>) -> &[u8] {
        let (start, end) = (self.start + place.start, self.start + place.end);
        if start <= end && end <= self.end { &self.bytes[start..end] } else { &[] }
    }

    /// Position of the first available byte in the (decompressed) source.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Drops up to `count` available bytes.
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// Reads until `wanted` bytes are available; gives false when the source ends before. What
    /// was read stays available in every case.
    pub(super) fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        if self.available().len() >= wanted {
            return Ok(true);
        }
        // What moves is the part of one packet, so this costs little next to the read.
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < wanted {
            if self.end == self.bytes.len() {
                // Grows with what has come in, not with what a length field claims.
                self.bytes.resize(self.bytes.len() * 2, 0);
            }
            let Some(spare) = self.bytes.get_mut(self.end..) else { return Ok(false) };
            match self.source.read(spare) {
                Ok(0) => return Ok(false),
                Ok(count) => self.end += count.min(spare.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
