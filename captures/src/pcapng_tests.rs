//! Tests of the pcapng reader, on files written by hand.

use crate::file::{Interface, PacketReader};
use proptest::prelude::*;

/// Writes pcapng blocks of one byte order.
struct Hand {
    big: bool,
    out: Vec<u8>,
}

impl Hand {
    fn new(big: bool) -> Self {
        let mut hand = Hand { big, out: Vec::new() };
        hand.section();
        hand
    }

    fn u16(&self, value: u16) -> [u8; 2] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn u32(&self, value: u32) -> [u8; 4] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let padded = body.len().next_multiple_of(4);
        let length = self.u32(padded as u32 + 12);
        self.out.extend(self.u32(kind));
        self.out.extend(length);
        self.out.extend(body);
        self.out.extend(std::iter::repeat_n(0, padded - body.len()));
        self.out.extend(length);
    }

    fn section(&mut self) {
        let body = [&self.u32(0x1a2b_3c4d)[..], &self.u16(1), &self.u16(0), &[0xff; 8]].concat();
        self.block(0x0a0d_0d0a, &body);
    }

    fn option(&self, code: u16, value: &[u8]) -> Vec<u8> {
        let pad = value.len().next_multiple_of(4) - value.len();
        let length = self.u16(value.len() as u16);
        [&self.u16(code)[..], &length, value, &[0, 0, 0][..pad]].concat()
    }

    fn interface(&mut self, link: u16, snaplen: u32, options: &[(u16, &[u8])]) {
        let mut body = [&self.u16(link)[..], &[0, 0], &self.u32(snaplen)].concat();
        for (code, value) in options {
            body.extend(self.option(*code, value));
        }
        self.block(1, &body);
    }

    fn enhanced(&mut self, interface: u32, ticks: u64, bytes: &[u8], original: u32, more: &[u8]) {
        let mut body = self.u32(interface).to_vec();
        for word in [(ticks >> 32) as u32, ticks as u32, bytes.len() as u32, original] {
            body.extend(self.u32(word));
        }
        body.extend(bytes);
        body.extend(std::iter::repeat_n(0, bytes.len().next_multiple_of(4) - bytes.len()));
        body.extend(more);
        self.block(6, &body);
    }
}

struct Found {
    packets: Vec<(u64, u64, u32, u32, Vec<u8>, u32, Vec<String>)>,
    damages: Vec<String>,
    interfaces: Vec<Interface>,
}

fn read(bytes: &[u8]) -> Found {
    let mut reader = PacketReader::open(bytes).unwrap();
    let (mut packets, mut damages) = (Vec::new(), Vec::new());
    while let Some(item) = reader.next() {
        match item {
            Ok(p) => packets.push((
                p.number,
                p.time.0,
                p.interface,
                p.link.0,
                p.bytes.to_vec(),
                p.original_len,
                p.comments,
            )),
            Err(damage) => damages.push(damage.to_string()),
        }
    }
    Found { packets, damages, interfaces: reader.interfaces().to_vec() }
}

#[test]
fn every_kind_of_packet_block_in_both_orders() {
    for big in [false, true] {
        let mut hand = Hand::new(big);
        hand.interface(1, 5, &[(2, b"eth0"), (3, b"the first"), (9, &[9])]);
        hand.interface(101, 0, &[(2, b"tun0")]);
        let comments =
            [hand.option(1, b"one"), hand.option(2, &[0; 4]), hand.option(1, b"two")].concat();
        hand.enhanced(0, 77, b"packet", 60, &comments);
        hand.enhanced(1, 77, b"raw", 3, &[]);
        let simple = [&hand.u32(9)[..], b"short"].concat();
        hand.block(3, &simple);
        let mut old = [hand.u16(1), hand.u16(0)].concat();
        for word in [0, 5, 2, 2] {
            old.extend(hand.u32(word));
        }
        old.extend(b"ok");
        hand.block(2, &old);
        let found = read(&hand.out);
        assert_eq!(found.damages, Vec::<String>::new());
        let comments = vec!["one".to_owned(), "two".to_owned()];
        assert_eq!(found.packets[0], (1, 77, 0, 1, b"packet".to_vec(), 60, comments));
        assert_eq!(found.packets[1], (2, 77_000, 1, 101, b"raw".to_vec(), 3, vec![]));
        assert_eq!(found.packets[2], (3, 0, 0, 1, b"short".to_vec(), 9, vec![]));
        assert_eq!(found.packets[3], (4, 5_000, 1, 101, b"ok".to_vec(), 2, vec![]));
        assert_eq!(found.interfaces[0].name.as_deref(), Some("eth0"));
        assert_eq!(found.interfaces[0].description.as_deref(), Some("the first"));
        assert_eq!(found.interfaces[1].name.as_deref(), Some("tun0"));
    }
}

