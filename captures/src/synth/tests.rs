//! Reads the packets back with etherparse and lets it compute every checksum anew.

use std::net::{IpAddr, SocketAddr};

use etherparse::{Icmpv4Slice, Icmpv6Slice, NetSlice, SlicedPacket, TcpHeader, TransportSlice};
use proptest::prelude::*;

use super::{MAX_SEGMENT, Packet, Sender, SyntheticLeg, pieces};

const V4: (&str, &str) = ("10.0.0.2:50123", "192.0.2.7:3389");
const V6: (&str, &str) = ("[2001:db8::2]:50123", "[2001:db8::7]:3389");

fn leg((client, server): (&str, &str)) -> SyntheticLeg {
    SyntheticLeg::new(address(client), address(server), 7)
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// A segment as read back, its checksums verified.
struct Seen {
    from: IpAddr,
    to: IpAddr,
    ip_id: Option<u16>,
    tcp: TcpHeader,
    payload: Vec<u8>,
}

fn read(packet: &Packet) -> Seen {
    read_bytes(&packet.bytes(), packet.original_len)
}

fn read_bytes(bytes: &[u8], original_len: u32) -> Seen {
    assert_eq!(bytes.len(), original_len as usize);
    let sliced = SlicedPacket::from_ip(bytes).expect("an IP packet");
    let Some(TransportSlice::Tcp(slice)) = sliced.transport else { panic!("not TCP") };
    let tcp = slice.to_header();
    let payload = slice.payload().to_vec();
    match sliced.net {
        Some(NetSlice::Ipv4(ip)) => {
            let ip = ip.header().to_header();
            assert_eq!(usize::from(ip.total_len), bytes.len());
            assert_eq!(ip.header_checksum, ip.calc_header_checksum());
            assert_eq!(tcp.checksum, tcp.calc_checksum_ipv4(&ip, &payload).expect("fits"));
            assert!(ip.dont_fragment && ip.time_to_live == 64);
            Seen {
                from: ip.source.into(),
                to: ip.destination.into(),
                ip_id: Some(ip.identification),
                tcp,
                payload,
            }
        }
        Some(NetSlice::Ipv6(ip)) => {
            let ip = ip.header().to_header();
            assert_eq!(usize::from(ip.payload_length) + 40, bytes.len());
            assert_eq!(tcp.checksum, tcp.calc_checksum_ipv6(&ip, &payload).expect("fits"));
            assert_eq!(ip.hop_limit, 64);
            Seen { from: ip.source.into(), to: ip.destination.into(), ip_id: None, tcp, payload }
        }
        _ => panic!("not IP"),
    }
}

#[test]
fn handshake_in_both_families() {
    for ends in [V4, V6] {
        let mut leg = leg(ends);
        let (client, server) = (address(ends.0), address(ends.1));
        let syn = read(&leg.syn());
        assert_eq!((syn.from, syn.tcp.source_port), (client.ip(), client.port()));
        assert_eq!((syn.to, syn.tcp.destination_port), (server.ip(), server.port()));
        assert!(syn.tcp.syn && !syn.tcp.ack);
        assert_eq!(syn.tcp.options.as_slice(), [2, 4, 0xea, 0x60, 1, 3, 3, 14]);
        let syn_ack = read(&leg.syn_ack());
        assert_eq!((syn_ack.from, syn_ack.to), (server.ip(), client.ip()));
        assert!(syn_ack.tcp.syn && syn_ack.tcp.ack);
        assert_eq!(syn_ack.tcp.acknowledgment_number, syn.tcp.sequence_number.wrapping_add(1));
        assert_ne!(syn_ack.tcp.sequence_number, syn.tcp.sequence_number);
        let ack = read(&leg.ack(Sender::Opener));
        assert_eq!(ack.tcp.sequence_number, syn_ack.tcp.acknowledgment_number);
        assert_eq!(ack.tcp.acknowledgment_number, syn_ack.tcp.sequence_number.wrapping_add(1));
        assert!(!ack.tcp.syn && ack.tcp.ack && ack.tcp.options.as_slice().is_empty());
    }
}

#[test]
fn a_retried_syn_differs_in_ip_id_only() {
    let mut leg = leg(V4);
    let (first, second) = (read(&leg.syn()), read(&leg.syn_retry()));
    assert_eq!(first.tcp, second.tcp);
    assert_eq!(second.ip_id, first.ip_id.map(|id| id.wrapping_add(1)));
}

#[test]
fn mapped_addresses_become_ipv4_and_mixed_families_ipv6() {
    let seen = read(&leg(("[::ffff:10.0.0.2]:1", "192.0.2.7:2")).syn());
    assert_eq!(seen.from, address("10.0.0.2:1").ip());
    let seen = read(&leg(("10.0.0.2:1", "[2001:db8::7]:2")).syn());
    assert_eq!(seen.from, address("[::ffff:10.0.0.2]:1").ip());
    assert_eq!(seen.to, address("[2001:db8::7]:1").ip());
}

#[test]
fn long_data_is_split_and_acknowledged() {
    let payload: Vec<u8> = (0..150_001u32).map(|n| n as u8).collect();
    for ends in [V4, V6] {
        let mut leg = leg(ends);
        let seen: Vec<_> = leg.data(Sender::Acceptor, &payload).iter().map(read).collect();
        assert_eq!(
            seen.iter().map(|s| s.payload.len()).collect::<Vec<_>>(),
            [60_000, 60_000, 30_001]
        );
        assert_eq!(seen.iter().flat_map(|s| s.payload.clone()).collect::<Vec<_>>(), payload);
        let first = seen[0].tcp.sequence_number;
        assert_eq!(seen[2].tcp.sequence_number, first.wrapping_add(120_000));
        assert!(seen.iter().all(|s| s.tcp.psh && s.tcp.ack));
        assert_eq!(
            read(&leg.ack(Sender::Opener)).tcp.acknowledgment_number,
            first.wrapping_add(150_001)
        );
        assert!(leg.data(Sender::Opener, &[]).is_empty());
    }
}

#[test]
fn cut_data_tells_its_true_length() {
    for (ends, headers) in [(V4, 40), (V6, 60)] {
        let mut leg = leg(ends);
        let before = read(&leg.ack(Sender::Opener)).tcp.sequence_number;
        let packets: Vec<_> = pieces(&[0xab; 61_000], 130_000)
            .map(|(kept, len)| leg.segment(Sender::Opener, kept, len))
            .collect();
        let lengths: Vec<_> = packets
            .iter()
            .map(|p| (p.bytes().len() - headers, p.original_len - headers as u32))
            .collect();
        assert_eq!(lengths, [(60_000, 60_000), (1_000, 60_000), (0, 10_000)]);
        let at = if headers == 40 { 2 } else { 4 };
        let ip_len = u32::from(u16::from_be_bytes([packets[1].head[at], packets[1].head[at + 1]]));
        assert_eq!(ip_len, 60_000 + if headers == 40 { 40 } else { 20 });
        // The checksum is that of zeros in place of the missing bytes.
        let mut filled = packets[1].bytes();
        filled.resize(packets[1].original_len as usize, 0);
        read_bytes(&filled, packets[1].original_len);
        assert_eq!(
            read(&leg.ack(Sender::Opener)).tcp.sequence_number,
            before.wrapping_add(130_000)
        );
        assert_eq!(pieces(&[1; 5], 0).count(), 0);
        assert_eq!(pieces(&[1; 5], 3).collect::<Vec<_>>(), [(&[1; 3][..], 3)]);
        assert_eq!(read(&leg.segment(Sender::Opener, &[1; 5], 3)).payload, [1; 3]);
    }
}

#[test]
fn skipping_moves_the_sequence_number_modulo_2_to_the_32() {
    let mut leg = leg(V4);
    let before = read(&leg.ack(Sender::Acceptor)).tcp.sequence_number;
    leg.skip(Sender::Acceptor, (1 << 40) + 5);
    leg.skip(Sender::Acceptor, u64::MAX);
    assert_eq!(read(&leg.ack(Sender::Acceptor)).tcp.sequence_number, before.wrapping_add(4));
    assert_eq!(read(&leg.ack(Sender::Opener)).tcp.acknowledgment_number, before.wrapping_add(4));
}

#[test]
fn endings() {
    let mut leg = leg(V4);
    let syn = read(&leg.syn()).tcp;
    let refused = read(&leg.refused()).tcp;
    assert!(refused.rst && refused.ack && refused.sequence_number == 0);
    assert_eq!(refused.acknowledgment_number, syn.sequence_number.wrapping_add(1));
    let (fin, again) = (read(&leg.fin(Sender::Opener)).tcp, read(&leg.fin(Sender::Opener)).tcp);
    assert!(fin.fin && fin == again);
    let rst = read(&leg.rst(Sender::Acceptor)).tcp;
    assert!(rst.rst && rst.ack);
    assert_eq!(rst.acknowledgment_number, fin.sequence_number.wrapping_add(1));
}

#[test]
fn icmp_quotes_the_last_syn() {
    let mut leg = leg(V4);
    leg.syn();
    let syn = leg.syn_retry();
    let packet = leg.icmp_error(3, 13, Some(address("[::ffff:198.51.100.1]:0").ip()));
    let sliced = SlicedPacket::from_ip(&packet.head).expect("an IP packet");
    let Some(NetSlice::Ipv4(ip)) = sliced.net else { panic!("not IPv4") };
    assert_eq!(ip.header().source_addr(), address("198.51.100.1:0").ip());
    assert_eq!(ip.header().destination_addr(), address(V4.0).ip());
    assert_eq!(ip.header().header_checksum(), ip.header().to_header().calc_header_checksum());
    let icmp = Icmpv4Slice::from_slice(ip.payload().payload).expect("ICMP");
    assert_eq!((icmp.type_u8(), icmp.code_u8()), (3, 13));
    assert_eq!(icmp.checksum(), icmp.icmp_type().calc_checksum(icmp.payload()));
    assert_eq!(icmp.payload(), &*syn.head);
}

#[test]
fn icmp_v6_and_an_unknown_offender() {
    let mut leg = leg(V6);
    let packet = leg.icmp_error(1, 4, None);
    let sliced = SlicedPacket::from_ip(&packet.head).expect("an IP packet");
    let Some(NetSlice::Ipv6(ip)) = sliced.net else { panic!("not IPv6") };
    let (source, destination) = (ip.header().source(), ip.header().destination());
    assert_eq!((source, IpAddr::from(destination)), ([0; 16], address(V6.0).ip()));
    let icmp = Icmpv6Slice::from_slice(ip.payload().payload).expect("ICMPv6");
    assert_eq!((icmp.type_u8(), icmp.code_u8()), (1, 4));
    assert!(icmp.is_checksum_valid(source, destination));
    assert_eq!(icmp.payload(), &**leg.last_syn.as_ref().expect("the quoted SYN"));
}

#[derive(Clone, Debug)]
enum Call {
    Data(Sender, usize),
    Cut(Sender, usize, u32),
    Skip(Sender, u64),
    Plain(u8, Sender),
}

fn call() -> impl Strategy<Value = Call> {
    let sender = prop_oneof![Just(Sender::Opener), Just(Sender::Acceptor)];
    prop_oneof![
        (sender.clone(), 0..130_000usize).prop_map(|(s, n)| Call::Data(s, n)),
        (sender.clone(), 0..1_000usize, 0..200_000u32).prop_map(|(s, n, len)| Call::Cut(s, n, len)),
        (sender.clone(), any::<u64>()).prop_map(|(s, n)| Call::Skip(s, n)),
        (0..8u8, sender).prop_map(|(n, s)| Call::Plain(n, s)),
    ]
}

/// Captured bytes and length of each packet.
fn perform(leg: &mut SyntheticLeg, call: Call) -> Vec<(Vec<u8>, u32)> {
    let owned = |packet: Packet| (packet.bytes(), packet.original_len);
    match call {
        Call::Data(sender, n) => leg.data(sender, &vec![0x5a; n]).into_iter().map(owned).collect(),
        Call::Cut(sender, n, len) => pieces(&vec![0xa5; n], len.into())
            .map(|(kept, len)| owned(leg.segment(sender, kept, len)))
            .collect(),
        Call::Skip(sender, n) => {
            leg.skip(sender, n);
            Vec::new()
        }
        Call::Plain(n, sender) => vec![owned(match n {
            0 => leg.syn(),
            1 => leg.syn_retry(),
            2 => leg.syn_ack(),
            3 => leg.ack(sender),
            4 => leg.fin(sender),
            5 => leg.rst(sender),
            6 => leg.refused(),
            _ => leg.icmp_error(3, 1, None),
        })],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_calls_give_sound_packets(
        ends in prop_oneof![Just(V4), Just(V6)],
        seed in any::<u32>(),
        calls in prop::collection::vec(call(), 0..30),
    ) {
        let mut leg = SyntheticLeg::new(address(ends.0), address(ends.1), seed);
        for call in calls {
            let plain_tcp = !matches!(call, Call::Cut(..) | Call::Plain(7, _));
            for (bytes, original_len) in perform(&mut leg, call) {
                prop_assert!(bytes.len() <= original_len as usize);
                prop_assert!(original_len <= u32::from(MAX_SEGMENT) + 60);
                if plain_tcp {
                    read_bytes(&bytes, original_len);
                }
            }
        }
    }
}
