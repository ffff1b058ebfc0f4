//! Who made a segment, and what the path did: forged ends, second writers, boxes that answer or refuse.

use super::{claims, silent};
use crate::facts::InputEnd;
use crate::input::{
    Close, ConnectFailureKind, Direction, RelayNote, Segment, SegmentCounts, SegmentKind,
};
use crate::report::{Connection, Outcome};
use crate::testing::{HYBRID, MSTSC, SSL, ToClient, ToServer, Trace};

pub(super) const FIRED: &[&str] = &[
    "rst-injected-toclient",
    "rst-injected-toserver",
    "rst-of-unclear-origin",
    "rst-inpath-reject",
    "fin-injected",
    "data-injected",
    "syn-proxy-fake-open",
    "tcp-option-rewrite",
    "half-open-asymmetric",
    "tls-record-tampered",
    "tls-version-intolerance",
    "ch-fragmentation-intolerance",
    "reordering-duplication",
];

/// A capture in which the client has sent its hello.
fn hello() -> Trace {
    Trace::capture().negotiated(MSTSC, HYBRID).client_hello_13().after_ms(9)
}

/// A RST of a steady sender, changed by `edit`, ends it.
fn reset(dir: Direction, edit: impl FnOnce(&mut Segment)) -> Trace {
    hello().captured(dir, SegmentKind::Rst, edit).rst(dir)
}

fn cause(report: &Connection, id: &str) -> Option<f64> {
    report.causes.iter().find(|cause| cause.id == id).map(|cause| cause.confidence)
}

#[test]
fn two_independent_marks_of_a_forger_name_him() {
    for (dir, id) in [(ToClient, "rst-injected-toclient"), (ToServer, "rst-injected-toserver")] {
        let forged = |edit: &dyn Fn(&mut Segment)| reset(dir, |rst| edit(rst)).report();
        for (marks, report) in [
            (
                "TTL and IP identification",
                forged(&|rst| (rst.ttl, rst.ip_id) = (Some(55), Some(9999))),
            ),
            ("TTL and sequence", forged(&|rst| (rst.ttl, rst.seq) = (Some(55), 900))),
        ] {
            assert_eq!(report.verdict.what.as_deref(), Some(id), "{marks}: {report:#?}");
            assert_eq!(report.verdict.cause.as_deref(), Some(id), "{marks}");
            assert_eq!(report.verdict.class.as_deref(), Some("interference"));
            assert_eq!(report.verdict.party, "network");
            assert_eq!(report.verdict.control.as_deref(), Some("baseline"));
            silent(&report, "rst-genuine-server");
            silent(&report, "rst-genuine-client");
        }
        // Clean twin.
        silent(&forged(&|_| {}), id);
        // One mark alone accuses nobody, and says that something is odd.
        let odd = forged(&|rst| rst.ttl = Some(55));
        assert_eq!(odd.verdict.what.as_deref(), Some("rst-of-unclear-origin"));
        assert_eq!((odd.verdict.cause.as_deref(), odd.verdict.party.as_str()), (None, "unknown"));
        assert!(cause(&odd, id).is_some_and(|confidence| confidence < 0.5));
    }
}

#[test]
fn a_busy_host_is_no_forger() {
    for (how, report) in [
        ("it sent other packets meanwhile", reset(ToClient, |rst| rst.ip_id = Some(700)).report()),
        ("it answers an older segment", reset(ToClient, |rst| rst.seq = 900).report()),
    ] {
        assert_eq!(report.verdict.what.as_deref(), Some("rst-genuine-server"), "{how}");
        assert_eq!(report.verdict.party, "server", "{how}");
        silent(&report, "rst-injected-toclient");
    }
    // Both at once are odd, and accuse nobody.
    let odd = reset(ToClient, |rst| (rst.ip_id, rst.seq) = (Some(700), 900)).report();
    assert_eq!(odd.verdict.what.as_deref(), Some("rst-of-unclear-origin"));
    assert_eq!((odd.verdict.cause, odd.verdict.control), (None, None));
}

#[test]
fn no_baseline_is_no_control() {
    let few = reset(ToClient, |rst| {
        (rst.ttl, rst.seq) = (Some(55), 900);
        rst.baseline.ttl = Some((64, 2));
    });
    let report = few.report();
    assert_ne!(report.verdict.what.as_deref(), Some("rst-injected-toclient"));
    assert_eq!(report.verdict.control, None);
}

