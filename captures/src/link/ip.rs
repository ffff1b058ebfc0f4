//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::span::Span;
use super::{Decoded, Unreadable};
use crate::packet::IpPacket;

pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMPV6: u8 = 58;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;

/// Extension headers read in one packet.
const MAX_EXTENSIONS: usize = 16;

/// One fragment of an IP packet. RFC 791 3.2, RFC 8200 4.5.
#[derive(Clone, Copy, Debug)]
pub struct IpFragment<'a> {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// Identification: 16 bits of IPv4 or 32 of IPv6.
    pub id: u32,
    /// IP protocol of the packet, or the next header of IPv6, which may be an extension header.
    pub protocol: u8,
    /// Bytes of the packet's payload before this fragment.
    pub offset: u32,
    /// More fragments follow.
    pub more: bool,
    /// The captured part of the fragment's payload.
    pub payload: &'a [u8],
    /// Bytes of the fragment's payload on the wire.
    pub payload_len: u32,
}

/// The fixed part of an IPv4 header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ipv4Header {
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    pub(crate) ttl: u8,
    pub(crate) id: u16,
    pub(crate) protocol: u8,
    /// Bytes of the header with its options.
    pub(crate) header_len: u8,
    /// As sent; 0 where segmentation offload was yet to fill it in.
    pub(crate) total_len: u16,
    /// In bytes.
    pub(crate) fragment_offset: u32,
    pub(crate) more_fragments: bool,
}

impl Ipv4Header {
    /// Reads the header at the start of `bytes`.
    pub(crate) fn read(bytes: &[u8]) -> Result<Ipv4Header, Unreadable> {
        let &[
            first,
            _,
            l0,
            l1,
            i0,
            i1,
            f0,
            f1,
            ttl,
            protocol,
            _,
            _,
            s0,
            s1,
            s2,
            s3,
            d0,
            d1,
            d2,
            d3,
        ] = bytes.first_chunk::<20>().ok_or(Unreadable::Cut("IPv4"))?;
        let header_len = (first & 0x0f) * 4;
        if first >> 4 != 4 || header_len < 20 {
            return Err(Unreadable::Malformed("IPv4"));
        }
        let fragment = u16::from_be_bytes([f0, f1]);
        Ok(Ipv4Header {
            source: Ipv4Addr::new(s0, s1, s2, s3),
            destination: Ipv4Addr::new(d0, d1, d2, d3),
            ttl,
            id: u16::from_be_bytes([i0, i1]),
            protocol,
            header_len,
            total_len: u16::from_be_bytes([l0, l1]),
            fragment_offset: u32::from(fragment & 0x1fff) * 8,
            more_fragments: fragment & 0x2000 != 0,
        })
    }
}

/// An IPv6 header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ipv6Header {
    pub(crate) source: Ipv6Addr,
    pub(crate) destination: Ipv6Addr,
    pub(crate) hop_limit: u8,
    pub(crate) next_header: u8,
    /// As sent; 0 for jumbograms and where segmentation offload was yet to fill it in.
    pub(crate) payload_len: u16,
}

impl Ipv6Header {
    /// Bytes of the header.
    pub(crate) const LEN: usize = 40;

    /// Reads the header at the start of `bytes`.
    pub(crate) fn read(bytes: &[u8]) -> Result<Ipv6Header, Unreadable> {
        let header = bytes.first_chunk::<40>().ok_or(Unreadable::Cut("IPv6"))?;
        let (fixed, addresses) = header.split_at(8);
        let (source, destination) = addresses.split_at(16);
        let (&[first, _, _, _, l0, l1, next_header, hop_limit], Ok(source), Ok(destination)) = (
            fixed.first_chunk::<8>().ok_or(Unreadable::Cut("IPv6"))?,
            <[u8; 16]>::try_from(source),
            <[u8; 16]>::try_from(destination),
        ) else {
            return Err(Unreadable::Cut("IPv6"));
        };
        if first >> 4 != 6 {
            return Err(Unreadable::Malformed("IPv6"));
        }
        let payload_len = u16::from_be_bytes([l0, l1]);
        let (source, destination) = (Ipv6Addr::from(source), Ipv6Addr::from(destination));
        Ok(Ipv6Header { source, destination, hop_limit, next_header, payload_len })
    }
}

/// Where the extension headers end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extensions {
    /// The protocol after them; 44 with `length` at a fragment header that does fragment.
    pub(crate) protocol: u8,
    /// Bytes they take.
    pub(crate) length: usize,
}

/// Skips IPv6 extension headers (RFC 8200 4) from the start of `bytes`, and the authentication header that
/// IPv4 has too (RFC 4302 2). Stops at a fragment header, save one that holds the whole packet (RFC 6946).
pub(crate) fn skip_extensions(protocol: u8, bytes: &[u8]) -> Result<Extensions, Unreadable> {
    let (mut protocol, mut length) = (protocol, 0_usize);
    for _ in 0..MAX_EXTENSIONS {
        let rest = bytes.get(length..).unwrap_or_default();
        let taken = match (protocol, rest) {
            (HOP_BY_HOP | ROUTING | DESTINATION | MOBILITY, [_, units, ..]) => {
                (usize::from(*units) + 1) * 8
            }
            (AUTHENTICATION, [_, units, ..]) => (usize::from(*units) + 2) * 4,
            (FRAGMENT, [_, _, high, low, ..]) if *high == 0 && low & 0xf9 == 0 => 8,
            (FRAGMENT, [_, _, _, _, ..]) => return Ok(Extensions { protocol, length }),
            (HOP_BY_HOP | ROUTING | DESTINATION | MOBILITY | AUTHENTICATION | FRAGMENT, _) => {
                return Err(Unreadable::Cut("IPv6 extension"));
            }
            _ => return Ok(Extensions { protocol, length }),
        };
        let (Some(next), true) = (rest.first(), taken <= rest.len()) else {
            return Err(Unreadable::Cut("IPv6 extension"));
        };
        protocol = *next;
        length += taken;
    }
    Err(Unreadable::Malformed("IPv6 extension"))
}

