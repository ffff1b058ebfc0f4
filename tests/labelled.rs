//! Labelled captures of others, where they are at hand: `RDPWHY_CAPTURES` names a folder with
//! `index.tsv` (files), `labels.tsv` (connections with what a person or a rule says became of
//! them). No capture of it is part of the project.

use crate::support::{lacking, need, scratch};
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a label allows the program to say.
struct Meaning {
    label: &'static str,
    outcomes: &'static [&'static str],
    /// The only cause that may be named; empty for none.
    cause: &'static str,
}

const MEANINGS: &[Meaning] = &[
    Meaning { label: "session", outcomes: &["established"], cause: "" },
    // RDP inside HTTPS.
    Meaning { label: "session-through-gateway", outcomes: INSIDE, cause: "" },
    Meaning { label: "neg-failure-2", outcomes: &["failed"], cause: "ssl-not-allowed" },
    Meaning { label: "neg-failure-5", outcomes: &["failed"], cause: "nla-required" },
    Meaning { label: "nla-rejected", outcomes: &["failed"], cause: "nla-bad-credentials" },
    Meaning {
        label: "nla-rejected-inferred",
        outcomes: &["failed", "unknown"],
        cause: "nla-bad-credentials",
    },
    Meaning { label: "nla-accepted-capture-ends", outcomes: CUT, cause: "" },
    Meaning { label: "nla-client-left", outcomes: LEFT, cause: "" },
    Meaning { label: "nla-left-for-certificate-prompt", outcomes: LEFT, cause: "" },
    Meaning { label: "tls-done-client-left", outcomes: LEFT, cause: "" },
    Meaning { label: "x224-reset-by-server", outcomes: &["failed"], cause: ANY },
    Meaning { label: "x224-no-answer", outcomes: &["failed", "unknown"], cause: ANY },
    Meaning { label: "tls-path-died", outcomes: &["failed"], cause: ANY },
    Meaning { label: "tcp-refused", outcomes: &["failed"], cause: "tcp-refused-rst" },
    Meaning { label: "tcp-timeout", outcomes: &["failed"], cause: "tcp-syn-drop" },
    Meaning { label: "capture-incomplete", outcomes: CUT, cause: "" },
    Meaning { label: "capture-ends", outcomes: CUT, cause: "" },
    Meaning { label: "mid-capture", outcomes: CUT, cause: "" },
    Meaning { label: "tcp-opened-no-data", outcomes: SILENT, cause: "" },
    Meaning { label: "port-scan", outcomes: SILENT, cause: "" },
    Meaning { label: "traffic-generator", outcomes: SILENT, cause: "" },
];

const CUT: &[&str] = &["unknown", "established"];
const INSIDE: &[&str] = CUT;
const LEFT: &[&str] = &["rehearsal", "unknown", "failed"];
const SILENT: &[&str] = &["not_rdp", "unknown", "failed"];
/// Whatever reason the facts support.
const ANY: &str = "*";

/// A difference that is understood.
struct Accepted {
    /// The label; empty for all.
    label: &'static str,
    /// A part of the file's path; empty for all.
    path: &'static str,
    because: &'static str,
}

const ACCEPTED: &[Accepted] = &[
    Accepted {
        label: "session-through-gateway",
        path: "",
        because: "a TLS connection to port 443 is no RDP to look at; a note tells of gateways",
    },
    Accepted { label: "kdc-proxy-ok", path: "", because: "Kerberos over HTTPS, no RDP" },
    Accepted { label: "kdc-proxy-503", path: "", because: "Kerberos over HTTPS, no RDP" },
    Accepted {
        label: "",
        path: "realjimmy-sample-captures/win2k19-joined.cap",
        because: "a Network Monitor file, which tcpdump does not read either; the message tells how to convert it",
    },
    Accepted {
        label: "tcp-refused",
        path: "markofu-pcaps/TCP_CONNECT_SCAN.pcap",
        because: "one SYN of a scan from, not to, port 3389",
    },
    Accepted {
        label: "traffic-generator",
        path: "boofuzz_nova/rdp.pcap",
        because: "the label speaks of 1225 connections at once and names none",
    },
];

