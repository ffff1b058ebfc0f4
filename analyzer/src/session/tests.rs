//! Sessions in any chunking, with any damage, and from any bytes.

use proptest::prelude::*;

use super::*;
use crate::facts::Reached;
use crate::input::{
    Baseline, Close, ConnectFailure, ConnectFailureKind, RelayNote, Segment, SegmentCounts,
    SegmentKind, TcpSample,
};
use crate::report::Connection;
use crate::testing::bytes::{record, tpdu, tpkt};
use crate::testing::contract::report;
use crate::testing::{HYBRID, MSTSC, SSL, STARTED, ToClient, ToServer, Trace};
use crate::wire::first_bytes::FirstBytes;
use crate::wire::tls::samples::{self, EC_CERTIFICATE, WINDOWS_LIKE_CERTIFICATE};

/// A preconnection PDU of version 2 with a name.
fn preconnection() -> Vec<u8> {
    let mut pdu = vec![24, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 3, 0];
    pdu.extend([b'v', 0, b'm', 0, 0, 0]);
    pdu
}

fn proxy_v2() -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c".to_vec();
    header.extend([10, 0, 0, 1, 10, 0, 0, 2, 0xC3, 0x50, 0x0D, 0x3D]);
    header
}

/// A request behind something else, in one piece of data.
fn request_behind(preamble: &[u8]) -> Trace {
    let mut bytes = preamble.to_vec();
    bytes.extend(tpdu(0xE0, &[1, 0, 8, 0, 3, 0, 0, 0]));
    Trace::capture().open().to_server(&bytes)
}

/// Standard RDP security up to a desktop.
fn standard_security() -> Trace {
    let trace = Trace::capture().negotiated(0, 0).mcs(ToServer, &[0x7F, 0x65, 0x82, 0, 0]);
    let mut trace = trace.mcs(ToClient, &[0x7F, 0x66, 0x82, 0, 0]).mcs(ToServer, &[4, 1, 0, 1]);
    for _ in 0..12 {
        trace = trace.mcs(ToServer, &[0x38, 0, 6, 3, 0xEB]).mcs(ToClient, &[0x3E, 0, 0, 6]);
    }
    trace.mcs(ToServer, &[0x64, 0, 6]).mcs(ToClient, &[0x68, 0, 1])
}

fn second_hello() -> Trace {
    let start = Trace::relay().negotiated(MSTSC, HYBRID).client_hello_13();
    let retry = start.hello_retry_request().ccs(ToClient).ccs(ToServer).client_hello_13();
    let answer = retry.server_hello_13().app(ToClient, 900, 1);
    answer.app(ToServer, 69, 1).after_ms(3)
}

