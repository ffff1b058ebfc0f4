//! What arrived at all, and who ended it.

use super::super::{claims, silent};
use super::{clean, gives_up, proves, start};
use crate::input::{ConnectFailureKind, SegmentKind};
use crate::report::Connection;
use crate::testing::ends::{OPTIONS, absent, both, one_way};
use crate::testing::{MSTSC, SSL, ToClient, ToServer, Trace};

#[test]
fn a_reset_that_its_sender_did_not_send_is_the_paths() {
    let asked = || start().cr(MSTSC).after_ms(5);
    let reset = |trace: Trace| trace.ended(ToClient, SegmentKind::Rst, 1);
    // What the client sent was held back.
    proves(&both(&reset(asked()), &start().after_ms(5)), "rst-inpath-reject", "network");
    let rid = start().after_ms(5).ended(ToServer, SegmentKind::Rst, 1);
    proves(&both(&reset(asked()), &rid), "rst-inpath-reject", "network");
    // Who only listens lets it pass.
    let heard = asked().ended(ToServer, SegmentKind::Rst, 1);
    proves(&both(&reset(asked()), &heard), "rst-injected-toclient", "network");
    // It arrived, and the server went on to answer.
    let answered = asked().cc(SSL).ended(ToClient, SegmentKind::Fin, 20);
    let report = both(&reset(asked()), &answered);
    proves(&report, "rst-injected-toclient", "network");
    assert_eq!(report.verdict.confidence.what, 0.99);
    silent(&report, "rst-genuine-server");
    // The server's own one is confirmed.
    let own = both(&reset(asked()), &reset(asked()));
    clean(&own);
    let verdict =
        (own.verdict.what.as_deref(), own.verdict.party.as_str(), own.verdict.confidence.who);
    assert_eq!(verdict, (Some("rst-genuine-server"), "server", 0.99));
    // A capture that lacks what was acknowledged proves no absence.
    let acknowledged = |bytes| crate::input::SegmentCounts {
        segments: 3,
        acknowledged: Some(bytes),
        ..Default::default()
    };
    let holes = start().after_ms(5).counts(acknowledged(40), acknowledged(90));
    let doubtful = both(&reset(asked()), &holes);
    clean(&doubtful);
    let verdict = (doubtful.verdict.what.as_deref(), doubtful.verdict.party.as_str());
    assert_eq!(verdict, (Some("rst-of-unclear-origin"), "unknown"));
    silent(&doubtful, "rst-genuine-server");
}

#[test]
fn a_reset_to_the_server_that_the_client_did_not_send_is_the_paths() {
    let asked = || start().cr(MSTSC).after_ms(5);
    // The client was still asking, and met the dead socket's own reset.
    let client = asked().after_ms(20).ended(ToClient, SegmentKind::Rst, 1);
    let server = asked().ended(ToServer, SegmentKind::Rst, 48).after_ms(20).kept(
        ToClient,
        SegmentKind::Rst,
        1,
    );
    proves(&both(&client, &server), "rst-injected-toserver", "network");
    let own = asked().ended(ToServer, SegmentKind::Rst, 48);
    clean(&both(&own, &own));
}

#[test]
fn resets_to_both_ends_tell_by_the_time_before_them() {
    let client = |ms| start().cr(MSTSC).cc(SSL).after_ms(ms).ended(ToClient, SegmentKind::Rst, 20);
    let server = |ms| start().cr(MSTSC).cc(SSL).after_ms(ms).ended(ToServer, SegmentKind::Rst, 48);
    proves(&both(&client(40_000), &server(40_000)), "idle-timeout-rst", "network");
    proves(&both(&client(5_000), &server(5_000)), "lb-reset", "network");
    proves(&both(&client(2), &server(2)), "rst-injected-toclient", "network");
    // The server's own idle policy.
    clean(&both(&client(40_000), &client(40_000)));
    clean(&both(&client(5_000), &client(5_000)));
}

