//! Handshakes, complete and not.

use super::*;

#[test]
fn the_handshake_takes_from_the_answered_syn_to_the_syn_ack() {
    let mut script = Script::new();
    script.push(0, &c(1000, 0, SYN, b""));
    script.push(1000, &c(1000, 0, SYN, b""));
    script.push(1030, &s(2000, 1001, SYN_ACK, b""));
    script.push(1040, &s(2000, 1001, SYN_ACK, b""));
    assert_eq!(script.take(), ["Syn>", "Syn>", "SynAck<", "SynAck<"]);
    script.push(1050, &c(1001, 2001, ACK, b"x"));
    assert_eq!(script.take(), ["Opened Some(30ms)", "> x"]);
    assert!(!script.flows[0].starts_in_the_middle);
}

#[test]
fn a_missing_syn_leaves_the_time_unknown() {
    let mut script = Script::new();
    script.push(10, &s(2000, 1001, SYN_ACK, b""));
    script.push(11, &c(1001, 2001, ACK, b"x"));
    assert_eq!(script.take(), ["SynAck<", "Opened None", "> x"]);
    assert_eq!(script.flows[0].client, client_address());
}

#[test]
fn a_missing_syn_ack_is_made_up_for_by_the_clients_ack() {
    let mut script = Script::new();
    script.push(0, &c(1000, 0, SYN, b""));
    script.push(20, &c(1001, 2001, ACK, b""));
    script.push(21, &c(1001, 2001, ACK, b"x"));
    // The server's first bytes are missing, which only the client's ACK can tell.
    script.push(30, &s(2004, 1002, ACK, b"def"));
    script.push(31, &c(1002, 2007, ACK, b""));
    assert_eq!(script.take(), ["Syn>", "Opened None", "> x", "Gap< 3", "< def"]);
}

#[test]
fn a_late_syn_ack_is_no_other_flow() {
    let mut script = Script::new();
    let flow = script.push(0, &c(1000, 0, SYN, b""));
    script.push(1, &c(1001, 2001, ACK, b"x"));
    assert_eq!(script.push(2, &s(2000, 1001, SYN_ACK, b"")), flow);
    script.push(3, &s(2001, 1002, ACK, b"y"));
    assert_eq!(script.take(), ["Syn>", "Opened None", "> x", "SynAck<", "< y"]);
}

#[test]
fn data_before_its_syn_stays_in_one_flow() {
    let mut script = Script::new();
    let flow = script.push(1, &c(1001, 2001, ACK, b"x"));
    assert_eq!(script.push(1, &c(1000, 0, SYN, b"")), flow);
    assert_eq!(script.push(2, &s(2000, 1001, SYN_ACK, b"")), flow);
    script.push(3, &s(2001, 1002, ACK, b"y"));
    assert_eq!(script.take(), ["> x", "Syn>", "SynAck<", "Opened Some(1ms)", "< y"]);
}

#[test]
fn a_rst_refuses_each_unanswered_syn_once() {
    let mut script = Script::new();
    script.push(0, &c(1000, 0, SYN, b""));
    script.push(5, &s(0, 1001, RST_ACK, b""));
    script.push(20, &s(0, 1001, RST_ACK, b""));
    // Windows tries again from the same port.
    script.push(500, &c(1000, 0, SYN, b""));
    script.push(505, &s(0, 1001, RST_ACK, b""));
    script.finish(60_000);
    let to = server_address();
    assert_eq!(
        script.take(),
        [
            "Syn>",
            "Rst<",
            &format!("Refused {to} 5ms 1"),
            "Rst<",
            "Syn>",
            "Rst<",
            &format!("Refused {to} 505ms 2")
        ]
    );
}

#[test]
fn a_rst_that_does_not_acknowledge_the_syn_refuses_nothing() {
    let mut script = Script::new();
    script.push(0, &c(1000, 0, SYN, b""));
    script.push(5, &s(0, 77, RST_ACK, b""));
    script.push(10, &s(2000, 1001, SYN_ACK, b""));
    script.push(11, &c(1001, 2001, ACK, b""));
    assert_eq!(script.take(), ["Syn>", "Rst<", "SynAck<", "Opened Some(10ms)"]);
}

#[test]
fn a_rst_refuses_a_syn_with_its_data_or_without_and_nothing_that_was_open() {
    let answered = |data: &[u8], ack| {
        let mut script = Script::new();
        script.push(0, &c(1000, 0, SYN, data));
        script.push(5, &s(0, ack, RST_ACK, b""));
        script.take().split_off(1)
    };
    let refused = ["Rst<".to_owned(), format!("Refused {} 5ms 1", server_address())];
    assert_eq!(answered(b"", 1001), refused);
    assert!(answered(b"abc", 1001).ends_with(&refused));
    assert!(answered(b"abc", 1004).ends_with(&refused));
    // It acknowledges what the capture does not hold, or what no client takes.
    assert_eq!(answered(b"", 8620), ["Rst<"]);
    let mut script = Script::new();
    for at in [0, 1000, 3000, 7000] {
        script.push(at, &c(1000, 0, SYN, b""));
        script.push(at + 5, &s(0, 1002, RST_ACK, b""));
    }
    script.finish(60_000);
    assert_eq!(script.take(), ["Syn>", "Rst<"].repeat(4), "nothing opened, and it is no silence");
}

