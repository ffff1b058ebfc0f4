//! What holds for every object of schema `rdpwhy/1`, whatever the connection was.

use super::json::{at, text};
use serde_json::Value;

/// Every breach of the contract in one object.
pub fn check(object: &Value) -> Vec<String> {
    let mut schema: Value = serde_json::from_str(rdpwhy_analyzer::report::JSON_SCHEMA).unwrap();
    // Of the two things the schema describes a line is the one; this gives the precise errors.
    let parts = schema.as_object_mut().unwrap();
    parts.remove("oneOf");
    parts.insert("$ref".to_owned(), "#/$defs/connection".into());
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    let errors = schema.iter_errors(object);
    let mut broken: Vec<String> =
        errors.map(|error| format!("{}: {error}", error.instance_path())).collect();
    broken.extend(check_verdict(object));
    broken.extend(check_evidence(object));
    broken
}

/// A failure is always named; a cause is named exactly when there is enough confidence in it.
fn check_verdict(object: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    let verdict = at(object, "/verdict");
    if text(object, "/outcome") == "failed" && at(verdict, "/what").is_null() {
        broken.push("a failure without /verdict/what".to_owned());
    }
    let why = at(verdict, "/confidence/why").as_f64().unwrap_or_default();
    if at(verdict, "/cause").is_null() != (why < 0.5) {
        broken.push(format!("cause {} with a confidence of {why}", at(verdict, "/cause")));
    }
    // Without a control neither may be the verdict.
    for class in ["interference", "downgrade"] {
        if text(verdict, "/class") == class && at(verdict, "/control").is_null() {
            broken.push(format!("a verdict of {class} without a control"));
        }
    }
    broken
}

/// Evidence that is referred to exists.
fn check_evidence(object: &Value) -> Vec<String> {
    let listed = |path: &str, inner: &str| -> Vec<Value> {
        let rows = at(object, path).as_array().cloned().unwrap_or_default();
        rows.iter().map(|row| at(row, inner).clone()).collect()
    };
    let known = listed("/evidence", "/id");
    let mut used = listed("/ruled_out", "/by");
    for (path, inner) in [("/causes", "/for"), ("/causes", "/against"), ("/findings", "/evidence")]
    {
        used.extend(listed(path, inner).into_iter().flat_map(|ids| match ids {
            Value::Array(ids) => ids,
            one => vec![one],
        }));
    }
    let missing = used.into_iter().filter(|id| !known.contains(id));
    missing.map(|id| format!("evidence {id} is referred to and not listed")).collect()
}

/// The exit codes that fit these objects: 0 nothing failed, 3 all failures explained, 4 a failure
/// is undecided, 5 no RDP.
pub fn exit_codes(objects: &[Value]) -> &'static [i32] {
    let outcomes: Vec<String> = objects.iter().map(|object| text(object, "/outcome")).collect();
    let is = |word: &str| outcomes.iter().any(|outcome| outcome == word);
    if is("failed") {
        &[3, 4]
    } else if is("established") || is("rehearsal") {
        &[0]
    } else {
        &[0, 4, 5]
    }
}

/// The fields in which a live verdict and the verdict from its recording must agree.
const SAME: &[&str] = &[
    "/outcome",
    "/reached",
    "/ended/leg",
    "/ended/from",
    "/ended/how",
    "/ended/after_bytes",
    "/verdict/what",
    "/verdict/cause",
    "/verdict/class",
    "/verdict/party",
    "/rdp/requested",
    "/rdp/selected",
    "/rdp/failure",
    "/tls/version",
    "/tls/alerts",
];

/// Every difference that may not be.
pub fn same_verdict(live: &Value, offline: &Value) -> Vec<String> {
    let of = |object: &Value, path: &str| object.pointer(path).cloned().unwrap_or_default();
    let differing = SAME.iter().filter(|path| of(live, path) != of(offline, path));
    differing
        .map(|path| format!("{path}: live {}, offline {}", of(live, path), of(offline, path)))
        .collect()
}
