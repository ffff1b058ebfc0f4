//! The JSON Schema accepts what the types write and rejects what the contract forbids.

use super::{JSON_SCHEMA, samples};
use serde_json::{Value, json};

fn schema() -> Value {
    serde_json::from_str(JSON_SCHEMA).expect("the schema is JSON")
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&schema()).expect("the schema is a schema")
}

fn document() -> Value {
    serde_json::to_value(samples::document()).expect("the types serialise")
}

/// The most complete of the samples, with every optional object filled in.
fn full() -> Value {
    let mut full = serde_json::to_value(samples::failed_at_tls()).expect("the types serialise");
    let established = serde_json::to_value(samples::established()).expect("the types serialise");
    full["tls"]["certificate"] = established["tls"]["certificate"].clone();
    full["tls"]["alerts"] = established["tls"]["alerts"].clone();
    full["legs"]["single"] = established["legs"]["single"].clone();
    full["legs"]["server"]["attempts"] = json!(["10.0.0.9:3389 refused"]);
    full
}

#[test]
fn the_schema_is_valid_draft_2020_12() {
    assert!(jsonschema::draft202012::meta::is_valid(&schema()));
}

#[test]
fn connections_and_documents_are_accepted() {
    let validator = validator();
    let document = document();
    assert!(validator.is_valid(&document));
    for connection in document["connections"].as_array().expect("a list") {
        assert!(validator.is_valid(connection), "{connection:#}");
    }
    assert!(validator.is_valid(&full()));
    assert!(validator.is_valid(&json!({
        "schema": "rdpwhy/1", "connections": [],
        "summary": {"connections": 0, "established": 0, "rehearsal": 0, "failed": 0, "explained": 0,
            "unknown": 0, "not_rdp": 0, "other_tcp": 0, "causes": [], "notes": []}})));
}

#[test]
fn unknown_is_null_and_fields_may_be_added() {
    let validator = validator();
    let changes = [
        ("/reached", json!(null)),
        ("/reached_basis", json!(null)),
        ("/server", json!(null)),
        ("/tls", json!(null)),
        ("/ended/leg", json!(null)),
        ("/ended/from", json!(null)),
        ("/ended/after_bytes", json!(null)),
        ("/mstsc/code", json!(null)),
        ("/verdict/what", json!(null)),
        ("/verdict/class", json!(null)),
        ("/evidence/1/origin", json!(null)),
        ("/supersedes", json!(7)),
        ("/verdict/confidence/why", json!(1)),
        ("/tls/alerts/0/level", json!("fatal")),
    ];
    for (at, value) in changes {
        assert!(validator.is_valid(&changed(&full(), at, value)), "{at}");
    }
    let mut more = full();
    more["later"] = json!({"any": 1});
    more["verdict"]["later"] = json!([]);
    assert!(validator.is_valid(&more));
}

#[test]
fn what_the_contract_forbids_is_rejected() {
    let validator = validator();
    let changes = [
        ("/schema", json!("rdpwhy/2")),
        ("/index", json!(0)),
        ("/index", json!("1")),
        ("/case", json!(-1)),
        ("/final", json!("yes")),
        ("/final", json!(null)),
        ("/client", json!(null)),
        ("/started", json!("2026-11-22 14:03:07.123Z")),
        ("/started", json!("2026-11-22T14:03:07Z")),
        ("/started", json!("2026-11-22T14:03:07.123+01:00")),
        ("/started", json!("2026-13-22T14:03:07.123Z")),
        ("/duration_ms", json!(null)),
        ("/duration_ms", json!(-0.1)),
        ("/outcome", json!("fail")),
        ("/outcome", json!(null)),
        ("/reached", json!("tls")),
        ("/reached_basis", json!("guessed")),
        ("/complete", json!(1)),
        ("/ended/leg", json!("relay")),
        ("/ended/from", json!("single")),
        ("/ended/how", json!("reset")),
        ("/ended/how", json!(null)),
        ("/ended/after_bytes/to_client", json!(-1)),
        ("/ended/after_bytes/to_server", json!(1.5)),
        ("/mstsc/code", json!(2308)),
        ("/mstsc/code", json!("904")),
        ("/verdict/class", json!("server_config")),
        ("/verdict/party", json!("S")),
        ("/verdict/party", json!(null)),
        ("/verdict/cause", json!("")),
        ("/verdict/confidence/what", json!(1.01)),
        ("/verdict/confidence/who", json!(-0.1)),
        ("/verdict/confidence/why", json!("high")),
        ("/verdict/sentence", json!(null)),
        ("/causes/0/confidence", json!(1.5)),
        ("/causes/0/for/0", json!("e1")),
        ("/causes/0/against", json!(null)),
        ("/causes/0/unknown", json!("text")),
        ("/ruled_out/0/by", json!("packet 9")),
        ("/findings/0/evidence/0", json!("E")),
        ("/evidence/0/id", json!("F1")),
        ("/evidence/0/id", json!("xE1")),
        ("/evidence/1/origin/kind", json!("frame")),
        ("/evidence/1/origin/leg", json!("both")),
        ("/evidence/1/origin/n", json!(0)),
        ("/next/0/do", json!(null)),
        ("/legs", json!({})),
        ("/legs/single/community_id", json!("2:LQU9qZlK+B5F3KDmev6m5PMibrg=")),
        ("/legs/server/attempts", json!("refused")),
        ("/legs/client/tcp", json!([])),
        ("/rdp/requested", json!("SSL")),
        ("/rdp/flags", json!(256)),
        ("/tls/records", json!([1])),
        ("/tls/alerts/0/from", json!("relay")),
        ("/tls/alerts/0/code", json!(256)),
        ("/tls/certificate/sha256", json!("AB")),
        ("/tls/certificate/not_after", json!("2026-08-30")),
        ("/tls/certificate_hidden", json!("hidden")),
        ("/timings_ms/tcp", json!("11.8 ms")),
    ];
    for (at, value) in changes {
        let changed = changed(&full(), at, value);
        assert!(!validator.is_valid(&changed), "{at} accepts {:?}", changed.pointer(at));
    }
}

