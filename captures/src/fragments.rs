//! Reassembly of fragmented IP packets. RFC 791 3.2, RFC 8200 4.5.
//!
//! Fragments may come in any order and overlap; where they do, the bytes seen first count. Memory is bounded
//! by the number of unfinished packets, the size of each and the pieces of each.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use rdpwhy_analyzer::input::Timestamp;

use crate::link::IpFragment;
use crate::packet::IpPacket;

/// Unfinished packets kept at once.
const MAX_DATAGRAMS: usize = 1024;
/// Bytes of payload a packet can have.
const MAX_LENGTH: u32 = 65_535;
/// Pieces kept of one packet.
const MAX_PIECES: usize = 1024;
/// How long after its first fragment a packet may be finished.
const MAX_AGE: Duration = Duration::from_secs(30);

/// The unfinished packets of one capture.
#[derive(Debug, Default)]
pub struct Fragments {
    datagrams: HashMap<Key, Datagram>,
    given_up: u64,
}

/// A packet put together from fragments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reassembled {
    source: IpAddr,
    destination: IpAddr,
    ttl: u8,
    ip_id: Option<u16>,
    protocol: u8,
    payload: Vec<u8>,
    payload_len: u32,
}

impl Reassembled {
    /// The packet, borrowing its payload. [`crate::link::undo_tunnels`] takes it from here: an IPv6 payload may
    /// start with extension headers, and any payload may be a tunnel's.
    pub fn packet(&self) -> IpPacket<'_> {
        IpPacket {
            source: self.source,
            destination: self.destination,
            ttl: self.ttl,
            ip_id: self.ip_id,
            protocol: self.protocol,
            payload: &self.payload,
            payload_len: self.payload_len,
        }
    }
}

impl Fragments {
    /// Nothing seen yet.
    pub fn new() -> Fragments {
        Fragments::default()
    }

    /// Takes a fragment captured at `time`. Out: the packet, if this fragment was the last one missing. Where
    /// the capture cut a fragment short, the packet's captured payload ends there.
    pub fn push(&mut self, time: Timestamp, fragment: IpFragment<'_>) -> Option<Reassembled> {
        let end = fragment.offset.checked_add(fragment.payload_len)?;
        let odd = fragment.more && !fragment.payload_len.is_multiple_of(8);
        if fragment.payload_len == 0 || end > MAX_LENGTH || odd {
            return None;
        }
        let key = Key::of(&fragment);
        if self.datagrams.get(&key).is_some_and(|datagram| datagram.expired(time)) {
            self.give_up(&key);
        }
        if !self.datagrams.contains_key(&key) {
            self.make_room(time);
        }
        let datagram = self.datagrams.entry(key).or_insert_with(|| Datagram::new(time, &fragment));
        if !datagram.add(&fragment, end) {
            self.give_up(&key);
            return None;
        }
        if !datagram.is_whole() {
            return None;
        }
        self.datagrams.remove(&key).map(|datagram| datagram.finish(&key))
    }

    /// Packets of which fragments were seen but that were never finished, those still waiting included.
    pub fn unfinished(&self) -> u64 {
        self.given_up.saturating_add(u64::try_from(self.datagrams.len()).unwrap_or(u64::MAX))
    }

    /// Drops old packets when the table is full, and the oldest if none is old.
    fn make_room(&mut self, now: Timestamp) {
        if self.datagrams.len() < MAX_DATAGRAMS {
            return;
        }
        let before = self.datagrams.len();
        self.datagrams.retain(|_, datagram| !datagram.expired(now));
        let dropped = before.saturating_sub(self.datagrams.len());
        self.given_up = self.given_up.saturating_add(u64::try_from(dropped).unwrap_or(u64::MAX));
        if dropped == 0 {
            let oldest = self.datagrams.iter().min_by_key(|(_, datagram)| datagram.first_seen);
            if let Some(key) = oldest.map(|(key, _)| *key) {
                self.give_up(&key);
            }
        }
    }

    fn give_up(&mut self, key: &Key) {
        if self.datagrams.remove(key).is_some() {
            self.given_up = self.given_up.saturating_add(1);
        }
    }
}

/// What the fragments of one packet have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    id: u32,
    /// Part of the identity in IPv4 only.
    protocol: Option<u8>,
}

