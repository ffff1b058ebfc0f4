//! Real sessions through a router that interferes, captured at both ends: what the comparison proves.

use crate::corpus::TAKES_TWO_CAPTURES;
use crate::support::ends::Ends;
use crate::support::json::at;
use crate::support::rdpwhy::{Said, analyze, analyze_with};
use crate::support::{contract, scratch, text_of};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The first connection of a run, after every object was held against the contract.
fn first(said: &Said) -> &Value {
    let broken: Vec<String> = said.objects.iter().flat_map(contract::check).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    let first = said.objects.first().unwrap_or_else(|| panic!("no connection: {}", said.log));
    assert_eq!(first["vantage"], "V6", "{first:#}");
    first
}

/// The session has this verdict, and the path is named for it.
fn proves(said: &Said, id: &str) {
    let object = first(said);
    assert_eq!(object["outcome"], "failed", "{object:#}");
    assert_eq!(object["verdict"]["what"], id, "{object:#}");
    assert_eq!(object["verdict"]["cause"], id, "{object:#}");
    assert_eq!(object["verdict"]["party"], "network", "{object:#}");
    assert_eq!(object["verdict"]["between"], serde_json::json!(["client", "server"]));
}

/// Nothing is said against the path.
fn accuses_nobody(object: &Value) {
    let told = serde_json::to_string(&[&object["causes"], &object["findings"]]).unwrap();
    assert_eq!(told, "[[],[]]", "{object:#}");
}

#[test]
fn a_clean_path_is_accused_of_nothing() {
    let Some(ends) = Ends::make() else { return };
    let Some(said) = ends.session("") else { return };
    let object = first(&said);
    assert_eq!(at(object, "/outcome"), "established", "{object:#}");
    accuses_nobody(object);
}

#[test]
fn a_request_that_a_router_rewrites_is_proved() {
    let Some(ends) = Ends::make() else { return };
    // The user has six letters: the negotiation begins at byte 36, and what is set at an even one.
    let rule = "tcp dport 3389 @ih,40,8 0xe0 @ih,288,8 0x01 @ih,320,32 set 0";
    let Some(said) = ends.session(rule) else { return };
    proves(&said, "x224-protocols-cleared");
    let evidence = first(&said)["evidence"].to_string();
    assert!(evidence.contains("01000000 was sent, 00000000 arrived"), "{evidence}");
    // Captures along the path tell where.
    let said = ends.along();
    assert_eq!(first(&said)["verdict"]["between"], serde_json::json!(["in", "out"]));
}

#[test]
fn a_reset_in_the_servers_name_is_proved() {
    let Some(ends) = Ends::make() else { return };
    let rule = "tcp dport 3389 @ih,0,16 0x0300 reject with tcp reset";
    let Some(said) = ends.session(rule) else { return };
    proves(&said, "rst-inpath-reject");
}

#[test]
fn a_request_that_a_router_drops_for_its_content_is_proved() {
    let Some(ends) = Ends::make() else { return };
    let Some(said) = ends.session("tcp dport 3389 @ih,40,8 0xe0 drop") else { return };
    proves(&said, "payload-trigger-drop");
}

#[test]
fn a_greeting_that_a_router_drops_may_be_too_large_or_unwanted() {
    let Some(ends) = Ends::make() else { return };
    let Some(said) = ends.session("tcp dport 3389 meta length > 200 drop") else { return };
    let object = first(&said);
    assert_eq!(object["verdict"]["what"], "transmission-stalled", "{object:#}");
    assert_eq!(object["verdict"]["cause"], Value::Null, "{object:#}");
    assert_eq!(object["verdict"]["party"], "network", "{object:#}");
    for cause in ["payload-trigger-drop", "pmtu-blackhole-c2s"] {
        assert!(named(object).contains(&cause.to_owned()), "{object:#}");
    }
}

#[test]
fn an_answer_that_a_router_rewrites_is_proved() {
    let Some(ends) = Ends::make() else { return };
    let rule = "tcp sport 3389 @ih,40,8 0xd0 @ih,120,32 set 0";
    let Some(said) = ends.session(rule) else { return };
    proves(&said, "neg-rsp-rewritten");
}

