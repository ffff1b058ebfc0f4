//! What tells flows apart, and a fast hash of it.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// An endpoint: address and port.
pub(super) type End = (IpAddr, u16);

/// Both endpoints, and the tag. Nearly all are IPv4, which two words hold, the tag above the first endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlowKey {
    V4(u64, u64),
    /// IPv6, or one of each.
    Other([(u128, u16); 2], u8),
}

impl FlowKey {
    /// The endpoints of a packet as they stand in it. An IPv4 address that a socket calls by its IPv6 name is the
    /// same.
    #[inline]
    pub(super) fn directed(tag: u8, source: End, destination: End) -> FlowKey {
        match (source, destination) {
            ((IpAddr::V4(source), source_port), (IpAddr::V4(destination), destination_port)) => {
                let tag = u64::from(tag) << END_BITS;
                FlowKey::V4(word(source, source_port) | tag, word(destination, destination_port))
            }
            _ => FlowKey::directed_other(tag, source, destination),
        }
    }

    /// The same for both directions of a flow, and whether the source is what stands first in it.
    pub(super) fn sorted(self) -> (FlowKey, bool) {
        match self {
            FlowKey::V4(source, destination) => {
                let tag = source >> END_BITS << END_BITS;
                let source = source ^ tag;
                let key = FlowKey::V4(source.min(destination) | tag, source.max(destination));
                (key, source <= destination)
            }
            FlowKey::Other([source, destination], tag) => {
                let ends = [source.min(destination), source.max(destination)];
                (FlowKey::Other(ends, tag), source <= destination)
            }
        }
    }

    /// The key of two sockets.
    pub(super) fn of(tag: u8, one: SocketAddr, other: SocketAddr) -> FlowKey {
        FlowKey::directed(tag, (one.ip(), one.port()), (other.ip(), other.port())).sorted().0
    }

    fn directed_other(tag: u8, source: End, destination: End) -> FlowKey {
        let ends = [source, destination];
        if let [IpAddr::V4(source), IpAddr::V4(destination)] = ends.map(|(ip, _)| ip.to_canonical())
        {
            let [(_, source_port), (_, destination_port)] = ends;
            let source = (IpAddr::V4(source), source_port);
            return FlowKey::directed(tag, source, (IpAddr::V4(destination), destination_port));
        }
        FlowKey::Other(ends.map(|(ip, port)| (bits(ip), port)), tag)
    }
}

/// Bits of an IPv4 endpoint in a word.
const END_BITS: u32 = 48;

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
            FlowKey::V4(source, destination) => {
                hasher.write_u64(*source);
                hasher.write_u64(*destination);
            }
            FlowKey::Other(ends, tag) => {
                for (ip, port) in ends {
                    hasher.write_u128(*ip);
                    hasher.write_u64(u64::from(*port) << 8 | u64::from(*tag));
                }
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
            let is_first = |one, other| FlowKey::directed(1, one, other).sorted().1;
            assert!(is_first(low, high), "{low:?}");
            assert!(!is_first(high, low), "{low:?}");
            assert!(is_first(low, low), "an end that talks to itself");
        }
    }
}
