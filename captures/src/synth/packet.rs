//! The bytes of one packet: IPv4 (RFC 791) or IPv6 (RFC 8200) around TCP (RFC 9293) or ICMP (RFC 792, 4443).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Deref;

use etherparse::checksum::Sum16BitWords;
use etherparse::{IpNumber, Ipv4Header, Ipv6Header, ip_number};

use super::{MAX_SEGMENT, checksum};

/// A packet as a capture holds it, from the IP header on: its headers, and the payload where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Everything before the payload; of an ICMP error all there is.
    pub head: Head,
    /// The captured part of the payload.
    pub payload: &'a [u8],
    /// Length on the wire; more than head and payload where the packet was cut.
    pub original_len: u32,
}

/// The headers of a packet.
#[derive(Clone, PartialEq, Eq)]
pub struct Head {
    bytes: [u8; Head::ROOM],
    len: u8,
}

impl Packet<'_> {
    /// The captured bytes in one piece.
    pub fn bytes(&self) -> Vec<u8> {
        [&*self.head, self.payload].concat()
    }
}

impl Head {
    /// The longest: IPv6 and ICMPv6, quoting IPv6 and a SYN with its options.
    const ROOM: usize = 120;

    fn new() -> Head {
        Head { bytes: [0; Head::ROOM], len: 0 }
    }

    /// Appends what fits.
    fn extend(&mut self, bytes: &[u8]) {
        let free = &mut self.bytes[usize::from(self.len)..];
        let fits = bytes.len().min(free.len());
        free[..fits].copy_from_slice(&bytes[..fits]);
        self.len += fits as u8;
    }

    /// Puts a checksum at this place.
    fn put_checksum(&mut self, at: usize, sum: &Sum16BitWords) {
        // The sum is kept in the machine's byte order, so its bytes already stand as the wire wants them.
        self.bytes[at..at + 2].copy_from_slice(&sum.ones_complement().to_ne_bytes());
    }
}

impl Deref for Head {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
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
pub(super) fn segment<'a>(
    ends: &Ends,
    fields: SegmentFields,
    kept: &'a [u8],
    len: u16,
) -> Packet<'a> {
    let [mss_high, mss_low] = MAX_SEGMENT.to_be_bytes();
    // Maximum segment size; no-operation; window scale.
    let syn_options = [2, 4, mss_high, mss_low, 1, 3, 3, WINDOW_SCALE];
    let options: &[u8] = if fields.flags & SYN != 0 { &syn_options } else { &[] };
    let header_len = TCP_HEADER + options.len();
    let tcp_len = header_len as u16 + len;

    let mut head = ip_header(ends.addresses, ip_number::TCP, fields.ip_id, tcp_len);
    let ip_len = head.len();
    let original_len = ip_len as u32 + u32::from(tcp_len);
    head.extend(&ends.ports[0].to_be_bytes());
    head.extend(&ends.ports[1].to_be_bytes());
    head.extend(&fields.seq.to_be_bytes());
    head.extend(&fields.ack.to_be_bytes());
    head.extend(&[(header_len as u8 / 4) << 4, fields.flags]);
    head.extend(&WINDOW.to_be_bytes());
    head.extend(&[0; 4]); // checksum, urgent pointer
    head.extend(options);
    // RFC 9293 3.1. Bytes not kept count as zero and so change nothing.
    let checksum = pseudo_header(ends.addresses, ip_number::TCP, tcp_len)
        .add_slice(&head[ip_len..])
        .add_2bytes(checksum::sum(kept).to_ne_bytes());
    head.put_checksum(ip_len + 16, &checksum);
    Packet { head, payload: kept, original_len }
}

/// An ICMP error from `offender` to the source of `ends`, quoting the packet `quoted`.
pub(super) fn icmp_error(
    ends: &Ends,
    kind: u8,
    code: u8,
    offender: Option<IpAddr>,
    quoted: &[u8],
) -> Packet<'static> {
    const ICMP_HEADER: usize = 8;
    let (addresses, protocol) = match ends.addresses {
        Addresses::V4([opener, _]) => {
            let offender = match offender.map(|a| a.to_canonical()) {
                Some(IpAddr::V4(offender)) => offender,
                _ => Ipv4Addr::UNSPECIFIED,
            };
            (Addresses::V4([offender, opener]), ip_number::ICMP)
        }
        Addresses::V6([opener, _]) => {
            let offender = offender.map_or(Ipv6Addr::UNSPECIFIED, as_v6);
            (Addresses::V6([offender, opener]), ip_number::IPV6_ICMP)
        }
    };
    let len = (ICMP_HEADER + quoted.len()) as u16; // a quoted SYN: 68 bytes at most
    let mut head = ip_header(addresses, protocol, 0, len);
    let ip_len = head.len();
    head.extend(&[kind, code, 0, 0, 0, 0, 0, 0]);
    head.extend(quoted);
    let sum = match addresses {
        Addresses::V4(_) => Sum16BitWords::new(),
        Addresses::V6(_) => pseudo_header(addresses, protocol, len),
    };
    let sum = sum.add_slice(&head[ip_len..]);
    head.put_checksum(ip_len + 2, &sum);
    Packet { original_len: ip_len as u32 + u32::from(len), head, payload: &[] }
}

/// An IP header that announces `body_len` bytes behind it.
fn ip_header(addresses: Addresses, protocol: IpNumber, ip_id: u16, body_len: u16) -> Head {
    let mut head = Head::new();
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
            head.extend(&header.to_bytes());
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
            head.extend(&header.to_bytes());
        }
    }
    head
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

fn as_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}
