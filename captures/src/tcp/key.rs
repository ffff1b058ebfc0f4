//! What tells flows apart, and a fast hash of it.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// An endpoint: address and port.
pub(super) type End = (IpAddr, u16);

/// Both endpoints in canonical order, and the tag. Nearly all are IPv4, which two words hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlowKey {
    V4([u64; 2]),
    /// IPv6, or one of each.
    Other([u128; 2], u64),
}

impl FlowKey {
    /// The same key for both directions, and for an IPv4 address that a socket calls by its IPv6 name; and whether
    /// `one` is what stands first in it.
    #[inline]
    pub(super) fn new(tag: u8, one: End, other: End) -> (FlowKey, bool) {
        match (one, other) {
            ((IpAddr::V4(one), one_port), (IpAddr::V4(other), other_port)) => {
                FlowKey::v4(tag, word(one, one_port), word(other, other_port))
            }
            _ => FlowKey::other(tag, one, other),
        }
    }

    /// The key of two sockets.
    pub(super) fn of(tag: u8, one: SocketAddr, other: SocketAddr) -> FlowKey {
        FlowKey::new(tag, (one.ip(), one.port()), (other.ip(), other.port())).0
    }

    fn v4(tag: u8, one: u64, other: u64) -> (FlowKey, bool) {
        let words = [one.min(other) | u64::from(tag) << 48, one.max(other)];
        (FlowKey::V4(words), one <= other)
    }

    fn other(tag: u8, one: End, other: End) -> (FlowKey, bool) {
        if let (IpAddr::V4(first), IpAddr::V4(second)) =
            (one.0.to_canonical(), other.0.to_canonical())
        {
            return FlowKey::v4(tag, word(first, one.1), word(second, other.1));
        }
        let [one, other] = [one, other].map(|(ip, port)| (bits(ip), port));
        let is_first = one <= other;
        let [(low, low_port), (high, high_port)] =
            if is_first { [one, other] } else { [other, one] };
        let ports_and_tag = u64::from(low_port) << 32 | u64::from(high_port) << 8 | u64::from(tag);
        (FlowKey::Other([low, high], ports_and_tag), is_first)
    }
}

fn word(ip: Ipv4Addr, port: u16) -> u64 {
    u64::from(ip.to_bits()) << 16 | u64::from(port)
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

// By hand, word by word: keys of different kinds need no different hashes.
impl Hash for FlowKey {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        match self {
            FlowKey::V4(words) => words.iter().for_each(|word| hasher.write_u64(*word)),
            FlowKey::Other(ips, ports_and_tag) => {
                ips.iter().for_each(|ip| hasher.write_u128(*ip));
                hasher.write_u64(*ports_and_tag);
            }
        }
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
            let key = FlowKey::of(1, one, other);
            assert_eq!(key, FlowKey::of(1, other, one));
            assert_ne!(key, FlowKey::of(2, one, other), "the other leg");
            assert_ne!(key, FlowKey::of(1, one, SocketAddr::new(other.ip(), 3390)));
        }
        let key = FlowKey::of(0, end("10.0.0.1:5"), end("10.0.0.2:3389"));
        let mapped = FlowKey::of(0, end("[::ffff:10.0.0.1]:5"), end("10.0.0.2:3389"));
        assert_eq!(key, mapped);
        assert_ne!(key, FlowKey::of(0, end("10.0.0.1:3389"), end("10.0.0.2:5")));
    }

    #[test]
    fn one_end_stands_first_and_the_other_does_not() {
        let ends =
            |low: &str, high: &str| -> [End; 2] { [low, high].map(|ip| (ip.parse().unwrap(), 7)) };
        for [low, high] in [
            ends("10.0.0.1", "10.0.0.2"),
            ends("2001:db8::1", "2001:db8::2"),
            ends("10.0.0.1", "2001:db8::2"),
            ends("::ffff:10.0.0.1", "10.0.0.2"),
        ] {
            assert!(FlowKey::new(0, low, high).1, "{low:?}");
            assert!(!FlowKey::new(0, high, low).1, "{low:?}");
            assert!(FlowKey::new(0, low, low).1, "an end that talks to itself");
        }
    }
}