#[test]
fn a_record_that_a_router_alters_is_proved() {
    let Some(ends) = Ends::make() else { return };
    let Some(said) = ends.session("tcp sport 3389 @ih,0,8 0x17 @ih,400,8 set 0xff") else { return };
    proves(&said, "tls-record-tampered");
}

#[test]
fn answers_that_a_router_drops_make_a_half_open_connection() {
    let Some(ends) = Ends::make() else { return };
    let Some(said) = ends.session("tcp sport 3389 drop") else { return };
    proves(&said, "half-open-asymmetric");
}

#[test]
fn attempts_that_a_router_drops_or_refuses_are_its_own() {
    for (rule, id) in [
        ("tcp dport 3389 drop", "tcp-syn-drop"),
        ("tcp dport 3389 reject with tcp reset", "tcp-refused-rst"),
    ] {
        let Some(ends) = Ends::make() else { return };
        let Some(said) = ends.session(rule) else { return };
        let object = said.objects.first().unwrap_or_else(|| panic!("{}", said.log));
        assert_eq!(object["verdict"]["what"], id, "{object:#}");
        assert_eq!(object["verdict"]["party"], "network", "{object:#}");
        assert_eq!(named(object).last().map(String::as_str), Some(id), "{object:#}");
        assert!(named(object).contains(&"not-in-other-capture".to_owned()), "{object:#}");
    }
}

/// The captures of the repository that were not made by a relay.
fn samples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/samples");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut samples: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|kind| kind == "pcap")).collect();
    samples.sort();
    assert!(samples.len() > 30, "{samples:?}");
    samples
}

fn compared(client: &Path, server: &Path, folder: &Path) -> Vec<Value> {
    let [client, server] = [client, server].map(text_of);
    analyze_with(&["--client-side", &client, "--server-side", &server], folder).objects
}

/// The ids that a report names anywhere.
fn named(object: &Value) -> Vec<String> {
    let lists = ["causes", "findings"].into_iter().flat_map(|list| {
        object[list].as_array().unwrap().iter().map(|row| row["id"].clone()).collect::<Vec<_>>()
    });
    let verdict = [&object["verdict"]["what"], &object["verdict"]["cause"]];
    let ids = lists.chain(verdict.into_iter().cloned());
    ids.filter_map(|id| id.as_str().map(str::to_owned)).collect()
}

#[test]
fn a_capture_beside_itself_says_what_it_says_alone() {
    let folder = scratch();
    for sample in samples() {
        let alone = analyze(&sample, folder.path()).objects;
        let both = compared(&sample, &sample, folder.path());
        assert_eq!(both.len(), alone.len(), "{}", sample.display());
        for (both, alone) in both.iter().zip(&alone) {
            assert_eq!(both["vantage"], "V6", "{}", sample.display());
            assert_eq!(both["outcome"], alone["outcome"], "{}", sample.display());
            assert_eq!(named(both), named(alone), "{}", sample.display());
        }
    }
}

#[test]
fn captures_of_different_sessions_accuse_nobody() {
    let folder = scratch();
    let samples = samples();
    // Many of these sessions have one cookie, and some ran within a second of each other.
    for (n, client) in samples.iter().enumerate() {
        for server in samples.iter().skip(n + 1).step_by(7) {
            for object in compared(client, server, folder.path()) {
                let accused = object["verdict"]["between"].is_array();
                let pair = format!("{} {}", client.display(), server.display());
                assert!(!accused, "{pair}: {object:#}");
                let verdict = [&object["verdict"]["what"], &object["verdict"]["cause"]];
                let proved = verdict.iter().filter_map(|id| id.as_str());
                let proved: Vec<&str> =
                    proved.filter(|id| TAKES_TWO_CAPTURES.contains(id)).collect();
                assert!(proved.is_empty(), "{pair}: {proved:?}");
            }
        }
    }
}
