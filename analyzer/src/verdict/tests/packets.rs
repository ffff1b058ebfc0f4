//! A relay that also has the packets of its legs.

use crate::input::{
    Baseline, Direction, Input, Leg, Origin, Segment, SegmentCounts, SegmentKind, Timestamp,
};
use crate::report::{Connection, Vantage};
use crate::session::Session;
use crate::testing::{HYBRID, MSTSC, STARTED, ToClient, Trace, contract};

/// A segment of a server that usually has TTL 64.
fn segment(leg: Leg, kind: SegmentKind, ttl: u8) -> Segment {
    Segment {
        leg,
        dir: Direction::ToClient,
        kind,
        ttl: Some(ttl),
        ip_id: Some(7),
        seq: 100,
        ack: 1,
        flags: 0x04,
        window: 0,
        len: 0,
        options: Vec::new(),
        baseline: Baseline {
            ttl: Some((64, 5)),
            ttl_is_steady: true,
            next_seq: Some(100),
            ..Default::default()
        },
    }
}

fn counts(leg: Leg) -> Input<'static> {
    let counts = [SegmentCounts { segments: 5, bytes: 57, ..Default::default() }; 2];
    Input::Counts { leg, counts }
}

/// A relayed session that a RST ended, with what was captured of it.
fn reset(captured: &[(Origin, Input<'static>)]) -> Session {
    let mut session = Trace::relay().negotiated(MSTSC, HYBRID).rst(ToClient).session();
    for (n, (origin, input)) in (1..).zip(captured) {
        session.feed(Timestamp(STARTED.0 + n * 1_000_000), *origin, input.clone());
    }
    session
}

fn report(captured: &[(Origin, Input<'static>)]) -> Connection {
    contract::report(&reset(captured), &[])
}

#[test]
fn the_vantage_says_which_evidence_there_can_be() {
    let live = Origin::Live(1);
    let syn = |leg| Input::Segment(segment(leg, SegmentKind::Syn, 64));
    for (captured, vantage) in [
        (vec![], Vantage::V2),
        (vec![(live, counts(Leg::Client))], Vantage::V2),
        (vec![(live, counts(Leg::Client)), (live, counts(Leg::Server))], Vantage::V3),
        // A SYN that a socket has kept is no capture of its leg.
        (vec![(Origin::Socket, syn(Leg::Client)), (live, counts(Leg::Server))], Vantage::V2),
        (vec![(live, syn(Leg::Client)), (live, syn(Leg::Server))], Vantage::V3),
    ] {
        assert_eq!(report(&captured).vantage, vantage, "{captured:?}");
        let session = reset(&captured);
        let both = [Leg::Client, Leg::Server].map(|leg| session.facts().has_packets(leg));
        assert_eq!(both == [true; 2], vantage == Vantage::V3, "{captured:?}");
    }
    assert_eq!(Trace::capture().negotiated(MSTSC, HYBRID).report().vantage, Vantage::V1);
}

#[test]
fn a_reset_is_reported_beside_its_senders_other_segments() {
    use SegmentKind::{AfterRst, Rst};
    let heard = [(Rst, 55), (AfterRst, 64), (AfterRst, 64)];
    let heard =
        heard.map(|(kind, ttl)| (Origin::Live(9), Input::Segment(segment(Leg::Server, kind, ttl))));
    let report = report(&heard);
    let leg = report.legs.server.unwrap();
    assert_eq!(
        serde_json::to_value(leg.tcp).unwrap()["resets"],
        serde_json::json!([{"from": "server", "ttl": 55, "usual_ttl": 64, "earlier_segments": 5,
            "offset": 0, "followed_by": 2}])
    );
    let other = serde_json::to_value(report.legs.client.unwrap().tcp).unwrap();
    assert!(!other.as_object().unwrap().contains_key("resets"));
}

#[test]
fn a_live_segment_is_evidence_of_a_kind_of_its_own() {
    let ttl = Input::Segment(segment(Leg::Server, SegmentKind::Rst, 55));
    let report = report(&[(Origin::Live(9), ttl)]);
    let cited = report.evidence.iter().filter_map(|item| item.origin.as_ref());
    let cited: Vec<_> = cited.filter(|origin| origin.kind == "segment").collect();
    assert!(!cited.is_empty(), "{:?}", report.evidence);
    assert!(cited.iter().all(|at| (at.n, at.leg.as_str()) == (Some(9), "server")), "{cited:?}");
}

#[test]
fn windows_that_open_and_close_leave_room_for_a_reset() {
    use SegmentKind::{Rst, SynAck, WindowOpen, ZeroWindow};
    let flapping = [ZeroWindow, WindowOpen].into_iter().cycle().take(500);
    // One that is kept before them, so that the last window has room and its opening has none.
    let heard: Vec<_> = [SynAck]
        .into_iter()
        .chain(flapping)
        .chain([Rst])
        .map(|kind| (Origin::Live(1), Input::Segment(segment(Leg::Server, kind, 64))))
        .collect();
    let session = reset(&heard);
    let leg = session.facts().tcp.leg(Leg::Server);
    assert_eq!((leg.kept(Rst).count(), leg.segments.len()), (1, 18));
    // Whoever reads what is kept sees each of them open again.
    assert_eq!((leg.kept(ZeroWindow).count(), leg.kept(WindowOpen).count()), (8, 8));
    // Windows that are not kept are looked at.
    assert!(leg.zero_window(ToClient).longest.is_some());
}

#[test]
fn a_syn_that_waited_to_be_accepted_is_told_at_its_own_time() {
    let mut session = Trace::relay().negotiated(MSTSC, HYBRID).rst(ToClient).session();
    // Window scale behind eight no-operation options.
    let options = [&[2, 4, 5, 180][..], &[1; 9], &[3, 3, 7]].concat();
    let syn = Segment { options, ..segment(Leg::Client, SegmentKind::Syn, 64) };
    let early = Timestamp(STARTED.0 - 40_000_000);
    session.feed(early, Origin::Live(1), Input::Segment(syn));
    let report = contract::report(&session, &[]);
    let told = report.evidence.iter().find(|item| item.fact.contains("no-operation options"));
    assert_eq!(told.and_then(|item| item.at_ms), Some(-40.0), "{report:#?}");
}
