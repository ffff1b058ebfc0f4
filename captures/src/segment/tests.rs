//! Segments and ICMP errors from bytes written by hand.

use std::net::IpAddr;

use super::{IcmpQuote, icmp_error, tcp_segment, udp_payload, udp_ports};
use crate::packet::IpPacket;

fn packet(protocol: u8, payload: &[u8], payload_len: usize) -> IpPacket<'_> {
    IpPacket {
        source: IpAddr::from([203, 0, 113, 1]),
        destination: IpAddr::from([192, 0, 2, 1]),
        ttl: 60,
        ip_id: Some(1),
        protocol,
        payload,
        payload_len: u32::try_from(payload_len).unwrap(),
    }
}

/// Port 3389 to 50000, seq 0x01020304, ack 0x05060708, header of 24 bytes, SYN ACK, MSS 1460, payload "abc".
const SEGMENT: [u8; 27] = [
    0x0d, 0x3d, 0xc3, 0x50, 1, 2, 3, 4, 5, 6, 7, 8, 0x60, 0x12, 0x20, 0, 0xbe, 0xef, 0, 0, 2, 4, 5,
    0xb4, b'a', b'b', b'c',
];

#[test]
fn a_segment_and_its_options() {
    let segment = tcp_segment(&packet(6, &SEGMENT, 27)).unwrap();
    assert_eq!((segment.source_port(), segment.destination_port()), (3389, 50000));
    assert_eq!((segment.seq(), segment.ack()), (0x0102_0304, 0x0506_0708));
    assert_eq!((segment.flags(), segment.window(), segment.checksum()), (0x12, 0x2000, 0xbeef));
    assert_eq!((segment.options, segment.payload), (&[2, 4, 5, 0xb4][..], &b"abc"[..]));
    assert!(tcp_segment(&packet(17, &SEGMENT, 27)).is_none());
}

#[test]
fn cut_by_the_capture_is_not_cut_on_the_wire() {
    for captured in 0..=27 {
        let segment = tcp_segment(&packet(6, &SEGMENT[..captured], 1000));
        assert_eq!(segment.is_some(), captured >= 20, "{captured}");
        let Some(segment) = segment else { continue };
        assert_eq!(segment.payload_len, 976);
        assert_eq!(segment.options.len(), (captured - 20).min(4));
        assert_eq!(segment.payload.len(), captured.saturating_sub(24));
    }
}

#[test]
fn data_offset_stays_inside_the_packet() {
    let mut bytes = SEGMENT;
    bytes[12] = 0x40;
    assert!(tcp_segment(&packet(6, &bytes, 27)).is_none(), "shorter than the header");
    bytes[12] = 0x70;
    assert!(tcp_segment(&packet(6, &bytes, 27)).is_none(), "28 of 27 bytes");
    assert_eq!(tcp_segment(&packet(6, &bytes, 28)).map(|segment| segment.payload_len), Some(0));
}

#[test]
fn udp_has_ports_and_a_payload() {
    assert_eq!(udp_ports(&packet(17, &SEGMENT[..4], 8)), Some((3389, 50000)));
    assert_eq!(udp_ports(&packet(17, &SEGMENT[..3], 8)), None);
    assert_eq!(udp_ports(&packet(6, &SEGMENT, 8)), None);
    assert_eq!(udp_payload(&packet(17, &SEGMENT[..10], 10)), Some(&SEGMENT[8..10]));
    assert_eq!(udp_payload(&packet(17, &SEGMENT[..7], 10)), None);
    assert_eq!(udp_payload(&packet(6, &SEGMENT, 27)), None);
}

/// ICMP header, and an IPv4 header 192.0.2.1 to 192.0.2.9 (TCP, total length in the wrong byte order).
fn icmp_v4(kind: u8, code: u8) -> Vec<u8> {
    let mut bytes = vec![kind, code, 0, 0, 0, 0, 0, 0];
    bytes.extend([0x45, 0, 0x3c, 0, 0, 9, 0, 0, 1, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 9]);
    bytes.extend(&SEGMENT[..8]);
    bytes
}

/// The same for IPv6, with a destination options header before TCP.
fn icmp_v6(kind: u8) -> Vec<u8> {
    let mut bytes = vec![kind, 4, 0, 0, 0, 0, 0, 0, 0x60, 0, 0, 0, 0, 60, 60, 1];
    for last in [1, 2] {
        bytes.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    bytes.extend([6, 0, 1, 4, 0, 0, 0, 0]);
    bytes.extend(&SEGMENT[..8]);
    bytes
}

#[test]
fn icmp_errors_name_the_segment() {
    for (kind, code) in [(3, 1), (3, 4), (3, 13), (11, 0)] {
        let expected = IcmpQuote {
            kind,
            code,
            offender: IpAddr::from([203, 0, 113, 1]),
            source: "192.0.2.1:3389".parse().unwrap(),
            destination: "192.0.2.9:50000".parse().unwrap(),
            seq: Some(0x0102_0304),
        };
        let bytes = icmp_v4(kind, code);
        assert_eq!(icmp_error(&packet(1, &bytes, bytes.len())), Some(expected));
    }
    for kind in [1, 2, 3] {
        let bytes = icmp_v6(kind);
        let quote = icmp_error(&packet(58, &bytes, bytes.len())).unwrap();
        assert_eq!((quote.kind, quote.code, quote.seq), (kind, 4, Some(0x0102_0304)));
        assert_eq!(quote.source, "[2001:db8::1]:3389".parse().unwrap());
        assert_eq!(quote.destination, "[2001:db8::2]:50000".parse().unwrap());
    }
}

#[test]
fn a_quote_may_be_cut_but_not_before_the_ports() {
    for (protocol, bytes) in [(1, icmp_v4(3, 3)), (58, icmp_v6(1))] {
        for length in 0..bytes.len() {
            let quote = icmp_error(&packet(protocol, &bytes[..length], bytes.len()));
            assert_eq!(quote.is_some(), length >= bytes.len() - 4, "{length}");
            assert_eq!(quote.and_then(|quote| quote.seq), None);
        }
    }
}

#[test]
fn other_icmp_is_no_error_about_tcp() {
    for kind in [0, 4, 5, 8, 12] {
        let bytes = icmp_v4(kind, 0);
        assert_eq!(icmp_error(&packet(1, &bytes, bytes.len())), None, "type {kind}");
    }
    let mut quoted_udp = icmp_v4(3, 3);
    quoted_udp[8 + 9] = 17;
    assert_eq!(icmp_error(&packet(1, &quoted_udp, 36)), None);
    let mut later_fragment = icmp_v4(3, 3);
    later_fragment[8 + 7] = 2;
    assert_eq!(icmp_error(&packet(1, &later_fragment, 36)), None);
    let bytes = icmp_v6(128);
    assert_eq!(icmp_error(&packet(58, &bytes, bytes.len())), None);
}