#[test]
fn a_server_that_acknowledges_more_than_the_syn_has_accepted_it() {
    let mut script = Script::new();
    script.push(0, &c(1000, 0, SYN, b""));
    script.push(5, &s(2001, 1049, ACK, b""));
    script.push(6, &s(2001, 1049, RST_ACK, b""));
    assert_eq!(script.take(), ["Syn>", "Opened None", "Rst<", "Closed< Rst"]);
    // A challenge has the numbers of another connection. RFC 5961 4.
    let mut script = Script::new();
    script.push(0, &c(1000, 0, SYN, b""));
    script.push(5, &s(2001, 900_000, ACK, b""));
    assert_eq!(script.take(), ["Syn>"]);
}

#[test]
fn a_rst_behind_the_syn_ack_is_a_close() {
    let mut script = Script::new();
    script.push(0, &c(1000, 0, SYN, b""));
    script.push(5, &s(2000, 1001, SYN_ACK, b""));
    script.push(6, &c(1001, 0, RST, b""));
    assert_eq!(script.take(), ["Syn>", "SynAck<", "Rst>", "Closed> Rst"]);
}

#[test]
fn icmp_ends_an_attempt_when_it_quotes_its_syn() {
    let mut script = Script::new();
    let flow = script.push(0, &c(1000, 0, SYN, b""));
    for (kind, code, seq) in [(3, 4, Some(1000)), (11, 1, None), (8, 0, None), (3, 1, Some(1001))] {
        assert_eq!(script.icmp(5, kind, code, seq), Some(flow));
    }
    assert_eq!(script.take(), ["Syn>"]);
    script.icmp(7, 3, 1, Some(1000));
    script.icmp(8, 3, 1, Some(1000));
    script.finish(60_000);
    assert_eq!(script.take(), [format!("Icmp 3/1 {} 7ms 1", server_address())]);
}

#[test]
fn icmp_after_the_answer_ends_nothing() {
    let mut script = Script::open();
    script.icmp(20, 3, 1, Some(1000));
    assert!(script.take().is_empty());
    assert_eq!(Script::new().icmp(0, 3, 1, None), None);
}

#[test]
fn silence_is_an_answer_after_nine_seconds_or_with_three_syns_after_four() {
    let no_answer = |syns: &[u64], end| {
        let mut script = Script::new();
        syns.iter().for_each(|&ms| {
            script.push(ms, &c(1000, 0, SYN, b""));
        });
        script.finish(end);
        script.take().into_iter().skip(syns.len()).collect::<Vec<_>>()
    };
    let told = |rest: &str| vec![format!("NoAnswer {} {rest}", server_address())];
    assert!(no_answer(&[0, 1000], 8999).is_empty());
    assert_eq!(no_answer(&[0, 1000], 9000), told("9s 2"));
    // The last SYN may still be answered: the capture has to go on for a while.
    assert!(no_answer(&[0, 1000, 3000], 3999).is_empty());
    assert_eq!(no_answer(&[0, 1000, 3000], 4000), told("4s 3"));
    assert_eq!(no_answer(&[0, 1000, 2000, 3000, 4000], 4001), told("4.001s 5"));
    assert_eq!(no_answer(&[0, 1000, 3000], 3_600_000), told("21s 3"));
}

#[test]
fn a_flow_without_handshake_goes_by_its_ports() {
    for (client_port, server_port, from_client) in
        [(2000, 3389, true), (2000, 3389, false), (40000, 443, true), (40000, 443, false)]
    {
        let mut script = Script::new();
        let mut segment = c(1, 1, ACK, b"x");
        segment.source.set_port(client_port);
        segment.destination.set_port(server_port);
        if !from_client {
            (segment.source, segment.destination) = (segment.destination, segment.source);
        }
        script.push(0, &segment);
        let info = &script.flows[0];
        assert_eq!((info.client.port(), info.server.port()), (client_port, server_port));
        assert!(info.starts_in_the_middle);
        assert_eq!(script.take(), [if from_client { "> x" } else { "< x" }]);
    }
}

#[test]
fn with_equal_ports_the_first_sender_is_the_client() {
    let mut script = Script::new();
    let mut segment = s(1, 1, ACK, b"x");
    segment.destination.set_port(3389);
    script.push(0, &segment);
    assert_eq!(script.flows[0].client, segment.source);
}

#[test]
fn a_syn_with_another_number_is_another_flow() {
    let mut script = Script::open();
    script.push(20, &c(1001, 2001, ACK, b"x"));
    let first = script.push(21, &c(1000, 0, SYN, b""));
    let second = script.push(22, &c(7000, 0, SYN, b""));
    script.push(23, &s(9000, 7001, SYN_ACK, b""));
    script.push(24, &c(7001, 9001, ACK, b"y"));
    assert_eq!(script.take(), ["> x", "Syn>", "Syn>", "SynAck<", "Opened Some(1ms)", "> y"]);
    assert_eq!((first, second), (FlowId(0), FlowId(1)));
    assert_eq!(script.table.flow_of(0, server_address(), client_address()), Some(second));
    assert_eq!(script.counts.len(), 1, "the old flow was finished");
    // And so it is behind a stream whose handshake was not seen.
    let mut middle = Script::new();
    middle.push(0, &c(500_000, 1, ACK, b"x"));
    assert_eq!(middle.push(1, &c(1000, 0, SYN, b"")), FlowId(1));
}
