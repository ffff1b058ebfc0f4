//! Streams put in order.

use super::super::waiting::WaitingPiece;
use super::*;

#[test]
fn both_directions_come_in_packet_order() {
    let mut script = Script::open();
    script.push(20, &c(1001, 2001, ACK, b"ab"));
    script.push(21, &s(2001, 1003, ACK, b"xy"));
    script.push(22, &c(1003, 2003, ACK, b"c"));
    assert_eq!(script.take(), ["> ab", "< xy", "> c"]);
    assert_eq!(script.packets[3..], [4, 5, 6]);
}

#[test]
fn reordered_segments_are_put_back() {
    let mut script = Script::open();
    script.push(20, &c(1003, 2001, ACK, b"cd"));
    script.push(21, &c(1007, 2001, ACK, b"gh"));
    script.push(22, &c(1005, 2001, ACK, b"ef"));
    assert!(script.take().is_empty());
    script.push(23, &c(1001, 2001, ACK, b"ab"));
    assert_eq!(script.take(), ["> ab", "> cd", "> ef", "> gh"]);
    // Each keeps its packet; the time does not run backwards.
    assert_eq!(script.packets[3..], [7, 4, 6, 5]);
    assert!(script.times[3..].iter().all(|&time| time == 23_000_000));
    script.finish(100);
    assert_eq!(script.last_counts()[0].out_of_order, 3);
    assert_eq!(script.last_counts()[0].retransmitted, 0);
}

#[test]
fn retransmissions_bring_only_what_is_new() {
    let mut script = Script::open();
    script.push(20, &c(1001, 2001, ACK, b"abcd"));
    script.push(220, &c(1001, 2001, ACK, b"abcd"));
    script.push(420, &c(1003, 2001, ACK, b"cdef"));
    script.push(421, &c(1002, 2001, ACK, b"bc"));
    assert_eq!(script.take(), ["> abcd", "> ef"]);
    script.finish(1000);
    let counts = script.last_counts()[0];
    assert_eq!((counts.data_segments, counts.retransmitted, counts.bytes), (4, 2, 6));
}

#[test]
fn the_first_copy_wins_and_another_is_told() {
    let mut script = Script::open();
    script.push(20, &c(1001, 2001, ACK, b"abcd"));
    script.push(40, &c(1003, 2001, ACK, b"cXef"));
    assert_eq!(script.take(), ["> abcd", "> ef", "DifferingOverlap>"]);
    // The same while the first copy waits.
    script.push(50, &c(1009, 2001, ACK, b"ijk"));
    script.push(60, &c(1007, 2001, ACK, b"ghIJKl"));
    assert_eq!(script.take(), ["> gh", "> ijk", "> l", "DifferingOverlap>"]);
}

#[test]
fn overlapping_pieces_that_wait_are_told_once() {
    let mut script = Script::open();
    script.push(20, &c(1003, 2001, ACK, b"c"));
    script.push(20, &c(1005, 2001, ACK, b"e"));
    script.push(21, &c(1002, 2001, ACK, b"bcdef"));
    script.push(22, &c(1003, 2001, ACK, b"cd"));
    script.push(30, &c(1001, 2001, ACK, b"a"));
    assert_eq!(script.take(), ["> a", "> b", "> c", "> d", "> e", "> f"]);
    script.finish(100);
    let counts = script.last_counts()[0];
    assert_eq!((counts.out_of_order, counts.retransmitted, counts.bytes), (3, 1, 6));
}

#[test]
fn sequence_numbers_wrap() {
    let mut script = Script::new();
    let isn = u32::MAX - 2;
    script.push(0, &c(isn, 0, SYN, b""));
    script.push(1, &s(u32::MAX, isn + 1, SYN_ACK, b""));
    script.push(2, &c(isn + 1, 0, ACK, b"abc"));
    script.push(3, &c(4, 0, ACK, b"gh"));
    script.push(4, &c(1, 0, ACK, b"def"));
    script.push(5, &s(0, 6, ACK, b"x"));
    assert_eq!(script.take()[2..], ["Opened Some(1ms)", "> abc", "> def", "> gh", "< x"]);
    script.finish(10);
    assert_eq!(script.last_counts()[0].acknowledged, Some(8));
}

#[test]
fn streams_longer_than_sequence_numbers_go_on() {
    let mut script = Script::open();
    let mut total = 0u64;
    while total < 5 << 30 {
        let mut segment = c(1001u32.wrapping_add(total as u32), 2001, ACK, b"");
        segment.cut = 1 << 28;
        script.push(total >> 20, &segment);
        total += 1 << 28;
    }
    assert!(script.take().iter().all(|line| *line == format!("Skipped> {}", 1 << 28)));
    script.finish(10_000);
    assert_eq!(script.last_counts()[0].bytes, total);
}

#[test]
fn a_hole_that_the_peer_acknowledged_is_a_gap() {
    let mut script = Script::open();
    script.push(20, &c(1006, 2001, ACK, b"fg"));
    script.push(21, &s(2001, 1001, ACK, b""));
    assert!(script.take().is_empty(), "not acknowledged yet");
    script.push(22, &s(2001, 1008, ACK, b"answer"));
    assert_eq!(script.take(), ["Gap> 5", "> fg", "< answer"]);
    // An ACK that comes first counts as well.
    script.push(23, &s(2007, 1010, ACK, b""));
    script.push(24, &c(1009, 2007, ACK, b"i"));
    assert_eq!(script.take(), ["Gap> 1", "> i"]);
}

