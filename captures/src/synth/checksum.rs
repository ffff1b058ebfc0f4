//! The Internet checksum over a payload. RFC 1071.

/// The ones' complement sum of 16-bit words in the machine's byte order, folded; an odd last byte is followed by
/// a zero. In memory its two bytes stand as the wire has them, whatever the machine's order (RFC 1071 2.B).
pub(super) fn sum(bytes: &[u8]) -> u16 {
    /// Sums that the compiler keeps side by side in vector registers.
    const LANES: usize = 8;
    const WORD: usize = size_of::<u32>();
    // 32 bits at a time into 64: carries need no care before 2^32 words.
    let mut lanes = [0u64; LANES];
    let (blocks, rest) = bytes.as_chunks::<{ LANES * WORD }>();
    for block in blocks {
        for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<WORD>().0) {
            *lane += u64::from(u32::from_ne_bytes(*word));
        }
    }
    let mut words = rest.chunks_exact(2);
    let mut total: u64 = lanes.into_iter().map(|lane| (lane >> 32) + (lane & 0xffff_ffff)).sum();
    total +=
        (&mut words).map(|word| u64::from(u16::from_ne_bytes([word[0], word[1]]))).sum::<u64>();
    if let [last] = words.remainder() {
        total += u64::from(u16::from_ne_bytes([*last, 0]));
    }
    // 64 bits hold four words and no more than the carries of three additions.
    for _ in 0..4 {
        total = (total >> 16) + (total & 0xffff);
    }
    total as u16
}

#[cfg(test)]
mod tests {
    use etherparse::checksum::Sum16BitWords;
    use proptest::prelude::*;

    use super::sum;

    fn agrees(bytes: &[u8]) -> bool {
        let theirs = Sum16BitWords::new().add_slice(bytes).ones_complement();
        let ours = Sum16BitWords::new().add_2bytes(sum(bytes).to_ne_bytes()).ones_complement();
        theirs == ours
    }

    #[test]
    fn the_largest_and_the_smallest() {
        for len in [0, 1, 2, 3, 31, 32, 33, 63, 64, 65, 60_000, 1 << 20] {
            assert!(agrees(&vec![0xff; len]) && agrees(&vec![0; len]), "{len} bytes");
        }
        assert_ne!(sum(&[1, 2, 3]), sum(&[1, 2, 4]));
    }

    proptest! {
        #[test]
        fn it_is_that_of_etherparse(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
            prop_assert!(agrees(&bytes));
        }
    }
}
