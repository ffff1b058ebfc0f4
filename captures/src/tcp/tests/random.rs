//! Random streams and random segments.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// A segment of a stream: from the client or not, where it begins, its bytes.
type Part = (bool, usize, Vec<u8>);

fn isn() -> impl Strategy<Value = u32> {
    prop_oneof![any::<u32>(), (u32::MAX - 300..=u32::MAX)]
}

/// Cuts both streams and mixes them, each in order.
fn cut(streams: &[Vec<u8>; 2], cuts: &[usize], turns: &[bool]) -> Vec<Part> {
    let mut at = [0, 0];
    let mut parts = Vec::new();
    let (mut cuts, mut turns) = (cuts.iter().cycle(), turns.iter().cycle());
    while at[0] < streams[0].len() || at[1] < streams[1].len() {
        let mut side = usize::from(*turns.next().unwrap());
        if at[side] == streams[side].len() {
            side = 1 - side;
        }
        let end = (at[side] + cuts.next().unwrap()).min(streams[side].len());
        parts.push((side == 0, at[side], streams[side][at[side]..end].to_vec()));
        at[side] = end;
    }
    parts
}

/// The table behind the handshake and the parts; a peer acknowledges what was captured in order, if at all.
fn play(parts: &[Part], isns: [u32; 2], acks: bool) -> (Vec<String>, [Vec<u8>; 2], [u64; 2]) {
    let mut script = Script::new();
    let [client, server] = isns.map(|isn| isn.wrapping_add(1));
    script.push(0, &c(isns[0], 0, SYN, b""));
    script.push(1, &s(isns[1], client, SYN_ACK, b""));
    script.push(2, &c(client, server, ACK, b""));
    let mut captured = [vec![], vec![]];
    let reached = |have: &[(usize, usize)]| {
        let mut reached = 0;
        while let Some(next) =
            have.iter().find(|part| part.0 <= reached && part.1 > reached).map(|part| part.1)
        {
            reached = next;
        }
        reached as u32
    };
    for (index, (from_client, start, bytes)) in parts.iter().enumerate() {
        let time = 10 + 10 * index as u64;
        let ack = |base: u32, side: usize| {
            base.wrapping_add(if acks { reached(&captured[side]) } else { 0 })
        };
        let segment = match from_client {
            true => c(client.wrapping_add(*start as u32), ack(server, 1), ACK, bytes),
            false => s(server.wrapping_add(*start as u32), ack(client, 0), ACK, bytes),
        };
        captured[usize::from(!from_client)].push((*start, start + bytes.len()));
        script.push(time, &segment);
    }
    script.finish(100_000);
    let mut streams = [vec![], vec![]];
    let mut gaps = [0, 0];
    let mut rest = Vec::new();
    for line in script.take().into_iter().skip(3) {
        match line.split_once(' ') {
            Some((">", data)) => streams[0].extend_from_slice(data.as_bytes()),
            Some(("<", data)) => streams[1].extend_from_slice(data.as_bytes()),
            Some(("Gap>", lost)) => gaps[0] += lost.parse::<u64>().unwrap(),
            Some(("Gap<", lost)) => gaps[1] += lost.parse::<u64>().unwrap(),
            _ => rest.push(line),
        }
    }
    (rest, streams, gaps)
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    vec(b'!'..=b'~', 0..400)
}

/// A segment behind the heads of both streams: from the client or not, how far from the next byte (0: it is that),
/// how many bytes, flags, window, TTL, IP identification, and whether a mirror port shows it twice.
type Step = (bool, i8, usize, u8, u16, u8, u16, bool);

fn step() -> impl Strategy<Value = Step> {
    let flags = prop_oneof![8 => Just(ACK), 4 => Just(ACK | flag::PSH), 1 => any::<u8>()];
    let window = prop_oneof![9 => Just(1000u16), 1 => Just(0)];
    let shift = prop_oneof![9 => Just(0i8), 1 => any::<i8>()];
    let ttl = prop_oneof![9 => Just(64u8), 1 => any::<u8>()];
    let twice = prop_oneof![4 => Just(false), 1 => Just(true)];
    (any::<bool>(), shift, 0usize..90, flags, window, ttl, any::<u16>(), twice)
}

/// Half of what stands before the steps in both streams: nothing, nearly all that is kept of a head, nearly all that
/// is compared with copies, or more.
fn half_a_head() -> impl Strategy<Value = usize> {
    prop_oneof![Just(0), 4_000usize..4_100, 32_700usize..32_770, Just(40_000)]
}