#[test]
fn a_damaged_document_is_rejected() {
    let validator = validator();
    for (at, value) in [
        ("/schema", json!(1)),
        ("/connections", json!({})),
        ("/connections/0/outcome", json!("ok")),
        ("/summary", json!(null)),
        ("/summary/failed", json!(-1)),
        ("/summary/causes/0/count", json!("2")),
        ("/summary/notes/0", json!(1)),
    ] {
        assert!(!validator.is_valid(&changed(&document(), at, value)), "{at}");
    }
}

#[test]
fn every_field_is_typed_and_those_always_written_are_required() {
    let validator = validator();
    let schema = schema();
    let full = full();
    // Walks the sample beside the schema without recursion.
    let mut left = vec![(String::new(), "connection".to_string())];
    let mut fields = 0;
    while let Some((at, definition)) = left.pop() {
        let (at, of) = (at.as_str(), &schema["$defs"][&definition]);
        for (key, value) in full.pointer(at).and_then(Value::as_object).expect(at) {
            let path = format!("{at}/{key}");
            let property = &of["properties"][key];
            assert!(property.is_object(), "{path} is not in the schema");
            fields += 1;
            if !["/legs/client", "/legs/server", "/legs/single"].contains(&path.as_str())
                && !path.ends_with("/attempts")
            {
                assert!(!validator.is_valid(&without(&full, at, key)), "{path} is not required");
            }
            if let Some(name) = reference(property)
                && value.is_object()
            {
                left.push((path, name));
            } else if let (Some(name), true) = (reference(&property["items"]), value[0].is_object())
            {
                left.push((format!("{path}/0"), name));
            }
        }
    }
    assert!(fields > 100, "only {fields} fields were walked");
}

#[test]
fn the_closed_lists_are_those_of_the_contract() {
    let schema = schema();
    for (definition, field, words) in LISTS {
        let listed = schema["$defs"][definition]["properties"][field]["enum"].as_array();
        let listed: Vec<&str> = listed.expect(field).iter().filter_map(Value::as_str).collect();
        assert_eq!(listed, words, "{definition}.{field}");
    }
}

/// Definition, field and words, as the contract lists them.
const LISTS: [(&str, &str, &[&str]); 10] = [
    ("connection", "outcome", &["established", "rehearsal", "failed", "unknown", "not_rdp"]),
    (
        "connection",
        "reached",
        &[
            "none",
            "tcp",
            "x224_request",
            "x224_confirm",
            "tls_client_hello",
            "tls_server_hello",
            "tls_encrypted",
            "tls_finished",
            "credssp",
            "mcs",
            "licensing",
            "active",
        ],
    ),
    ("connection", "reached_basis", &["seen", "inferred"]),
    ("ended", "leg", &["client", "server", "both", "single"]),
    ("ended", "from", &["client", "server", "relay"]),
    (
        "ended",
        "how",
        &[
            "fin",
            "rst",
            "icmp",
            "timeout",
            "error",
            "relay_deadline",
            "capture_end",
            "open",
            "never_opened",
        ],
    ),
    (
        "verdict",
        "party",
        &["client", "client_network", "relay", "server_network", "server", "network", "unknown"],
    ),
    (
        "verdict",
        "class",
        &[
            "interference",
            "downgrade",
            "abort",
            "reachability",
            "server-config",
            "credentials",
            "session",
            "performance",
            "relay",
            "benign",
        ],
    ),
    ("origin", "kind", &["packet", "read", "socket", "segment"]),
    ("tls", "certificate_hidden", &["not_sent", "encrypted", "lost", "malformed"]),
];

/// The definition that a property refers to, also where it may be null.
fn reference(property: &Value) -> Option<String> {
    let target = property["$ref"].as_str().or_else(|| property["anyOf"][0]["$ref"].as_str());
    if property["properties"].is_object() {
        return None;
    }
    target.and_then(|target| target.strip_prefix("#/$defs/")).map(str::to_string)
}

fn changed(good: &Value, at: &str, value: Value) -> Value {
    let mut changed = good.clone();
    *changed.pointer_mut(at).expect(at) = value;
    changed
}

fn without(good: &Value, at: &str, key: &str) -> Value {
    let mut changed = good.clone();
    let parent = changed.pointer_mut(at).and_then(Value::as_object_mut).expect(at);
    parent.remove(key).expect(key);
    changed
}