#[test]
fn a_fin_that_its_sender_did_not_send_is_the_paths() {
    let fin = |trace: Trace| trace.ended(ToClient, SegmentKind::Fin, 1);
    let asked = || start().cr(MSTSC).after_ms(5);
    proves(
        &both(&fin(asked()), &asked().cc(SSL).ended(ToServer, SegmentKind::Fin, 48)),
        "fin-injected",
        "network",
    );
    let own = both(&fin(asked()), &fin(asked()));
    clean(&own);
    assert_eq!((own.verdict.party.as_str(), own.verdict.confidence.who), ("server", 0.99));
}

/// What is seen is certain, and these are left as its causes.
#[track_caller]
fn open(report: &Connection, what: &str, causes: &[&str]) {
    let verdict = &report.verdict;
    assert_eq!(verdict.what.as_deref(), Some(what), "{report:#?}");
    assert_eq!((verdict.cause.as_deref(), verdict.party.as_str()), (None, "network"));
    let left: Vec<&str> = report.causes.iter().map(|cause| cause.id.as_str()).collect();
    assert_eq!(left, causes);
}

/// A record in clear of this many bytes.
fn record(trace: Trace, bytes: usize) -> Trace {
    let [high, low] = u16::try_from(bytes).unwrap().to_be_bytes();
    trace.to_server(&[&[22, 3, 1, high, low][..], &vec![1; bytes]].concat())
}

#[test]
fn a_message_that_never_arrives_is_told_by_its_size() {
    let negotiated = || start().cr(SSL).cc(SSL).after_ms(5);
    let sends = |bytes: usize, repeated| {
        let sent = record(negotiated(), bytes).after_ms(4000);
        gives_up(sent.repeats(ToServer, repeated, bytes as u32 + 5))
    };
    let without = |largest| gives_up(negotiated().after_ms(4000).repeats(ToServer, 0, largest));
    // 205 bytes pass everywhere.
    let report = both(&sends(200, 4), &without(48));
    proves(&report, "payload-trigger-drop", "network");
    silent(&report, "pmtu-blackhole-c2s");
    // Two copies may be lost by chance.
    clean(&both(&sends(200, 1), &without(48)));
    clean(&both(&sends(200, 4), &sends(200, 0)));
    // Larger than what passed, and new: its size or its content.
    for bytes in [310, 800, 1400] {
        let report = both(&sends(bytes, 4), &without(48));
        open(&report, "transmission-stalled", &["payload-trigger-drop", "pmtu-blackhole-c2s"]);
    }
    // As large a one did pass.
    let report = both(&sends(1400, 4), &without(1405));
    proves(&report, "payload-trigger-drop", "network");
    silent(&report, "pmtu-blackhole-c2s");
    // Its end arrived behind the hole.
    let behind = |largest| {
        let [sent, heard] = [0, 90].map(|behind_hole| crate::input::SegmentCounts {
            segments: 9,
            largest,
            behind_hole,
            ..Default::default()
        });
        gives_up(negotiated().after_ms(4000).counts(heard, sent))
    };
    proves(&both(&sends(1400, 4), &behind(90)), "pmtu-blackhole-c2s", "network");
    silent(&both(&sends(1400, 4), &behind(1405)), "pmtu-blackhole-c2s");
}

#[test]
fn a_filter_sees_nothing_new_in_what_is_encrypted() {
    let up = || start().cr(SSL).cc(SSL).tls13().app(ToServer, 80, 1).after_ms(5);
    let client = |bytes: u16| {
        let sent = up().app(ToServer, bytes.into(), 1).after_ms(4000);
        gives_up(sent.repeats(ToServer, 4, u32::from(bytes) + 5))
    };
    let server = || gives_up(up().after_ms(4000).repeats(ToServer, 0, 339));
    proves(&both(&client(900), &server()), "pmtu-blackhole-c2s", "network");
    open(&both(&client(90), &server()), "transmission-stalled", &["payload-trigger-drop"]);
}