#[test]
fn sections_of_either_order_number_their_interfaces_anew() {
    let mut first = Hand::new(false);
    first.interface(1, 0, &[(9, &[9])]);
    first.enhanced(0, 1, b"a", 1, &[]);
    let mut second = Hand::new(true);
    second.interface(113, 0, &[(9, &[6]), (14, &3u64.to_be_bytes())]);
    second.enhanced(0, 1, b"b", 1, &[]);
    let found = read(&[first.out, second.out].concat());
    assert!(found.damages.is_empty());
    assert_eq!(found.packets[0], (1, 1, 0, 1, b"a".to_vec(), 1, vec![]));
    assert_eq!(found.packets[1], (2, 3_000_001_000, 1, 113, b"b".to_vec(), 1, vec![]));
}

#[test]
fn statistics_are_kept_and_unknown_blocks_passed() {
    let mut hand = Hand::new(true);
    hand.interface(1, 0, &[]);
    hand.block(0x0a, b"secrets that nobody reads");
    hand.block(0x0bad_cafe, &[1; 31]);
    let mut body = vec![0; 12];
    for (code, value) in [(4u16, 100u64), (5, 2), (7, 3)] {
        body.extend(hand.option(code, &value.to_be_bytes()));
    }
    body.extend(hand.option(1, b"summary"));
    hand.block(5, &body);
    hand.enhanced(0, 0, b"x", 1, &[]);
    let found = read(&hand.out);
    assert_eq!((found.packets.len(), found.damages.len()), (1, 0));
    let statistics = found.interfaces[0].statistics.clone().unwrap();
    assert_eq!(statistics.received, Some(100));
    assert_eq!((statistics.dropped, statistics.os_dropped), (Some(2), Some(3)));
    assert_eq!(statistics.comments, ["summary"]);
}

#[test]
fn a_bad_packet_block_is_damage_and_the_next_one_is_read() {
    let mut hand = Hand::new(false);
    hand.enhanced(0, 0, b"no interface yet", 16, &[]);
    hand.interface(1, 0, &[]);
    hand.block(6, &[0; 8]);
    let mut lying = [0; 20];
    lying[12] = 200;
    hand.block(6, &lying);
    hand.enhanced(0, 0, b"good", 4, &[]);
    let found = read(&hand.out);
    assert_eq!(found.packets.len(), 1);
    assert_eq!(found.damages.len(), 3, "{:?}", found.damages);
    assert!(found.damages[0].contains("interface 0 is not described"));
}

#[test]
fn a_broken_frame_ends_the_file_once() {
    let mut hand = Hand::new(false);
    hand.interface(1, 0, &[]);
    hand.enhanced(0, 0, b"good", 4, &[]);
    for tail in [
        &[6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
        &[6, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 99, 0, 0, 0],
        &[6, 0, 0, 0, 16, 0, 0, 0, 0, 0],
        &[6, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4],
    ] {
        let found = read(&[&hand.out, tail].concat());
        assert_eq!((found.packets.len(), found.damages.len()), (1, 1), "{:?}", found.damages);
    }
}

#[test]
fn a_length_without_its_padding_is_understood() {
    let mut hand = Hand::new(false);
    hand.interface(1, 0, &[]);
    let good = hand.out.clone();
    hand.enhanced(0, 0, b"12345", 5, &[]);
    let at = good.len() + 4;
    let length = u32::from_le_bytes(hand.out[at..at + 4].try_into().unwrap()) - 3;
    hand.out[at..at + 4].copy_from_slice(&length.to_le_bytes());
    let found = read(&hand.out);
    assert_eq!(found.packets.len(), 1, "{:?}", found.damages);
    assert_eq!(found.packets[0].4, b"12345");
}

proptest! {
    #[test]
    fn times_and_bytes_survive(
        big: bool, nano: bool,
        packets in prop::collection::vec((0u64..1 << 50, prop::collection::vec(any::<u8>(), 0..40)), 0..8),
    ) {
        let mut hand = Hand::new(big);
        hand.interface(1, 0, &[(9, &[if nano { 9 } else { 6 }])]);
        for (ticks, bytes) in &packets {
            hand.enhanced(0, *ticks, bytes, 1000, &[]);
        }
        let found = read(&hand.out);
        prop_assert!(found.damages.is_empty());
        prop_assert_eq!(found.packets.len(), packets.len());
        for (got, (ticks, bytes)) in found.packets.iter().zip(&packets) {
            prop_assert_eq!(got.1, ticks * if nano { 1 } else { 1000 });
            prop_assert_eq!(&got.4, bytes);
        }
    }
}