fn traces() -> Vec<Trace> {
    let agreed = || Trace::relay().negotiated(MSTSC, HYBRID);
    let answer = |bytes: &[u8]| Trace::capture().open().cr(MSTSC).to_client(bytes).fin(ToClient);
    vec![
        agreed().tls12(EC_CERTIFICATE).desktop().rst(ToServer),
        agreed().tls13().app(ToServer, 500, 1).app(ToClient, 300, 1).rst(ToClient),
        agreed().client_hello_12().server_hello_12().alert(ToServer, 2, 48).rst(ToServer),
        second_hello().rst(ToServer),
        Trace::relay().open().cr(SSL).cc_failure(2).mcs(ToClient, &[0x21, 0x80]).fin(ToClient),
        request_behind(&preconnection()).cc(SSL).client_hello_13().fin(ToClient),
        request_behind(b"PROXY TCP4 10.0.0.1 10.0.0.2 50000 3389\r\n").cc(SSL).fin(ToServer),
        request_behind(&proxy_v2()).cc(SSL).fin(ToServer),
        standard_security().to_client(&[0, 0x80, 5, 1, 1, 0, 4, 1, 1]).rst(ToServer),
        answer(b"HTTP/1.1 302 Found\r\nLocation: http://login/\r\nVia: 1.1 x\r\n\r\n<html>"),
        answer(b"HTTP/1.0 200 OK\r\nServer: x\r\nVia: 1.1 squid"),
        answer(b"SSH-2.0-OpenSSH_9.2\r\n"),
        answer(b"\x15\x03\x01\x00\x02\x02\x46"),
        answer(&[0x16]),
        answer(b"short"),
        agreed().tls13().to_client(&[0x17, 3, 3, 1, 0, 1, 2]).fin(ToClient),
        agreed().tls13().to_client(&[0x17, 3, 3]).rst(ToClient),
        Trace::capture().open().to_server(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").fin(ToServer),
    ]
}

#[test]
fn one_byte_at_a_time_gives_the_same_report() {
    for (n, trace) in traces().iter().enumerate() {
        let bytes = trace.session_in_chunks(&mut |bytes| bytes.chunks(1).collect());
        assert_eq!(report(&bytes, &[]), trace.report(), "trace {n}");
    }
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_report(n in 0..traces().len(), sizes in prop::collection::vec(1usize..200, 1..20)) {
        let trace = &traces()[n];
        let mut sizes = sizes.iter().cycle();
        let chunked = trace.session_in_chunks(&mut |mut bytes| {
            let mut chunks = Vec::new();
            while !bytes.is_empty() {
                let (chunk, rest) = bytes.split_at(bytes.len().min(*sizes.next().unwrap()));
                chunks.push(chunk);
                bytes = rest;
            }
            chunks
        });
        prop_assert_eq!(report(&chunked, &[]), trace.report());
    }
}

#[test]
fn a_hello_retry_request_leads_to_the_real_hellos() {
    let session = second_hello().session();
    let tls = &session.facts().tls;
    assert!(tls.hello_retry.is_seen() && tls.server_hello.is_seen() && tls.is_established());
    assert!(!tls.finished.iter().any(crate::facts::Known::is_seen));
    assert_eq!(session.facts().reached().map(|(step, _)| step), Some(Reached::TlsFinished));
}

#[test]
fn an_empty_client_certificate_in_tls13_is_no_finished() {
    let start = Trace::relay().negotiated(MSTSC, HYBRID).client_hello_13().server_hello_13();
    let certificate = start.app(ToClient, 900, 1).app(ToServer, 25, 1);
    assert!(!certificate.session().facts().tls.is_established());
    let finished = certificate.app(ToServer, 53, 1);
    let tls = &finished.session().facts().tls.clone();
    assert!(tls.is_established());
    assert_eq!(tls.client_data_records(), 0);
    let spoke = finished.app(ToServer, 19, 1).app(ToServer, 110, 2).session();
    assert_eq!(spoke.facts().tls.client_data_records(), 2);
}

#[test]
fn what_stands_before_the_request_is_stepped_over() {
    for (preamble, what) in [
        (preconnection(), FirstBytes::Preconnection(24)),
        (b"PROXY UNKNOWN\r\n".to_vec(), FirstBytes::ProxyProtocol),
        (proxy_v2(), FirstBytes::ProxyProtocol),
    ] {
        let session = request_behind(&preamble).session();
        assert_eq!(session.facts().x224.first_bytes[0].value(), Some(&what));
        assert_eq!(session.facts().x224.requested(), Some(Protocols(3)));
    }
    // Without a request behind it nothing shows that this client wants Remote Desktop.
    let other = Trace::capture().open().to_server(b"PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n\r\n");
    assert_eq!(other.fin(ToServer).report().outcome, crate::report::Outcome::NotRdp);
}

#[test]
fn a_hello_may_span_records() {
    let hello = samples::bytes(samples::OPENSSL_HELLO).split_off(5);
    let mut trace = Trace::relay().negotiated(MSTSC, HYBRID);
    for part in hello.chunks(100) {
        trace = trace.to_server(&record(22, part));
    }
    let report = trace.fin(ToClient).report();
    assert_eq!(report.tls.as_ref().and_then(|tls| tls.sni.as_deref()), Some("rdp.example.com"));
    assert_eq!(report.reached.as_deref(), Some("tls_client_hello"));
}

#[test]
fn a_cut_handshake_record_is_said_and_guessed_at_nowhere() {
    let hello = samples::bytes(samples::OPENSSL_HELLO);
    let start = || Trace::capture().negotiated(MSTSC, HYBRID);
    let snapped = start().to_server(&hello[..60]).skipped(ToServer, hello.len() as u64 - 60);
    let report = snapped.server_hello_12().certificate(ToClient, &[EC_CERTIFICATE]);
    let report = report.alert(ToServer, 2, 48).fin(ToServer).report();
    assert!(!report.complete);
    let tls = report.tls.unwrap();
    assert_eq!((tls.ja4, tls.version.as_deref()), (None, Some("1.2")));
    // The step is kept: the record behind it is read.
    assert_eq!(report.verdict.what.as_deref(), Some("tls-alert-48"));
}

#[test]
fn a_hole_within_a_frame_leaves_no_false_body() {
    // The middle of the confirm is lost; its tail must not be read as its middle.
    let trace = Trace::capture().open().cr(MSTSC).to_client(&[3, 0, 0, 19, 14, 0xD0, 0, 0]);
    let trace = trace.skipped(ToClient, 3).to_client(&[2, 0, 8, 0, 1, 0, 0, 0]).fin(ToServer);
    let report = trace.report();
    assert_eq!((report.rdp.selected, report.complete), (None, false));
}

#[test]
fn a_capture_from_the_middle_finds_the_next_record() {
    let middle = || Trace::capture_from_the_middle().to_client(&[0xAA; 700]).to_server(&[9; 40]);
    let session = middle().app(ToServer, 60, 4).app(ToClient, 900, 20).rst(ToServer).report();
    assert_eq!(session.outcome, crate::report::Outcome::Established);
    assert_eq!(session.reached_basis.as_deref(), Some("inferred"));
    let little = middle().app(ToClient, 900, 2).rst(ToServer).report();
    assert_eq!((little.outcome, little.reached), (crate::report::Outcome::Unknown, None));
    // Only the TCP handshake is missing.
    let early = Trace::capture_from_the_middle().cr(SSL).cc_failure(2).fin(ToClient).report();
    assert_eq!(early.verdict.cause.as_deref(), Some("ssl-not-allowed"));
}

#[test]
fn standard_security_is_no_desktop_while_channels_are_joined() {
    let joined = standard_security().fin(ToClient).report();
    assert_eq!(joined.outcome, crate::report::Outcome::Failed);
    assert_eq!(joined.reached.as_deref(), Some("licensing"));
    let updated = standard_security().to_client(&[0, 4, 1, 1]).rst(ToServer).report();
    assert_eq!(updated.outcome, crate::report::Outcome::Established);
}

#[test]
fn bodies_left_out_behind_the_negotiation_are_no_damage() {
    // A recording keeps headers alone from Client Info on: it can hold a password.
    let mut trace = standard_security();
    for _ in 0..11 {
        trace = trace.to_client(&[3, 0, 1, 0]).skipped(ToClient, 252);
    }
    let report = trace.rst(ToServer).report();
    assert_eq!((report.outcome, report.complete), (crate::report::Outcome::Established, true));
}

#[test]
fn fast_path_may_begin_within_one_read() {
    let mut read = tpkt(&[2, 0xF0, 0x80, 0x7F, 0x66, 0x82, 0, 0]);
    read.extend([0x00, 0x80, 6, 1, 1, 1, 0x04, 3, 1]);
    let trace = Trace::capture().negotiated(0, 0).mcs(ToServer, &[0x7F, 0x65]).to_client(&read);
    let facts = trace.session();
    let facts = facts.facts();
    assert_eq!((facts.rdp.fast_path[1], facts.rdp.opaque[1]), (2, false));
}

#[test]
fn a_session_keeps_little_of_what_it_is_given() {
    let mut trace = Trace::relay().open();
    let long = tpkt(&vec![0xE0; 60_000]);
    for _ in 0..20 {
        trace = trace.to_server(&long).to_client(&record(22, &[11; 16_384]));
        trace = trace.to_server(&record(23, &[1; 16_384])).rst(ToServer).rst(ToClient);
        trace = trace.relay_note(RelayNote::Dialing);
        trace = trace.connect_failed(ConnectFailureKind::Refused, 1);
    }
    let steady = trace.session_in_chunks(&mut |bytes| bytes.chunks(1_000).collect());
    assert!(steady.lanes.iter().all(|lane| lane.frame.body.capacity() <= Frame::KEPT));
    // Every prefix, ends within frames included.
    trace = trace.to_client(&record(22, &[11; 16_384])[..16_000]);
    let session = trace.session_in_chunks(&mut |bytes| bytes.chunks(1_000).collect());
    for lane in &session.lanes {
        assert!(lane.frame.body.len() <= 20 * 1024, "{}", lane.frame.body.len());
        assert!(lane.first.is_none());
    }
    let facts = session.facts();
    assert!(facts.relay.len() <= 16 && facts.damage.len() <= 8);
    for (_, leg) in facts.tcp.legs() {
        assert!(leg.closes.len() <= 16 && leg.attempts.len() <= 32 && leg.segments.len() <= 32);
    }
    // What never decides is not waited for without end.
    let http = Trace::relay().open().to_server(&[&b"GET /"[..], &[b'a'; 9_000]].concat());
    let session = http.session_in_chunks(&mut |bytes| bytes.chunks(100).collect());
    assert!(session.lanes[0].first.is_none());
}

/// Any input at all, with enough real frames among it to get far.
fn any_input() -> impl Strategy<Value = Vec<(u64, Input<'static>)>> {
    let dir = || prop_oneof![Just(ToServer), Just(ToClient)];
    let leg = || prop_oneof![Just(Leg::Client), Just(Leg::Server), Just(Leg::Single)];
    let frames: Vec<(Direction, Vec<u8>)> = traces()
        .into_iter()
        .flat_map(|trace| trace.steps)
        .filter_map(|(_, step)| match step {
            crate::testing::Step::Data(dir, bytes) => Some((dir, bytes)),
            crate::testing::Step::Other(_) => None,
        })
        .collect();
    let data = |(dir, bytes): (Direction, Vec<u8>)| Input::Data { dir, bytes: bytes.leak() };
    let bytes = prop::collection::vec(any::<u8>(), 0..60);
    let damaged = (prop::sample::select(frames.clone()), any::<prop::sample::Index>(), any::<u8>());
    let damaged = damaged.prop_map(move |((dir, mut bytes), at, value)| {
        let at = at.index(bytes.len());
        bytes[at] = value;
        data((dir, bytes))
    });
    let close = prop_oneof![Just(Close::Fin), Just(Close::Rst), Just(Close::Error("ETIMEDOUT"))];
    let number = || prop_oneof![0..4000u64, any::<u64>()];
    let input = prop_oneof![
        8 => prop::sample::select(frames).prop_map(data),
        2 => (dir(), bytes).prop_map(data),
        2 => damaged,
        1 => (dir(), number()).prop_map(|(dir, bytes)| Input::Skipped { dir, bytes }),
        1 => (dir(), prop::option::of(number())).prop_map(|(dir, bytes)| Input::Gap { dir, bytes }),
        1 => (dir(), number(), number())
            .prop_map(|(dir, records, bytes)| Input::Passed { dir, records, bytes }),
        1 => (leg(), dir(), close).prop_map(|(leg, dir, how)| Input::Closed { leg, dir, how }),
        2 => other_input(),
    ];
    // Up to a day between two inputs, in ns.
    prop::collection::vec((0..86_400_000_000_000u64, input), 0..40)
}

/// Observations that carry no bytes.
fn other_input() -> impl Strategy<Value = Input<'static>> {
    let leg = prop_oneof![Just(Leg::Client), Just(Leg::Server), Just(Leg::Single)];
    (leg, any::<u32>(), 0..9u8).prop_map(|(leg, n, which)| match which {
        0..=2 => Input::Opened { leg, took: None },
        3 => Input::Relay(RelayNote::Unannounced),
        4 => Input::Relay(RelayNote::RecorderLost(1)),
        5 => {
            let sample = TcpSample {
                unacked: Some(n % 2),
                total_retrans: Some(n),
                segs_out: Some(n / 2),
                rwnd_limited_us: Some(u64::MAX),
                ..Default::default()
            };
            Input::Socket { leg, sample }
        }
        6 => {
            let count = SegmentCounts {
                segments: u64::from(n % 2),
                data_segments: u64::from(n),
                retransmitted: u64::MAX / 100,
                ..Default::default()
            };
            Input::Counts { leg, counts: [count, SegmentCounts::default()] }
        }
        7 => {
            let kinds = [
                ConnectFailureKind::Refused,
                ConnectFailureKind::NoAnswer,
                ConnectFailureKind::ResetAfterSynAck,
                ConnectFailureKind::Icmp { kind: 3, code: 1, offender: None },
            ];
            let kind = kinds[n as usize % kinds.len()].clone();
            Input::ConnectFailed {
                leg,
                failure: ConnectFailure {
                    to: None,
                    kind,
                    after: std::time::Duration::from_millis(n.into()),
                    syns: Some(n),
                },
            }
        }
        _ => {
            let kinds = [
                SegmentKind::Syn,
                SegmentKind::Rst,
                SegmentKind::ZeroWindow,
                SegmentKind::WindowOpen,
            ];
            let kind = kinds[n as usize % kinds.len()];
            Input::Segment(Segment {
                leg,
                dir: ToClient,
                kind,
                ttl: Some(n as u8),
                ip_id: None,
                seq: n,
                ack: n,
                flags: 4,
                window: 0,
                len: 0,
                options: Vec::new(),
                baseline: Baseline { ttl: Some((64, n)), ..Default::default() },
            })
        }
    })
}

proptest! {
    /// Whatever comes in, nothing panics and the report keeps the contract.
    #[test]
    fn any_input_gives_a_report_that_keeps_the_contract(inputs in any_input(), vantage in 0..3) {
        let mut subject = match vantage {
            0 => Trace::relay().subject,
            _ => Trace::capture().subject,
        };
        subject.starts_in_the_middle = vantage == 2;
        let mut session = Session::new(subject);
        let mut time = STARTED;
        for (n, (after, input)) in inputs.into_iter().enumerate() {
            time = Timestamp(time.0.saturating_add(after));
            session.feed(time, Origin::Packet(n as u64), input);
        }
        let live: Connection = report(&session, &[]);
        prop_assert!(!live.r#final || live.index == 1);
        session.finish(time, InputEnd::Capture);
        report(&session, &[]);
        let summary = crate::case::Summary::of(session.facts());
        report(&session, &[&summary]);
    }
}

#[test]
fn the_windows_certificate_passes_through_a_session() {
    let report = Trace::capture().negotiated(SSL, SSL).tls12(WINDOWS_LIKE_CERTIFICATE).report();
    let certificate = report.tls.unwrap().certificate.unwrap();
    assert!(certificate.self_signed && certificate.subject.contains("WIN-7Q2"));
}
