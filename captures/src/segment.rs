//! What an IP packet carries: TCP segments, UDP ports and ICMP errors about TCP.

use std::net::{IpAddr, SocketAddr};

use crate::link::{ICMP, ICMPV6, Ipv4Header, Ipv6Header, TCP, UDP, skip_extensions};
use crate::packet::{IpPacket, TCP_HEADER, TcpSegment};

/// Bytes of a UDP header.
const UDP_HEADER: usize = 8;
/// Bytes of an ICMP error before the packet it quotes.
const ICMP_HEADER: usize = 8;

/// An ICMP error about a TCP segment. RFC 792, RFC 4443 3. Whether it rejects the connection is for the caller
/// to judge by `kind` and `code`: path MTU discovery (IPv4 3/4, IPv6 2) does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpQuote {
    /// ICMP type: 3 or 11; for ICMPv6 1, 2 or 3.
    pub kind: u8,
    /// ICMP code.
    pub code: u8,
    /// Who sent the error.
    pub offender: IpAddr,
    /// Source of the quoted segment.
    pub source: SocketAddr,
    /// Destination of the quoted segment.
    pub destination: SocketAddr,
    /// Sequence number of the quoted segment, where quoted so far.
    pub seq: Option<u32>,
}

/// Reads the TCP segment of an IP packet (RFC 9293 3.1). None for another protocol, a header cut short by the
/// capture or a data offset that points outside the packet; options and payload may be cut.
#[inline]
pub fn tcp_segment<'a>(ip: &IpPacket<'a>) -> Option<TcpSegment<'a>> {
    if ip.protocol != TCP {
        return None;
    }
    let (header, rest) = ip.payload.split_first_chunk::<TCP_HEADER>()?;
    let [.., offset, _, _, _, _, _, _, _] = *header;
    let options_len = (usize::from(offset >> 4) * 4).checked_sub(TCP_HEADER)?;
    let payload_len = ip.payload_len.checked_sub((TCP_HEADER + options_len) as u32)?;
    let (options, payload) = rest.split_at(options_len.min(rest.len()));
    Some(TcpSegment { header, options, payload, payload_len })
}

/// Source and destination port of a UDP datagram (RFC 768); none for another protocol.
pub fn udp_ports(ip: &IpPacket<'_>) -> Option<(u16, u16)> {
    if ip.protocol == UDP { ports(ip.payload) } else { None }
}

/// The captured part of what a UDP datagram (RFC 768) carries; none for another protocol.
pub fn udp_payload<'a>(ip: &IpPacket<'a>) -> Option<&'a [u8]> {
    if ip.protocol == UDP { ip.payload.get(UDP_HEADER..) } else { None }
}

/// Reads an ICMP error that quotes a TCP segment: destination unreachable, time exceeded and, for IPv6, packet
/// too big. None for all other packets.
pub fn icmp_error(ip: &IpPacket<'_>) -> Option<IcmpQuote> {
    let (&[kind, code], quote) = (ip.payload.first_chunk::<2>()?, ip.payload.get(ICMP_HEADER..)?);
    let (source, destination, segment) = match (ip.protocol, kind) {
        (ICMP, 3 | 11) => quoted_v4(quote)?,
        (ICMPV6, 1..=3) => quoted_v6(quote)?,
        _ => return None,
    };
    let (source_port, destination_port) = ports(segment)?;
    Some(IcmpQuote {
        kind,
        code,
        offender: ip.source,
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
        seq: segment
            .get(4..8)
            .and_then(|seq| seq.first_chunk())
            .map(|seq| u32::from_be_bytes(*seq)),
    })
}

/// Addresses and TCP header of a quoted IPv4 packet. Its total length is not looked at: some stacks quote it
/// in the wrong byte order.
fn quoted_v4(quote: &[u8]) -> Option<(IpAddr, IpAddr, &[u8])> {
    let header = Ipv4Header::read(quote).ok()?;
    let is_start_of_tcp = header.protocol == TCP && header.fragment_offset == 0;
    let segment = quote.get(usize::from(header.header_len)..)?;
    is_start_of_tcp.then_some((header.source.into(), header.destination.into(), segment))
}

fn quoted_v6(quote: &[u8]) -> Option<(IpAddr, IpAddr, &[u8])> {
    let header = Ipv6Header::read(quote).ok()?;
    let rest = quote.get(Ipv6Header::LEN..)?;
    let end = skip_extensions(header.next_header, rest).ok()?;
    let segment = rest.get(end.length..)?;
    (end.protocol == TCP).then_some((header.source.into(), header.destination.into(), segment))
}

fn ports(header: &[u8]) -> Option<(u16, u16)> {
    let &[s0, s1, d0, d1] = header.first_chunk::<4>()?;
    Some((u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1])))
}

#[cfg(test)]
mod tests;