#[test]
fn a_host_that_goes_on_behind_its_own_rst_did_not_send_it() {
    let forged = |ms: u64, len: u32, seq: u32| {
        let trace = reset(ToClient, |rst| rst.ttl = Some(55)).after_ms(ms);
        let on = |segment: &mut Segment| (segment.len, segment.seq) = (len, seq);
        trace.captured(ToClient, SegmentKind::AfterRst, on).report()
    };
    let report = forged(1, 300, 1000);
    assert_eq!(report.verdict.what.as_deref(), Some("rst-injected-toclient"), "{report:#?}");
    assert!(report.verdict.confidence.what > 0.9);
    assert!(report.evidence.iter().any(|item| item.fact.contains("as if it knew of none")));
    assert_eq!(forged(40, 0, 1000).verdict.what.as_deref(), Some("rst-injected-toclient"));
    // Decoys: what was under way beside the RST; another forger's packet.
    assert_ne!(forged(1, 0, 1000).verdict.what.as_deref(), Some("rst-injected-toclient"));
    assert_ne!(forged(1, 300, 700).verdict.what.as_deref(), Some("rst-injected-toclient"));
}

#[test]
fn a_peer_that_outlives_an_ignored_reset_did_not_send_it() {
    let relayed = |immune: bool, later: Option<u32>| {
        let trace = Trace::relay().negotiated(MSTSC, SSL);
        let trace = if immune { trace.relay_note(RelayNote::RstImmune) } else { trace };
        let trace = trace.tls13().captured(ToClient, SegmentKind::Rst, |_| {}).after_ms(8);
        let trace = match later {
            Some(len) => trace.captured(ToClient, SegmentKind::AfterRst, |data| data.len = len),
            None => trace,
        };
        trace.desktop().fin(ToServer).report()
    };
    let report = relayed(true, Some(300));
    assert_eq!(report.outcome, Outcome::Established);
    assert_eq!(report.verdict.what.as_deref(), Some("rst-injected-toclient"), "{report:#?}");
    assert_eq!(report.verdict.control.as_deref(), Some("probe"));
    assert_eq!(report.verdict.party, "server_network");
    // A peer that is gone answers nothing, or resets again; without the experiment it is another story.
    for quiet in [relayed(true, None), relayed(true, Some(0)), relayed(false, None)] {
        assert_ne!(quiet.verdict.what.as_deref(), Some("rst-injected-toclient"));
    }
}

#[test]
fn guesses_ahead_and_answers_too_early_are_marks() {
    let burst = reset(ToClient, |rst| rst.ttl = Some(55));
    let burst = burst.captured(ToClient, SegmentKind::Rst, |rst| rst.seq = 2460).report();
    assert_eq!(burst.verdict.what.as_deref(), Some("rst-injected-toclient"));
    let guesses = |trace: Trace, acks: [u32; 2], flags: u8| {
        let edit =
            |ack| move |rst: &mut Segment| (rst.ack, rst.flags, rst.ttl) = (ack, flags, Some(55));
        let trace = trace.captured(ToClient, SegmentKind::Rst, edit(acks[0]));
        trace.captured(ToClient, SegmentKind::Rst, edit(acks[1])).report().verdict.what
    };
    let counted = SegmentCounts { segments: 9, ..Default::default() };
    let uncounted = || reset(ToClient, |rst| rst.ttl = Some(55));
    let first = || uncounted().counts(counted, counted);
    let two = [1461, 4381];
    assert_eq!(guesses(first(), two, 0x14).as_deref(), Some("rst-injected-toclient"));
    // Decoys: what had been sent; one that a lost packet explains; numbers that do not count; another connection's;
    // a capture that lost something of the peer, or anything.
    let lossy = first().gap(ToServer, Some(10));
    for (trace, acks, flags) in [
        (first(), [1, 0], 0x14),
        (first(), [2, 2], 0x14),
        (first(), two, 0x04),
        (first(), [1 << 30, (1 << 30) + 1], 0x14),
        (lossy, two, 0x14),
        (uncounted(), two, 0x14),
    ] {
        let what = guesses(trace, acks, flags);
        assert_ne!(what.as_deref(), Some("rst-injected-toclient"), "{acks:?} {flags}");
    }
    // The same again and again is told beside other marks, and weighs where there are two.
    let again = |times: usize, edit: fn(&mut Segment)| {
        let more = (1..times).fold(reset(ToClient, edit), |trace, _| {
            trace.captured(ToClient, SegmentKind::Rst, edit)
        });
        let report = more.report();
        let told = report.evidence.iter().any(|item| item.fact.contains("came 3 times within"));
        let sure = report.causes.iter().map(|cause| (cause.id.clone(), cause.confidence));
        (report.verdict.what.unwrap(), told, sure.collect::<Vec<_>>())
    };
    let foreign: fn(&mut Segment) = |rst| rst.ttl = Some(55);
    for edit in [foreign, |_| (), |rst| rst.ip_id = Some(9_000)] {
        let (once, thrice) = (again(1, edit), again(3, edit));
        assert_eq!((&once.0, &once.2), (&thrice.0, &thrice.2));
        assert_eq!((once.1, thrice.1), (false, thrice.0 != "rst-genuine-server"), "{thrice:?}");
    }
    let [once, thrice] = [1, 3].map(|times| {
        again(times, |rst| {
            rst.ttl = Some(55);
            rst.ip_id = Some(9_000);
        })
    });
    assert_eq!((once.0.as_str(), &once.0), ("rst-injected-toclient", &thrice.0));
    assert!(thrice.1 && once.2[0].1 < thrice.2[0].1, "{once:?} {thrice:?}");
    let early = |ms| {
        let trace = Trace::capture().step(crate::input::Input::Opened {
            leg: crate::input::Leg::Single,
            took: Some(std::time::Duration::from_millis(80)),
        });
        let trace = trace.cr(MSTSC).after_ms(80).cc(HYBRID).client_hello_13().after_ms(ms);
        trace.captured(ToClient, SegmentKind::Rst, |rst| rst.ttl = Some(55)).rst(ToClient).report()
    };
    assert_eq!(early(3).verdict.what.as_deref(), Some("rst-injected-toclient"));
    assert_eq!(early(81).verdict.what.as_deref(), Some("rst-of-unclear-origin"));
}

