//! pcapng: sections, interfaces, clocks, kinds of blocks.

use super::fixtures::{File, rich_pcapng};
use super::*;
use crate::file::InterfaceInfo;
use rdpwhy_analyzer::input::Timestamp;

#[test]
fn sections_interfaces_and_all_packet_blocks() {
    let (file, _) = rich_pcapng();
    let mut reader = PacketReader::open(&file[..]).expect("a capture");
    let (seen, damage) = drain(&mut reader);
    let second = Seen { comments: vec!["a comment".into()], ..plain(2, 2_000_000_000, b"second") };
    let cooked = |seen: Seen| Seen { interface: 1, link_type: 113, ..seen };
    let fifth = Seen { original_len: 60, ..plain(5, 4_000_000_000, b"four") };
    assert_eq!(
        seen,
        [
            plain(1, 1_000_000_000, b"first"),
            second,
            // A simple packet has no time: that of the packet before.
            plain(3, 2_000_000_000, b"simple"),
            cooked(plain(4, 3_000_000_000, b"third")),
            cooked(fifth),
        ]
    );
    assert_eq!(damage, []);
    let outside = InterfaceInfo {
        name: Some("eth0".into()),
        description: Some("outside".into()),
        link_type: 1,
        snaplen: 65_535,
    };
    let cooked = InterfaceInfo { name: None, description: None, link_type: 113, snaplen: 0 };
    assert_eq!(reader.interfaces(), [outside, cooked]);
}

#[test]
fn clocks() {
    let cases: [(&[u8], u64, u64); 9] = [
        (&[6], 1_000_001, 1_000_001_000),
        (&[9], 1_000_001, 1_000_001),
        (&[0], 7, 7_000_000_000),
        (&[3], 7_001, 7_001_000_000),
        (&[12], 7_001_999, 7_001),
        (&[0x7f], u64::MAX, 0),
        (&[0x80 | 20], (5 << 20) + (1 << 19), 5_500_000_000),
        (&[0xff], u64::MAX, 0),
        (&[0], u64::MAX, u64::MAX),
    ];
    for (resolution, units, expected) in cases {
        for big in [false, true] {
            let file = File::new(big)
                .section(big)
                .interface(1, 0, &[(9, resolution)])
                .enhanced(0, units, b"x")
                .bytes;
            let (seen, _) = read(&file[..]);
            assert_eq!(seen[0].nanoseconds, expected, "{resolution:?} {units}");
        }
    }
}

#[test]
fn clock_offsets() {
    for (offset, expected) in [(100i64, 107_000_000_000), (-3, 4_000_000_000), (-9, 0)] {
        let file = File::new(true)
            .section(true)
            .interface(1, 0, &[(9, &[6]), (14, &offset.to_be_bytes())])
            .enhanced(0, 7_000_000, b"x")
            .bytes;
        assert_eq!(read(&file[..]).0[0].nanoseconds, expected);
    }
}

#[test]
fn interfaces_have_their_own_clock_and_link() {
    let file = File::new(false)
        .section(false)
        .interface(1, 0, &[(9, &[9])])
        .interface(276, 0, &[])
        .enhanced(1, 5, b"b")
        .enhanced(0, 5, b"a")
        .section(false)
        .interface(101, 0, &[])
        .enhanced(0, 6, b"c")
        .bytes;
    let found: Vec<_> = read(&file[..])
        .0
        .iter()
        .map(|seen| (seen.interface, seen.link_type, seen.nanoseconds))
        .collect();
    assert_eq!(found, [(1, 276, 5_000), (0, 1, 5), (2, 101, 6_000)]);
}

#[test]
fn a_simple_packet_is_cut_at_the_snaplen() {
    let file = File::new(false)
        .section(false)
        .interface(1, 5, &[])
        .block(3, |body| body.u32(900).padded(b"abcde"))
        .bytes;
    let (seen, damage) = read(&file[..]);
    assert_eq!((seen[0].bytes.as_slice(), seen[0].original_len), (b"abcde".as_slice(), 900));
    assert_eq!(damage, []);
}

#[test]
fn comments_belong_to_their_packet() {
    let many = vec![(1u16, b"again".as_slice()); 300];
    let file = File::new(true)
        .section(true)
        .interface(1, 0, &[])
        .commented(
            0,
            1,
            b"a",
            &[(1, b"one"), (2, &[0, 0, 0, 1]), (1, b"caf\xc3\xa9\0"), (1, b"\xff")],
        )
        .enhanced(0, 2, b"b")
        .commented(0, 3, b"c", &many)
        .bytes;
    let (seen, _) = read(&file[..]);
    assert_eq!(seen[0].comments, ["one", "café", "\u{fffd}"]);
    assert!(seen[1].comments.is_empty());
    assert_eq!(seen[2].comments.len(), 256);
}