#[test]
fn a_hole_is_a_gap_at_the_end() {
    let mut script = Script::open();
    script.push(20, &c(1003, 2001, ACK, b"cd"));
    script.push(21, &s(2011, 1001, ACK, b"y"));
    script.push(22, &c(1008, 2001, ACK, b"hi"));
    script.finish(5000);
    assert_eq!(script.take(), ["Gap> 2", "> cd", "Gap< 10", "< y", "Gap> 3", "> hi"]);
    assert_eq!(script.times[3..], [20, 20, 21, 21, 22, 22].map(|ms| ms * 1_000_000));
}

#[test]
fn too_much_that_waits_is_a_gap() {
    let mut script = Script::open();
    for index in 0..256 {
        script.push(20, &c(1011 + 2 * index, 2001, ACK, b"x"));
    }
    assert!(script.take().is_empty());
    script.push(21, &c(1011 + 2 * 256, 2001, ACK, b"x"));
    assert_eq!(script.take(), ["Gap> 10", "> x"]);

    let mut script = Script::open();
    let block = vec![b'x'; 64 * 1024];
    for index in 0..4 {
        script.push(20, &c(1011 + index * 65536, 2001, ACK, &block));
    }
    assert!(script.take().is_empty());
    script.push(21, &c(1011 + 4 * 65536, 2001, ACK, b"x"));
    assert_eq!(script.take().len(), 6);
}

#[test]
fn all_flows_together_hold_back_a_bounded_number_of_bytes() {
    let mut script = Script::open();
    // Ten bytes, and what it takes to keep them.
    script.table.memory.limit = size_of::<WaitingPiece>() + 10;
    script.push(20, &c(1011, 2001, ACK, b"0123456789"));
    assert!(script.take().is_empty());
    script.push(21, &c(1031, 2001, ACK, b"x"));
    assert_eq!(script.take(), ["Gap> 10", "> 0123456789", "Gap> 10", "> x"]);
    script.push(22, &c(1032, 2001, ACK, b"y"));
    script.finish(30);
    assert_eq!(script.take(), ["> y"]);
}

#[test]
fn what_the_snaplen_cut_is_skipped() {
    let mut script = Script::open();
    script.push(20, &Seg { cut: 100, ..c(1001, 2001, ACK, b"abc") });
    script.push(21, &c(1104, 2001, ACK, b"d"));
    script.push(22, &Seg { cut: 5, ..c(1106, 2001, ACK, b"fg") });
    script.push(23, &c(1105, 2001, ACK, b"e"));
    assert_eq!(script.take(), ["> abc", "Skipped> 100", "> d", "> e", "> fg", "Skipped> 5"]);
}

#[test]
fn a_stream_that_starts_in_the_middle_begins_with_its_first_segment() {
    let mut script = Script::new();
    script.push(0, &s(5000, 700, ACK, b"x"));
    script.push(1, &c(700, 5001, ACK, b"y"));
    script.push(2, &s(4000, 700, ACK, b"old"));
    script.push(3, &s(4999, 700, ACK, b"wxz"));
    assert_eq!(script.take(), ["< x", "> y", "< z"]);
}

#[test]
fn a_keep_alive_in_front_of_a_stream_is_not_its_first_byte() {
    let mut script = Script::new();
    script.push(0, &c(699, 5000, ACK, b""));
    script.push(1, &s(5000, 700, ACK, b""));
    script.push(2, &c(700, 5000, ACK, b"y"));
    assert_eq!(script.take(), ["> y"]);
}

#[test]
fn one_direction_is_enough() {
    let mut script = Script::new();
    script.push(0, &s(2000, 1001, SYN_ACK, b""));
    script.push(1, &s(2001, 1020, ACK, b"x"));
    script.push(2, &s(2003, 1030, ACK, b"z"));
    script.finish(3);
    assert_eq!(script.take(), ["SynAck<", "Opened None", "< x", "Gap< 1", "< z"]);
    assert_eq!(script.last_counts()[0].acknowledged, Some(29));
    assert_eq!(script.last_counts()[1].acknowledged, None);
}

#[test]
fn keep_alives_bring_nothing() {
    let mut script = Script::open();
    script.push(20, &c(1001, 2001, ACK, b"ab"));
    script.push(1000, &c(1002, 2001, ACK, b"\0"));
    script.push(2000, &c(1002, 2001, ACK, b""));
    script.push(3000, &c(1003, 2001, ACK, b"c"));
    script.finish(4000);
    assert_eq!(script.take(), ["> ab", "> c"]);
    assert_eq!(script.last_counts()[0].retransmitted, 0);
}

#[test]
fn what_no_window_reaches_is_left_out() {
    let mut script = Script::open();
    script.push(20, &c(1001u32.wrapping_add(1 << 31), 2001, ACK, b"far"));
    script.push(21, &c(1001, 2001, ACK, b"near"));
    script.finish(30);
    assert_eq!(script.take(), ["> near"]);
}
