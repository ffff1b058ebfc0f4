//! Verdicts to compare: of a file's bytes, of inputs fed directly, and what differs.

use rdpwhy::offline::{self, Scope};
use rdpwhy::output::Output;
use rdpwhy_analyzer::verdict::Identities;
use serde_json::Value;

/// The fields that do not depend on when and from where something was seen.
pub const ESSENCE: &[&str] = &[
    "/outcome",
    "/reached",
    "/reached_basis",
    "/ended/from",
    "/ended/how",
    "/verdict/what",
    "/verdict/cause",
    "/verdict/class",
    "/verdict/party",
    "/rdp",
    "/tls",
];

/// Every connection of a capture, as the contract has it.
pub fn of_file(bytes: &[u8]) -> Vec<Value> {
    let mut output = Output::nowhere();
    output.remember();
    let scope = Scope { ports: vec![3389], all: false, timed: false };
    offline::analyze("sample", bytes, &scope, &Identities::Shown, &mut output)
        .unwrap_or_else(|error| panic!("{error}"));
    output.remembered().iter().map(|one| serde_json::to_value(one).unwrap()).collect()
}

/// Where two lists of connections differ in the named fields.
pub fn differences(expected: &[Value], got: &[Value], paths: &[&str]) -> Vec<String> {
    if expected.len() != got.len() {
        return vec![format!("{} connections, not {}", got.len(), expected.len())];
    }
    let mut wrong = Vec::new();
    for (number, (expected, got)) in expected.iter().zip(got).enumerate() {
        for path in paths {
            let (a, b) = (expected.pointer(path), got.pointer(path));
            if a != b {
                let [a, b] = [a, b].map(|v| v.unwrap_or(&Value::Null));
                wrong.push(format!("connection {} {path}: {b}, not {a}", number + 1));
            }
        }
    }
    wrong
}

/// An object without what may depend on the form of the file: its name and packet numbers.
pub fn without_place(object: &Value) -> Value {
    let mut object = object.clone();
    object["source"] = Value::Null;
    for evidence in object["evidence"].as_array_mut().unwrap() {
        evidence["origin"] = Value::Null;
    }
    object
}
