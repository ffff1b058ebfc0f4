//! What arrived at all, and who ended it.

use super::super::{claims, silent};
use super::{clean, gives_up, proves, start};
use crate::input::{ConnectFailureKind, SegmentKind};
use crate::testing::ends::{OPTIONS, absent, both};
use crate::testing::{MSTSC, SSL, ToClient, ToServer, Trace};

#[test]
fn a_reset_that_its_sender_did_not_send_is_the_paths() {
    let asked = || start().cr(MSTSC).after_ms(5);
    let reset = |trace: Trace| trace.ended(ToClient, SegmentKind::Rst, 1);
    // What the client sent was held back.
    proves(&both(&reset(asked()), &start().after_ms(5)), "rst-inpath-reject", "network");
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
    assert_eq!(verdict, (Some("rst-genuine-server"), "unknown"));
    assert_eq!(doubtful.verdict.confidence.what, 0.55);
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

#[test]
fn a_message_that_never_arrives_is_told_by_its_size() {
    let negotiated = || start().cr(SSL).cc(SSL).after_ms(5);
    let hello = |repeated, largest| {
        gives_up(negotiated().client_hello_13().after_ms(4000).repeats(ToServer, repeated, largest))
    };
    let without = |largest| gives_up(negotiated().after_ms(4000).repeats(ToServer, 0, largest));
    // 339 bytes pass everywhere.
    proves(&both(&hello(4, 339), &without(48)), "payload-trigger-drop", "network");
    // Two copies may be lost by chance.
    clean(&both(&hello(1, 339), &without(48)));
    clean(&both(&hello(4, 339), &hello(0, 339)));
    // A large one that no other passed.
    let large = |trace: Trace| trace.to_server(&[&[22, 3, 1, 5, 0x78][..], &[1; 1400]].concat());
    let sent = gives_up(large(negotiated()).after_ms(4000).repeats(ToServer, 4, 1405));
    let report = both(&sent, &without(48));
    proves(&report, "pmtu-blackhole-c2s", "network");
    silent(&report, "payload-trigger-drop");
    // As large a one did pass.
    let report = both(&sent, &without(1405));
    proves(&report, "payload-trigger-drop", "network");
    silent(&report, "pmtu-blackhole-c2s");
    // In between, one capture pair does not decide.
    let middle = |trace: Trace| trace.to_server(&[&[22, 3, 1, 3, 0x20][..], &[1; 800]].concat());
    let sent = gives_up(middle(negotiated()).after_ms(4000).repeats(ToServer, 4, 805));
    let report = both(&sent, &without(48));
    assert!(claims(&report, "payload-trigger-drop") && claims(&report, "pmtu-blackhole-c2s"));
}

#[test]
fn a_flight_of_the_server_that_never_arrives_is_a_black_hole() {
    let asked = || start().cr(SSL).cc(SSL).after_ms(5).client_hello_13().after_ms(5);
    let flight = asked().server_hello_13().app(ToClient, 1400, 1);
    let server = gives_up(flight.after_ms(4000).repeats(ToClient, 4, 1460));
    let client = gives_up(asked().after_ms(4000).repeats(ToClient, 0, 19));
    proves(&both(&client, &server), "pmtu-blackhole-s2c", "network");
    clean(&both(&server, &server));
}

#[test]
fn a_silence_before_the_loss_speaks_for_a_forgotten_connection() {
    let idle = || start().cr(SSL).cc(SSL).after_ms(40_000);
    let client = gives_up(idle().client_hello_13().after_ms(4000).repeats(ToServer, 4, 339));
    let server = gives_up(idle().after_ms(4000).repeats(ToServer, 0, 48));
    let report = both(&client, &server);
    proves(&report, "idle-timeout-silent", "network");
    silent(&report, "payload-trigger-drop");
    clean(&both(&client, &client));
}

#[test]
fn a_handshake_that_only_one_end_completes_is_half_open_or_faked() {
    let syn = |trace: Trace| trace.kept(ToServer, SegmentKind::Syn, 0).after_ms(1000);
    let syn_ack = |trace: Trace| trace.kept(ToClient, SegmentKind::SynAck, 0).after_ms(1000);
    let dialing = || syn(syn(syn(Trace::capture())));
    let no_answer = || dialing().connect_failed(ConnectFailureKind::NoAnswer, 9000);
    let answering = syn_ack(syn(syn_ack(syn(syn_ack(syn(Trace::capture()))))));
    proves(&both(&no_answer(), &answering), "half-open-asymmetric", "network");
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
    let before = absent(&client, true);
    assert_eq!(before.verdict.what.as_deref(), Some("tcp-refused-rst"));
    assert_eq!((before.verdict.party.as_str(), before.verdict.confidence.who), ("network", 0.93));
    assert!(claims(&before, "not-in-other-capture"));
    // Another host may have been dialled.
    assert_eq!(absent(&client, false).verdict.confidence.who, 0.55);
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
    // One that clamps the MSS leaves the numbers alone.
    let clamped = [2, 4, 4, 176, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
    let report = both(&end_to_end, &shaken(1, 2, &clamped));
    assert!(claims(&report, "tcp-option-rewrite"));
    silent(&report, "transparent-tcp-proxy");
}
