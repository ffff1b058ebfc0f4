//! The same bytes give the same verdict however they come: fed directly, from a capture in any
//! form, through the live proxy, from the proxy's own recording. What may differ stands in
//! [`ALLOWED`].

mod changes;
mod frames;
mod streams;
pub mod verdicts;

use crate::corpus::folder;
use crate::support::rdpwhy::{Proxy, analyze};
use crate::support::{contract, free_port, scratch};
use pcap_file::Endianness;
use serde_json::Value;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use verdicts::{ESSENCE, differences, of_file, without_place};

/// A difference that only says where somebody stood.
struct Allowed {
    /// The sample; empty for all.
    sample: &'static str,
    /// How the bytes came.
    way: Way,
    /// The field; empty where the sample can not come this way at all.
    field: &'static str,
    /// Why.
    because: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Bytes and ends fed to the engine, without packets.
    Direct,
    /// Played through the proxy.
    Live,
    /// A recording without the comments of its packets.
    Stripped,
}

const OWN_DEADLINE: &str = "a deadline of the relay has no form on the wire";

/// All differences that may be: facts that only one vantage has.
const ALLOWED: &[Allowed] = &[
    Allowed {
        sample: "icmp-rejected.pcap",
        way: Way::Live,
        field: "",
        because: "the ICMP error comes from a packet filter between the peers",
    },
    Allowed {
        sample: "icmp-rejected.pcap",
        way: Way::Direct,
        field: "",
        because: "an ICMP error is no byte of the connection",
    },
    Allowed {
        sample: "syn-dropped.pcap",
        way: Way::Live,
        field: "",
        because: "the SYN is lost to a packet filter between the peers",
    },
    Allowed {
        sample: "syn-dropped.pcap",
        way: Way::Direct,
        field: "",
        because: "SYNs without an answer are no bytes of a connection",
    },
    Allowed {
        sample: "refused.pcap",
        way: Way::Direct,
        field: "",
        because: "a refused SYN is no byte of a connection",
    },
    Allowed {
        sample: "data-dropped.pcap",
        way: Way::Live,
        field: "",
        because: "the bytes in the capture never arrived; on loopback they would",
    },
    Allowed {
        sample: "data-dropped.pcap",
        way: Way::Direct,
        field: "",
        because: "that bytes did not arrive is told by acknowledgements, which packets carry",
    },
    Allowed {
        sample: "no-answer.pcap",
        way: Way::Direct,
        field: "/verdict/party",
        because: "that the silent server's TCP took the request is told by acknowledgements",
    },
    Allowed {
        sample: "refused.pcap",
        way: Way::Live,
        field: "/reached",
        because: "the proxy has accepted the client before it finds the server's port closed",
    },
    Allowed {
        sample: "relay-deadline.pcapng",
        way: Way::Stripped,
        field: "/outcome",
        because: OWN_DEADLINE,
    },
    Allowed {
        sample: "relay-deadline.pcapng",
        way: Way::Stripped,
        field: "/verdict/what",
        because: OWN_DEADLINE,
    },
    Allowed {
        sample: "relay-deadline.pcapng",
        way: Way::Stripped,
        field: "/verdict/cause",
        because: OWN_DEADLINE,
    },
];

/// Whether this difference may be; an empty field asks for the sample as a whole.
fn allowed(sample: &str, way: Way, field: &str) -> bool {
    ALLOWED.iter().any(|row| {
        assert!(!row.because.is_empty());
        (row.sample.is_empty() || row.sample == sample) && row.way == way && row.field == field
    })
}

/// Samples of the wire by their names, in order.
fn samples() -> Vec<String> {
    let mut names = names(".pcap");
    names.sort();
    assert!(names.len() >= 20, "{names:?}");
    names
}

fn names(end: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(end)).collect()
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

/// Fails with everything that is wrong.
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn in_any_form_of_file() {
    let mut wrong = Vec::new();
    for name in samples() {
        let expected: Vec<Value> = of_file(&bytes(&name)).iter().map(without_place).collect();
        let frames = frames::read(&folder().join(&name));
        for (form, file) in forms(&frames) {
            let got: Vec<Value> = of_file(&file).iter().map(without_place).collect();
            if got != expected {
                let all: Vec<String> = expected[0].as_object().unwrap().keys().cloned().collect();
                let paths: Vec<String> = all.iter().map(|key| format!("/{key}")).collect();
                let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
                let differing = differences(&expected, &got, &paths);
                wrong.push(format!("{name} as {form}: {}", differing.join("; ")));
            }
        }
    }
    assert_none(&wrong);
}

/// The packets in every form of file and behind every link layer.
fn forms(frames: &[frames::Frame]) -> Vec<(String, Vec<u8>)> {
    let mut forms = Vec::new();
    for (order, big, endianness) in
        [("little", false, Endianness::Little), ("big", true, Endianness::Big)]
    {
        for (unit, nanos) in [("us", false), ("ns", true)] {
            let pcap = frames::pcap(frames, 1, big, nanos);
            forms.push((format!("gzipped pcap {order} {unit}"), frames::gzip(&pcap)));
            forms.push((format!("pcap {order} {unit}"), pcap));
            let pcapng = frames::pcapng(frames, 1, endianness, nanos);
            forms.push((format!("pcapng {order} {unit}"), pcapng));
        }
    }
    for link in ["raw", "null", "vlan", "double vlan", "sll", "sll2", "vxlan", "fragments"] {
        let (link_type, relinked) = frames::relinked(frames, link);
        forms.push((link.to_owned(), frames::pcap(&relinked, link_type, false, false)));
    }
    forms
}

