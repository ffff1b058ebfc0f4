//! What tells flows apart, and a fast hash of it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, SocketAddr};

/// Both endpoints in canonical order, and the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FlowKey {
    low: u128,
    high: u128,
    ports_and_tag: u64,
}

impl FlowKey {
    /// The same key for both directions.
    pub(super) fn new(tag: u8, one: SocketAddr, other: SocketAddr) -> FlowKey {
        let ends = [(bits(one.ip()), one.port()), (bits(other.ip()), other.port())];
        let [one, other] = ends;
        let [(low, low_port), (high, high_port)] = if other < one { [other, one] } else { ends };
        let ports_and_tag = u64::from(low_port) << 32 | u64::from(high_port) << 8 | u64::from(tag);
        FlowKey { low, high, ports_and_tag }
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
