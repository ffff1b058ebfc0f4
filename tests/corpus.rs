//! The samples of captures/samples/: each was made by a recipe, and each is judged as its row in
//! `expected.tsv` says. The recipe knows what is true, by how it set the peers up; the table pins the
//! rest of a verdict, so that no change of it goes unseen.

mod making;
mod recipes;

use recipes::RECIPES;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The folder of the samples.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/samples")
}

/// What stands in a row behind file and connection.
const FIELDS: [&str; 6] =
    ["/outcome", "/reached", "/verdict/what", "/verdict/cause", "/verdict/party", "/ended"];

#[test]
fn samples_are_judged_as_they_were_made() {
    let table = std::fs::read_to_string(folder().join("expected.tsv")).unwrap();
    let mut rows = table.lines().skip(1).map(|row| row.split('\t').collect::<Vec<_>>());
    let mut wrong = Vec::new();
    let mut names: Vec<&str> = RECIPES.iter().map(|recipe| recipe.file).collect();
    names.sort_unstable();
    for name in names {
        for (number, object) in (1..).zip(verdicts(name)) {
            let Some(row) = rows.next() else {
                wrong.push(format!("{name} {number} has no row"));
                continue;
            };
            let got: Vec<String> = FIELDS.iter().map(|field| cell(&object, field)).collect();
            let head = [name.to_owned(), number.to_string()];
            if [&head[..], &got].concat() != row {
                wrong.push(format!("{name} {number}: {}, not {}", got.join(", "), row.join(", ")));
            }
        }
    }
    wrong.extend(rows.map(|row| format!("no connection for {}", row.join(", "))));
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn nothing_untrue_is_said_of_a_sample() {
    let mut wrong = Vec::new();
    for recipe in RECIPES.iter().filter(|recipe| !recipe.outcomes.is_empty()) {
        let objects = verdicts(recipe.file);
        if objects.is_empty() || recipe.outcomes.len() > objects.len() {
            wrong.push(format!("{}: {} connections", recipe.file, objects.len()));
        }
        for (at, object) in objects.iter().enumerate() {
            let outcome = recipe.outcomes.get(at).or(recipe.outcomes.last()).unwrap();
            if object["outcome"] != *outcome {
                wrong.push(format!("{} {at}: {}, not {outcome}", recipe.file, object["outcome"]));
            }
            let cause = object["verdict"]["cause"].as_str();
            if cause.is_some_and(|cause| !recipe.causes.contains(&cause)) {
                wrong.push(format!("{} {at}: {cause:?} is not true", recipe.file));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// The connections of a sample.
fn verdicts(name: &str) -> Vec<Value> {
    crate::parity::verdicts::of_file(&std::fs::read(folder().join(name)).unwrap())
}

/// One field as the table writes it: `-` for null, the end as direction and manner.
fn cell(object: &Value, field: &str) -> String {
    let word = |path: &str| match object.pointer(path).unwrap_or(&Value::Null) {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if field == "/ended" {
        return format!("{} {}", word("/ended/from"), word("/ended/how"));
    }
    word(field)
}

/// Rows of the catalogue that no sample fires, and why not. Their twins are scripted, beside the
/// detectors; [`LAB`] ones are made for real in the laboratory, in networks of several machines.
const WITHOUT_SAMPLE: &[(&str, &str)] = &[
    ("cert-malformed", LAB),
    ("cert-untrusted-chain", LAB),
    ("ch-fragmentation-intolerance", LAB),
    ("connect-error", "an error of the system that connects leaves no packet"),
    ("data-injected", LAB),
    ("fallback-retry", LAB),
    ("fin-injected", LAB),
    ("half-open-asymmetric", LAB),
    ("idle-timeout-rst", LAB),
    ("idle-timeout-silent", LAB),
    ("licensing-failure", OWN_SERVER),
    ("name-not-found", "a name without an address leaves no packet of RDP"),
    ("neg-failure-other", "no server is known to send such a code, or one that does not fit"),
    ("neg-inconsistent-flags", "code 4 comes from Windows only"),
    ("neg-rsp-absent", "no server here is that old; tests/endpoints.rs scripts one"),
    ("pmtu-blackhole-s2c", LAB),
    ("proxy-connect-needed", LAB),
    ("proxy-header-sent", "no fault by itself; tests/proxy_protocol.rs has it"),
    ("rst-genuine-client", LAB),
    ("rst-injected-toclient", LAB),
    ("rst-injected-toserver", LAB),
    ("rst-immune", "an experiment of the relay's that needs a right"),
    ("rst-inpath-reject", LAB),
    ("rst-of-unclear-origin", LAB),
    ("server-crash-close", OWN_SERVER),
    ("server-error-info", OWN_SERVER),
    ("server-redirection", OWN_SERVER),
    ("server-rejects-client-cert", LAB),
    ("server-stall", LAB),
    ("session-replaced", OWN_SERVER),
    ("slow-path-timeout", LAB),
    ("ssl-not-allowed", "code 2 comes from Windows only: xrdp answers with RDP security"),
    ("ssl-required", "code 1 comes from Windows only: xrdp disconnects"),
    ("syn-proxy-fake-open", LAB),
    ("tcp-option-rewrite", LAB),
    ("tls-cipher-downgrade", LAB),
    ("tls-record-tampered", LAB),
    ("tls-version-intolerance", LAB),
    ("tls13-sentinel", LAB),
    ("truncated-tls", LAB),
    ("unanswered-turn", LAB),
    ("x224-correlation-stripped", LAB),
    ("x224-negreq-removed", LAB),
    ("zero-window-stall", LAB),
];
/// No server that is installed does so.
const OWN_SERVER: &str = "its server is built of FreeRDP's library: tests/lab makes it";
/// The laboratory makes it.
const LAB: &str = "one machine has no path to disturb: tests/lab makes it";

/// Rows that compare two captures; a sample is one. `tests/pair.rs` makes some for real.
pub const TAKES_TWO_CAPTURES: &[&str] = &[
    "clienthello-rewritten",
    "data-injected",
    "dns-wrong-address",
    "fin-injected",
    "half-open-asymmetric",
    "idle-timeout-rst",
    "idle-timeout-silent",
    "lb-reset",
    "neg-failure-forged",
    "neg-flags-shape",
    "neg-rsp-rewritten",
    "not-in-other-capture",
    "pmtu-blackhole-s2c",
    "rst-injected-toclient",
    "rst-injected-toserver",
    "rst-inpath-reject",
    "syn-proxy-fake-open",
    "tcp-option-rewrite",
    "tls-cert-cloned",
    "tls-cert-substituted",
    "tls-record-tampered",
    "tls-stack-mismatch",
    "tls-version-downgrade",
    "transparent-tcp-proxy",
    "x224-cookie-altered",
    "x224-correlation-stripped",
    "x224-negreq-removed",
    "x224-protocols-cleared",
];

#[test]
fn every_detector_has_a_sample_or_a_reason() {
    let mut seen = BTreeSet::new();
    for recipe in RECIPES {
        for object in verdicts(recipe.file) {
            let listed = ["/causes", "/findings"].into_iter().flat_map(|list| {
                let rows = object.pointer(list).and_then(Value::as_array).cloned();
                rows.unwrap_or_default().into_iter().map(|row| row["id"].clone())
            });
            let named =
                ["/verdict/what", "/verdict/cause"].map(|path| object.pointer(path).cloned());
            for id in listed.chain(named.into_iter().flatten()) {
                seen.extend(id.as_str().map(|id| match id.strip_prefix("tls-alert-") {
                    Some(_) => "tls-alert-N".to_owned(),
                    None => id.to_owned(),
                }));
            }
        }
    }
    let mut wrong = Vec::new();
    let mut rows: Vec<&str> = rdpwhy_analyzer::detect::rows().map(|row| row.id).collect();
    rows.sort_unstable();
    rows.dedup();
    for id in rows {
        let excused = WITHOUT_SAMPLE.iter().any(|(known, _)| *known == id)
            || TAKES_TWO_CAPTURES.contains(&id);
        match (seen.contains(id), excused) {
            (true, true) => wrong.push(format!("{} has a sample by now", id)),
            (false, false) => wrong.push(format!("{} has no sample", id)),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn recipes_make_samples() {
    let Some(folder) = std::env::var_os("RDPWHY_SAMPLES").map(PathBuf::from) else {
        return recipes_and_samples_belong_together();
    };
    let only = std::env::var("RDPWHY_SAMPLES_ONLY").unwrap_or_default();
    let only: Vec<&str> = only.split_whitespace().collect();
    let mut wrong = Vec::new();
    for recipe in RECIPES {
        if only.is_empty() || only.iter().any(|word| recipe.file.contains(word)) {
            println!("{}", recipe.file);
            match making::make(recipe, &folder) {
                Some(problems) => wrong.extend(problems),
                None => wrong.push(format!("{}: a peer is missing", recipe.file)),
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Every capture has its recipe and every recipe its capture.
fn recipes_and_samples_belong_together() {
    let made: Vec<&str> = RECIPES.iter().map(|recipe| recipe.file).collect();
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.contains(".pcap") && !made.contains(&name.as_str()) {
            wrong.push(format!("{name} has no recipe"));
        }
    }
    let missing = made.iter().filter(|name| !folder().join(name).is_file());
    wrong.extend(missing.map(|name| format!("{name} is not there")));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
