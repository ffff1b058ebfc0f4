//! Buffers that go round between the sessions and the recorder: memory that was freed costs a page fault for each
//! of its pages when it is wanted again.

use std::sync::{Mutex, PoisonError};

/// The smallest and the largest that are kept, as powers of two; a read of the relay is no longer than the largest.
const CLASSES: [u32; 2] = [14, 20];
const COUNT: usize = (CLASSES[1] - CLASSES[0] + 1) as usize;
/// Bytes of all that are kept while nobody uses them.
const SPARE: usize = 16 << 20;

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
    /// A copy of these bytes, in a buffer that was used before where there is one.
    pub fn copy(&self, bytes: &[u8]) -> Vec<u8> {
        let size = bytes.len().next_power_of_two();
        let mut buffer = match class(size) {
            Some(class) => self.take(class, size),
            _ => Vec::with_capacity(bytes.len()),
        };
        buffer.extend_from_slice(bytes);
        buffer
    }

    /// Takes a buffer back. What is too many or of no use is freed.
    pub fn give(&self, mut buffer: Vec<u8>) {
        let Some(class) = class(buffer.capacity()) else { return };
        buffer.clear();
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.bytes + buffer.capacity() <= SPARE {
            spare.bytes += buffer.capacity();
            spare.classes[class].push(buffer);
        }
    }

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
    fn no_more_is_kept_than_the_bound() {
        let buffers = Buffers::default();
        let many: Vec<_> = (0..40).map(|_| buffers.copy(&vec![0; 1 << 20])).collect();
        many.into_iter().for_each(|buffer| buffers.give(buffer));
        assert_eq!(spare(&buffers), SPARE);
    }
}
