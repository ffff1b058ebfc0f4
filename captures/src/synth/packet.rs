//! The bytes of one packet: IPv4 (RFC 791) or IPv6 (RFC 8200) around TCP (RFC 9293) or ICMP (RFC 792, 4443).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use etherparse::checksum::Sum16BitWords;
use etherparse::{IpNumber, Ipv4Header, Ipv6Header, ip_number};

use super::MAX_SEGMENT;

/// A packet as a capture holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The captured bytes, from the IP header on.
    pub bytes: Vec<u8>,
    /// Length on the wire; more than `bytes` where the packet was cut.
    pub original_len: u32,
}

/// Source and destination of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    addresses: Addresses,
    ports: [u16; 2],
}

/// Source address, destination address.
#[derive(Clone, Copy, Debug)]
enum Addresses {
    V4([Ipv4Addr; 2]),
    V6([Ipv6Addr; 2]),
}

/// What differs from one segment of a sender to the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentFields {
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub ip_id: u16,
}

/// Time to live and hop limit of every packet: a relay does not see the real one.
const TTL: u8 = 64;
const WINDOW: u16 = 0xffff;
/// With [`WINDOW`] just under 1 GiB, the most there is (RFC 7323 2.3), so that no reader finds a full window
/// in a stream whose acknowledgements are sparse.
const WINDOW_SCALE: u8 = 14;
const TCP_HEADER: usize = 20;
const SYN: u8 = 0x02;

impl Ends {
    /// From `from` to `to`, in one family.
    pub(super) fn new(from: SocketAddr, to: SocketAddr) -> Ends {
        let addresses = match (from.ip().to_canonical(), to.ip().to_canonical()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => Addresses::V4([from, to]),
            (from, to) => Addresses::V6([as_v6(from), as_v6(to)]),
        };
        Ends { addresses, ports: [from.port(), to.port()] }
    }

    /// The way back.
    pub(super) fn reverse(self) -> Ends {
        let [from_port, to_port] = self.ports;
        let addresses = match self.addresses {
            Addresses::V4([from, to]) => Addresses::V4([to, from]),
            Addresses::V6([from, to]) => Addresses::V6([to, from]),
        };
        Ends { addresses, ports: [to_port, from_port] }
    }
}

/// A TCP segment of `len` payload bytes, of which `kept` are stored. SYNs carry options.
pub(super) fn segment(ends: &Ends, fields: SegmentFields, kept: &[u8], len: u16) -> Packet {
    let [mss_high, mss_low] = MAX_SEGMENT.to_be_bytes();
    // Maximum segment size; no-operation; window scale.
    let syn_options = [2, 4, mss_high, mss_low, 1, 3, 3, WINDOW_SCALE];
    let options: &[u8] = if fields.flags & SYN != 0 { &syn_options } else { &[] };
    let header_len = TCP_HEADER + options.len();

    let mut tcp = Vec::with_capacity(header_len + kept.len());
    tcp.extend(ends.ports[0].to_be_bytes());
    tcp.extend(ends.ports[1].to_be_bytes());
    tcp.extend(fields.seq.to_be_bytes());
    tcp.extend(fields.ack.to_be_bytes());
    tcp.extend([(header_len as u8 / 4) << 4, fields.flags]);
    tcp.extend(WINDOW.to_be_bytes());
    tcp.extend([0; 4]); // checksum, urgent pointer
    tcp.extend(options);
    tcp.extend(kept);

    let tcp_len = header_len as u16 + len;
    // RFC 9293 3.1. Bytes not kept count as zero and so change nothing.
    let checksum = pseudo_header(ends.addresses, ip_number::TCP, tcp_len).add_slice(&tcp);
    put_checksum(&mut tcp, 16, &checksum);
    ip_packet(ends.addresses, ip_number::TCP, fields.ip_id, &tcp, tcp_len)
}

/// An ICMP error from `offender` to the source of `ends`, quoting the packet `quoted`.
pub(super) fn icmp_error(
    ends: &Ends,
    kind: u8,
    code: u8,
    offender: Option<IpAddr>,
    quoted: &[u8],
) -> Packet {
    let mut icmp = vec![kind, code, 0, 0, 0, 0, 0, 0];
    icmp.extend(quoted);
    let len = icmp.len() as u16; // a quoted SYN: 68 bytes at most
    match ends.addresses {
        Addresses::V4([opener, _]) => {
            let offender = match offender.map(|a| a.to_canonical()) {
                Some(IpAddr::V4(offender)) => offender,
                _ => Ipv4Addr::UNSPECIFIED,
            };
            let checksum = Sum16BitWords::new().add_slice(&icmp);
            put_checksum(&mut icmp, 2, &checksum);
            ip_packet(Addresses::V4([offender, opener]), ip_number::ICMP, 0, &icmp, len)
        }
        Addresses::V6([opener, _]) => {
            let addresses = Addresses::V6([offender.map_or(Ipv6Addr::UNSPECIFIED, as_v6), opener]);
            let checksum = pseudo_header(addresses, ip_number::IPV6_ICMP, len).add_slice(&icmp);
            put_checksum(&mut icmp, 2, &checksum);
            ip_packet(addresses, ip_number::IPV6_ICMP, 0, &icmp, len)
        }
    }
}

/// `body` behind an IP header that announces `body_len` bytes, which may be more.
fn ip_packet(
    addresses: Addresses,
    protocol: IpNumber,
    ip_id: u16,
    body: &[u8],
    body_len: u16,
) -> Packet {
    let mut bytes = Vec::with_capacity(Ipv6Header::LEN + body.len());
    match addresses {
        Addresses::V4([from, to]) => {
            let mut header = Ipv4Header {
                total_len: Ipv4Header::MIN_LEN as u16 + body_len,
                identification: ip_id,
                dont_fragment: true,
                time_to_live: TTL,
                protocol,
                source: from.octets(),
                destination: to.octets(),
                ..Ipv4Header::default()
            };
            header.header_checksum = header.calc_header_checksum();
            bytes.extend(header.to_bytes());
        }
        Addresses::V6([from, to]) => {
            let header = Ipv6Header {
                payload_length: body_len,
                next_header: protocol,
                hop_limit: TTL,
                source: from.octets(),
                destination: to.octets(),
                ..Ipv6Header::default()
            };
            bytes.extend(header.to_bytes());
        }
    }
    let original_len = bytes.len() as u32 + u32::from(body_len);
    bytes.extend(body);
    Packet { bytes, original_len }
}

/// Start of a checksum over what the IP header says: RFC 9293 3.1, RFC 8200 8.1.
fn pseudo_header(addresses: Addresses, protocol: IpNumber, len: u16) -> Sum16BitWords {
    let mut sum = Sum16BitWords::new();
    let sum = match addresses {
        Addresses::V4([from, to]) => sum.add_4bytes(from.octets()).add_4bytes(to.octets()),
        Addresses::V6([from, to]) => sum.add_16bytes(from.octets()).add_16bytes(to.octets()),
    };
    sum.add_2bytes([0, protocol.0]).add_2bytes(len.to_be_bytes())
}

fn put_checksum(bytes: &mut [u8], at: usize, sum: &Sum16BitWords) {
    // The sum is kept in the machine's byte order, so its bytes already stand as the wire wants them.
    if let Some(field) = bytes.get_mut(at..at + 2) {
        field.copy_from_slice(&sum.ones_complement().to_ne_bytes());
    }
}

fn as_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}
