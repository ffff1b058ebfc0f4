//! Real sessions through a router that interferes, captured at both ends: what the comparison proves.

use crate::support::contract;
use crate::support::ends::Ends;
use crate::support::json::at;
use crate::support::rdpwhy::Said;
use serde_json::Value;

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
}

#[test]
fn a_reset_in_the_servers_name_is_proved() {
    let Some(ends) = Ends::make() else { return };
    let rule = "tcp dport 3389 @ih,0,16 0x0300 reject with tcp reset";
    let Some(said) = ends.session(rule) else { return };
    proves(&said, "rst-inpath-reject");
}

#[test]
fn a_greeting_that_a_router_drops_is_proved() {
    let Some(ends) = Ends::make() else { return };
    let Some(said) = ends.session("tcp dport 3389 meta length > 200 drop") else { return };
    proves(&said, "payload-trigger-drop");
}
