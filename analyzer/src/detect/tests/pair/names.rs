//! A name that led the client to another host than the one that the server's side knows by it.

use std::net::IpAddr;

use super::super::silent;
use crate::case::Names;
use crate::event::At;
use crate::facts::Resolved;
use crate::input::{ConnectFailureKind, Leg, Origin, SegmentKind, Timestamp};
use crate::report::{Connection, Outcome, Vantage};
use crate::testing::ends::{absent, both, named, named_beside_nothing};
use crate::testing::{MSTSC, SSL, STARTED, ToClient, ToServer, Trace};

const ID: &str = "dns-wrong-address";

/// An answer of a resolver, a second before the session.
fn answer(number: u64, addresses: &[&str]) -> Resolved {
    Resolved {
        name: "desk.example.com".into(),
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        resolver: [10, 0, 0, 1].into(),
        asker: [10, 0, 0, 5].into(),
        at: At::new(Timestamp(STARTED.0 - 1_000_000_000), Origin::Packet(number), Leg::Single),
    }
}

/// The server of these scripts is 10.0.0.9.
fn refused() -> Trace {
    let dialed = Trace::capture().kept(ToServer, SegmentKind::Syn, 0).after_ms(2);
    let answered = dialed.kept(ToClient, SegmentKind::Rst, 0);
    answered.connect_failed(ConnectFailureKind::Refused, 2)
}

/// The report of a session that the first answers led, beside a capture that holds the second ones.
fn beside(session: &Trace, here: &[&[&str]], there: &[&[&str]]) -> Connection {
    let [here, there] = [here, there].map(|answers| -> Vec<Resolved> {
        answers.iter().zip(7..).map(|(one, number)| answer(number, one)).collect()
    });
    let names = Names { here: &here, there: &there, ..Names::default() };
    named(session, here.last().expect("an answer led the session"), names)
}

/// The report of a session that a name led, beside a capture that holds sessions of these servers.
fn among(session: &Trace, hosts: &[&str]) -> Connection {
    let hosts: Vec<IpAddr> = hosts.iter().map(|host| host.parse().unwrap()).collect();
    let here = [answer(7, &["10.0.0.9"])];
    named(session, &here[0], Names { here: &here, hosts: &hosts, ..Names::default() })
}

#[track_caller]
fn blames(report: &Connection, what: &str) {
    let verdict = &report.verdict;
    assert_eq!(report.outcome, Outcome::Failed, "{report:#?}");
    assert_eq!((verdict.what.as_deref(), verdict.cause.as_deref()), (Some(what), Some(ID)));
    assert_eq!((verdict.party.as_str(), verdict.confidence.who), ("unknown", 0.0), "{report:#?}");
    assert_eq!((verdict.class.as_deref(), verdict.confidence.why), (Some("reachability"), 0.8));
    assert_eq!(report.vantage, Vantage::V6);
}

#[test]
fn a_name_that_means_another_host_at_the_servers_side_explains_what_answered() {
    let report = beside(&refused(), &[&["10.0.0.9"]], &[&["10.0.0.77"]]);
    blames(&report, "tcp-refused-rst");
    let cited = |file: Option<&str>, fact: &str| {
        let item = report.evidence.iter().find(|item| item.fact == fact).unwrap();
        let origin = item.origin.as_ref().unwrap();
        assert_eq!((origin.n, origin.file.as_deref()), (Some(7), file), "{item:?}");
    };
    cited(None, "the DNS answer of 10.0.0.1 for desk.example.com: 10.0.0.9");
    cited(Some("server.pcapng"), "the DNS answer of 10.0.0.1 for desk.example.com: 10.0.0.77");
    let dropped = Trace::capture().kept(ToServer, SegmentKind::Syn, 0).after_ms(9500);
    let dropped = dropped.connect_failed(ConnectFailureKind::NoAnswer, 9500);
    blames(&beside(&dropped, &[&["10.0.0.9"]], &[&["10.0.0.77"]]), "tcp-syn-drop");
    let web = Trace::capture().shaken().cr(MSTSC).after_ms(3);
    let web = web.to_client(b"HTTP/1.0 400 Bad request\r\n\r\n").fin(ToClient);
    blames(&beside(&web, &[&["10.0.0.9"]], &[&["10.0.0.77"]]), "http-answer");
    let leaves = Trace::capture().shaken().cr(MSTSC).after_ms(3).fin(ToClient);
    blames(&beside(&leaves, &[&["10.0.0.9"]], &[&["10.0.0.77"]]), "clean-close-no-reason");
}

