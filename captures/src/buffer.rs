//! A read buffer that grows to the packet it must hold. In: any `Read`. Out: byte slices and the
//! offset in the (decompressed) stream where they stand.

use std::io::{self, Read};

/// What one `read` asks for; also the size the buffer has unless a packet needs more.
const CHUNK: usize = 1 << 20;

/// Bytes read ahead from a stream.
pub(crate) struct Buffer<'r> {
    source: Box<dyn Read + 'r>,
    held: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
    ended: bool,
}

impl<'r> Buffer<'r> {
    pub(crate) fn new(source: Box<dyn Read + 'r>) -> Self {
        Buffer { source, held: Vec::new(), start: 0, end: 0, offset: 0, ended: false }
    }

    /// Where the next unread byte stands in the stream.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// What is held and not consumed.
    pub(crate) fn data(&self) -> &[u8] {
        self.held.get(self.start..self.end).unwrap_or_default()
    }

    /// Reads until `need` bytes are held; `false` when the stream ends before that.
    pub(crate) fn fill(&mut self, need: usize) -> io::Result<bool> {
        while self.end - self.start < need {
            if self.ended {
                return Ok(false);
            }
            self.make_room(need);
            match self.source.read(&mut self.held[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(n) => self.end += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // A stream that failed once is not asked again: no reader can loop on it.
                    self.ended = true;
                    return Err(error);
                }
            }
        }
        Ok(true)
    }

    /// Drops `count` bytes of what is held.
    pub(crate) fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// Reads past `count` bytes without holding them; `false` when the stream ends before.
    pub(crate) fn skip(&mut self, mut count: u64) -> io::Result<bool> {
        while count > 0 {
            if !self.fill(1)? {
                return Ok(false);
            }
            let step = count.min(self.data().len() as u64);
            self.consume(step as usize);
            count -= step;
        }
        Ok(true)
    }

    /// Gives the source and what was read ahead of it, to put a decompressor between.
    pub(crate) fn into_stream(self) -> Box<dyn Read + 'r> {
        let ahead = self.data().to_vec();
        Box::new(io::Cursor::new(ahead).chain(self.source))
    }

    fn make_room(&mut self, need: usize) {
        if self.start > 0 {
            self.held.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        // Grow with what really arrives, so that a lying length field costs no memory.
        let wanted = need.min(self.end.saturating_mul(2)).max(CHUNK);
        if self.held.len() < wanted {
            self.held.resize(wanted, 0);
        } else if self.held.len() > 4 * CHUNK && need <= CHUNK && self.end <= CHUNK {
            self.held.truncate(CHUNK);
            self.held.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes in pieces of `step`.
    struct Dribble<'a>(&'a [u8], usize);

    impl Read for Dribble<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(out.len()).min(self.0.len());
            out[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    #[test]
    fn holds_more_than_one_chunk_and_counts_offsets() {
        let bytes: Vec<u8> = (0..3 * CHUNK).map(|i| (i % 251) as u8).collect();
        let mut buffer = Buffer::new(Box::new(Dribble(&bytes, 70_001)));
        assert!(buffer.fill(5).unwrap());
        buffer.consume(5);
        assert!(buffer.fill(2 * CHUNK).unwrap());
        assert_eq!(&buffer.data()[..2 * CHUNK], &bytes[5..5 + 2 * CHUNK]);
        buffer.consume(2 * CHUNK);
        assert_eq!(buffer.offset(), 5 + 2 * CHUNK as u64);
        assert!(!buffer.fill(2 * CHUNK).unwrap());
        assert_eq!(buffer.data(), &bytes[5 + 2 * CHUNK..]);
    }

    #[test]
    fn skips_past_the_end_without_looping() {
        let mut buffer = Buffer::new(Box::new(&[1u8, 2, 3][..]));
        assert!(!buffer.skip(1 << 40).unwrap());
        assert_eq!(buffer.offset(), 3);
    }
}