#[test]
fn a_flight_of_the_server_that_never_arrives_may_be_a_black_hole() {
    let asked = || start().cr(SSL).cc(SSL).after_ms(5).client_hello_13().after_ms(5);
    let flight = asked().server_hello_13().app(ToClient, 1400, 1);
    let server = gives_up(flight.after_ms(4000).repeats(ToClient, 4, 1460));
    let client = gives_up(asked().after_ms(4000).repeats(ToClient, 0, 19));
    let report = both(&client, &server);
    proves(&report, "pmtu-blackhole-s2c", "network");
    assert_eq!((report.verdict.confidence.who, report.verdict.confidence.why), (0.93, 0.55));
    // The server did answer.
    silent(&report, "server-stall");
    clean(&both(&server, &server));
}

#[test]
fn a_silence_before_the_loss_speaks_for_a_forgotten_connection() {
    let idle = |ms| start().cr(SSL).cc(SSL).after_ms(ms);
    let client = |ms| idle(ms).client_hello_13().after_ms(4000).repeats(ToServer, 4, 339);
    let server = |ms| idle(ms).after_ms(4000).repeats(ToServer, 0, 48);
    let report = both(&client(40_000), &server(40_000));
    proves(&report, "idle-timeout-silent", "network");
    assert_eq!(report.verdict.confidence.why, 0.8);
    clean(&both(&client(40_000), &client(40_000)));
    // A short one is a user who reads as well: anything is left.
    let all = ["idle-timeout-silent", "payload-trigger-drop", "pmtu-blackhole-c2s"];
    open(&both(&client(5000), &server(5000)), "transmission-stalled", &all);
    // What comes through later was not forgotten.
    let report = both(&gives_up(client(40_000)), &gives_up(server(40_000)));
    silent(&report, "idle-timeout-silent");
    // Encrypted, and no larger than what had passed.
    let up = |ms| start().cr(SSL).cc(SSL).tls13().app(ToServer, 80, 1).after_ms(ms);
    let client = |ms| up(ms).app(ToServer, 80, 1).after_ms(4000).repeats(ToServer, 4, 339);
    let server = |ms| up(ms).after_ms(4000).repeats(ToServer, 0, 339);
    let report = both(&client(5000), &server(5000));
    proves(&report, "idle-timeout-silent", "network");
    assert_eq!(report.verdict.confidence.why, 0.55);
    silent(&both(&client(500), &server(500)), "idle-timeout-silent");
    // The connection had outlived a longer silence.
    let again = |trace: Trace| trace.app(ToServer, 80, 1).after_ms(5000);
    let client = again(up(9000)).app(ToServer, 80, 1).after_ms(4000).repeats(ToServer, 4, 339);
    let server = again(up(9000)).after_ms(4000).repeats(ToServer, 0, 339);
    silent(&both(&client, &server), "idle-timeout-silent");
}

#[test]
fn a_reset_that_answers_the_first_words_after_a_silence_may_be_a_timeout() {
    let reset = |trace: Trace| trace.ended(ToClient, SegmentKind::Rst, 1);
    let up = |ms| start().cr(SSL).cc(SSL).tls13().app(ToServer, 80, 1).after_ms(ms);
    let client = |ms| reset(up(ms).app(ToServer, 90, 1));
    let report = both(&client(5000), &up(5000));
    proves(&report, "idle-timeout-rst", "network");
    // That it was forged is sure, whatever for.
    assert_eq!((report.verdict.confidence.who, report.verdict.confidence.why), (0.93, 0.55));
    assert_eq!(both(&client(40_000), &up(40_000)).verdict.confidence.why, 0.8);
    proves(&both(&client(500), &up(500)), "rst-inpath-reject", "network");
    let again = || up(9000).app(ToServer, 80, 1).after_ms(5000);
    proves(&both(&reset(again().app(ToServer, 90, 1)), &again()), "rst-inpath-reject", "network");
    clean(&both(&client(5000), &client(5000)));
    // New words in clear may have been refused for what they say.
    let asked = |ms| start().cr(SSL).cc(SSL).after_ms(ms);
    let report = both(&reset(asked(5000).client_hello_13()), &asked(5000));
    open(&report, "rst-of-unclear-origin", &["rst-inpath-reject", "idle-timeout-rst"]);
    let both_ends = |ms| {
        let rid = asked(ms).ended(ToServer, SegmentKind::Rst, 60);
        both(&reset(asked(ms).client_hello_13()), &rid).verdict.cause
    };
    assert_eq!(both_ends(5).as_deref(), Some("rst-inpath-reject"));
    assert_ne!(both_ends(5_000).as_deref(), Some("rst-inpath-reject"));
    let report = both(&reset(asked(40_000).client_hello_13()), &asked(40_000));
    proves(&report, "idle-timeout-rst", "network");
}