#[test]
fn from_standard_input() {
    let mut wrong = Vec::new();
    for name in ["key-mismatch.pcap", "key-missing.pcap", "relay-wrong-password.pcapng"] {
        let said = of_stdin(&bytes(name));
        let expected: Vec<Value> = of_file(&bytes(name)).iter().map(without_place).collect();
        let got: Vec<Value> = said.iter().map(without_place).collect();
        wrong.extend(differences(&expected, &got, &["/outcome", "/verdict", "/ended", "/tls"]));
    }
    assert_none(&wrong);
}

/// What `rdpwhy analyze -` says.
fn of_stdin(bytes: &[u8]) -> Vec<Value> {
    let home = scratch();
    let mut child = Command::new(env!("CARGO_BIN_EXE_rdpwhy"))
        .args(["analyze", "-", "--format", "jsonl", "--show-identities"])
        .env("HOME", home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    crate::support::json::lines(&String::from_utf8(output.stdout).unwrap())
}

#[test]
fn fed_directly() {
    let mut wrong = Vec::new();
    for name in samples().iter().filter(|name| !allowed(name, Way::Direct, "")) {
        let expected = of_file(&bytes(name));
        let streams = streams::of_frames(&frames::read(&folder().join(name)));
        for (size, said) in
            [1, 7, usize::MAX].map(|size| (size, streams::fed_directly(&streams, || size)))
        {
            let fields: Vec<&str> =
                ESSENCE.iter().copied().filter(|f| !allowed(name, Way::Direct, f)).collect();
            let differing = differences(&expected, &said, &fields);
            wrong.extend(differing.iter().map(|d| format!("{name} in chunks of {size}: {d}")));
        }
    }
    assert_none(&wrong);
}

#[test]
fn live_and_from_its_recording() {
    let mut wrong = Vec::new();
    for name in samples().iter().filter(|name| !allowed(name, Way::Live, "")) {
        let problems = through_the_proxy(name, &[]);
        wrong.extend(problems.iter().map(|problem| format!("{name}: {problem}")));
    }
    assert_none(&wrong);
}

/// There the bytes of a session are on one leg.
#[test]
fn live_and_from_its_full_recording() {
    let full = ["--payload", "full", "--record-policy", "wait"];
    let mut wrong = Vec::new();
    for name in samples().iter().filter(|name| !allowed(name, Way::Live, "")) {
        let problems = through_the_proxy(name, &full);
        wrong.extend(problems.iter().map(|problem| format!("{name}: {problem}")));
    }
    assert_none(&wrong);
}

/// What packets tell besides must not turn a verdict that the relay's own reads support. Where they can not be
/// captured this is the test above once more.
#[test]
fn live_with_packets_and_from_its_recording() {
    let mut wrong = Vec::new();
    for name in samples().iter().filter(|name| !allowed(name, Way::Live, "")) {
        let problems = through_the_proxy(name, &["--packets"]);
        wrong.extend(problems.iter().map(|problem| format!("{name}: {problem}")));
    }
    assert_none(&wrong);
}

/// The fields in which the proxy agrees with a capture between the peers.
const LIVE: &[&str] = &[
    "/outcome",
    "/reached",
    "/verdict/what",
    "/verdict/cause",
    "/verdict/class",
    "/verdict/party",
    "/rdp",
    "/tls",
];

/// Plays one sample and compares live with offline, and the recording with live.
fn through_the_proxy(name: &str, flags: &[&str]) -> Vec<String> {
    let streams = streams::of_frames(&frames::read(&folder().join(name)));
    let folder = scratch();
    let recording = folder.path().join("case.pcapng");
    let host = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let answered = streams.iter().any(|stream| stream.opened.is_some());
    let upstream = if answered { host.local_addr().unwrap().port() } else { free_port() };
    let proxy = Proxy::start_with(upstream, folder.path(), &recording, flags);
    let mut wrong = Vec::new();
    if let Err(problem) = streams::play(&streams, &proxy, answered.then_some(&host)) {
        wrong.push(problem);
    }
    let live = proxy.finish();
    let offline = analyze(&recording, folder.path());
    let fields: Vec<&str> = LIVE.iter().copied().filter(|f| !allowed(name, Way::Live, f)).collect();
    let hide = |objects: &[Value]| objects.iter().map(without_cookie).collect::<Vec<_>>();
    wrong.extend(differences(&hide(&of_file(&bytes(name))), &hide(&live.objects), &fields));
    if live.objects.len() != offline.objects.len() {
        wrong.push(format!("{} live, {} recorded", live.objects.len(), offline.objects.len()));
    }
    for (live, offline) in live.objects.iter().zip(&offline.objects) {
        wrong.extend(contract::same_verdict(live, offline));
        if live["vantage"] != offline["vantage"] {
            wrong.push(format!(
                "/vantage: live {}, offline {}",
                live["vantage"], offline["vantage"]
            ));
        }
    }
    wrong
}

/// The program hashes user names with a secret of its own.
fn without_cookie(object: &Value) -> Value {
    let mut object = object.clone();
    object["rdp"]["cookie"] = Value::Null;
    object
}

#[test]
fn from_recordings_without_their_comments() {
    let mut wrong = Vec::new();
    for name in names(".pcapng") {
        let whole = bytes(&name);
        let stripped = frames::without_comments(&whole);
        assert!(stripped.len() < whole.len(), "{name} has no comment");
        let fields = ["/outcome", "/reached", "/verdict/what", "/verdict/cause"];
        let fields: Vec<&str> =
            fields.into_iter().filter(|f| !allowed(&name, Way::Stripped, f)).collect();
        let differing = differences(&of_file(&whole), &of_file(&stripped), &fields);
        wrong.extend(differing.iter().map(|d| format!("{name}: {d}")));
    }
    assert_none(&wrong);
}
