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
            ..Default::default()
        }
    );
}