#[test]
fn who_said_why_before_is_who_it_seems() {
    let trace = Trace::capture().negotiated(MSTSC, HYBRID).client_hello_12().alert(ToClient, 2, 40);
    let trace = trace.captured(ToClient, SegmentKind::Rst, |rst| rst.ttl = Some(55)).rst(ToClient);
    let report = trace.report();
    assert_eq!(report.verdict.what.as_deref(), Some("tls-alert-40"));
    assert!(cause(&report, "rst-injected-toclient").is_none_or(|confidence| confidence < 0.4));
}

#[test]
fn a_firewall_that_rejects_is_a_candidate_beside_others() {
    let counts = |acknowledged| SegmentCounts {
        bytes: 500,
        acknowledged: Some(acknowledged),
        ..Default::default()
    };
    let rejected = |acknowledged, ttl| {
        let trace = hello().captured(ToClient, SegmentKind::Rst, |rst| rst.ttl = Some(ttl));
        trace.counts(counts(acknowledged), SegmentCounts::default()).rst(ToClient).report()
    };
    assert!(cause(&rejected(40, 60), "rst-inpath-reject").is_some());
    // What the client said behind a RST that came late was not answered by it.
    let late =
        hello().after_ms(5_000).captured(ToClient, SegmentKind::Rst, |rst| rst.ttl = Some(60));
    let late = late.counts(counts(40), SegmentCounts::default()).rst(ToClient);
    silent(&late.app(ToServer, 60, 1).report(), "rst-inpath-reject");
    // Clean twin: the server's own; decoy: the server had acknowledged it.
    silent(&rejected(40, 64), "rst-inpath-reject");
    silent(&rejected(500, 60), "rst-inpath-reject");
}

#[test]
fn data_behind_a_fin_shows_that_another_sent_it() {
    let closed = |ttl, len: Option<u32>| {
        let trace = hello().captured(ToClient, SegmentKind::Fin, |fin| fin.ttl = Some(ttl));
        let trace = trace.fin(ToClient).after_ms(20);
        let trace = match len {
            Some(len) => trace.captured(ToClient, SegmentKind::DataAfterFin, |data| data.len = len),
            None => trace,
        };
        trace.report()
    };
    let forged = closed(55, Some(900));
    assert_eq!(forged.verdict.what.as_deref(), Some("fin-injected"), "{forged:#?}");
    assert_eq!(forged.verdict.control.as_deref(), Some("baseline"));
    // A server that goes on has lost no key.
    silent(&forged, "cert-key-inaccessible");
    // With the sender's own TTL it is as impossible.
    let copied = closed(64, Some(900));
    assert_eq!(copied.verdict.what.as_deref(), Some("fin-injected"), "{copied:#?}");
    assert_eq!(copied.verdict.party, "network");
    // Clean twin; decoys: a route that changed, a half-closed server that acknowledges.
    silent(&closed(64, None), "fin-injected");
    assert_eq!(closed(55, None).verdict.what.as_deref(), Some("clean-close-no-reason"));
}

