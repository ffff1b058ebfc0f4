//! What may be named: margins, controls, caps; and what stands beside it.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::case::Case;
use crate::detect::{ALL, Band, Class, Detector, Evidence, Kind, Opinion, rows};
use crate::input::{ConnectFailureKind, Leg, TcpSample};
use crate::report::Connection;
use crate::testing::{HYBRID, MSTSC, SSL, ToClient, ToServer, Trace};
use crate::verdict::{Identities, Ranked, candidates, name_cause};
use crate::wire::tls::samples::WINDOWS_LIKE_CERTIFICATE;

fn never(_: &Case<'_>) -> Option<Opinion> {
    None
}

/// A made-up row with an opinion of this confidence.
fn ranked(
    id: &'static str,
    kind: Kind,
    class: Class,
    explains: &'static [&'static str],
    confidence: f64,
) -> Rc<Ranked> {
    let detector = Detector { id, kind, class, explains, remedy: "", next: &[], detect: never };
    let row = Box::leak(Box::new(detector));
    let opinion = Opinion::new(Band::Certain, id).supports(Evidence::absent(id));
    Rc::new(Ranked { row, opinion, confidence })
}

fn cause(id: &'static str, explains: &'static [&'static str], confidence: f64) -> Rc<Ranked> {
    ranked(id, Kind::Cause, Class::ServerConfig, explains, confidence)
}

fn named(causes: &[Rc<Ranked>]) -> Option<String> {
    name_cause(causes).map(|cause| cause.id().to_owned())
}

#[test]
fn a_cause_is_named_from_one_half_on() {
    assert_eq!(named(&[]), None);
    assert_eq!(named(&[cause("a", &[], 0.49)]), None);
    assert_eq!(named(&[cause("a", &[], 0.5)]).as_deref(), Some("a"));
}

#[test]
fn a_cause_must_lead_its_unrelated_rivals() {
    let rivals = |second| [cause("a", &["x"], 0.6), cause("b", &["x"], second)];
    assert_eq!(named(&rivals(0.4)).as_deref(), Some("a"));
    assert_eq!(named(&rivals(0.5)), None);
    // Whoever explains the other is no rival of it.
    let linked = [cause("a", &["b"], 0.6), cause("b", &["x"], 0.55)];
    assert_eq!(named(&linked).as_deref(), Some("a"));
    // A third one behind a linked one still is.
    let third = [cause("a", &["b"], 0.6), cause("b", &["x"], 0.55), cause("c", &["x"], 0.5)];
    assert_eq!(named(&third), None);
}

#[test]
fn the_deeper_cause_is_named_where_it_is_probable() {
    let deeper =
        |confidence| [cause("refusal", &["x"], 0.93), cause("why", &["refusal"], confidence)];
    assert_eq!(named(&deeper(0.8)).as_deref(), Some("why"));
    assert_eq!(named(&deeper(0.55)).as_deref(), Some("refusal"));
}

#[test]
fn the_path_is_not_accused_and_not_forgotten() {
    for class in [Class::Interference, Class::Downgrade] {
        let accused = |confidence| ranked("path", Kind::Cause, class, &["x"], confidence);
        assert_eq!(named(&[accused(0.99)]), None);
        // As a rival it keeps a weak cause from being named, and lets a strong one be.
        assert_eq!(named(&[cause("a", &["x"], 0.55), accused(0.45)]), None);
        assert_eq!(named(&[cause("a", &["x"], 0.8), accused(0.45)]).as_deref(), Some("a"));
    }
}

#[test]
fn candidates_explain_what_was_seen() {
    let seen = ranked("x", Kind::Phenomenon, Class::Abort, &[], 0.93);
    let weak = ranked("weak", Kind::Definition, Class::Abort, &["x"], 0.4);
    let sure = ranked("sure", Kind::Definition, Class::Abort, &["x"], 0.8);
    let prefix = cause("prefix", &["x-"], 0.7);
    let other = cause("other", &["y"], 0.9);
    let mut fact = cause("fact", &["x"], 0.9);
    Rc::get_mut(&mut fact).unwrap().opinion.fact_only = true;
    let opinions = [seen.clone(), weak, sure, prefix, other, fact, cause("c", &["x"], 0.5)];
    let ids: Vec<String> =
        candidates(&opinions, Some(&seen)).iter().map(|cause| cause.id().to_owned()).collect();
    assert_eq!(ids, ["c", "weak"]);
    assert!(candidates(&opinions, None).is_empty());
}

#[test]
fn the_catalogue_is_well_formed() {
    let ids: BTreeSet<&str> = rows().map(|row| row.id).collect();
    for table in [ALL, crate::detect::pair::ALL] {
        let of_table: BTreeSet<&str> = table.iter().map(|row| row.id).collect();
        assert_eq!(of_table.len(), table.len(), "an id stands twice");
    }
    for row in rows() {
        assert!(!row.remedy.is_empty(), "{} has no remedy", row.id);
        assert!(row.kind != Kind::Cause || !row.explains.is_empty(), "{} explains nothing", row.id);
        for explained in row.explains {
            let known = explained.starts_with("tls-alert-")
                || ids.contains(explained)
                || explained.ends_with('-') && ids.iter().any(|id| id.starts_with(explained));
            assert!(known, "{} explains {explained}, which is in no row", row.id);
        }
    }
}

#[test]
fn a_user_is_shown_as_a_stable_hash() {
    let cookie = |trace: Trace| trace.report().rdp.cookie.unwrap();
    let live = cookie(Trace::relay().open().cr(MSTSC));
    assert_eq!(live, cookie(Trace::capture().open().cr(SSL)));
    assert!(live.starts_with("user#") && live.len() == 9, "{live}");
    let hashed = |secret, name: &[u8]| Identities::Hashed([secret; 32]).show("user", name);
    assert_eq!(hashed(7, b"alice"), live);
    assert_ne!(hashed(7, b"bob"), live);
    assert_ne!(hashed(8, b"alice"), live);
    assert_eq!(Identities::Shown.show("user", b"alice"), "alice");
}

#[test]
fn the_first_death_is_the_end_and_the_propagated_one_is_not() {
    let start = || Trace::relay().negotiated(MSTSC, HYBRID).client_hello_13().after_ms(2);
    let died = |first, second| {
        let report = start().rst(first).after_ms(1).rst(second).report();
        (report.ended.leg.unwrap(), report.ended.from.unwrap(), report.verdict.what.unwrap())
    };
    let server = ("server".into(), "server".into(), "rst-genuine-server".into());
    assert_eq!(died(ToClient, ToServer), server);
    let client = ("client".into(), "client".into(), "rst-genuine-client".into());
    assert_eq!(died(ToServer, ToClient), client);
    // What the relay itself sent on is nobody's close.
    let close = |leg, dir| crate::input::Input::Closed { leg, dir, how: crate::input::Close::Rst };
    let relayed = start().step(close(Leg::Client, ToClient)).step(close(Leg::Server, ToServer));
    assert_eq!(relayed.report().ended.how, "open");
    let ended = start().rst(ToClient).report().ended.after_bytes.unwrap();
    let (to_server, to_client) = (ended.to_server, ended.to_client);
    assert!(to_server > 300 && to_client == 19, "{to_server} {to_client}");
}

#[test]
fn mstsc_shows_no_code_for_an_end_of_its_own() {
    let code = |trace: Trace| trace.report().mstsc.code;
    let start = || Trace::relay().negotiated(MSTSC, HYBRID);
    assert_eq!(code(start().fin(ToClient)).as_deref(), Some("0x904"));
    assert_eq!(code(start().fin(ToServer)), None);
    assert_eq!(code(start().fin(ToServer).fin(ToClient)).as_deref(), Some("0x904"));
    let refused =
        |trace: Trace| trace.connect_failed(ConnectFailureKind::Refused, 1).report().mstsc;
    let relayed = refused(Trace::relay().open_client());
    assert_eq!(
        (relayed.code.as_deref(), relayed.direct.as_deref()),
        (Some("0x904"), Some("0x204"))
    );
    let captured = refused(Trace::capture());
    assert_eq!((captured.code.as_deref(), captured.direct), (Some("0x204"), None));
    let nla = Trace::capture().open().cr(SSL).cc_failure(5).fin(ToClient);
    assert_eq!(code(nla).as_deref(), Some("0xb09"));
}

#[test]
fn what_comes_behind_the_end_has_not_waited_for_it() {
    let slow = |ms| Trace::capture().negotiated(MSTSC, HYBRID).client_hello_13().after_ms(ms);
    let late = |trace: Trace| trace.fin(ToClient).after_ms(40).app(ToServer, 100, 1).report();
    let excludes =
        |report: &Connection| report.ruled_out.iter().any(|row| row.id == "pmtu-blackhole-s2c");
    assert!(!excludes(&late(slow(30_000))), "a close after half a minute excludes no timeout");
    let soon = late(slow(300));
    assert!(excludes(&soon));
    let fact = "the server side closed 300.0 ms after the client's last bytes";
    assert!(soon.evidence.iter().any(|item| item.fact == fact), "{:?}", soon.evidence);
}

#[test]
fn what_was_ruled_out_cites_the_fact() {
    let report = Trace::relay().negotiated(MSTSC, HYBRID).client_hello_13().rst(ToClient).report();
    let ids: Vec<&str> = report.ruled_out.iter().map(|row| row.id.as_str()).collect();
    for id in ["tcp-syn-drop", "non-rdp-endpoint", "lb-no-backend", "nla-bad-credentials"] {
        assert!(ids.contains(&id), "{id} of {ids:?}");
    }
    // Nothing is ruled out by what was not seen.
    let little = Trace::capture().cr(MSTSC).rst(ToClient).report();
    assert!(little.ruled_out.is_empty(), "{:?}", little.ruled_out);
}

#[test]
fn a_verdict_names_the_party_of_the_cause_where_the_end_names_none() {
    let timeout = crate::input::Close::Error("ETIMEDOUT");
    let lossy = TcpSample { total_retrans: Some(50), segs_out: Some(300), ..Default::default() };
    let start = Trace::relay().negotiated(SSL, SSL).tls12(WINDOWS_LIKE_CERTIFICATE);
    let report = start.socket(Leg::Server, lossy).close(ToClient, timeout).report();
    assert_eq!(report.verdict.party, "server_network");
    assert_eq!(report.verdict.confidence.who, 0.8);
}
