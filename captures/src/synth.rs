//! Packets of a TCP connection of which a relay saw only the byte stream. A recording made by a relay
//! has to be a capture like any other, so the stream is dressed in IPv4 or IPv6 and TCP headers: sequence
//! numbers, acknowledgements and checksums hold, while TTL, window, options and segment bounds are made up.

mod checksum;
mod packet;

use std::net::{IpAddr, SocketAddr};

use packet::{Ends, SegmentFields};
pub use packet::{Head, Packet};

/// Most payload bytes in one packet: IPv4's 16-bit total length has to hold them and the headers (RFC 791 3.1).
/// The SYNs announce it as their maximum segment size.
pub const MAX_SEGMENT: u16 = 60_000;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// Which end of the TCP connection sends a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The end that sent the SYN.
    Opener,
    /// The end that answered it.
    Acceptor,
}

/// One TCP connection being written down (RFC 9293 3.1, 3.4). Its packets begin with the IP header.
///
/// Every method advances the sender's state and gives back what to write; the caller has the times and
/// decides the order. No order of calls panics; an impossible one gives impossible packets.
#[derive(Clone, Debug)]
pub struct SyntheticLeg {
    /// Seen from the opener: source is the opener.
    ends: Ends,
    opener: Half,
    acceptor: Half,
    /// The SYN as sent last, which an ICMP error quotes.
    last_syn: Option<Head>,
}

/// What one sender's next packet needs.
#[derive(Clone, Copy, Debug)]
struct Half {
    isn: u32,
    /// Sequence number of the next byte.
    next: u32,
    /// Sequence number of the FIN, once sent.
    fin: Option<u32>,
    ip_id: u16,
}

impl SyntheticLeg {
    /// A connection from `client`, who opens it, to `server`. Initial sequence numbers and IP
    /// identifications follow from `seed` alone. IPv4-mapped addresses become IPv4 (RFC 4291 2.5.5.2);
    /// where the families still differ, both become IPv6.
    pub fn new(client: SocketAddr, server: SocketAddr, seed: u32) -> SyntheticLeg {
        SyntheticLeg {
            ends: Ends::new(client, server),
            opener: Half::new(mix(u64::from(seed) << 1)),
            acceptor: Half::new(mix(u64::from(seed) << 1 | 1)),
            last_syn: None,
        }
    }

