//! Flows from packets of made-up legs.

use rdpwhy_captures::synth::{Packet, Sender, SyntheticLeg};

use super::*;

const LO: i32 = 1;

fn at(ms: u64) -> Timestamp {
    Timestamp(1_000_000_000_000 + ms * 1_000_000)
}

fn ends(port: u16) -> Ends {
    Ends {
        client: SocketAddr::from(([10, 0, 0, 5], port)),
        server: SocketAddr::from(([10, 0, 0, 9], 3389)),
    }
}

fn leg(port: u16) -> SyntheticLeg {
    SyntheticLeg::new(ends(port).client, ends(port).server, u32::from(port))
}

/// A capture and the clock of its packets, one a millisecond.
struct Stage {
    flows: Flows,
    ms: u64,
}

impl Stage {
    fn new() -> Stage {
        Stage { flows: Flows::new([13389, 3389], 4), ms: 0 }
    }

    fn pass(&mut self, packet: &Packet) {
        self.pass_on(LO, &packet.bytes(), packet.original_len);
    }

    fn pass_on(&mut self, interface: i32, bytes: &[u8], len: u32) {
        self.ms += 1;
        self.flows.packet(at(self.ms), interface, bytes, len);
    }

    fn handshake(&mut self, leg: &mut SyntheticLeg) {
        let packets = [leg.syn(), leg.syn_ack(), leg.ack(Sender::Opener)];
        packets.iter().for_each(|packet| self.pass(packet));
    }

    fn says(&mut self, leg: &mut SyntheticLeg, sender: Sender, bytes: &[u8]) {
        for packet in leg.data(sender, bytes) {
            self.pass(&packet);
        }
        let ack = leg.ack(if sender == Sender::Opener { Sender::Acceptor } else { Sender::Opener });
        self.pass(&ack);
    }

    fn claim(&mut self, key: u64, leg: Leg, port: u16) -> Inbox {
        let inbox = Inbox::default();
        self.flows.claim(key, inbox.clone(), leg, ends(port), true);
        inbox
    }

    fn finish(&mut self, key: u64) -> bool {
        self.flows.finish(key, at(self.ms + 1))
    }
}

fn segments(heard: &[Heard]) -> Vec<(Leg, SegmentKind)> {
    let segment = |heard: &Heard| match &heard.input {
        Input::Segment(segment) => Some((segment.leg, segment.kind)),
        _ => None,
    };
    heard.iter().filter_map(segment).collect()
}

fn counts(heard: &[Heard]) -> Vec<(Leg, [SegmentCounts; 2])> {
    let counts = |heard: &Heard| match heard.input {
        Input::Counts { leg, counts } => Some((leg, counts)),
        _ => None,
    };
    heard.iter().filter_map(counts).collect()
}

#[test]
fn a_session_hears_what_passed_before_and_after_it_named_its_leg() {
    let mut stage = Stage::new();
    let mut server = leg(50001);
    stage.handshake(&mut server);
    let inbox = stage.claim(7, Leg::Server, 50001);
    stage.says(&mut server, Sender::Opener, b"request");
    stage.says(&mut server, Sender::Acceptor, b"confirm");
    let rst = server.rst(Sender::Acceptor);
    stage.pass(&rst);
    assert!(stage.finish(7));
    let heard = inbox.take();
    use SegmentKind::*;
    let legs = [Syn, SynAck, Rst].map(|kind| (Leg::Server, kind));
    assert_eq!(segments(&heard), legs);
    let Input::Segment(rst) = &heard[2].input else { panic!("{heard:?}") };
    assert_eq!((rst.dir, rst.offset(), rst.len), (Direction::ToClient, Some(0), 0));
    assert_eq!(rst.baseline.ttl, Some((rst.ttl.unwrap(), 3)));
    assert!(rst.ip_id.is_some());
    assert_eq!((heard[2].number, heard[2].time), (8, at(8)));
    let counts = counts(&heard);
    assert_eq!(counts.len(), 1);
    assert_eq!(counts[0].1.map(|side| (side.segments, side.bytes)), [(4, 7), (4, 7)]);
}

#[test]
fn legs_and_sessions_are_kept_apart_and_no_payload_is_told() {
    let mut stage = Stage::new();
    let mut legs = [leg(50001), leg(50002), leg(50003)];
    let client = stage.claim(1, Leg::Client, 50001);
    for one in &mut legs {
        stage.handshake(one);
        stage.says(one, Sender::Opener, b"secret");
    }
    stage.flows.claim(1, client.clone(), Leg::Server, ends(50002), true);
    let other = stage.claim(2, Leg::Client, 50003);
    assert!(stage.finish(1) && stage.finish(2));
    let heard = client.take();
    let told = counts(&heard).iter().map(|(leg, _)| *leg).collect::<Vec<_>>();
    assert_eq!(told, [Leg::Client, Leg::Server]);
    assert_eq!(segments(&heard).iter().filter(|(leg, _)| *leg == Leg::Server).count(), 2);
    assert_eq!(segments(&other.take()).len(), 2);
    assert!(!format!("{heard:?}").contains("secret") && !format!("{heard:?}").contains("115, 101"));
    assert!(stage.flows.slots.is_empty() && stage.flows.sessions.is_empty());
}