/// The client's capture never held the first copies of what the server had to repeat.
#[test]
fn each_end_knows_what_it_had_to_repeat() {
    let counted = |retransmitted| {
        let server = crate::input::SegmentCounts {
            segments: 90,
            data_segments: 80,
            retransmitted,
            ..Default::default()
        };
        start().cr(MSTSC).cc(SSL).after_ms(5).counts(Default::default(), server)
    };
    let lossy = both(&counted(0), &counted(3));
    assert!(claims(&lossy, "packet-loss"), "{lossy:#?}");
    // A single one came late; and nothing was lost.
    for repeated in [0, 1] {
        silent(&both(&counted(0), &counted(repeated)), "packet-loss");
    }
}

#[test]
fn a_handshake_that_only_one_end_completes_is_half_open_or_faked() {
    let syn = |trace: Trace| trace.kept(ToServer, SegmentKind::Syn, 0).after_ms(1000);
    let syn_ack = |trace: Trace| trace.kept(ToClient, SegmentKind::SynAck, 0).after_ms(1000);
    let dialing = || syn(syn(syn(Trace::capture())));
    let no_answer = || dialing().connect_failed(ConnectFailureKind::NoAnswer, 9000);
    let answering = syn_ack(syn(syn_ack(syn(syn_ack(syn(Trace::capture()))))));
    proves(&both(&no_answer(), &answering), "half-open-asymmetric", "network");
    // Who asks again was not answered, even where its capture would not show an answer; who resets one was.
    let unseen = || dialing().counts(segments(3), segments(0));
    let unheard = unseen().connect_failed(ConnectFailureKind::NoAnswer, 9000);
    proves(&one_way(&unheard, &answering), "half-open-asymmetric", "network");
    let rejected = unseen().kept(ToServer, SegmentKind::Rst, 1);
    let rejected = rejected.connect_failed(ConnectFailureKind::NoAnswer, 9000);
    silent(&one_way(&rejected, &answering), "half-open-asymmetric");
    // The client's half is dead on its way.
    let opened = start().cr(MSTSC).after_ms(3000).repeats(ToServer, 4, 48);
    let again = syn_ack(syn_ack(syn_ack(Trace::capture().kept(ToServer, SegmentKind::Syn, 0))));
    proves(&both(&opened, &again), "half-open-asymmetric", "network");
    // Nothing came back because nothing was sent: the host's own silence.
    let ignored = both(&no_answer(), &dialing());
    clean(&ignored);
    let verdict = (ignored.verdict.what.as_deref(), ignored.verdict.party.as_str());
    assert_eq!(verdict, (Some("tcp-syn-drop"), "server"));

    // A box that answered for a closed port.
    let faked = start().cr(MSTSC).ended(ToClient, SegmentKind::Rst, 1);
    let closed = syn(Trace::capture())
        .kept(ToClient, SegmentKind::Rst, 0)
        .connect_failed(ConnectFailureKind::Refused, 1);
    let report = both(&faked, &closed);
    assert!(claims(&report, "syn-proxy-fake-open"), "{report:#?}");
    assert_eq!(report.verdict.cause.as_deref(), Some("syn-proxy-fake-open"));
    clean(&both(&faked, &faked));
    // Without a refusal the server's silence tells something only while its capture runs.
    let silent_host = syn(Trace::capture());
    assert!(claims(&both(&faked, &silent_host), "syn-proxy-fake-open"));
    let holes = |trace: Trace| {
        let lost = crate::input::SegmentCounts { acknowledged: Some(90), ..Default::default() };
        trace.counts(lost, lost)
    };
    silent(&both(&faked, &holes(silent_host)), "syn-proxy-fake-open");
    assert!(claims(&both(&faked, &holes(closed)), "syn-proxy-fake-open"));
    // A box that answers first and hands the connection on: true, and no failure.
    let other = [2, 4, 5, 180, 4, 2, 8, 10, 7, 7, 7, 7, 0, 0, 0, 0, 1, 3, 3, 7];
    let handed = |isn, options: &[u8]| {
        let syn = Trace::capture().kept(ToServer, SegmentKind::Syn, 0).after_ms(2);
        let open = syn.kept_as(ToClient, SegmentKind::SynAck, isn, options).open();
        open.cr(SSL).after_ms(5).cc(SSL).after_ms(5).fin(ToServer)
    };
    let report = both(&handed(5000, OPTIONS), &handed(9000, &other));
    assert!(report.findings.iter().any(|finding| finding.id == "syn-proxy-fake-open"));
    assert_eq!(report.verdict.cause, None);
}

