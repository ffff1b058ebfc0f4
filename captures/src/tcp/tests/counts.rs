//! What is counted, and copies of a mirror port.

use super::*;

#[test]
fn copies_of_a_mirror_port_are_dropped() {
    let mut script = Script::open();
    let segment = Seg { ip_id: Some(7), checksum: 99, ..c(1001, 2001, ACK, b"ab") };
    script.push(20, &segment);
    script.push(25, &segment);
    script.push(26, &segment); // 6 ms: its own retransmission
    script.push(27, &Seg { ip_id: Some(8), ..segment.clone() });
    script.push(27, &Seg { checksum: 98, ..segment.clone() });
    script.finish(30);
    let counts = script.last_counts()[0];
    assert_eq!((counts.mirrored, counts.retransmitted), (1, 3));
    assert_eq!(counts.segments, 2 + 4);
    assert_eq!(script.take(), ["> ab"]);
}

#[test]
fn without_ip_identification_the_options_have_to_be_equal() {
    for ip_id in [None, Some(0)] {
        let mut script = Script::open();
        let segment = Seg { ip_id, options: vec![8, 10, 1], ..c(1001, 2001, ACK, b"ab") };
        script.push(20, &segment);
        script.push(20, &segment);
        script.push(21, &Seg { options: vec![8, 10, 2], ..segment });
        script.finish(30);
        let counts = script.last_counts()[0];
        assert_eq!((counts.mirrored, counts.retransmitted), (1, 1));
    }
}

#[test]
fn a_mirrored_syn_or_rst_is_told_once() {
    let mut script = Script::new();
    for segment in [c(1000, 0, SYN, b""), s(0, 1001, RST_ACK, b"")] {
        script.push(0, &segment);
        script.push(1, &segment);
    }
    let refused = format!("Refused {} 0ns 1", server_address());
    assert_eq!(script.take(), ["Syn>", "Rst<", &refused]);
}

#[test]
fn counts_cover_both_senders() {
    let mut script = Script::open();
    script.push(20, &c(1001, 2001, ACK, b"abc"));
    script.push(21, &s(2001, 1003, ACK, b"xy"));
    script.push(22, &Seg { cut: 8, ..c(1004, 2003, ACK, b"de") });
    script.finish(30);
    let [client, server] = script.last_counts();
    assert_eq!(
        client,
        SegmentCounts {
            segments: 4,
            data_segments: 2,
            bytes: 13,
            acknowledged: Some(2),
            largest: 10,
            ..Default::default()
        }
    );
    assert_eq!(
        server,
        SegmentCounts {
            segments: 2,
            data_segments: 1,
            bytes: 2,
            acknowledged: Some(2),
            largest: 2,
            largest_acknowledged: 2,
            ..Default::default()
        }
    );
}

#[test]
fn a_large_segment_that_is_sent_in_vain_is_told_from_a_small_one_that_arrived() {
    let mut script = Script::open();
    script.push(20, &c(1001, 2001, ACK, b"small"));
    script.push(21, &s(2001, 1006, ACK, b""));
    for ms in [22, 222, 622] {
        script.push(ms, &c(1006, 2001, ACK, &[7; 1460]));
    }
    script.finish(700);
    let counts = script.last_counts()[0];
    assert_eq!((counts.largest, counts.largest_acknowledged), (1460, 5));
    assert_eq!(counts.repeated, 2);
}

#[test]
fn what_stands_behind_a_hole_that_the_receiver_did_not_pass_is_counted() {
    let mut script = Script::open();
    script.push(20, &s(3461, 1001, ACK, b"tail"));
    script.push(21, &c(1001, 2001, ACK, b""));
    script.push(900, &c(1001, 2001, FIN_ACK, b""));
    script.push(901, &c(1002, 2001, RST, b""));
    script.finish(902);
    assert_eq!(script.last_counts()[1].behind_hole, 4);
}

#[test]
fn a_receiver_that_got_the_same_twice_says_so() {
    let mut script = Script::open();
    script.push(20, &c(1001, 2001, ACK, b"ab"));
    let (left, right) = (1001u32.to_be_bytes(), 1003u32.to_be_bytes());
    let times = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
    let sack = [1, 1, 5, 10, left[0], left[1], left[2], left[3]];
    let options = [&times[..], &sack, &right].concat();
    script.push(21, &Seg { options, ..s(2001, 1003, ACK, b"") });
    script.finish(30);
    assert_eq!(script.last_counts()[0].duplicates_reported, 1);
}