    /// The opener's SYN, with maximum segment size and window scale (RFC 9293 3.7.1, RFC 7323 2.2).
    pub fn syn(&mut self) -> Packet<'static> {
        let fields = SegmentFields {
            seq: self.opener.isn,
            ack: 0,
            flags: SYN,
            ip_id: self.opener.take_ip_id(),
        };
        let packet = packet::segment(&self.ends, fields, &[], 0);
        self.last_syn = Some(packet.head.clone());
        packet
    }

    /// The SYN once more, as a retransmission shows it: same sequence number, next IP identification.
    pub fn syn_retry(&mut self) -> Packet<'static> {
        self.syn()
    }

    /// The acceptor's SYN-ACK, with the same options as the SYN.
    pub fn syn_ack(&mut self) -> Packet<'static> {
        let isn = self.acceptor.isn;
        self.one(Sender::Acceptor, isn, SYN | ACK)
    }

    /// An empty segment of `sender` that acknowledges all its peer sent so far, skipped bytes included.
    pub fn ack(&mut self, sender: Sender) -> Packet<'static> {
        let seq = self.half(sender).next;
        self.one(sender, seq, ACK)
    }

    /// A segment of `len` bytes from `sender`, at most [`MAX_SEGMENT`], of which only the first, `kept`, are
    /// stored, as a snapshot length cuts them: the IP length and [`Packet::original_len`] tell the true length.
    /// The TCP checksum is the one of zeros in place of what is unknown; readers do not verify it on a cut
    /// packet, as they can not. `kept` beyond `len` is left out. [`pieces`] cuts what is longer.
    pub fn segment<'a>(&mut self, sender: Sender, kept: &'a [u8], len: u16) -> Packet<'a> {
        let len = len.min(MAX_SEGMENT);
        let kept = kept.get(..usize::from(len)).unwrap_or(kept);
        let seq = self.half(sender).next;
        let ack = self.half(sender.peer()).next;
        let half = self.half_mut(sender);
        half.next = seq.wrapping_add(u32::from(len));
        let fields = SegmentFields { seq, ack, flags: PSH | ACK, ip_id: half.take_ip_id() };
        packet::segment(&self.ends_from(sender), fields, kept, len)
    }

    /// `payload` from `sender` in segments of at most [`MAX_SEGMENT`] bytes; nothing for an empty payload.
    pub fn data<'a>(&mut self, sender: Sender, payload: &'a [u8]) -> Vec<Packet<'a>> {
        let pieces = pieces(payload, payload.len() as u64);
        pieces.map(|(piece, len)| self.segment(sender, piece, len)).collect()
    }

    /// `n` bytes of `sender` pass without a packet, so readers see that much missing. Sequence numbers
    /// are 32 bits wide, so of 2^31 bytes and more at once a reader can not tell how many they were.
    pub fn skip(&mut self, sender: Sender, n: u64) {
        let half = self.half_mut(sender);
        half.next = half.next.wrapping_add(n as u32); // modulo 2^32: RFC 9293 3.4
    }

    /// The FIN of `sender`, with ACK. A second one is a retransmission of the first.
    pub fn fin(&mut self, sender: Sender) -> Packet<'static> {
        let half = self.half_mut(sender);
        let seq = half.fin.unwrap_or(half.next);
        if half.fin.is_none() {
            half.fin = Some(seq);
            half.next = seq.wrapping_add(1);
        }
        self.one(sender, seq, FIN | ACK)
    }

    /// A RST of `sender` at its place in the stream, with ACK (RFC 9293 3.5.2).
    pub fn rst(&mut self, sender: Sender) -> Packet<'static> {
        let seq = self.half(sender).next;
        self.one(sender, seq, RST | ACK)
    }

    /// The acceptor's RST in answer to the SYN: sequence number 0, the SYN acknowledged (RFC 9293 3.5.2).
    pub fn refused(&mut self) -> Packet<'static> {
        self.one(Sender::Acceptor, 0, RST | ACK)
    }

    /// An ICMP error (RFC 792; ICMPv6: RFC 4443) to the opener that quotes its last SYN whole. `kind` and
    /// `code` are of the protocol of the connection's family; an unknown `offender` is 0.0.0.0 or `::`.
    pub fn icmp_error(&mut self, kind: u8, code: u8, offender: Option<IpAddr>) -> Packet<'static> {
        let quoted = match self.last_syn.clone() {
            Some(syn) => syn,
            None => self.syn().head,
        };
        packet::icmp_error(&self.ends, kind, code, offender, &quoted)
    }

    /// One segment without payload.
    fn one(&mut self, sender: Sender, seq: u32, flags: u8) -> Packet<'static> {
        let ack = self.half(sender.peer()).next;
        let ip_id = self.half_mut(sender).take_ip_id();
        packet::segment(&self.ends_from(sender), SegmentFields { seq, ack, flags, ip_id }, &[], 0)
    }

    fn ends_from(&self, sender: Sender) -> Ends {
        match sender {
            Sender::Opener => self.ends,
            Sender::Acceptor => self.ends.reverse(),
        }
    }

    fn half(&self, sender: Sender) -> &Half {
        match sender {
            Sender::Opener => &self.opener,
            Sender::Acceptor => &self.acceptor,
        }
    }

    fn half_mut(&mut self, sender: Sender) -> &mut Half {
        match sender {
            Sender::Opener => &mut self.opener,
            Sender::Acceptor => &mut self.acceptor,
        }
    }
}

/// `len` bytes of which the first, `kept`, are stored, in pieces of at most [`MAX_SEGMENT`]: what is stored of each,
/// and its true length. `kept` beyond `len` is left out.
pub fn pieces(kept: &[u8], len: u64) -> impl Iterator<Item = (&[u8], u16)> {
    let (mut kept, mut left) = (kept, len);
    std::iter::from_fn(move || {
        let len = left.min(u64::from(MAX_SEGMENT)) as u16;
        let (piece, rest) = kept.split_at(kept.len().min(usize::from(len)));
        kept = rest;
        left -= u64::from(len);
        (len > 0).then_some((piece, len))
    })
}

impl Sender {
    /// The other end.
    pub fn peer(self) -> Sender {
        match self {
            Sender::Opener => Sender::Acceptor,
            Sender::Acceptor => Sender::Opener,
        }
    }
}

impl Half {
    fn new(random: u64) -> Half {
        let isn = random as u32;
        // The SYN takes one number (RFC 9293 3.4).
        Half { isn, next: isn.wrapping_add(1), fin: None, ip_id: (random >> 32) as u16 }
    }

    fn take_ip_id(&mut self) -> u16 {
        let id = self.ip_id;
        self.ip_id = id.wrapping_add(1);
        id
    }
}

/// SplitMix64's finaliser: neighbouring seeds give numbers far apart.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
