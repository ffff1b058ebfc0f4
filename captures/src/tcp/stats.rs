//! Small statistics of one sender: its usual TTL, and its last headers, by which copies of a mirror port are known.

use super::Packet;
use super::key::short_hash;

/// A mirror port's copy follows its original within this time.
const MIRROR_NANOS: u64 = 5_000_000;
/// Headers remembered per sender.
const RECENT: usize = 8;
/// Different TTLs told apart per sender.
const TTLS: usize = 4;

/// How often each TTL was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct TtlCounts {
    seen: [(u8, u32); TTLS],
}

impl TtlCounts {
    /// Counts one segment; the rarest TTL gives way when there are too many.
    pub(super) fn note(&mut self, ttl: u8) {
        let known = self.seen.iter().position(|&(value, count)| count > 0 && value == ttl);
        match known.and_then(|index| self.seen.get_mut(index)) {
            Some(entry) => entry.1 = entry.1.saturating_add(1),
            None => {
                if let Some(rarest) = self.seen.iter_mut().min_by_key(|entry| entry.1) {
                    *rarest = (ttl, 1);
                }
            }
        }
    }

    /// The median, and of how many segments.
    pub(super) fn usual(&self) -> Option<(u8, u32)> {
        let mut sorted = self.seen;
        sorted.sort_unstable();
        let total = sorted.iter().fold(0u32, |sum, entry| sum.saturating_add(entry.1));
        let mut below = 0u32;
        for (ttl, count) in sorted {
            below = below.saturating_add(count);
            if count > 0 && below >= total.div_ceil(2) {
                return Some((ttl, total));
            }
        }
        None
    }
}

/// The last headers of one sender.
#[derive(Clone, Debug, Default)]
pub(super) struct RecentHeaders {
    ring: Vec<Header>,
    oldest: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    time: u64,
    seq: u32,
    ack: u32,
    len: u32,
    /// Zero where the IP identification tells packets apart.
    options: u32,
    ip_id: u16,
    checksum: u16,
    flags: u8,
}

impl RecentHeaders {
    /// Whether `packet` is a copy of a recent one, which it becomes itself if not. A sender's own
    /// retransmission comes later or has another IP identification.
    pub(super) fn is_copy(&mut self, packet: &Packet<'_>) -> bool {
        let header = Header::of(packet);
        let same = |old: &Header| {
            Header { time: header.time, ..*old } == header
                && old.time.abs_diff(header.time) <= MIRROR_NANOS
        };
        if self.ring.iter().any(same) {
            return true;
        }
        if self.ring.len() < RECENT {
            self.ring.push(header);
        } else if let Some(place) = self.ring.get_mut(self.oldest) {
            *place = header;
            self.oldest = (self.oldest + 1) % RECENT;
        }
        false
    }
}

impl Header {
    fn of(packet: &Packet<'_>) -> Header {
        let tcp = packet.tcp;
        let ip_id = packet.ip.ip_id.unwrap_or(0);
        Header {
            time: packet.at.time.0,
            seq: tcp.seq,
            ack: tcp.ack,
            len: tcp.payload_len,
            options: if ip_id == 0 { short_hash(tcp.options) } else { 0 },
            ip_id,
            checksum: tcp.checksum,
            flags: tcp.flags,
        }
    }
}
