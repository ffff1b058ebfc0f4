//! Fragments in every order, overlapping, cut, late and too many.

use std::net::IpAddr;

use proptest::prelude::*;
use rdpwhy_analyzer::input::Timestamp;

use super::{Fragments, MAX_DATAGRAMS, MAX_PIECES};
use crate::link::{Decoded, IpFragment, undo_tunnels};

const SECOND: u64 = 1_000_000_000;

/// A fragment of the packet `id` of 192.0.2.1.
fn fragment(id: u32, offset: u32, more: bool, payload: &[u8]) -> IpFragment<'_> {
    IpFragment {
        source: IpAddr::from([192, 0, 2, 1]),
        destination: IpAddr::from([192, 0, 2, 2]),
        ttl: 64,
        id,
        protocol: 6,
        offset,
        more,
        payload,
        payload_len: u32::try_from(payload.len()).unwrap(),
    }
}

fn bytes(length: u8) -> Vec<u8> {
    (0..length).collect()
}

/// All orders of `count` things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut orders = vec![Vec::new()];
    for next in 0..count {
        orders = orders
            .iter()
            .flat_map(|order| {
                (0..=order.len()).map(|at| {
                    let mut longer = order.clone();
                    longer.insert(at, next);
                    longer
                })
            })
            .collect();
    }
    orders
}

#[test]
fn every_order_gives_the_packet() {
    let whole = bytes(37);
    let parts = [(0, 8), (8, 16), (16, 24), (24, 32), (32, 37)];
    assert_eq!(orders(5).len(), 120);
    for order in orders(5) {
        let mut fragments = Fragments::new();
        for (count, index) in order.iter().enumerate() {
            let (start, end) = parts[*index];
            let part = fragment(7, u32::try_from(start).unwrap(), end != 37, &whole[start..end]);
            let done = fragments.push(Timestamp(0), part);
            assert_eq!(done.is_some(), count == 4, "{order:?} at {count}");
            let Some(done) = done else { continue };
            let packet = done.packet();
            assert_eq!((packet.payload, packet.payload_len), (&whole[..], 37), "{order:?}");
            assert_eq!((packet.ip_id, packet.protocol, packet.ttl), (Some(7), 6, 64));
        }
        assert_eq!(fragments.unfinished(), 0);
    }
}

#[test]
fn ipv6_identification_has_32_bits_and_the_first_fragment_names_the_protocol() {
    let v6 = |id, offset, more, protocol, payload| IpFragment {
        source: "2001:db8::1".parse().unwrap(),
        destination: "2001:db8::2".parse().unwrap(),
        protocol,
        ..fragment(id, offset, more, payload)
    };
    let mut fragments = Fragments::new();
    assert!(fragments.push(Timestamp(0), v6(0x1_0001, 8, false, 6, &[9; 8])).is_none());
    assert!(
        fragments.push(Timestamp(0), v6(1, 0, true, 60, &[1; 8])).is_none(),
        "another identification"
    );
    // Destination options of 8 bytes, then UDP (17).
    let options = [17, 0, 1, 4, 0, 0, 0, 0];
    let done = fragments.push(Timestamp(0), v6(0x1_0001, 0, true, 60, &options)).unwrap();
    assert_eq!((done.packet().protocol, done.packet().ip_id), (60, None));
    let Decoded::Ip(packet) = undo_tunnels(done.packet()) else { panic!("not IP") };
    assert_eq!((packet.protocol, packet.payload, packet.payload_len), (17, &[9; 8][..], 8));
}

#[test]
fn the_first_bytes_seen_win() {
    let mut fragments = Fragments::new();
    assert!(fragments.push(Timestamp(0), fragment(1, 8, true, &[2; 8])).is_none());
    assert!(fragments.push(Timestamp(0), fragment(1, 0, true, &[1; 24])).is_none());
    assert!(fragments.push(Timestamp(0), fragment(1, 8, true, &[9; 8])).is_none());
    let done = fragments.push(Timestamp(0), fragment(1, 16, false, &[3; 12])).unwrap();
    let expected = [[1; 8], [2; 8], [1; 8]].concat();
    assert_eq!(done.packet().payload[..24], expected);
    assert_eq!(done.packet().payload[24..], [3; 4]);
}

