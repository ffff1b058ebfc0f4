//! What tells flows apart, and a fast hash of it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Both endpoints in canonical order, and the tag. Nearly all are IPv4, which two words hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum FlowKey {
    V4([u64; 2]),
    /// IPv6, or one of each.
    Other([u128; 2], u64),
}

impl FlowKey {
    /// The same key for both directions, and for an IPv4 address that a socket calls by its IPv6 name.
    pub(super) fn new(tag: u8, one: SocketAddr, other: SocketAddr) -> FlowKey {
        let word = |(ip, port): (Ipv4Addr, u16)| u64::from(ip.to_bits()) << 16 | u64::from(port);
        if let (Some(one), Some(other)) = (v4(one), v4(other)) {
            let (one, other) = (word(one), word(other));
            return FlowKey::V4([one.min(other) | u64::from(tag) << 48, one.max(other)]);
        }
        let ends = [(bits(one.ip()), one.port()), (bits(other.ip()), other.port())];
        let [one, other] = ends;
        let [(low, low_port), (high, high_port)] = if other < one { [other, one] } else { ends };
        let ports_and_tag = u64::from(low_port) << 32 | u64::from(high_port) << 8 | u64::from(tag);
        FlowKey::Other([low, high], ports_and_tag)
    }
}

fn v4(end: SocketAddr) -> Option<(Ipv4Addr, u16)> {
    match end {
        SocketAddr::V4(end) => Some((*end.ip(), end.port())),
        SocketAddr::V6(end) => Some((end.ip().to_ipv4_mapped()?, end.port())),
    }
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// Any odd number with its bits well spread will do.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Seeds [`FlowHasher`], so that a capture can not be written to collide.
#[derive(Clone, Copy, Debug)]
pub(super) struct BuildFlowHasher {
    seed: u64,
}

impl Default for BuildFlowHasher {
    fn default() -> Self {
        BuildFlowHasher { seed: RandomState::new().hash_one(0u8) }
    }
}

impl BuildHasher for BuildFlowHasher {
    type Hasher = FlowHasher;

    fn build_hasher(&self) -> FlowHasher {
        FlowHasher(self.seed)
    }
}

/// Folded multiplication, word by word; much cheaper than the standard SipHash for keys of 40 bytes.
pub(super) struct FlowHasher(u64);

impl Hasher for FlowHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(MULTIPLIER);
        // The rotation keeps a zero product from swallowing what came before.
        self.0 = (product as u64) ^ (product >> 64) as u64 ^ self.0.rotate_left(29);
    }

    fn write_u128(&mut self, word: u128) {
        self.write_u64(word as u64);
        self.write_u64((word >> 64) as u64);
    }
}

/// A short hash of TCP options, for the comparison of headers.
pub(super) fn short_hash(bytes: &[u8]) -> u32 {
    let mut hasher = FlowHasher(bytes.len() as u64);
    hasher.write(bytes);
    hasher.finish() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_and_both_names_of_an_address_are_one_flow() {
        let end = |text: &str| -> SocketAddr { text.parse().unwrap() };
        for [one, other] in [
            ["10.0.0.1:5", "10.0.0.2:3389"],
            ["[2001:db8::1]:5", "[2001:db8::2]:3389"],
            ["10.0.0.1:5", "[2001:db8::2]:3389"],
        ] {
            let (one, other) = (end(one), end(other));
            let key = FlowKey::new(1, one, other);
            assert_eq!(key, FlowKey::new(1, other, one));
            assert_ne!(key, FlowKey::new(2, one, other), "the other leg");
            assert_ne!(key, FlowKey::new(1, one, SocketAddr::new(other.ip(), 3390)));
        }
        let key = FlowKey::new(0, end("10.0.0.1:5"), end("10.0.0.2:3389"));
        let mapped = FlowKey::new(0, end("[::ffff:10.0.0.1]:5"), end("10.0.0.2:3389"));
        assert_eq!(key, mapped);
        assert_ne!(key, FlowKey::new(0, end("10.0.0.1:3389"), end("10.0.0.2:5")));
    }
}