#[test]
fn two_contents_for_one_place_are_two_writers() {
    let overlap = |steady, ttl| {
        hello()
            .captured(ToClient, SegmentKind::DifferingOverlap, |segment| {
                (segment.len, segment.ttl) = (200, Some(ttl));
                segment.baseline.ttl_is_steady = steady;
            })
            .after_ms(5)
            .rst(ToServer)
            .report()
    };
    for report in [overlap(true, 55), overlap(false, 64)] {
        assert_eq!(report.verdict.what.as_deref(), Some("data-injected"), "{report:#?}");
        assert_eq!(report.verdict.party, "network");
    }
    // A box that cuts the stream anew has the sender's TTL: nobody is accused.
    let same = overlap(true, 64);
    assert_ne!(same.verdict.what.as_deref(), Some("data-injected"));
    assert_eq!(same.verdict.control, None);
    silent(&hello().rst(ToServer).report(), "data-injected");
}

#[test]
fn who_ends_what_came_in_two_versions_did_not_bring_it_about() {
    let ended = |overlap: Option<Direction>, alert: bool| {
        let mut trace = hello();
        if let Some(dir) = overlap {
            trace = trace.captured(dir, SegmentKind::DifferingOverlap, |segment| segment.len = 60);
        }
        let trace = if alert { trace.alert(ToClient, 2, 10) } else { trace };
        trace.after_ms(5).fin(ToClient).report()
    };
    for alert in [false, true] {
        assert_eq!(ended(Some(ToServer), alert).verdict.party, "unknown", "alert: {alert}");
        // Clean twin; decoy: what the server wrote was changed, and it is not who read that.
        assert_eq!(ended(None, alert).verdict.party, "server", "alert: {alert}");
    }
    assert_eq!(ended(Some(ToClient), false).verdict.party, "server");
    // A goodbye in the server's name that may be another's.
    let goodbye = Trace::capture().negotiated(SSL, SSL).tls13().app(ToClient, 19, 1).after_ms(5);
    let twice = goodbye.clone();
    let twice = twice.captured(ToClient, SegmentKind::DifferingOverlap, |segment| segment.len = 24);
    assert_eq!(twice.fin(ToServer).report().verdict.party, "unknown");
    assert_eq!(goodbye.fin(ToServer).report().verdict.party, "server");
    // Nor who is sent what can not be read.
    let noise = Trace::capture().open().cr(SSL).cc(SSL).after_ms(5).to_server(&[0x5A; 60]);
    assert_eq!(noise.after_ms(5).rst(ToClient).report().verdict.party, "unknown");
}

#[test]
fn a_handshake_answered_for_another_is_a_candidate() {
    let dropped = Trace::relay().open_client().cr(MSTSC);
    let dropped = dropped.connect_failed(ConnectFailureKind::ResetAfterSynAck, 30).report();
    assert!(cause(&dropped, "syn-proxy-fake-open").is_some());
    assert!(cause(&dropped, "lb-no-backend").is_some(), "they share the shape");
    let answered = |ttl| {
        let trace = Trace::capture().open().cr(MSTSC);
        let trace = trace.captured(ToClient, SegmentKind::SynAck, |answer| answer.ttl = Some(64));
        trace.captured(ToClient, SegmentKind::Rst, |rst| rst.ttl = Some(ttl)).rst(ToClient).report()
    };
    assert!(cause(&answered(57), "syn-proxy-fake-open").is_some());
    silent(&answered(64), "syn-proxy-fake-open");
    let refused = Trace::relay().open_client().cr(MSTSC);
    silent(&refused.connect_failed(ConnectFailureKind::Refused, 3).report(), "syn-proxy-fake-open");
}

#[test]
fn blanked_options_are_noted() {
    let syn = |options: &[u8]| {
        let options = options.to_vec();
        let trace =
            Trace::capture().captured(ToServer, SegmentKind::Syn, |syn| syn.options = options);
        trace.negotiated(SSL, SSL).fin(ToServer).report()
    };
    let blanked = syn(&[2, 4, 5, 180, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 7]);
    assert!(blanked.findings.iter().any(|finding| finding.id == "tcp-option-rewrite"));
    assert_eq!(blanked.verdict.control, None, "a note accuses nobody");
    // Windows and Linux as they are.
    silent(&syn(&[2, 4, 5, 180, 1, 3, 3, 8, 1, 1, 4, 2]), "tcp-option-rewrite");
    silent(
        &syn(&[2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7]),
        "tcp-option-rewrite",
    );
}

