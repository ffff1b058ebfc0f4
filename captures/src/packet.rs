//! The words that the layers of this crate share: a packet as the file has it, and a TCP segment as the
//! packet has it.

use std::net::IpAddr;

use rdpwhy_analyzer::input::Timestamp;

/// A packet as its file has it.
#[derive(Clone, Copy, Debug)]
pub struct RawPacket<'a> {
    /// Number in the file, from 1, as Wireshark counts.
    pub number: u64,
    /// When it was captured.
    pub time: Timestamp,
    /// Index of its interface in the file.
    pub interface: u32,
    /// Link type, as registered with the tcpdump group (LINKTYPE_).
    pub link_type: u32,
    /// The captured bytes.
    pub bytes: &'a [u8],
    /// Bytes the packet had on the wire.
    pub original_len: u32,
}

/// What a packet says between IP and TCP, tunnels undone.
#[derive(Clone, Copy, Debug)]
pub struct IpPacket<'a> {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// IPv4 identification.
    pub ip_id: Option<u16>,
    /// IP protocol of the payload: 6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6.
    pub protocol: u8,
    /// The captured part of the payload.
    pub payload: &'a [u8],
    /// Bytes of the payload on the wire, as the IP header says.
    pub payload_len: u32,
}

/// A TCP segment: a view of its header, and what comes behind it. RFC 9293 3.1.
#[derive(Clone, Copy, Debug)]
pub struct TcpSegment<'a> {
    /// The header without its options, as sent.
    pub header: &'a [u8; TCP_HEADER],
    /// Options as sent, where captured.
    pub options: &'a [u8],
    /// The captured part of the payload.
    pub payload: &'a [u8],
    /// Bytes of the payload on the wire.
    pub payload_len: u32,
}

/// Bytes of a TCP header without options.
pub(crate) const TCP_HEADER: usize = 20;

impl TcpSegment<'_> {
    /// Source port.
    #[inline]
    pub fn source_port(&self) -> u16 {
        let [high, low, ..] = *self.header;
        u16::from_be_bytes([high, low])
    }

    /// Destination port.
    #[inline]
    pub fn destination_port(&self) -> u16 {
        let [_, _, high, low, ..] = *self.header;
        u16::from_be_bytes([high, low])
    }

    /// Sequence number.
    #[inline]
    pub fn seq(&self) -> u32 {
        let [_, _, _, _, a, b, c, d, ..] = *self.header;
        u32::from_be_bytes([a, b, c, d])
    }

    /// Acknowledgement number.
    #[inline]
    pub fn ack(&self) -> u32 {
        let [.., a, b, c, d, _, _, _, _, _, _, _, _] = *self.header;
        u32::from_be_bytes([a, b, c, d])
    }

    /// Low byte of the flags: CWR ECE URG ACK PSH RST SYN FIN.
    #[inline]
    pub fn flags(&self) -> u8 {
        let [.., flags, _, _, _, _, _, _] = *self.header;
        flags
    }

    /// Window as sent.
    #[inline]
    pub fn window(&self) -> u16 {
        let [.., high, low, _, _, _, _] = *self.header;
        u16::from_be_bytes([high, low])
    }

    /// Checksum as sent.
    #[inline]
    pub fn checksum(&self) -> u16 {
        let [.., high, low, _, _] = *self.header;
        u16::from_be_bytes([high, low])
    }

    /// The header behind the ports, as sent, in two words: for comparing, not for reading.
    #[inline]
    pub(crate) fn behind_ports(&self) -> [u64; 2] {
        let [_, _, _, _, words @ ..] = self.header;
        let (&[numbers, rest], _) = words.as_chunks() else { return [0; 2] }; // can not be
        [numbers, rest].map(u64::from_ne_bytes)
    }
}