#[test]
fn captures_of_others() {
    let Some(folder) = std::env::var_os("RDPWHY_CAPTURES").map(PathBuf::from) else {
        return lacking("RDPWHY_CAPTURES names no folder of labelled captures");
    };
    let files: Vec<String> =
        table(&folder.join("index.tsv"), &["path"]).into_iter().flatten().collect();
    assert!(files.len() > 10, "{} files in index.tsv", files.len());
    let mut labels: HashMap<String, Vec<Vec<String>>> = HashMap::new();
    let columns = ["path", "client", "server", "verdict", "why", "confidence"];
    for row in table(&folder.join("labels.tsv"), &columns) {
        labels.entry(row[0].clone()).or_default().push(row);
    }
    let next = AtomicUsize::new(0);
    let seen = Mutex::new(Seen::default());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let none = Vec::new();
                    let found = compare(&folder, file, labels.get(file).unwrap_or(&none));
                    seen.lock().unwrap().add(found);
                }
            });
        }
    });
    let seen = seen.into_inner().unwrap();
    println!("{} files, {} labelled connections", files.len(), seen.compared);
    for line in &seen.accepted {
        println!("accepted: {line}");
    }
    assert!(seen.wrong.is_empty(), "{} differ\n{}", seen.wrong.len(), seen.wrong.join("\n"));
}

/// What came out.
#[derive(Default)]
struct Seen {
    compared: usize,
    wrong: Vec<String>,
    accepted: Vec<String>,
}

impl Seen {
    fn add(&mut self, other: Seen) {
        self.compared += other.compared;
        self.wrong.extend(other.wrong);
        self.accepted.extend(other.accepted);
    }
}

/// Analyses one file and compares its labelled connections.
fn compare(folder: &Path, file: &str, labels: &[Vec<String>]) -> Seen {
    let mut seen = Seen::default();
    let path = folder.join(file);
    let home = scratch();
    let mut program = Command::new(env!("CARGO_BIN_EXE_rdpwhy"));
    program.arg("analyze").arg(&path).args(["--format", "jsonl", "--show-identities"]);
    let output = program.env("HOME", home.path()).output().unwrap();
    if let Some(problem) = refused(&output, &path) {
        seen.wrong.push(format!("{file}: {problem}"));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut objects = crate::support::json::lines(&text);
    for label in labels {
        let [_, client, server, verdict, why, confidence] = &label[..] else { unreachable!() };
        seen.compared += 1;
        let at = objects.iter().position(|o| o["client"] == **client && o["server"] == **server);
        let object = at.map(|at| objects.remove(at));
        let Some(problem) = differs(verdict, object.as_ref()) else { continue };
        let line = format!("{file} {client}: {problem}; labelled {verdict} ({confidence}): {why}");
        let known = ACCEPTED
            .iter()
            .find(|row| (row.label.is_empty() || row.label == verdict) && file.contains(row.path));
        match known {
            Some(row) => seen.accepted.push(format!("{line} [{}]", row.because)),
            None => seen.wrong.push(line),
        }
    }
    seen
}

/// What is wrong with the run itself: a panic, an unknown exit code, a file refused that tcpdump
/// reads.
fn refused(output: &Output, path: &Path) -> Option<String> {
    let errors = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code();
    if errors.contains("panicked") || !matches!(code, Some(0 | 1 | 3 | 4 | 5)) {
        return Some(format!("exit code {code:?}: {errors}"));
    }
    if code != Some(1) {
        return None;
    }
    let mut tcpdump = Command::new(need("tcpdump")?);
    let reads = tcpdump.arg("-nr").arg(path).output().unwrap().status.success();
    reads.then(|| format!("tcpdump reads it: {errors}"))
}

/// Where the program contradicts a label.
fn differs(label: &str, object: Option<&Value>) -> Option<String> {
    let Some(object) = object else { return Some("not reported".to_owned()) };
    let Some(meaning) = MEANINGS.iter().find(|meaning| meaning.label == label) else {
        return Some(format!("no such label: {label}"));
    };
    let outcome = object["outcome"].as_str().unwrap_or_default();
    let cause = object["verdict"]["cause"].as_str().unwrap_or_default();
    let named = cause.is_empty() || meaning.cause == ANY || cause == meaning.cause;
    // Of what failed for another reason than the label's nothing is said there.
    let may_fail = meaning.cause.is_empty() && meaning.outcomes.contains(&"failed");
    if meaning.outcomes.contains(&outcome) && (named || may_fail) {
        return None;
    }
    let what = object["verdict"]["what"].as_str().unwrap_or_default();
    Some(format!("{outcome} at {}, what {what:?}, cause {cause:?}", object["reached"]))
}

/// The named columns of a table with a header line.
fn table(file: &Path, columns: &[&str]) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let mut lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let header = lines.next().unwrap_or_default();
    let places: Vec<usize> = columns
        .iter()
        .map(|name| header.iter().position(|head| head == name).unwrap_or_else(|| panic!("{name}")))
        .collect();
    lines.map(|row| places.iter().map(|at| row[*at].to_owned()).collect()).collect()
}
