//! FIN, RST, and what comes after.

use super::*;

#[test]
fn each_fin_closes_its_direction_once() {
    let mut script = Script::open();
    script.push(20, &c(1001, 2001, FIN_ACK, b"bye"));
    script.push(21, &s(2001, 1005, ACK, b"rest"));
    script.push(22, &s(2005, 1005, FIN_ACK, b""));
    script.push(250, &s(2005, 1005, FIN_ACK, b""));
    script.finish(300);
    assert_eq!(
        script.take(),
        ["> bye", "Fin>", "Closed> Fin", "< rest", "Fin<", "Closed< Fin", "Fin<"]
    );
    assert_eq!(script.counts.len(), 3, "at each close and at the end");
    assert_eq!(script.last_counts()[0].acknowledged, Some(3));
}

#[test]
fn a_fin_waits_for_the_data_before_it() {
    let mut script = Script::open();
    script.push(20, &c(1003, 2001, FIN_ACK, b"cd"));
    script.push(21, &c(1003, 2001, FIN_ACK, b"cd"));
    assert!(script.take().is_empty());
    script.push(22, &c(1001, 2001, ACK, b"ab"));
    assert_eq!(script.take(), ["> ab", "> cd", "Fin>", "Closed> Fin"]);
}

#[test]
fn a_fin_behind_a_hole_comes_with_the_ack_or_at_the_end() {
    let mut script = Script::open();
    script.push(20, &c(1006, 2001, FIN_ACK, b""));
    script.push(21, &s(2009, 1001, FIN_ACK, b""));
    assert!(script.take().is_empty());
    script.push(22, &s(2010, 1007, ACK, b""));
    assert_eq!(script.take(), ["Gap> 5", "Fin>", "Closed> Fin"]);
    script.finish(30);
    assert_eq!(script.take(), ["Gap< 8", "Fin<", "Closed< Fin"]);
}

#[test]
fn a_fin_behind_an_acknowledged_hole_does_not_wait() {
    let mut script = Script::open();
    script.push(20, &s(2001, 1007, ACK, b""));
    script.push(21, &c(1006, 2001, FIN_ACK, b""));
    assert_eq!(script.take(), ["Gap> 5", "Fin>", "Closed> Fin"]);
}

#[test]
fn what_is_told_last_of_an_ended_connection_is_told_at_its_end() {
    let mut script = Script::open();
    script.push(20, &c(1001, 2020, FIN_ACK, b""));
    script.finish(90_000);
    assert_eq!(script.take(), ["Fin>", "Closed> Fin", "Gap< 19"]);
    assert_eq!(script.times.last(), Some(&20_000_000), "not when the capture ended");
}

#[test]
fn bytes_missing_before_a_rst_are_a_gap() {
    let mut script = Script::open();
    script.push(20, &s(2010, 1001, RST_ACK, b""));
    assert_eq!(script.take(), ["Rst<", "Closed< Rst"]);
    script.finish(90_000);
    assert_eq!(script.take(), ["Gap< 9"]);
}

#[test]
fn a_rst_that_no_receiver_takes_closes_nothing() {
    for seq in [2001 + (1 << 23), 2001 + 100_000_000, 1999, 1500] {
        let mut script = Script::open();
        script.push(20, &s(seq, 4001, RST_ACK, b""));
        script.push(21, &s(2001, 1001, FIN_ACK, b""));
        script.finish(90_000);
        // Nor is what it acknowledges believed.
        assert_eq!(script.take(), ["IgnoredRst<", "Fin<", "Closed< Fin"], "{seq}");
    }
    // Of a stream whose beginning was not captured older numbers are known to nobody.
    let mut script = Script::new();
    script.push(0, &s(2001, 1001, ACK, b"ab"));
    script.push(1, &s(1500, 1001, RST_ACK, b""));
    assert_eq!(script.take(), ["< ab", "Rst<", "Closed< Rst"]);
}

#[test]
fn a_rst_behind_which_the_other_side_acknowledges_more_closed_nothing() {
    for seq in [2001, 2006] {
        let mut script = Script::open();
        script.push(20, &s(seq, 1001, RST_ACK, b""));
        script.push(30, &s(2001, 1001, ACK, b"abcdefgh"));
        assert_eq!(script.take(), ["Rst<", "Closed< Rst", "AfterRst<", "< abcdefgh"], "{seq}");
        script.push(31, &c(1001, 2009, ACK, b"xy"));
        script.push(40, &s(2009, 1003, FIN_ACK, b""));
        script.push(41, &c(1003, 2010, FIN_ACK, b""));
        let rest = ["ResetIgnored<", "> xy", "Fin<", "Closed< Fin", "Fin>", "Closed> Fin"];
        assert_eq!(script.take(), rest, "{seq}");
        script.finish(90_000);
        assert!(script.take().is_empty(), "{seq}");
    }
    // Wherever it stands: what its sender sends long behind it is no packet that changed places with it.
    for (ahead, later, forgets) in [(60_000, 21, false), (60_000, 60, true), (90_000, 21, true)] {
        let mut script = Script::open();
        script.push(20, &s(2001 + ahead, 1001, RST_ACK, b""));
        script.push(later, &s(2001, 1001, ACK, b"abcd"));
        script.push(later + 1, &c(1001, 2005, ACK, b""));
        assert_eq!(script.take().contains(&"ResetIgnored<".to_owned()), forgets, "{ahead} {later}");
    }
    // What was under way beside it, or a FIN, is no sign of life behind it.
    let mut script = Script::open();
    script.push(20, &s(2005, 1001, RST_ACK, b""));
    script.push(21, &s(2001, 1001, ACK, b"abcd"));
    script.push(22, &c(1001, 2006, ACK, b""));
    assert_eq!(script.take(), ["Rst<", "Closed< Rst", "AfterRst<", "< abcd"]);
}

