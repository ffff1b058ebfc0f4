//! Small statistics of one sender: its usual TTL, how it numbers its packets, and its last headers, by which
//! copies of a mirror port are known.

use rdpwhy_analyzer::input::IpIds;

use super::Packet;
use super::key::short_hash;

/// A mirror port's copy follows its original within this time.
const MIRROR_NANOS: u64 = 5_000_000;
/// Unacknowledged segments remembered per sender.
const OUTSTANDING: usize = 8;
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
    #[inline]
    pub(super) fn note(&mut self, ttl: u8) {
        match &mut self.seen {
            // Nearly all have the TTL of the first.
            [(first, count @ 1..), ..] if *first == ttl => *count = count.saturating_add(1),
            _ => self.note_another(ttl),
        }
    }

    fn note_another(&mut self, ttl: u8) {
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

    /// All segments had the same.
    pub(super) fn is_steady(&self) -> bool {
        self.seen.iter().filter(|entry| entry.1 > 0).count() == 1
    }
}

/// How a sender numbers its IPv4 packets, learnt from one packet to the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IpIdHabit {
    last: Option<u16>,
    zeros: u32,
    steps: u32,
    leaps: u32,
}

impl IpIdHabit {
    /// Other connections of the same host may use numbers in between. RFC 6864.
    const STEP: u16 = 64;
    /// Fewer packets show no habit.
    const ENOUGH: u32 = 2;

    /// Takes the identification of the next packet.
    #[inline]
    pub(super) fn note(&mut self, ip_id: Option<u16>) {
        let Some(ip_id) = ip_id else { return };
        match self.last.replace(ip_id) {
            Some(last) if (1..=Self::STEP).contains(&ip_id.wrapping_sub(last)) => {
                self.steps = self.steps.saturating_add(1);
            }
            Some(0) if ip_id == 0 => self.zeros = self.zeros.saturating_add(1),
            Some(_) => self.leaps = self.leaps.saturating_add(1),
            None => {}
        }
    }

    /// The habit, where the packets show one.
    pub(super) fn known(&self) -> IpIds {
        match (self.last, self.zeros, self.steps, self.leaps) {
            (Some(last), 0, steps, 0) if steps >= Self::ENOUGH => IpIds::Counter(last),
            (Some(_), zeros, 0, 0) if zeros >= Self::ENOUGH => IpIds::Zero,
            (Some(_), zeros, steps, leaps) if zeros + steps + leaps >= Self::ENOUGH => {
                IpIds::Irregular
            }
            _ => IpIds::Unknown,
        }
    }
}

/// The latest segments that the peer did not acknowledge yet, by their last byte's place near the beginning of
/// the stream, with their length.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outstanding {
    segments: [(u32, u32); OUTSTANDING],
    latest: usize,
    /// Some of them are not acknowledged.
    any: bool,
}

impl Outstanding {
    /// Takes a segment that ends at this place.
    pub(super) fn sent(&mut self, end: u32, len: u32) {
        self.latest = (self.latest + 1) % OUTSTANDING;
        self.any = true;
        if let Some(oldest) = self.segments.get_mut(self.latest) {
            *oldest = (end, len);
        }
    }

    /// The peer acknowledged everything before this place: the length of the longest segment in that.
    #[inline]
    pub(super) fn acknowledged(&mut self, place: u64) -> u32 {
        if self.any { self.longest_of(place) } else { 0 }
    }

    fn longest_of(&mut self, place: u64) -> u32 {
        let mut longest = 0;
        for segment in self.segments.iter_mut().filter(|segment| u64::from(segment.0) <= place) {
            longest = longest.max(std::mem::take(segment).1);
        }
        self.any = self.segments.iter().any(|segment| segment.1 > 0);
        longest
    }
}

/// The last headers of one sender.
#[derive(Clone, Debug)]
pub(super) struct RecentHeaders {
    ring: [Header; RECENT],
    /// The place of the next one.
    next: usize,
}

/// What of a packet a mirror port's copy has, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// That of TCP behind its ports: first both numbers.
    tcp: [u64; 2],
    time: u64,
    len: u32,
    /// Zero where the IP identification tells packets apart.
    options: u32,
    ip_id: u16,
}

impl Default for RecentHeaders {
    fn default() -> Self {
        RecentHeaders { ring: [Header::NONE; RECENT], next: 0 }
    }
}

impl RecentHeaders {
    /// Whether one of them is that of a packet of which `header` is a copy. A sender's own retransmission comes
    /// later or has another IP identification.
    #[inline(never)] // or it takes the registers of what most packets need
    pub(super) fn has(&self, header: &Header) -> bool {
        for old in &self.ring {
            // The numbers tell it from most others.
            if old.tcp[0] == header.tcp[0] && header.is_copy_of(old) {
                return true;
            }
        }
        false
    }

    /// Takes the next one.
    #[inline]
    pub(super) fn remember(&mut self, header: Header) {
        let at = self.next % RECENT;
        self.ring[at] = header;
        self.next = at + 1;
    }
}

impl Header {
    /// What no segment has: one longer than any packet.
    const NONE: Header = Header { tcp: [0; 2], time: 0, len: u32::MAX, options: 0, ip_id: 0 };

    #[inline(always)] // words that go from a packet to where they are kept
    pub(super) fn of(packet: &Packet<'_>) -> Header {
        let tcp = packet.tcp;
        let ip_id = packet.ip_id.unwrap_or(0);
        Header {
            tcp: tcp.behind_ports(),
            time: packet.at.time.0,
            len: tcp.payload_len,
            options: if ip_id == 0 { short_hash(tcp.options) } else { 0 },
            ip_id,
        }
    }

    fn is_copy_of(&self, old: &Header) -> bool {
        Header { time: self.time, ..*old } == *self && old.time.abs_diff(self.time) <= MIRROR_NANOS
    }
}
