//! Buffers that go round between the sessions and the recorder: memory that was freed costs a page fault for each
//! of its pages when it is wanted again.

use std::sync::{Mutex, PoisonError};

/// The smallest and the largest that are kept, as powers of two; a read of the relay is no longer than the largest.
const CLASSES: [u32; 2] = [14, 20];
const COUNT: usize = (CLASSES[1] - CLASSES[0] + 1) as usize;
/// Bytes of all that are kept while nobody uses them.
const SPARE: usize = 16 << 20;

/// Bytes that were read.
#[derive(Debug)]
pub enum Chunk<'b> {
    /// To be looked at or copied.
    Slice(&'b [u8]),
    /// The first of a buffer that may be had for another one.
    Buffer {
        /// Its length stays as it is.
        buffer: &'b mut Vec<u8>,
        /// How many of its bytes were read.
        len: usize,
    },
}

impl Chunk<'_> {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Chunk::Slice(bytes) => bytes,
            Chunk::Buffer { buffer, len } => buffer.get(..*len).unwrap_or(buffer),
        }
    }
}

impl<'b> From<&'b [u8]> for Chunk<'b> {
    fn from(bytes: &'b [u8]) -> Chunk<'b> {
        Chunk::Slice(bytes)
    }
}

/// Spare buffers by their size.
#[derive(Default)]
pub struct Buffers {
    spare: Mutex<Spare>,
}

#[derive(Default)]
struct Spare {
    classes: [Vec<Vec<u8>>; COUNT],
    bytes: usize,
}

impl Buffers {
    /// The bytes for good: in the buffer they are in, for another one, where they fill most of it, else a copy.
    pub fn keep(&self, chunk: Chunk<'_>) -> Vec<u8> {
        match chunk {
            Chunk::Buffer { buffer, len } if len > buffer.len() / 2 => {
                let size = buffer.len();
                let mut other = match class(size) {
                    Some(class) => self.take(class, size),
                    None => Vec::with_capacity(size),
                };
                other.resize(size, 0);
                std::mem::swap(buffer, &mut other);
                other.truncate(len);
                other
            }
            chunk => self.copy(chunk.bytes()),
        }
    }

    /// A copy of these bytes, in a buffer that was used before where there is one.
    pub fn copy(&self, bytes: &[u8]) -> Vec<u8> {
        let size = bytes.len().next_power_of_two();
        let mut buffer = match class(size) {
            Some(class) => self.take(class, size),
            _ => Vec::with_capacity(bytes.len()),
        };
        buffer.clear();
        buffer.extend_from_slice(bytes);
        buffer
    }

    /// Takes a buffer back. What is too many or of no use is freed.
    pub fn give(&self, buffer: Vec<u8>) {
        let Some(class) = class(buffer.capacity()) else { return };
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.bytes + buffer.capacity() <= SPARE {
            spare.bytes += buffer.capacity();
            spare.classes[class].push(buffer);
        }
    }

    /// A buffer with room for so much, whatever is in it.
    fn take(&self, class: usize, size: usize) -> Vec<u8> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        // The latest that came back is the likeliest to be in the processor's cache.
        let Some(buffer) = spare.classes[class].pop() else {
            drop(spare);
            return Vec::with_capacity(size);
        };
        spare.bytes -= buffer.capacity();
        buffer
    }
}

/// Where buffers of a capacity are kept: each has room for the power of two that its class stands for.
fn class(capacity: usize) -> Option<usize> {
    let power = capacity.checked_ilog2()?;
    (CLASSES[0]..=CLASSES[1]).contains(&power).then(|| (power - CLASSES[0]) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spare(buffers: &Buffers) -> usize {
        buffers.spare.lock().unwrap().bytes
    }

    #[test]
    fn a_buffer_goes_round_and_holds_the_new_bytes_alone() {
        let buffers = Buffers::default();
        for len in [0, 1, 100, 16_383, 16_384, 16_385, 60_000, 65_536, 1 << 20, 1 << 21] {
            let first = buffers.copy(&vec![1; len]);
            let (address, kept) = (first.as_ptr(), first.capacity());
            buffers.give(first);
            let used_again = kept > 0 && spare(&buffers) == kept;
            let second = buffers.copy(&vec![2; len]);
            assert_eq!(second, vec![2; len]);
            assert_eq!(spare(&buffers), 0);
            assert_eq!(used_again, (8193..=1 << 20).contains(&len), "{len} bytes");
            assert!(!used_again || second.as_ptr() == address);
            assert!(second.capacity() <= (2 * len).max(16), "no more than twice what is needed");
        }
    }

    #[test]
    fn a_buffer_is_had_for_another_where_its_bytes_fill_most_of_it() {
        let buffers = Buffers::default();
        for (size, len) in [(1 << 20, 1 << 20), (1 << 20, 600_000), (1 << 20, 1 << 19), (100, 60)] {
            for _ in 0..2 {
                let mut buffer = vec![7; size];
                let address = buffer.as_ptr();
                let kept = buffers.keep(Chunk::Buffer { buffer: &mut buffer, len });
                assert_eq!((kept == vec![7; len], buffer.len()), (true, size));
                assert_eq!(kept.as_ptr() == address, len > size / 2, "{len} of {size}");
                buffers.give(kept);
            }
        }
    }

    #[test]
    fn no_more_is_kept_than_the_bound() {
        let buffers = Buffers::default();
        let many: Vec<_> = (0..40).map(|_| buffers.copy(&vec![0; 1 << 20])).collect();
        many.into_iter().for_each(|buffer| buffers.give(buffer));
        assert_eq!(spare(&buffers), SPARE);
    }
}