/// Plays the steps behind heads of twice this length; what was told.
fn long(head: usize, steps: &[Step], may_be_short: bool) -> Script {
    let mut script = Script::open();
    let mut next = [1001u32, 2001];
    let mut time = 20;
    let mut send = |(from_client, shift, len, flags, window, ttl, id, twice): Step,
                    next: &mut [u32; 2]| {
        let (own, peer) = if from_client { (0, 1) } else { (1, 0) };
        let make = if from_client { c } else { s };
        let seq = next[own].wrapping_add_signed(shift.into());
        let data = vec![b'a' + (seq % 26) as u8; len];
        let segment = make(seq, next[peer], flags, &data);
        time += 1;
        let segment = Seg { window, ttl, ip_id: Some(id), ..segment };
        for _ in 0..1 + usize::from(twice) {
            if may_be_short {
                script.push_frame(time, &segment);
            } else {
                script.table.flows.iter_mut().flatten().for_each(|flow| flow.unsettle());
                script.push(time, &segment);
            }
        }
        if shift == 0 {
            next[own] = next[own].wrapping_add(len as u32);
        }
    };
    for from_client in [true, true, false, false] {
        send((from_client, 0, head, ACK, 1000, 64, 1, false), &mut next);
    }
    steps.iter().for_each(|step| send(*step, &mut next));
    script.finish(100_000);
    script
}

proptest! {
    #[test]
    fn the_short_way_tells_what_the_long_one_does(
        head in half_a_head(),
        steps in vec(step(), 0..60),
    ) {
        let [short, long] = [true, false].map(|may_be_short| long(head, &steps, may_be_short));
        prop_assert_eq!(short.log, long.log);
        prop_assert_eq!(short.segments, long.segments);
        prop_assert_eq!(short.counts, long.counts);
        prop_assert_eq!((short.packets, short.times), (long.packets, long.times));
        prop_assert_eq!((short.table.memory.used, long.table.memory.used), (0, 0));
        prop_assert_eq!(long.frames, 0);
        // The first bytes of each side, at least, where they are no more than a packet holds.
        prop_assert!(short.frames > 0 || head == 0, "{}", short.frames);
    }

    #[test]
    fn streams_survive_reordering_and_copies(
        streams in [stream(), stream()],
        cuts in vec(1usize..40, 1..10),
        turns in vec(any::<bool>(), 1..10),
        moves in vec((0usize..10, 0usize..12), 100),
        isns in [isn(), isn()],
    ) {
        let parts = cut(&streams, &cuts, &turns);
        let mut sent: Vec<(usize, Part)> = Vec::new();
        for (index, part) in parts.into_iter().enumerate() {
            let (shift, copy) = moves[index % moves.len()];
            sent.push((index + shift, part.clone()));
            if copy < 3 {
                sent.push((index + shift + copy, part));
            }
        }
        sent.sort_by_key(|(place, _)| *place);
        let sent: Vec<Part> = sent.into_iter().map(|(_, part)| part).collect();
        let (rest, got, gaps) = play(&sent, isns, true);
        prop_assert_eq!(rest, Vec::<String>::new());
        prop_assert_eq!(gaps, [0, 0]);
        prop_assert_eq!(got, streams);
    }

    #[test]
    fn what_is_lost_is_told_as_gaps(
        streams in [stream(), stream()],
        cuts in vec(1usize..40, 1..10),
        turns in vec(any::<bool>(), 1..10),
        lost in vec(any::<bool>(), 1..50),
        isns in [isn(), isn()],
    ) {
        let mut lost = lost.into_iter().cycle();
        let mut parts = cut(&streams, &cuts, &turns);
        parts.retain(|_| !lost.next().unwrap());
        let (rest, got, gaps) = play(&parts, isns, false);
        prop_assert_eq!(rest, Vec::<String>::new());
        for side in 0..2 {
            let mine = || parts.iter().filter(|part| part.0 == (side == 0));
            let bytes: Vec<u8> = mine().flat_map(|part| part.2.clone()).collect();
            let end = mine().map(|part| part.1 + part.2.len()).max().unwrap_or(0);
            prop_assert_eq!(&got[side], &bytes);
            prop_assert_eq!(got[side].len() as u64 + gaps[side], end as u64);
        }
    }

    #[test]
    fn anything_goes_in_and_little_stays(
        segments in vec(
            (
                (any::<bool>(), 0u16..3, 0u8..3, any::<u8>(), any::<u16>()),
                (prop_oneof![0u32..200, any::<u32>()], prop_oneof![0u32..200, any::<u32>()]),
                vec(any::<u8>(), 0..30),
                prop_oneof![Just(0u32), 0u32..100, Just(u32::MAX - 60)],
                any::<u32>(),
            ),
            0..300,
        ),
        max_flows in 0usize..4,
    ) {
        let mut script = Script::with(FlowOptions { max_flows, ..FlowOptions::default() });
        script.table.memory.limit = 2_000;
        for ((from_client, port, tag, flags, window), (seq, ack), data, cut, time) in segments {
            let make = if from_client { c } else { s };
            let mut segment = Seg { tag, window, cut, ..make(seq, ack, flags, &data) };
            let end = if from_client { &mut segment.source } else { &mut segment.destination };
            end.set_port(50_000 + port);
            script.push_nanos(u64::from(time), &segment);
            prop_assert!(script.table.places.len() <= max_flows.max(1));
            prop_assert!(script.table.memory.used <= 2_000, "{}", script.table.memory.used);
        }
        script.icmp(1, 3, 1, None);
        script.finish(10_000);
    }
}
