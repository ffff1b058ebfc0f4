//! Many flows.

use super::*;

fn from_port(port: u16, mut segment: Seg) -> Seg {
    let client =
        if segment.source.port() == 3389 { &mut segment.destination } else { &mut segment.source };
    client.set_port(port);
    segment
}

#[test]
fn ids_are_dense_and_tags_separate_flows() {
    let mut script = Script::new();
    let segment = c(1000, 0, SYN, b"");
    assert_eq!(script.push(0, &segment), FlowId(0));
    assert_eq!(script.push(0, &Seg { tag: 1, ..segment.clone() }), FlowId(1));
    assert_eq!(script.push(0, &from_port(9, segment.clone())), FlowId(2));
    assert_eq!(script.push(9, &segment), FlowId(0));
    assert_eq!(script.table.flow_of(1, client_address(), server_address()), Some(FlowId(1)));
    assert_eq!(script.table.flow_of(2, client_address(), server_address()), None);
    assert_eq!((script.flows[1].tag, script.flows[2].first_packet), (1, 3));
}

#[test]
fn an_end_that_talks_to_itself_has_one_direction() {
    let mut script = Script::new();
    let to_itself = |segment| Seg { source: server_address(), ..segment };
    script.push(0, &to_itself(c(1000, 1, SYN_ACK, b"")));
    script.push(1, &to_itself(c(1001, 1, ACK, b"a")));
    assert_eq!(script.take(), ["SynAck>", "Opened None", "> a"]);
}

#[test]
fn the_longest_closed_flow_goes_first() {
    let mut script = Script::with(FlowOptions { max_flows: 3, ..FlowOptions::default() });
    for port in [1, 2, 3] {
        script.push(u64::from(port), &from_port(port, c(1001, 2001, ACK, b"x")));
    }
    script.push(10, &from_port(3, c(1002, 2001, RST_ACK, b"")));
    script.push(11, &from_port(2, c(1002, 2001, RST_ACK, b"")));
    for port in [4, 5, 6] {
        script.push(20, &from_port(port, c(1001, 2001, ACK, b"x")));
    }
    let known = |port| {
        let client = SocketAddr::new(client_address().ip(), port);
        script.table.flow_of(0, client, server_address()).is_some()
    };
    // 3, then 2, and then, none being closed, the one that was idle longest.
    assert_eq!([1, 2, 3, 4, 5, 6].map(known), [false, false, false, true, true, true]);
}

#[test]
fn an_evicted_flow_tells_what_it_holds() {
    let mut script = Script::with(FlowOptions { max_flows: 1, ..FlowOptions::default() });
    script.push(0, &c(1001, 2001, ACK, b"a"));
    script.push(1, &c(1004, 2001, ACK, b"d"));
    script.push(2, &from_port(1, c(1001, 2001, ACK, b"x")));
    assert_eq!(script.take(), ["> a", "Gap> 2", "> d", "> x"]);
    assert_eq!(script.counts.len(), 1);
}

#[test]
fn the_queue_of_closed_flows_does_not_grow_with_flows_that_are_gone() {
    let mut script = Script::new();
    for round in 0..1000 {
        script.push(round, &c(1000 * round as u32, 0, SYN, b""));
        script.push(round, &s(0, 1000 * round as u32 + 1, RST_ACK, b""));
    }
    assert!(script.table.closed.len() < 100);
    assert_eq!(script.table.flows.len(), 1);
}

#[test]
fn a_flow_can_be_closed_from_outside_and_tells_what_it_holds() {
    let mut script = Script::open();
    script.push(20, &c(1001, 2001, ACK, b"a"));
    script.push(21, &c(1004, 2001, ACK, b"d"));
    script.take();
    let close = |script: &mut Script, port| {
        let client = SocketAddr::new(client_address().ip(), port);
        let time = Timestamp(30_000_000);
        script.run(|table, mut sink| table.close(time, 0, server_address(), client, &mut sink))
    };
    assert_eq!(close(&mut script, 9), None);
    assert_eq!(close(&mut script, client_address().port()), Some(FlowId(0)));
    assert_eq!(script.take(), ["Gap> 2", "> d"]);
    assert_eq!(script.last_counts()[0].bytes, 2);
    assert_eq!(close(&mut script, client_address().port()), None);
    // What comes later belongs to another.
    assert_eq!(script.push(40, &c(1005, 2001, ACK, b"e")), FlowId(1));
    assert!(script.flows[1].starts_in_the_middle);
}