#[test]
fn answers_that_nobody_hears() {
    let answers = |count: usize| {
        let mut trace = Trace::capture().captured(ToServer, SegmentKind::Syn, |_| {});
        for _ in 0..count {
            trace = trace.captured(ToClient, SegmentKind::SynAck, |_| {}).after_ms(1000);
        }
        let seen = SegmentCounts { segments: 3, ..Default::default() };
        trace.counts(seen, seen)
    };
    let report = answers(4).input_ends(InputEnd::Capture).report();
    assert_eq!(report.verdict.what.as_deref(), Some("half-open-asymmetric"), "{report:#?}");
    assert_eq!((report.outcome, report.verdict.party.as_str()), (Outcome::Failed, "network"));
    silent(&answers(1).input_ends(InputEnd::Capture).report(), "half-open-asymmetric");
    let heard = answers(4).open().cr(MSTSC).fin(ToServer).report();
    silent(&heard, "half-open-asymmetric");
}

#[test]
fn alerts_on_broken_records_make_the_path_a_candidate() {
    for (number, suspected) in [(20, true), (51, true), (40, false), (48, false)] {
        let trace = Trace::relay().negotiated(SSL, SSL).client_hello_12().server_hello_12();
        let report = trace.alert(ToServer, 2, number).fin(ToServer).report();
        assert_eq!(claims(&report, "tls-record-tampered"), suspected, "alert {number}");
        assert_eq!(report.verdict.control, None);
    }
}

#[test]
fn a_newer_hello_that_fails_where_an_older_one_passes() {
    let newer =
        |ms| Trace::relay().starting_at(ms).negotiated(SSL, SSL).client_hello_13().after_ms(5);
    let older = |ms| {
        let trace = Trace::relay().starting_at(ms).negotiated(SSL, SSL).client_hello_12();
        trace.after_ms(5).server_hello_12()
    };
    let report = newer(0).rst(ToClient).report_with(&[older(2_000)]);
    assert_eq!(report.verdict.cause.as_deref(), Some("tls-version-intolerance"), "{report:#?}");
    assert_eq!(report.verdict.control.as_deref(), Some("sibling"));
    // The older one fails as well; there is none; the client itself gave up.
    let fails_too = Trace::relay().starting_at(2_000).negotiated(SSL, SSL).client_hello_12();
    silent(
        &newer(0).rst(ToClient).report_with(&[fails_too.rst(ToClient)]),
        "tls-version-intolerance",
    );
    silent(&newer(0).rst(ToClient).report(), "tls-version-intolerance");
    silent(&newer(0).rst(ToServer).report_with(&[older(2_000)]), "tls-version-intolerance");
}

#[test]
fn a_hello_of_two_segments_without_an_answer_makes_a_candidate() {
    use crate::wire::tls::samples;
    let large = {
        // A padding extension makes the recorded hello long.
        let mut bytes = samples::bytes(samples::OPENSSL_HELLO);
        let pad = [&[0, 21, 5, 220][..], &[0; 1500]].concat();
        let grow = |bytes: &mut Vec<u8>, at: usize, width: usize| {
            let old =
                bytes[at..at + width].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            let new = (old + pad.len()).to_be_bytes();
            bytes[at..at + width].copy_from_slice(&new[8 - width..]);
        };
        let extensions = {
            let session = 43 + 1 + usize::from(bytes[43]);
            let suites =
                session + 2 + usize::from(u16::from_be_bytes([bytes[session], bytes[session + 1]]));
            suites + 1 + usize::from(bytes[suites])
        };
        grow(&mut bytes, 3, 2);
        grow(&mut bytes, 6, 3);
        grow(&mut bytes, extensions, 2);
        bytes.extend(pad);
        bytes
    };
    let start = || Trace::relay().negotiated(SSL, SSL);
    let report = start().to_server(&large).after_ms(5).rst(ToClient).report();
    assert!(cause(&report, "ch-fragmentation-intolerance").is_some(), "{report:#?}");
    silent(&start().client_hello_13().rst(ToClient).report(), "ch-fragmentation-intolerance");
    let answered = start().to_server(&large).server_hello_13().rst(ToClient).report();
    silent(&answered, "ch-fragmentation-intolerance");
}

#[test]
fn disorder_without_loss_is_noted() {
    let counted = |out_of_order, retransmitted, duplicates_reported| {
        let server = SegmentCounts {
            data_segments: 200,
            out_of_order,
            retransmitted,
            duplicates_reported,
            ..Default::default()
        };
        hello().counts(SegmentCounts::default(), server).close(ToServer, Close::Fin).report()
    };
    for report in [counted(5, 0, 0), counted(0, 0, 4)] {
        assert!(report.findings.iter().any(|finding| finding.id == "reordering-duplication"));
    }
    for report in [counted(0, 0, 0), counted(5, 5, 0)] {
        silent(&report, "reordering-duplication");
    }
}