impl Key {
    fn of(fragment: &IpFragment<'_>) -> Key {
        Key {
            source: fragment.source,
            destination: fragment.destination,
            id: fragment.id,
            protocol: fragment.source.is_ipv4().then_some(fragment.protocol),
        }
    }
}

/// A stretch of a packet that has been seen, of which the bytes up to `captured` are in the buffer.
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: u32,
    end: u32,
    captured: u32,
}

#[derive(Debug)]
struct Datagram {
    first_seen: Timestamp,
    ttl: u8,
    protocol: u8,
    /// Known once the last fragment was seen.
    total: Option<u32>,
    /// In order, never overlapping.
    pieces: Vec<Piece>,
    buffer: Vec<u8>,
}

impl Datagram {
    fn new(time: Timestamp, fragment: &IpFragment<'_>) -> Datagram {
        Datagram {
            first_seen: time,
            ttl: fragment.ttl,
            protocol: fragment.protocol,
            total: None,
            pieces: Vec::new(),
            buffer: Vec::new(),
        }
    }

    fn expired(&self, now: Timestamp) -> bool {
        now.since(self.first_seen) > MAX_AGE
    }

    /// Adds what the fragment has that was not seen before. False when the packet has too many pieces.
    fn add(&mut self, fragment: &IpFragment<'_>, end: u32) -> bool {
        let seen_end = self.pieces.last().map_or(0, |piece| piece.end);
        // First wins here too: a second, shorter end is as wrong as bytes after the end.
        let beyond = self.total.is_some_and(|total| end > total);
        if beyond
            || (!fragment.more && (seen_end > end || self.total.is_some_and(|total| total != end)))
        {
            return true;
        }
        if !fragment.more {
            self.total = Some(end);
        }
        if fragment.offset == 0 {
            // RFC 8200 4.5: the headers of the whole are those of the first fragment.
            self.ttl = fragment.ttl;
            self.protocol = fragment.protocol;
        }
        for (start, end) in self.gaps(fragment.offset, end) {
            if self.pieces.len() >= MAX_PIECES {
                return false;
            }
            self.store(fragment, start, end);
        }
        true
    }

    /// The parts of `start..end` not seen yet, in order.
    fn gaps(&self, start: u32, end: u32) -> Vec<(u32, u32)> {
        let mut gaps = Vec::new();
        let mut at = start;
        for piece in self.pieces.iter().filter(|piece| piece.end > start && piece.start < end) {
            if piece.start > at {
                gaps.push((at, piece.start));
            }
            at = at.max(piece.end);
        }
        if at < end {
            gaps.push((at, end));
        }
        gaps
    }

    fn store(&mut self, fragment: &IpFragment<'_>, start: u32, end: u32) {
        let index = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        let skipped = index(start.saturating_sub(fragment.offset));
        let wanted = index(end.saturating_sub(start));
        let bytes = fragment.payload.get(skipped..).unwrap_or_default();
        let bytes = bytes.get(..wanted.min(bytes.len())).unwrap_or_default();
        if self.buffer.len() < index(start) + bytes.len() {
            self.buffer.resize(index(start) + bytes.len(), 0);
        }
        if let Some(place) =
            self.buffer.get_mut(index(start)..).and_then(|rest| rest.get_mut(..bytes.len()))
        {
            place.copy_from_slice(bytes);
        }
        let captured = start.saturating_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        let at = self.pieces.partition_point(|piece| piece.start < start);
        self.pieces.insert(at, Piece { start, end, captured });
    }

    fn is_whole(&self) -> bool {
        let mut reached = 0;
        for piece in &self.pieces {
            if piece.start != reached {
                return false;
            }
            reached = piece.end;
        }
        self.total == Some(reached)
    }

    fn finish(self, key: &Key) -> Reassembled {
        let cut = self.pieces.iter().find(|piece| piece.captured < piece.end);
        let mut payload = self.buffer;
        if let Some(captured) = cut.and_then(|piece| usize::try_from(piece.captured).ok()) {
            payload.truncate(captured);
        }
        Reassembled {
            source: key.source,
            destination: key.destination,
            ttl: self.ttl,
            ip_id: key.protocol.and_then(|_| u16::try_from(key.id).ok()),
            protocol: self.protocol,
            payload,
            payload_len: self.total.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests;
