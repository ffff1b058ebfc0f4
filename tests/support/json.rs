//! Reading the program's output: JSON objects by line, and paths into them.

use serde_json::Value;
use std::collections::BTreeMap;

/// The value at a path like `/verdict/what`; a panic that prints the whole object where the path
/// leads nowhere.
pub fn at<'a>(object: &'a Value, path: &str) -> &'a Value {
    object.pointer(path).unwrap_or_else(|| panic!("no {path} in\n{object:#}"))
}

/// The text at a path; `null` and other kinds read as the word they are printed as. A path into
/// an object that is `null` is `null` too.
pub fn text(object: &Value, path: &str) -> String {
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    if at(object, parent).is_null() {
        return Value::Null.to_string();
    }
    match at(object, path) {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Every object of a `--format jsonl` output. The last line of a program that still runs can be
/// incomplete; it is left out.
pub fn lines(output: &str) -> Vec<Value> {
    let complete = output.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    complete
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// What holds in the end: the last object of each `index`, without those that another object
/// names in `supersedes`, in the order of `index`.
pub fn latest(objects: &[Value]) -> Vec<Value> {
    let mut last = BTreeMap::new();
    for object in objects {
        let index = at(object, "/index").as_u64();
        last.insert(index.unwrap_or_else(|| panic!("index is no number in\n{object:#}")), object);
    }
    for object in objects {
        let replaced = object.pointer("/supersedes").and_then(Value::as_u64);
        if replaced != object.pointer("/index").and_then(Value::as_u64) {
            replaced.and_then(|index| last.remove(&index));
        }
    }
    last.into_values().cloned().collect()
}