#[test]
fn an_address_in_common_is_a_name_with_several_hosts() {
    silent(&beside(&refused(), &[&["10.0.0.9"]], &[&["10.0.0.9"]]), ID);
    silent(&beside(&refused(), &[&["10.0.0.9", "10.0.0.8"]], &[&["10.0.0.8"]]), ID);
    // In turn, one at a time.
    silent(&beside(&refused(), &[&["10.0.0.8"], &["10.0.0.9"]], &[&["10.0.0.8"]]), ID);
    silent(&beside(&refused(), &[&["10.0.0.9"]], &[&["10.0.0.9"], &["10.0.0.8"]]), ID);
    // An address of the other version is no other host.
    silent(&beside(&refused(), &[&["10.0.0.9"]], &[&["fd00::9"]]), ID);
    let both_versions: &[&[&str]] = &[&["fd00::9"], &["10.0.0.77"]];
    blames(&beside(&refused(), &[&["10.0.0.9"]], both_versions), "tcp-refused-rst");
}

#[test]
fn without_a_name_a_reference_or_a_running_capture_nothing_is_said_of_names() {
    silent(&absent(&refused(), false), ID);
    silent(&beside(&refused(), &[&["10.0.0.9"]], &[]), ID);
    let (given, there) = ([answer(7, &["10.0.0.9"])], [answer(8, &["10.0.0.77"])]);
    silent(&named(&refused(), &given[0], Names { there: &there, ..Names::default() }), ID);
    let report = named_beside_nothing(&refused(), &given[0]);
    silent(&report, ID);
    assert_eq!(report.verdict.what.as_deref(), Some("tcp-refused-rst"));
}

#[test]
fn a_session_that_the_server_has_went_to_no_other_host_whatever_its_address() {
    // Translated on the way: the server has another address, and the session.
    let mut translated = refused();
    translated.subject.server = "10.0.0.77:3389".parse().ok();
    silent(&both(&refused(), &translated), ID);
    // Another session to the same address arrived: this one was lost on the same way.
    let (here, there) = ([answer(7, &["10.0.0.9"])], [answer(8, &["10.0.0.77"])]);
    let names = |reached| Names { here: &here, there: &there, reached, ..Names::default() };
    silent(&named(&refused(), &here[0], names(&here[0].addresses)), ID);
    blames(&named(&refused(), &here[0], names(&there[0].addresses)), "tcp-refused-rst");
}

#[test]
fn inside_and_outside_have_addresses_of_their_own_on_purpose() {
    let mut outside = refused();
    outside.subject.server = "198.51.100.9:3389".parse().ok();
    let report = beside(&outside, &[&["198.51.100.9"]], &[&["10.0.0.77"]]);
    assert_eq!(report.verdict.cause.as_deref(), Some("tcp-refused-rst"), "{report:#?}");
    let listed = report.causes.iter().find(|cause| cause.id == ID).unwrap();
    assert_eq!(listed.confidence, 0.4);
    // The inner address outside of its network.
    let report = beside(&refused(), &[&["10.0.0.9"]], &[&["198.51.100.9"]]);
    assert_eq!(report.verdict.cause.as_deref(), Some("tcp-refused-rst"), "{report:#?}");
    assert!(report.causes.iter().any(|cause| cause.id == ID && cause.confidence == 0.55));
    // Two public ones.
    blames(&beside(&outside, &[&["198.51.100.9"]], &[&["203.0.113.9"]]), "tcp-refused-rst");
}

#[test]
fn sessions_to_other_addresses_make_a_name_suspect_and_no_more() {
    let suspected = among(&refused(), &["10.0.0.77"]);
    assert_eq!(suspected.verdict.cause.as_deref(), Some("tcp-refused-rst"));
    assert!(suspected.causes.iter().any(|cause| cause.id == ID && cause.confidence == 0.4));
    silent(&among(&refused(), &["10.0.0.77", "10.0.0.9"]), ID);
    silent(&among(&refused(), &["fd00::9"]), ID);
}

#[test]
fn a_session_that_came_up_elsewhere_is_told_and_blames_no_name() {
    let up = Trace::capture().shaken().negotiated(MSTSC, SSL).tls13().desktop();
    let report = beside(&up, &[&["10.0.0.9"]], &[&["10.0.0.77"]]);
    assert_eq!(report.outcome, Outcome::Established, "{report:#?}");
    assert!(report.findings.iter().any(|finding| finding.id == ID), "{report:#?}");
    assert_eq!((report.verdict.cause.as_deref(), report.causes.len()), (None, 0));
    // What is only suspected is not.
    silent(&among(&up, &["10.0.0.77"]), ID);
}