#[test]
fn a_fin_that_its_sender_counts_and_nobody_saw_is_lost() {
    let mut script = Script::open();
    script.push(20, &c(1001, 2001, ACK, b"abcd"));
    script.push(21, &s(2001, 1006, FIN_ACK, b""));
    script.push(22, &c(1006, 2002, ACK, b""));
    assert_eq!(script.take(), ["> abcd", "Fin<", "Closed< Fin"]);
    script.finish(90_000);
    assert_eq!(script.take(), ["Gap> ?"]);
    // It came behind what counts it, or its sender never did.
    for (behind, last) in [(1006, FIN_ACK), (1005, ACK)] {
        let mut script = Script::open();
        script.push(20, &c(1001, 2001, ACK, b"abcd"));
        script.push(22, &c(behind, 2001, ACK, b""));
        script.push(23, &c(1005, 2001, last, b""));
        script.finish(90_000);
        assert!(!script.take().contains(&"Gap> ?".to_owned()), "{behind}");
    }
}

#[test]
fn what_a_rst_acknowledges_and_nobody_saw_is_a_gap_at_the_end() {
    let mut script = Script::open();
    script.push(20, &c(1001, 2501, RST_ACK, b""));
    script.finish(90_000);
    assert_eq!(script.take(), ["Rst>", "Closed> Rst", "Gap< 500"]);
    // One number more can be a FIN, two numbers are guesses.
    for acks in [&[2002][..], &[2501, 2601]] {
        let mut script = Script::open();
        for ack in acks {
            script.push(20, &c(1001, *ack, RST_ACK, b""));
        }
        script.finish(90_000);
        assert!(!script.take().iter().any(|told| told.starts_with("Gap")), "{acks:?}");
    }
}

#[test]
fn bytes_that_were_acknowledged_and_never_came_are_a_gap_at_the_end() {
    let mut script = Script::open();
    script.push(20, &c(1001, 2020, FIN_ACK, b""));
    script.push(21, &s(2020, 1002, ACK, b""));
    assert_eq!(script.take(), ["Fin>", "Closed> Fin"]);
    script.finish(30);
    assert_eq!(script.take(), ["Gap< 19"]);
    // One number more can be a FIN.
    let mut script = Script::open();
    script.push(20, &c(1001, 2002, ACK, b""));
    script.finish(30);
    assert!(script.take().is_empty());
}

#[test]
fn an_old_fin_closes_nothing() {
    let mut script = Script::open();
    script.push(20, &c(1001, 2001, ACK, b"abcd"));
    script.push(21, &c(1002, 2001, FIN_ACK, b""));
    script.push(22, &c(1005, 2001, ACK, b"e"));
    assert_eq!(script.take(), ["> abcd", "Fin>", "> e"]);
}

#[test]
fn a_rst_closes_and_a_second_one_is_only_told() {
    let mut script = Script::open();
    script.push(20, &c(1001, 2001, ACK, b"ab"));
    script.push(21, &s(2001, 1003, RST_ACK, b""));
    script.push(40, &s(2001, 0, RST, b""));
    script.push(41, &c(1003, 0, RST, b""));
    assert_eq!(script.take(), ["> ab", "Rst<", "Closed< Rst", "Rst<", "Rst>", "Closed> Rst"]);
}

#[test]
fn what_waits_is_told_before_the_rst() {
    let mut script = Script::open();
    script.push(20, &c(1003, 2001, ACK, b"cd"));
    script.push(21, &s(2001, 1001, RST_ACK, b""));
    assert_eq!(script.take(), ["Gap> 2", "> cd", "Rst<", "Closed< Rst"]);
}

#[test]
fn a_rst_after_a_fin_closes_again() {
    let mut script = Script::open();
    script.push(20, &c(1001, 2001, FIN_ACK, b""));
    script.push(21, &c(1002, 2001, RST_ACK, b""));
    assert_eq!(script.take(), ["Fin>", "Closed> Fin", "Rst>", "Closed> Rst"]);
}