#[test]
fn a_refusal_is_the_hosts_where_it_left_the_host() {
    let refused = || {
        Trace::capture().kept(ToServer, SegmentKind::Syn, 0).after_ms(2).kept(
            ToClient,
            SegmentKind::Rst,
            0,
        )
    };
    let client = refused().connect_failed(ConnectFailureKind::Refused, 2);
    let by_host = both(&client, &client);
    assert_eq!((by_host.verdict.party.as_str(), by_host.verdict.confidence.who), ("server", 0.99));
    let silent_host = Trace::capture().kept(ToServer, SegmentKind::Syn, 0).after_ms(2);
    assert_eq!(both(&client, &silent_host).verdict.party, "network");
    // What shows nothing of the server would not show its refusal either.
    let unseen = one_way(&client, &silent_host.counts(segments(1), segments(0))).verdict;
    assert_eq!(unseen.party, "unknown");
    let before = absent(&client, true);
    assert_eq!(before.verdict.what.as_deref(), Some("tcp-refused-rst"));
    assert_eq!((before.verdict.party.as_str(), before.verdict.confidence.who), ("network", 0.93));
    assert!(claims(&before, "not-in-other-capture"));
    // Another host may have been dialled.
    assert_eq!(absent(&client, false).verdict.confidence.who, 0.55);
}

fn segments(segments: u64) -> crate::input::SegmentCounts {
    crate::input::SegmentCounts { segments, ..Default::default() }
}

#[test]
fn a_capture_of_one_direction_at_the_server_proves_no_silence_of_it() {
    let tried = || {
        let syn = Trace::capture().kept(ToServer, SegmentKind::Syn, 0).after_ms(1000);
        let again = syn.kept(ToServer, SegmentKind::Syn, 0).after_ms(2000);
        let third = again.kept(ToServer, SegmentKind::Syn, 0).after_ms(18_000);
        third.connect_failed(ConnectFailureKind::NoAnswer, 21_000)
    };
    let silent_host = both(&tried(), &tried()).verdict;
    assert_eq!((silent_host.party.as_str(), silent_host.confidence.who), ("server", 0.93));
    let unseen = one_way(&tried(), &tried().counts(segments(3), segments(0))).verdict;
    assert_eq!((unseen.party.as_str(), unseen.confidence.who), ("server", 0.55));
    // Who goes on was answered, whatever is seen of it.
    let client = || start().cr(MSTSC).after_ms(5).ended(ToClient, SegmentKind::Rst, 1);
    let half = Trace::capture().kept(ToServer, SegmentKind::Syn, 0).after_ms(4).cr(MSTSC);
    let report = one_way(&client(), &half.after_ms(5).counts(segments(3), segments(0)));
    silent(&report, "syn-proxy-fake-open");
    clean(&report);
}