/// The packet that most captures are full of: Ethernet without tags, IPv4 without options and in one piece, TCP.
/// None for every other, and the long way gives the same for this one.
#[inline]
pub(super) fn usual(bytes: &[u8]) -> Option<IpPacket<'_>> {
    const ETHERNET: usize = 14;
    const HEADERS: usize = ETHERNET + 20;
    /// More fragments, and the place of this one.
    const FRAGMENT: u16 = 0x3fff;
    let (
        &[
            ..,
            0x08,
            0x00,
            0x45,
            _,
            l0,
            l1,
            i0,
            i1,
            f0,
            f1,
            ttl,
            TCP,
            _,
            _,
            s0,
            s1,
            s2,
            s3,
            d0,
            d1,
            d2,
            d3,
        ],
        rest,
    ) = bytes.split_first_chunk::<HEADERS>()?
    else {
        return None;
    };
    let payload_len = u16::from_be_bytes([l0, l1]).checked_sub(20)?;
    if u16::from_be_bytes([f0, f1]) & FRAGMENT != 0 {
        return None;
    }
    Some(IpPacket {
        source: IpAddr::V4(Ipv4Addr::new(s0, s1, s2, s3)),
        destination: IpAddr::V4(Ipv4Addr::new(d0, d1, d2, d3)),
        ttl,
        ip_id: Some(u16::from_be_bytes([i0, i1])),
        protocol: TCP,
        payload: &rest[..usize::from(payload_len).min(rest.len())],
        payload_len: u32::from(payload_len),
    })
}

/// Reads one IP packet, by the version it states.
pub(super) fn packet(span: Span<'_>) -> Result<Decoded<'_>, Unreadable> {
    match span.u8(0, "IP")? >> 4 {
        4 => v4(span),
        6 => v6(span),
        _ => Err(Unreadable::Malformed("IP")),
    }
}

/// Takes off the extension headers of an IPv6 packet, and IPv4's authentication header.
pub(super) fn finish(packet: IpPacket<'_>) -> Result<Decoded<'_>, Unreadable> {
    if packet.source.is_ipv4() && packet.protocol != AUTHENTICATION {
        return Ok(Decoded::Ip(packet));
    }
    let end = skip_extensions(packet.protocol, packet.payload)?;
    let span = Span::new(packet.payload, packet.payload_len).skip(end.length, "IPv6 extension")?;
    if end.protocol == FRAGMENT && packet.source.is_ipv6() {
        let place = span.u16(2, "IPv6 fragment")?;
        let payload = span.skip(8, "IPv6 fragment")?;
        return Ok(Decoded::Fragment(IpFragment {
            source: packet.source,
            destination: packet.destination,
            ttl: packet.ttl,
            id: span.u32(4, "IPv6 fragment")?,
            protocol: span.u8(0, "IPv6 fragment")?,
            offset: u32::from(place & 0xfff8),
            more: place & 1 == 1,
            payload: payload.bytes(),
            payload_len: payload.wire(),
        }));
    }
    Ok(Decoded::Ip(IpPacket {
        protocol: end.protocol,
        payload: span.bytes(),
        payload_len: span.wire(),
        ..packet
    }))
}

fn v4(span: Span<'_>) -> Result<Decoded<'_>, Unreadable> {
    let header = Ipv4Header::read(span.bytes())?;
    let span = match header.total_len {
        0 => span,
        total if total < u16::from(header.header_len) => return Err(Unreadable::Malformed("IPv4")),
        total => span.exactly(u32::from(total)),
    };
    let payload = span.skip(usize::from(header.header_len), "IPv4")?;
    let (source, destination) = (header.source.into(), header.destination.into());
    if header.more_fragments || header.fragment_offset != 0 {
        return Ok(Decoded::Fragment(IpFragment {
            source,
            destination,
            ttl: header.ttl,
            id: u32::from(header.id),
            protocol: header.protocol,
            offset: header.fragment_offset,
            more: header.more_fragments,
            payload: payload.bytes(),
            payload_len: payload.wire(),
        }));
    }
    finish(IpPacket {
        source,
        destination,
        ttl: header.ttl,
        ip_id: Some(header.id),
        protocol: header.protocol,
        payload: payload.bytes(),
        payload_len: payload.wire(),
    })
}

fn v6(span: Span<'_>) -> Result<Decoded<'_>, Unreadable> {
    let header = Ipv6Header::read(span.bytes())?;
    let payload = span.skip(Ipv6Header::LEN, "IPv6")?;
    let payload = match header.payload_len {
        0 => payload,
        length => payload.exactly(u32::from(length)),
    };
    finish(IpPacket {
        source: header.source.into(),
        destination: header.destination.into(),
        ttl: header.hop_limit,
        ip_id: None,
        protocol: header.next_header,
        payload: payload.bytes(),
        payload_len: payload.wire(),
    })
}