#[test]
fn data_after_the_senders_own_rst_is_told_and_delivered() {
    let mut script = Script::open();
    script.push(20, &s(2001, 1001, RST_ACK, b""));
    script.push(21, &c(1001, 2001, ACK, b"in flight"));
    script.push(22, &s(2001, 1001, ACK, b"alive"));
    assert_eq!(script.take(), ["Rst<", "Closed< Rst", "> in flight", "AfterRst<", "< alive"]);
    for index in 0..100 {
        script.push(30, &s(2006 + index, 1001, ACK, b"x"));
    }
    let told = script.take().iter().filter(|line| *line == "AfterRst<").count();
    assert_eq!(told, 7, "of a flood only the head is told");
}

#[test]
fn an_acknowledgement_behind_a_rst_and_data_behind_a_fin_are_told() {
    let mut script = Script::open();
    script.push(20, &s(2001, 1001, RST, b""));
    script.push(21, &c(1001, 2001, ACK, b"ab"));
    script.push(22, &s(2001, 1003, ACK, b""));
    assert_eq!(script.take(), ["Rst<", "Closed< Rst", "> ab", "AfterRst<"]);
    let mut script = Script::open();
    script.push(20, &s(2001, 1001, FIN_ACK, b""));
    script.push(21, &s(2001, 1001, ACK, b"real"));
    assert_eq!(script.take(), ["Fin<", "Closed< Fin", "DataAfterFin<"]);
}

#[test]
fn a_rst_carries_what_its_sender_was_like() {
    let mut script = Script::open();
    for index in 0..4u16 {
        let ip_id = Some(100 + index);
        script.push(20, &Seg { ip_id, ..s(2001 + u32::from(index), 1001, ACK, b"x") });
    }
    script.push(21, &Seg { ip_id: Some(0x1234), ..s(1999, 1001, RST, b"") });
    let rst = script.segments.last().unwrap();
    assert_eq!(rst.baseline.ip_id, IpIds::Counter(103));
    assert_eq!((rst.baseline.next_seq, rst.offset()), (Some(2005), Some(-2)));
    assert_eq!(rst.baseline.peer_next_seq, Some(1001));
    assert!(rst.baseline.ttl_is_steady);
}

#[test]
fn a_rst_knows_how_far_its_receiver_has_come() {
    let peer = |script: &Script| script.segments.last().unwrap().baseline.peer_next_seq;
    let mut script = Script::open();
    script.push(20, &c(1001, 2001, ACK, b"abc"));
    script.push(21, &s(2001, 1004, RST_ACK, b""));
    assert_eq!(peer(&script), Some(1004));
    script.push(22, &c(1004, 2001, FIN_ACK, b""));
    script.push(23, &s(2001, 1005, RST_ACK, b""));
    assert_eq!(peer(&script), Some(1005), "a FIN takes a number");
    // Of a side that was not captured nothing is known.
    let mut script = Script::new();
    script.push(20, &s(2001, 1001, ACK, b"x"));
    script.push(21, &s(2002, 1001, RST_ACK, b""));
    assert_eq!(peer(&script), None);
}

#[test]
fn rst_and_fin_carry_the_usual_ttl_of_their_sender() {
    let mut script = Script::open();
    for (index, ttl) in [128, 128, 127, 127, 128].into_iter().enumerate() {
        script.push(20, &Seg { ttl, ..s(2001 + index as u32, 1001, ACK, b"x") });
    }
    script.push(21, &Seg { ttl: 57, ip_id: Some(9), ..s(2006, 1001, RST_ACK, b"") });
    script.push(22, &c(1001, 2006, FIN_ACK, b""));
    let [.., rst, fin] = script.segments.as_slice() else { panic!() };
    assert_eq!((rst.ttl, rst.ip_id, rst.baseline.ttl), (Some(57), Some(9), Some((128, 6))));
    assert_eq!(fin.baseline.ttl, Some((64, 2)), "the FIN itself and mirrored copies do not count");
}

#[test]
fn a_window_that_closes_and_opens_is_told_once_each() {
    let mut script = Script::open();
    let zero = |segment: Seg| Seg { window: 0, ..segment };
    script.push(20, &zero(c(1001, 2001, ACK, b"")));
    script.push(30, &zero(c(1001, 2001, ACK, b"")));
    script.push(40, &c(1001, 2001, ACK, b""));
    script.push(50, &zero(s(2001, 1001, RST_ACK, b"")));
    assert_eq!(script.take(), ["ZeroWindow>", "WindowOpen>", "Rst<", "Closed< Rst"]);
    let mut syn = Script::new();
    syn.push(0, &zero(c(1000, 0, SYN, b"")));
    syn.push(1, &zero(s(2000, 1001, SYN_ACK, b"")));
    assert_eq!(syn.take(), ["Syn>", "SynAck<"]);
}
