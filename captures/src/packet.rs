//! The words that the layers of this crate share: what a packet says as IP, and what
//! that says as TCP.

use std::net::IpAddr;

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

/// A TCP segment. RFC 9293 3.1.
#[derive(Clone, Copy, Debug)]
pub struct TcpSegment<'a> {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Low byte of the flags: CWR ECE URG ACK PSH RST SYN FIN.
    pub flags: u8,
    /// Window as sent.
    pub window: u16,
    /// Checksum as sent.
    pub checksum: u16,
    /// Options as sent, where captured.
    pub options: &'a [u8],
    /// The captured part of the payload.
    pub payload: &'a [u8],
    /// Bytes of the payload on the wire.
    pub payload_len: u32,
}
