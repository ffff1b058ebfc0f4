//! pcap and its variants.

use super::fixtures::{File, small_pcap};
use super::*;

#[test]
fn both_byte_orders_and_both_clocks() {
    for big in [false, true] {
        for (magic, unit) in [(0xa1b2_c3d4, 1_000), (0xa1b2_3c4d, 1)] {
            let file = File::new(big)
                .pcap(magic, 65_535, 1)
                .record(1_700_000_000, 7, b"one")
                .record(u32::MAX, 999_999, b"")
                .bytes;
            let (seen, damage) = read(&file[..]);
            let second = u64::from(u32::MAX) * 1_000_000_000 + 999_999 * unit;
            let first = 1_700_000_000_000_000_000 + 7 * unit;
            assert_eq!(seen, [plain(1, first, b"one"), plain(2, second, b"")]);
            assert_eq!(damage, []);
        }
    }
}

#[test]
fn modified_records_have_eight_bytes_more() {
    for big in [false, true] {
        let mut file = File::new(big).pcap(0xa1b2_cd34, 65_535, 1);
        for packet in [b"one".as_slice(), b"two!"] {
            let len = packet.len() as u32;
            file = file.u32(3).u32(4).u32(len).u32(len + 9);
            file = file.u32(2).u16(0x800).raw(&[4, 0]).raw(packet);
        }
        let (seen, damage) = read(&file.bytes[..]);
        let longer = |seen: Seen, original_len| Seen { original_len, ..seen };
        let first = longer(plain(1, 3_000_004_000, b"one"), 12);
        assert_eq!(seen, [first, longer(plain(2, 3_000_004_000, b"two!"), 13)]);
        assert_eq!(damage, []);
        for cut in 25..file.bytes.len() {
            let (seen, damage) = read(&file.bytes[..cut]);
            let end_of_first = 24 + 24 + 3;
            assert_eq!(seen.len(), usize::from(cut >= end_of_first));
            assert_eq!(damage.len(), usize::from(cut != end_of_first));
        }
    }
}

#[test]
fn link_type_without_the_checksum_bits() {
    let file = File::new(true).pcap(0xa1b2_c3d4, 96, 0x5400_0113).record(1, 0, b"x").bytes;
    let mut reader = PacketReader::open(&file[..]).expect("a capture");
    let (seen, _) = drain(&mut reader);
    assert_eq!(seen[0].link_type, 0x113);
    assert_eq!(reader.interfaces()[0].link_type, 0x113);
    assert_eq!(reader.interfaces()[0].snaplen, 96);
}

#[test]
fn every_link_type_keeps_its_number() {
    for link_type in 0..=400 {
        let file = File::new(false).pcap(0xa1b2_c3d4, 96, link_type).bytes;
        let reader = PacketReader::open(&file[..]).expect("a capture");
        assert_eq!(reader.interfaces()[0].link_type, link_type);
    }
}

#[test]
fn packets_that_break_small_promises_are_given() {
    // Longer than the declared snaplen, longer than on the wire, a fraction above a second.
    let file = File::new(false)
        .pcap(0xa1b2_c3d4, 4, 1)
        .record(1, 0, b"longer than four")
        .raw(&File::new(false).u32(2).u32(3_000_000).u32(3).u32(1).raw(b"abc").bytes)
        .record(3, 0, b"last")
        .bytes;
    let (seen, damage) = read(&file[..]);
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[0].bytes, b"longer than four");
    assert_eq!((seen[1].nanoseconds, seen[1].original_len), (5_000_000_000, 1));
    assert_eq!(damage, []);
}

#[test]
fn a_senseless_length_is_damage_and_the_end() {
    for len in [262_145, 0x7fff_ffff, u32::MAX] {
        let mut file = small_pcap();
        let place = file.len() as u64;
        file.extend(File::new(false).u32(1).u32(1).u32(len).u32(len).bytes);
        file.extend(vec![0; 300_000]);
        let (seen, damage) = read(&file[..]);
        assert_eq!(seen.len(), 2);
        assert_eq!(damage.len(), 1);
        assert_eq!(damage[0].offset, place);
        assert!(damage[0].what.contains(&len.to_string()), "{}", damage[0]);
    }
}

#[test]
fn a_packet_larger_than_the_first_buffer() {
    let packet = vec![7; 3 << 20];
    let file = File::new(false)
        .pcap(0xa1b2_c3d4, u32::MAX, 1)
        .record(1, 0, b"before")
        .record(1, 0, &packet)
        .record(1, 0, b"behind")
        .bytes;
    let (seen, damage) = read(&file[..]);
    assert_eq!(seen[1].bytes, packet);
    assert_eq!(seen[2].bytes, b"behind");
    assert_eq!(damage, []);
}

#[test]
fn early_versions_have_the_lengths_swapped() {
    for (minor, lengths) in [(2, (60, 3)), (3, (60, 3)), (3, (3, 60)), (4, (3, 60))] {
        let file = File::new(true).u32(0xa1b2_c3d4).u16(2).u16(minor);
        let file = file.u32(0).u32(0).u32(68).u32(1);
        let mut file = file.u32(1).u32(0).u32(lengths.0).u32(lengths.1).raw(b"abc");
        let expected = Seen { original_len: 60, ..plain(1, 1_000_000_000, b"abc") };
        assert_eq!(read(&file.bytes[..]), (vec![expected], vec![]), "2.{minor} {lengths:?}");
        file.bytes.pop();
        assert_eq!(read(&file.bytes[..]).0, []);
    }
}
