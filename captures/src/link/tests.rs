//! Packets of each link type and tunnel, from bytes written by hand.

use std::net::IpAddr;

use etherparse::PacketBuilder;
use proptest::prelude::*;

use super::span::Span;
use super::{Decoded, Layer, Unreadable, decode, ip as layer, ip_packet, undo_tunnels};
use crate::packet::{IpPacket, TcpSegment};
use crate::segment::{icmp_error, tcp_segment, udp_ports};

/// 192.0.2.1 to 192.0.2.2, id 0x1234, TTL 64, TCP 50000 to 3389, SYN, seq 1, no options, payload "hi".
const IPV4: &str = "4500002a 12344000 40060000 c0000201 c0000202
    c3500d3d 00000001 00000000 5002fab0 abcd0000 6869";
/// 2001:db8::1 to 2001:db8::2, hop limit 64, the same segment.
const IPV6: &str =
    "60000000 00160640 20010db8000000000000000000000001 20010db8000000000000000000000002
    c3500d3d 00000001 00000000 5002fab0 abcd0000 6869";
/// Addresses of an Ethernet frame.
const MACS: &str = "020000000002 020000000001";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    assert_eq!(digits.len() % 2, 0);
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn decoded(link_type: u32, bytes: &[u8]) -> Result<Decoded<'_>, Unreadable> {
    ip_packet(link_type, bytes, u32::try_from(bytes.len()).unwrap())
}