#[test]
fn broken_options_cost_no_packet() {
    // An interface whose name is no UTF-8 and whose last option runs over the end; a section
    // header and a packet with the like.
    let file = File::new(false).block(0x0a0d_0d0a, |body| {
        body.u32(0x1a2b_3c4d).u16(1).u16(2).u64(0).u16(4).u16(900).padded(b"short")
    });
    let file = File { big: false, ..file }
        .block(1, |body| {
            body.u16(1).u16(0).u32(3).u16(2).u16(3).padded(b"\xff\xfe\xfd").u16(9).u16(200)
        })
        .block(6, |body| body.u32(0).u32(0).u32(5).u32(6).u32(2).padded(b"packet").u16(2).u16(99))
        .bytes;
    let (seen, damage) = read(&file[..]);
    assert_eq!(damage, []);
    assert_eq!(seen, [Seen { original_len: 2, ..plain(1, 5_000, b"packet") }]);
}

#[test]
fn a_bad_packet_in_a_sound_block_is_passed_over() {
    let file = File::new(false)
        .section(false)
        .interface(1, 0, &[])
        .enhanced(7, 1, b"whose?")
        .block(6, |body| body.u32(0).u32(0).u32(5).u32(60).u32(60).padded(b"not sixty"))
        .block(6, |body| body.u32(0))
        .block(3, |body| body)
        .enhanced(0, 1, b"good")
        .bytes;
    let (seen, damage) = read(&file[..]);
    assert_eq!(seen, [plain(1, 1_000, b"good")]);
    let offsets: Vec<u64> = damage.iter().map(|damage| damage.offset).collect();
    assert_eq!(offsets, [48, 48 + 40, 48 + 40 + 44, 48 + 40 + 44 + 16]);
}

#[test]
fn a_bad_block_length_is_damage_and_the_end() {
    for (length, trailer) in [(0, 0), (8, 8), (33, 33), (36, 40), (u32::MAX - 3, 36), (36, 0)] {
        let file = File::new(false).section(false).interface(1, 0, &[]).enhanced(0, 1, b"abcd");
        let place = file.bytes.len() as u64;
        let file = file
            .u32(6)
            .u32(length)
            .raw(&[0; 12])
            .u32(4)
            .u32(4)
            .raw(b"efgh")
            .u32(trailer)
            .enhanced(0, 1, b"lost");
        let (seen, damage) = read(&file.bytes[..]);
        assert_eq!(seen, [plain(1, 1_000, b"abcd")], "{length}");
        assert_eq!(damage.len(), 1);
        assert_eq!(damage[0].offset, place);
    }
}

#[test]
fn damage_is_kept_within_bounds() {
    let mut file = File::new(false).section(false);
    for _ in 0..100 {
        file = file.enhanced(0, 1, b"of no interface");
    }
    assert_eq!(read(&file.bytes[..]).1.len(), 100);
    let mut many = File::new(false).section(false);
    for _ in 0..20_000 {
        many = many.interface(1, 0, &[]);
    }
    let (_, damage) = read(&many.bytes[..]);
    assert_eq!(damage.len(), 1);
    assert!(damage[0].what.contains("interfaces"));
}

#[test]
fn until_when_a_capture_listened() {
    let statistics = |file: File, interface: u32, options: &[(u16, &[u8])]| {
        file.block(5, |body| body.u32(interface).u64(0).options(options))
    };
    let at = |seconds: u64| (seconds * 1_000_000).rotate_left(32).to_le_bytes();
    let end = &at(7)[..];
    for (what, resolution, interface, options, expected) in [
        ("isb_endtime", 6, 0, &[(2, &at(3)[..]), (3, end)][..], Some(7)),
        ("microseconds, packets in nanoseconds", 9, 0, &[(3, end)][..], Some(7)),
        ("an end before the packets'", 6, 0, &[(3, &at(0)[..])][..], None),
        ("no end", 6, 0, &[(2, &at(3)[..])][..], None),
        ("an end cut short", 6, 0, &[(3, &at(7)[..5])][..], None),
        ("an unknown interface", 6, 9, &[(3, &at(7)[..])][..], None),
    ] {
        let file = File::new(false).section(false).interface(1, 0, &[(9, &[resolution])]);
        let file = file.enhanced(0, 3 * 10u64.pow(u32::from(resolution)), b"abcd");
        let file = statistics(file, interface, options);
        let mut reader = PacketReader::open(&file.bytes[..]).unwrap();
        assert_eq!(reader.ended(), None);
        assert!(reader.next_packet().is_some_and(|packet| packet.is_ok()));
        assert!(reader.next_packet().is_none(), "{what}");
        let expected = expected.map(|seconds: u64| Timestamp(seconds * 1_000_000_000));
        assert_eq!(reader.ended(), expected, "{what}");
    }
}

#[test]
fn an_interface_that_ended_before_the_last_packet_tells_no_end() {
    let last = 1_790_000_000_000_000_000u64;
    let file = File::new(false).section(false).interface(1, 0, &[(9, &[9])]);
    let end = (last - 1).rotate_left(32).to_le_bytes();
    let file = file.enhanced(0, last, b"abcd");
    let file = file.block(5, |body| body.u32(0).u64(0).options(&[(3, &end[..])]));
    let mut reader = PacketReader::open(&file.bytes[..]).unwrap();
    assert!(reader.next_packet().is_some_and(|packet| packet.is_ok()));
    assert!(reader.next_packet().is_none());
    // Read as microseconds it would be ages later.
    assert_eq!(reader.ended(), None);
}