#[test]
fn where_packets_are_missing_nothing_is_counted() {
    let lost = |what: fn(&mut Stage, &mut SyntheticLeg)| {
        let mut stage = Stage::new();
        let mut one = leg(50001);
        let inbox = stage.claim(1, Leg::Client, 50001);
        stage.handshake(&mut one);
        what(&mut stage, &mut one);
        stage.says(&mut one, Sender::Opener, b"c");
        stage.says(&mut one, Sender::Acceptor, b"d");
        let whole = stage.finish(1);
        let heard = inbox.take();
        assert_eq!(segments(&heard).len(), 2, "what was seen is told");
        (whole, counts(&heard).len())
    };
    assert_eq!(lost(|_, _| {}), (true, 1));
    assert_eq!(lost(|stage, _| stage.flows.lost += 1), (false, 0));
    // The peer acknowledges bytes that were never captured.
    assert_eq!(lost(|_, one| drop(one.data(Sender::Opener, b"unseen"))), (false, 0));
}

#[test]
fn a_connection_that_failed_has_segments_and_no_counts() {
    let mut stage = Stage::new();
    let mut one = leg(50001);
    stage.pass(&one.syn());
    stage.pass(&one.refused());
    let inbox = Inbox::default();
    stage.flows.claim(1, inbox.clone(), Leg::Server, ends(50001), false);
    assert!(stage.finish(1));
    let heard = inbox.take();
    use SegmentKind::*;
    assert_eq!(segments(&heard), [(Leg::Server, Syn), (Leg::Server, Rst)]);
    assert_eq!(heard.len(), 2);
}

#[test]
fn a_packet_shown_by_two_interfaces_counts_once_and_a_reset_is_taken_from_any() {
    let mut stage = Stage::new();
    let mut one = leg(50001);
    let inbox = stage.claim(1, Leg::Client, 50001);
    stage.handshake(&mut one);
    let data = one.data(Sender::Opener, b"twice");
    stage.pass(&data[0]);
    // The copy comes late, as behind a full queue.
    stage.ms += 50;
    stage.pass_on(2, &data[0].bytes(), data[0].original_len);
    stage.pass(&one.ack(Sender::Acceptor));
    let rst = one.rst(Sender::Acceptor);
    stage.pass_on(2, &rst.bytes(), rst.original_len);
    assert!(stage.finish(1));
    let heard = inbox.take();
    assert_eq!(segments(&heard).last(), Some(&(Leg::Client, SegmentKind::Rst)));
    let client = counts(&heard)[0].1[0];
    assert_eq!((client.data_segments, client.retransmitted), (1, 0));
}

#[test]
fn only_a_window_that_stays_closed_is_told() {
    for (closed_ms, told) in [(200, false), (4000, true)] {
        let mut stage = Stage::new();
        let mut one = leg(50001);
        let inbox = stage.claim(1, Leg::Client, 50001);
        stage.handshake(&mut one);
        let mut ack = one.ack(Sender::Acceptor).bytes();
        let window = 20 + 14..20 + 16;
        let open: Vec<u8> = ack[window.clone()].to_vec();
        ack[window.clone()].fill(0);
        stage.pass_on(LO, &ack, ack.len() as u32);
        stage.ms += closed_ms;
        stage.flows.look_over(at(stage.ms));
        use SegmentKind::*;
        let live = inbox.take();
        let has = |heard: &[Heard], kind| segments(heard).contains(&(Leg::Client, kind));
        assert_eq!(has(&live, ZeroWindow), told);
        ack[window].copy_from_slice(&open);
        stage.pass_on(LO, &ack, ack.len() as u32);
        assert_eq!(has(&inbox.take(), WindowOpen), told);
    }
}

#[test]
fn strangers_are_forgotten_and_a_waiting_dial_is_not() {
    let mut stage = Stage::new();
    let (mut stranger, mut dialing) = (leg(50001), leg(50002));
    stage.handshake(&mut stranger);
    stage.pass(&dialing.syn());
    stage.ms += 60_000;
    stage.flows.look_over(at(stage.ms));
    // It goes on talking and stays forgotten.
    stage.says(&mut stranger, Sender::Opener, b"x");
    stage.pass(&dialing.syn_retry());
    assert_eq!(stage.flows.slots.len(), 1);
    let inbox = stage.claim(1, Leg::Server, 50002);
    assert_eq!(segments(&inbox.take()), [(Leg::Server, SegmentKind::Syn); 2]);
    stage.ms += 200_000;
    stage.flows.look_over(at(stage.ms));
    assert_eq!(stage.flows.slots.len(), 1, "a session keeps its flow");
    stage.finish(1);
    assert!(stage.flows.slots.is_empty() && stage.flows.awaited.is_empty());
}

#[test]
fn the_inbox_of_a_session_is_bounded() {
    let mut stage = Stage::new();
    let mut one = leg(50001);
    let inbox = stage.claim(1, Leg::Client, 50001);
    stage.handshake(&mut one);
    for _ in 0..1000 {
        let rst = one.rst(Sender::Opener);
        stage.ms += 10; // no copies
        stage.pass(&rst);
    }
    assert!(stage.finish(1));
    let heard = inbox.take();
    assert_eq!((segments(&heard).len(), counts(&heard).len()), (Inbox::MOST, 1));
}