fn ip(link_type: u32, bytes: &[u8]) -> IpPacket<'_> {
    match decoded(link_type, bytes) {
        Ok(Decoded::Ip(packet)) => packet,
        other => panic!("link type {link_type}: {other:?}"),
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn assert_segment(segment: &TcpSegment<'_>) {
    assert_eq!((segment.source_port(), segment.destination_port()), (50000, 3389));
    assert_eq!((segment.seq(), segment.ack(), segment.flags(), segment.window()), (1, 0, 2, 64176));
    assert_eq!((segment.checksum(), segment.options.len()), (0xabcd, 0));
    assert_eq!((segment.payload, segment.payload_len), (&b"hi"[..], 2));
}

/// Decodes `prefix` with each IP version it names, and checks that the segment comes out whole; then cuts the
/// packet at every length.
fn assert_carries(link_type: u32, prefix: &str, inner: &str, name: &str) {
    let mut bytes = hex(prefix);
    bytes.extend(hex(inner));
    let packet = ip(link_type, &bytes);
    let (source, ip_id) =
        if inner == IPV4 { ("192.0.2.1", Some(0x1234)) } else { ("2001:db8::1", None) };
    assert_eq!((packet.source, packet.ttl, packet.ip_id), (address(source), 64, ip_id), "{name}");
    assert_segment(&tcp_segment(&packet).unwrap_or_else(|| panic!("{name}: no segment")));
    for length in 0..bytes.len() {
        let whole = u32::try_from(bytes.len()).unwrap();
        let cut = ip_packet(link_type, &bytes[..length], whole);
        if bytes.len() - length <= 2 {
            let Ok(Decoded::Ip(packet)) = cut else { panic!("{name} cut to {length}: {cut:?}") };
            let segment = tcp_segment(&packet).unwrap();
            assert_eq!(segment.payload_len, 2, "{name} cut to {length}");
            assert_eq!(segment.payload.len(), 2 - (bytes.len() - length));
        } else if let Ok(Decoded::Ip(packet)) = cut {
            let segment = tcp_segment(&packet);
            assert!(segment.is_none(), "{name} cut to {length}: {segment:?}");
        }
    }
}

#[test]
fn link_types() {
    let cases = [
        (0, "02000000", IPV4, "loopback, little endian"),
        (0, "00000002", IPV4, "loopback, big endian"),
        (0, "1e000000", IPV6, "loopback of macOS"),
        (0, "18000000", IPV6, "loopback of Windows (Npcap)"),
        (108, "0000001c", IPV6, "OpenBSD loopback"),
        (9, "0021", IPV4, "PPP"),
        (9, "ff030057", IPV6, "PPP with address and control"),
        (9, "21", IPV4, "PPP, protocol of one byte"),
        (9, "0f000800", IPV4, "Cisco HDLC under PPP's link type"),
        (50, "ff030021", IPV4, "PPP in HDLC framing"),
        (50, "0f0086dd", IPV6, "Cisco HDLC"),
        (51, "11000001 002c 0021", IPV4, "PPPoE"),
        (12, "", IPV4, "raw 12"),
        (14, "", IPV6, "raw 14"),
        (101, "", IPV4, "raw"),
        (101, "", IPV6, "raw"),
        (228, "", IPV4, "IPv4"),
        (229, "", IPV6, "IPv6"),
        // Incoming, Ethernet, address of 6 bytes.
        (113, "0000 0001 0006 0200000000010000 0800", IPV4, "Linux cooked"),
        (113, "0004 0001 0006 0200000000010000 8100 0064 86dd", IPV6, "Linux cooked, VLAN"),
        // Protocol, reserved, interface 2, Ethernet, outgoing, address.
        (276, "0800 0000 00000002 0001 04 06 0200000000010000", IPV4, "Linux cooked v2"),
        (276, "86dd 0000 00000002 0001 00 06 0200000000010000", IPV6, "Linux cooked v2"),
    ];
    for (link_type, prefix, inner, name) in cases {
        assert_carries(link_type, prefix, inner, name);
    }
}

#[test]
fn ethernet_and_its_tags() {
    let cases = [
        ("0800", IPV4, "Ethernet"),
        ("86dd", IPV6, "Ethernet"),
        ("8100 0064 0800", IPV4, "802.1Q"),
        ("88a8 0064 8100 00c8 86dd", IPV6, "802.1ad"),
        ("9100 0001 8100 0002 8100 0003 8100 0004 0800", IPV4, "four tags"),
        ("8864 1100 0001 002c 0021", IPV4, "PPPoE"),
        ("8100 0007 8864 1100 0001 0040 0057", IPV6, "PPPoE in a VLAN"),
        // Label 16, then 17 at the bottom of the stack.
        ("8847 00010040 00011140", IPV4, "MPLS"),
        ("0032 aaaa03 000000 0800", IPV4, "SNAP"),
    ];
    for (rest, inner, name) in cases {
        assert_carries(1, &format!("{MACS} {rest}"), inner, name);
    }
}

/// An IPv4 header 198.51.100.1 to 198.51.100.2 of `protocol` with total length 0, which stands for the rest.
fn outer(protocol: &str) -> String {
    format!("4500 0000 0001 0000 40 {protocol} 0000 c6336401 c6336402")
}

#[test]
fn tunnels() {
    let ethernet = format!("{MACS} 0800");
    let cases = [
        ("04", String::new(), IPV4, "IP in IP"),
        ("29", String::new(), IPV6, "6in4"),
        ("2f", "0000 0800".to_owned(), IPV4, "GRE"),
        ("2f", "0000 86dd".to_owned(), IPV6, "GRE"),
        (
            "2f",
            "b000 0800 00000000 00000007 00000001".to_owned(),
            IPV4,
            "GRE, checksum, key, sequence",
        ),
        ("2f", format!("2000 6558 00000007 {ethernet}"), IPV4, "GRE bridging with a key"),
        ("2f", "3081 880b 002c0001 00000001 00000002 ff03 0021".to_owned(), IPV4, "PPTP"),
        ("2f", format!("0000 88be {ethernet}"), IPV4, "ERSPAN type I"),
        ("2f", format!("1000 88be 00000001 1001000100000000 {ethernet}"), IPV4, "ERSPAN type II"),
        ("11", format!("c000 12b5 0000 0000 08000000 00000100 {ethernet}"), IPV4, "VXLAN"),
        (
            "11",
            format!("c000 17c1 0000 0000 01006558 00000100 01020304 {ethernet}"),
            IPV4,
            "Geneve",
        ),
    ];
    for (protocol, between, inner, name) in cases {
        let prefix = format!("{} {between}", outer(protocol));
        assert_carries(101, &prefix, inner, name);
        assert_carries(1, &format!("{MACS} 0800 {prefix}"), inner, name);
    }
}

#[test]
fn at_most_four_tunnels_are_undone() {
    let four = outer("04").repeat(4);
    assert_carries(101, &four, IPV4, "four tunnels");
    let bytes = hex(&format!("{} {IPV4}", outer("04").repeat(5)));
    let packet = ip(101, &bytes);
    assert_eq!((packet.protocol, packet.source), (4, address("198.51.100.1")));
}

#[test]
fn a_tunnel_with_nothing_to_read_is_the_packet_itself() {
    // VXLAN that carries ARP, and the port with something else on it.
    for inside in [format!("08000000 00000100 {MACS} 0806 0001"), "00000000".to_owned()] {
        let bytes = hex(&format!("{} c000 12b5 0000 0000 {inside}", outer("11")));
        let packet = ip(101, &bytes);
        assert_eq!((packet.protocol, udp_ports(&packet)), (17, Some((0xc000, 4789))));
    }
}

#[test]
fn extension_headers_are_skipped() {
    // Hop-by-hop, destination options, routing, authentication (4 + 2 words), atomic fragment.
    let extensions = "3c00010400000000 2b00010400000000 3300010400000000
        2c04000000000001 00000001000000000000000000000000 0600000000000009";
    let length = hex(extensions).len() + 22;
    let addresses = "20010db8000000000000000000000001 20010db8000000000000000000000002";
    let prefix = format!("60000000 {length:04x}0040 {addresses} {extensions}");
    let mut bytes = hex(&prefix);
    bytes.extend(&hex(IPV6)[40..]);
    assert_segment(&tcp_segment(&ip(101, &bytes)).unwrap());
    for cut in 0..bytes.len() {
        let _ = decoded(101, &bytes[..cut]);
    }
    // The chain itself cut: no packet rather than one of an extension's protocol.
    assert_eq!(decoded(101, &bytes[..60]).unwrap_err(), Unreadable::Cut("IPv6 extension"));
}

#[test]
fn fragments_are_told_apart() {
    let mut v4 = hex(IPV4);
    (v4[6], v4[7]) = (0x20, 0x05);
    let Ok(Decoded::Fragment(fragment)) = decoded(101, &v4) else { panic!("not a fragment") };
    assert_eq!((fragment.offset, fragment.more, fragment.id), (40, true, 0x1234));
    assert_eq!((fragment.protocol, fragment.payload_len, fragment.payload.len()), (6, 22, 22));

    let addresses = "20010db8000000000000000000000001 20010db8000000000000000000000002";
    let v6 = hex(&format!("60000000 000c2c40 {addresses} 06000011 89abcdef 01020304"));
    let Ok(Decoded::Fragment(fragment)) = decoded(101, &v6) else { panic!("not a fragment") };
    assert_eq!((fragment.offset, fragment.more, fragment.id), (16, true, 0x89ab_cdef));
    assert_eq!((fragment.protocol, fragment.payload), (6, &[1, 2, 3, 4][..]));
}

#[test]
fn lengths_are_the_headers_and_else_the_frames() {
    // Ethernet padding is no payload.
    let padded = hex(&format!("{MACS} 0800 {IPV4} 000000000000"));
    assert_segment(&tcp_segment(&ip(1, &padded)).unwrap());
    // Before segmentation offload: length 0 means the frame's length, of which the capture has a part.
    let mut offloaded = hex(IPV4);
    (offloaded[2], offloaded[3]) = (0, 0);
    let Ok(Decoded::Ip(packet)) = ip_packet(101, &offloaded, 70_000) else { panic!("not IP") };
    assert_eq!(
        tcp_segment(&packet).map(|segment| (segment.payload_len, segment.payload.len())),
        Some((69_960, 2))
    );
    let mut offloaded = hex(IPV6);
    (offloaded[4], offloaded[5]) = (0, 0);
    let Ok(Decoded::Ip(packet)) = ip_packet(101, &offloaded, 70_000) else { panic!("not IP") };
    assert_eq!(tcp_segment(&packet).map(|segment| segment.payload_len), Some(69_940));
}

#[test]
fn a_damaged_record_length_makes_no_huge_segment() {
    let mut offloaded = hex(IPV4);
    (offloaded[2], offloaded[3]) = (0, 0);
    let Ok(Decoded::Ip(packet)) = ip_packet(101, &offloaded, u32::MAX) else { panic!("not IP") };
    assert_eq!(packet.payload_len, (1 << 20) - 20);
}

#[test]
fn a_frame_shorter_than_its_packet_misses_bytes() {
    // Both the file and the frame end one byte early; the IP header still counts that byte.
    let bytes = hex(IPV4);
    let packet = ip(101, &bytes[..bytes.len() - 1]);
    let segment = tcp_segment(&packet).unwrap();
    assert_eq!((segment.payload, segment.payload_len), (&b"h"[..], 2));
}

#[test]
fn what_is_not_ip_is_named() {
    let other = |bytes: &[u8]| match decoded(1, bytes) {
        Ok(Decoded::Other(name)) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(other(&hex(&format!("{MACS} 0806 0001"))), "ARP");
    assert_eq!(other(&hex(&format!("{MACS} 8100 0001 88cc"))), "LLDP");
    assert_eq!(other(&hex(&format!("{MACS} 0026 424203"))), "spanning tree");
    assert_eq!(
        other(&hex(&format!("{MACS} {} 0800", "8100 0001".repeat(5)))),
        "more VLAN tags than are read"
    );
    assert_eq!(decoded(147, &[0; 64]).unwrap_err(), Unreadable::LinkType(147));
    assert_eq!(decoded(101, &[0x44; 64]).unwrap_err(), Unreadable::Malformed("IPv4"));
    assert_eq!(decoded(101, &[0x15; 64]).unwrap_err(), Unreadable::Malformed("IP"));
}

#[test]
fn agrees_with_packets_built_elsewhere() {
    let mut bytes = Vec::new();
    PacketBuilder::ethernet2([1; 6], [2; 6])
        .double_vlan(1.try_into().unwrap(), 2.try_into().unwrap())
        .ipv6([1; 16], [2; 16], 9)
        .tcp(50000, 3389, 77, 64000)
        .ack(5)
        .psh()
        .write(&mut bytes, b"payload")
        .unwrap();
    let segment = tcp_segment(&ip(1, &bytes)).unwrap();
    assert_eq!(
        (segment.seq(), segment.ack(), segment.flags(), segment.payload),
        (77, 5, 0x18, &b"payload"[..])
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Any bytes after any start: no panic, and never more captured than on the wire.
    #[test]
    fn any_bytes_are_survived(start in 0_usize..8, bytes in proptest::collection::vec(any::<u8>(), 0..200), more in 0_u32..3000) {
        let starts = ["", "45", "60000000 00402c40", "4500 0000 0001 0000 40 2f 0000 c6336401 c6336402", "ff0300",
            "020000000002 020000000001 8100", "020000000002 020000000001 0800 45", "02000000 45"];
        let mut packet = hex(starts[start]);
        packet.extend(bytes);
        let length = u32::try_from(packet.len()).unwrap() + more;
        for link_type in [0, 1, 9, 12, 14, 50, 51, 101, 104, 108, 113, 228, 229, 276, 147] {
            if let Ok(Decoded::Ip(found)) = ip_packet(link_type, &packet, length) {
                prop_assert!(found.payload.len() <= usize::try_from(found.payload_len).unwrap());
                let _ = (tcp_segment(&found), udp_ports(&found), icmp_error(&found), undo_tunnels(found));
            }
        }
    }
}

#[test]
fn the_usual_packet_is_read_as_the_long_way_reads_it() {
    let frame = [hex(MACS), hex("0800"), hex(IPV4), vec![0; 6]].concat();
    let mut usual = 0;
    for at in 0..54 {
        for value in [0, 1, 2, 4, 5, 6, 0x10, 0x14, 0x20, 0x40, 0x45, 0x46, 0x60, 0x81, 0xff] {
            for len in [20, 33, 34, 40, 56, frame.len()] {
                let mut bytes = frame.clone();
                bytes[at] = value;
                bytes.truncate(len);
                let Some(packet) = layer::usual(&bytes) else { continue };
                usual += 1;
                match decode(Layer::Ethernet, Span::new(&bytes, 1500)) {
                    Ok(Decoded::Ip(long)) => {
                        assert_eq!(format!("{packet:?}"), format!("{long:?}"), "{at}: {value}");
                    }
                    other => panic!("byte {at} = {value}: {other:?}"),
                }
            }
        }
    }
    assert!(usual > 1000, "{usual}");
}