#[test]
fn what_ends_tcp_in_between_and_closes_both_parts_is_the_path() {
    let other = [2, 4, 5, 180, 4, 2, 8, 10, 9, 9, 9, 9, 0, 0, 0, 0, 1, 3, 3, 7];
    let part = |client: u32, server: u32, options: &[u8], ms| {
        let syn = Trace::capture().kept_as(ToServer, SegmentKind::Syn, client, options).after_ms(2);
        let open = syn.kept_as(ToClient, SegmentKind::SynAck, server, options).open();
        open.cr(SSL).after_ms(5).cc(SSL).client_hello_13().after_ms(ms)
    };
    let ours = |ms| part(1, 2, OPTIONS, ms);
    let theirs = |ms| part(7, 8, &other, ms);
    let fin = |trace: Trace, dir| trace.ended(dir, SegmentKind::Fin, 900);
    let report = both(&fin(ours(900), ToClient), &fin(theirs(900), ToServer));
    proves(&report, "lb-reset", "network");
    // After a long silence it is a timeout; either end's own close is passed on.
    silent(&both(&fin(ours(40_000), ToClient), &fin(theirs(40_000), ToServer)), "lb-reset");
    for dir in [ToClient, ToServer] {
        silent(&both(&fin(ours(900), dir), &fin(theirs(900), dir)), "lb-reset");
    }
}

#[test]
fn another_stack_in_between_is_a_note() {
    let other = [2, 4, 5, 180, 4, 2, 8, 10, 9, 9, 9, 9, 0, 0, 0, 0, 1, 3, 3, 7];
    let shaken = |client: u32, server: u32, options: &[u8]| {
        let syn = Trace::capture().kept_as(ToServer, SegmentKind::Syn, client, options).after_ms(2);
        let open = syn.kept_as(ToClient, SegmentKind::SynAck, server, options).open();
        open.cr(SSL).after_ms(5).cc(SSL).after_ms(5).fin(ToServer)
    };
    let end_to_end = shaken(1, 2, OPTIONS);
    assert!(claims(&both(&end_to_end, &shaken(7, 8, &other)), "transparent-tcp-proxy"));
    // A translator draws the numbers anew and leaves the timestamps alone.
    clean(&both(&end_to_end, &shaken(7, 8, OPTIONS)));
    // So does one that lowers the MSS besides, of a client without timestamps, and whichever SYN is lost.
    let [plain, lower, scaled] = [[5, 180, 7], [4, 176, 7], [5, 180, 8]]
        .map(|[high, low, scale]| [2, 4, high, low, 1, 3, 3, scale, 4, 2]);
    clean(&both(&shaken(1, 2, &plain), &shaken(7, 8, &lower)));
    let [later, lowered] = [180, 176].map(|low| {
        [2, 4, if low == 180 { 5 } else { 4 }, low, 4, 2, 8, 10, 0, 0, 4, 1, 0, 0, 0, 0, 1, 3, 3, 7]
    });
    let again = |options: &[u8]| {
        let syn = Trace::capture().kept_as(ToServer, SegmentKind::Syn, 1, OPTIONS).after_ms(1000);
        let syn = syn.kept_as(ToServer, SegmentKind::Syn, 1, options).after_ms(2);
        let open = syn.kept_as(ToClient, SegmentKind::SynAck, 2, options).open();
        open.cr(SSL).after_ms(5).cc(SSL).after_ms(5).fin(ToServer)
    };
    clean(&both(&again(&later), &shaken(7, 8, &lowered)));
    // Another stack without them has another window, or another scale of it.
    assert!(claims(&both(&shaken(1, 2, &plain), &shaken(7, 8, &scaled)), "transparent-tcp-proxy"));
    // One that clamps the MSS leaves the numbers alone.
    let clamped = [2, 4, 4, 176, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
    let report = both(&end_to_end, &shaken(1, 2, &clamped));
    assert!(claims(&report, "tcp-option-rewrite"));
    silent(&report, "transparent-tcp-proxy");
}