#[test]
fn a_second_end_changes_nothing() {
    let mut fragments = Fragments::new();
    assert!(fragments.push(Timestamp(0), fragment(1, 8, false, &[2; 8])).is_none());
    assert!(fragments.push(Timestamp(0), fragment(1, 8, false, &[3; 4])).is_none());
    assert!(fragments.push(Timestamp(0), fragment(1, 16, true, &[4; 8])).is_none());
    let done = fragments.push(Timestamp(0), fragment(1, 0, true, &[1; 8])).unwrap();
    assert_eq!(done.packet().payload, [[1; 8], [2; 8]].concat());
}

#[test]
fn captured_bytes_end_where_a_fragment_was_cut() {
    for order in orders(3) {
        let mut fragments = Fragments::new();
        let cut = IpFragment { payload_len: 16, ..fragment(1, 8, true, &[2; 5]) };
        let parts = [fragment(1, 0, true, &[1; 8]), cut, fragment(1, 24, false, &[3; 8])];
        let done = order
            .iter()
            .filter_map(|index| fragments.push(Timestamp(0), parts[*index]))
            .last()
            .unwrap();
        assert_eq!(done.packet().payload, [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
        assert_eq!(done.packet().payload_len, 32);
    }
}

#[test]
fn late_fragments_start_anew() {
    let mut fragments = Fragments::new();
    assert!(fragments.push(Timestamp(0), fragment(1, 0, true, &[1; 8])).is_none());
    assert!(fragments.push(Timestamp(31 * SECOND), fragment(1, 8, false, &[2; 8])).is_none());
    assert_eq!(fragments.unfinished(), 2);
    let done = fragments.push(Timestamp(60 * SECOND), fragment(1, 0, true, &[3; 8])).unwrap();
    assert_eq!(done.packet().payload, [[3; 8], [2; 8]].concat());
}

#[test]
fn the_table_is_bounded_and_the_oldest_goes_first() {
    let mut fragments = Fragments::new();
    let count = u32::try_from(MAX_DATAGRAMS).unwrap() + 1;
    for id in 0..count {
        assert!(fragments.push(Timestamp(u64::from(id)), fragment(id, 0, true, &[1; 8])).is_none());
    }
    assert_eq!(fragments.datagrams.len(), MAX_DATAGRAMS);
    assert_eq!(fragments.unfinished(), u64::from(count));
    assert!(
        fragments.push(Timestamp(2000), fragment(1, 8, false, &[2; 8])).is_some(),
        "the second is still there"
    );
    assert!(
        fragments.push(Timestamp(2000), fragment(0, 8, false, &[2; 8])).is_none(),
        "the first is gone"
    );
}

#[test]
fn size_and_pieces_are_bounded() {
    let mut fragments = Fragments::new();
    assert!(fragments.push(Timestamp(0), fragment(1, 65_528, false, &[1; 8])).is_none());
    assert_eq!(fragments.unfinished(), 0, "beyond 65,535 bytes");
    assert!(fragments.push(Timestamp(0), fragment(1, 0, true, &[1; 9])).is_none());
    assert_eq!(fragments.unfinished(), 0, "not a multiple of eight");
    for index in 0..=u32::try_from(MAX_PIECES).unwrap() {
        assert!(fragments.push(Timestamp(0), fragment(1, index * 16, true, &[1; 8])).is_none());
    }
    assert_eq!((fragments.datagrams.len(), fragments.unfinished()), (0, 1));
}

proptest! {
    /// Whatever arrives, what comes out is as long as it says and nothing was made up: bytes carry their place.
    #[test]
    fn bytes_keep_their_place(parts in proptest::collection::vec((0_u32..12, 1_u32..6, any::<bool>()), 1..40)) {
        let whole = bytes(200);
        let mut fragments = Fragments::new();
        for (start, units, more) in parts {
            let (from, to) = (start * 8, (start + units) * 8);
            let payload = &whole[usize::try_from(from).unwrap()..usize::try_from(to).unwrap()];
            if let Some(done) = fragments.push(Timestamp(0), fragment(1, from, more, payload)) {
                let packet = done.packet();
                let length = usize::try_from(packet.payload_len).unwrap();
                prop_assert_eq!(packet.payload, &whole[..length]);
            }
        }
    }
}
