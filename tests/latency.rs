//! Recordings of latencies, read by readers that are not ours: HdrHistogram's own log processor, and a few lines of
//! Python.

use crate::support::running::{Running, confirms, converse, serve};
use crate::support::{json, need, scratch, skip, text_of};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Prints tag, count and start of every line: the counts are summed by hand from the V2 encoding (zigzag
/// LEB128, a negative number stands for so many empty slots).
const READER: &str = r#"
import base64, struct, sys, zlib
for line in open(sys.argv[1]):
    if not line.startswith("Tag="):
        continue
    tag, start, length, most, encoded = line.strip().split(",")
    data = base64.b64decode(encoded, validate=True)
    cookie, size = struct.unpack(">II", data[:8])
    assert cookie == 0x1C849314 and size == len(data) - 8, (hex(cookie), size)
    plain = zlib.decompress(data[8:])
    cookie, size, offset, digits, low, high, ratio = struct.unpack(">IIIIQQd", plain[:40])
    assert cookie == 0x1C849313 and size == len(plain) - 40, (hex(cookie), size)
    assert (offset, digits, low, high, ratio) == (0, 3, 1000, 3600 * 10**9, 1.0)
    at, total, body = 0, 0, plain[40:]
    while at < len(body):
        value = shift = 0
        for place in range(9):
            byte = body[at]
            at += 1
            value |= (byte if place == 8 else byte & 0x7F) << shift
            shift += 7
            if place == 8 or byte < 0x80:
                break
        number = (value >> 1) ^ -(value & 1)
        total += max(number, 0)
    print(tag[4:], total, float(start) >= 0)
"#;

/// HdrHistogram's own implementation, as Debian has it (libhdrhistogram-java).
const HDR_HISTOGRAM: &str = "/usr/share/java/hdrhistogram.jar";

fn rdpwhy(arguments: &[&str], home: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rdpwhy"));
    command.args(arguments).env("HOME", home).env("XDG_CONFIG_HOME", home.join("config"));
    command.stdin(Stdio::null()).output().unwrap()
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn sample() -> String {
    text_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/samples/relay-session.pcapng"))
}

/// Tags with their counts, as HdrHistogram's log processor reads them; `None` where it is not there.
fn processed(log: &Path) -> Option<Vec<(String, u64)>> {
    let java = need("java")?;
    if !Path::new(HDR_HISTOGRAM).is_file() {
        skip(&format!("{HDR_HISTOGRAM} is not there (libhdrhistogram-java)"));
        return None;
    }
    let process = |flags: &[&str]| {
        let mut command = Command::new(&java);
        command.args(["-cp", HDR_HISTOGRAM, "org.HdrHistogram.HistogramLogProcessor", "-i"]);
        let output = command.arg(log).args(flags).output().unwrap();
        assert!(output.status.success(), "{}", words(&output.stderr));
        words(&output.stdout)
    };
    let listed = process(&["-listtags"]);
    let count = |tag: &str| {
        let distribution = process(&["-tag", tag]);
        let total = distribution.lines().find_map(|line| line.rsplit_once("Total count    ="));
        let total = total.unwrap_or_else(|| panic!("{distribution}")).1;
        (tag.to_owned(), total.trim_end_matches(']').trim().parse().unwrap())
    };
    let mut rows: Vec<_> = listed.lines().skip(1).map(count).collect();
    rows.sort();
    Some(rows)
}

/// Tags with their counts, as a Python program reads them; `None` where there is no Python.
fn python(log: &Path) -> Option<Vec<(String, u64)>> {
    let python = need("python3")?;
    let output = Command::new(python).arg("-c").arg(READER).arg(log).output().unwrap();
    assert!(output.status.success(), "{}", words(&output.stderr));
    let mut rows = Vec::new();
    for line in words(&output.stdout).lines() {
        let [tag, count, begins] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        assert_eq!(begins, "True");
        rows.push((tag.to_owned(), count.parse().unwrap()));
    }
    rows.sort();
    Some(rows)
}

/// Tags with their counts, as the JSON document has them.
fn documented(path: &Path) -> Vec<(String, u64)> {
    let document: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let row = |row: &serde_json::Value| {
        assert_eq!(row["correction"], "not corrected: no rate is known");
        let tag = format!("{}.{}", json::text(row, "/step"), json::text(row, "/leg"));
        (tag, row["count"].as_u64().unwrap())
    };
    let mut rows: Vec<_> = document["histograms"].as_array().unwrap().iter().map(row).collect();
    rows.sort();
    rows
}

#[test]
fn a_recording_is_read_by_others_as_it_was_meant() {
    let folder = scratch();
    let prefix = folder.path().join("run.1");
    let arguments = ["analyze", &sample(), "--latency", "--latency-out", &text_of(&prefix)];
    let output = rdpwhy(&arguments, folder.path());
    assert_eq!(output.status.code(), Some(0), "{}", words(&output.stderr));
    let table = words(&output.stdout);
    assert!(table.contains("not corrected: no rate is known"), "{table}");
    let rows = documented(&folder.path().join("run.1.json"));
    let steps: Vec<&str> = rows.iter().map(|(tag, _)| tag.as_str()).collect();
    for step in ["tcp.server", "x224.server", "tls.both", "first-data.both", "server-turn.server"] {
        assert!(steps.contains(&step), "{step} is not among {steps:?}");
        let distribution = folder.path().join(format!("run.1.{step}.hgrm"));
        assert!(std::fs::read_to_string(distribution).unwrap().contains("#[Max"));
    }
    let log = folder.path().join("run.1.hlog");
    for read in [python(&log), processed(&log)].into_iter().flatten() {
        assert_eq!(read, rows);
    }
}

#[test]
fn captures_from_several_places_are_not_timed_as_one() {
    let folder = scratch();
    let (one, other) = (format!("a={}", sample()), format!("b={}", sample()));
    let arguments = ["analyze", "--vantage", &one, "--vantage", &other, "--latency"];
    let output = rdpwhy(&arguments, folder.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(words(&output.stderr).contains("--latency"), "{}", words(&output.stderr));
}

#[test]
fn recordings_of_several_relays_are_added_up() {
    let folder = scratch();
    let log = |name: &str| text_of(&folder.path().join(name));
    for name in ["a", "b"] {
        rdpwhy(&["analyze", &sample(), "--latency-out", &log(name)], folder.path());
    }
    let arguments = ["histogram", "merge", &log("a.hlog"), &log("b.hlog"), "-o", &log("sum.hlog")];
    let merged = rdpwhy(&arguments, folder.path());
    assert_eq!(merged.status.code(), Some(0), "{}", words(&merged.stderr));
    let twice: Vec<(String, u64)> = documented(&folder.path().join("a.json"))
        .into_iter()
        .map(|(tag, count)| (tag, 2 * count))
        .collect();
    let sum = folder.path().join("sum.hlog");
    for read in [python(&sum), processed(&sum)].into_iter().flatten() {
        assert_eq!(read, twice);
    }
    let table = words(&merged.stdout);
    let x224 = table.lines().find(|line| line.starts_with("x224")).unwrap();
    let count = &twice.iter().find(|(tag, _)| tag == "x224.server").unwrap().1;
    assert_eq!(x224.split_whitespace().nth(2), Some(count.to_string().as_str()), "{table}");

    std::fs::write(folder.path().join("no.hlog"), "nothing of the kind\n").unwrap();
    let refused = rdpwhy(&["histogram", "merge", &log("no.hlog")], folder.path());
    assert_eq!(refused.status.code(), Some(1));
    assert!(words(&refused.stderr).contains("no.hlog"), "{}", words(&refused.stderr));
}

#[test]
fn the_proxy_records_its_sessions() {
    /// A request for TLS; a refusal. MS-RDPBCGR 2.2.1.1, 2.2.1.2.
    const REQUEST: &[u8] = b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x01\0\0\0";
    const REFUSAL: &[u8] = b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x03\0\x08\0\x05\0\0\0";
    let folder = scratch();
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = host.local_addr().unwrap().to_string();
    let serving = std::thread::spawn(move || {
        let (mut client, _) = host.accept().unwrap();
        client.read_exact(&mut [0; 19]).unwrap();
        client.write_all(REFUSAL).unwrap();
        let _ = client.read(&mut [0; 1]);
    });
    let prefix = text_of(&folder.path().join("live"));
    let flags = ["--listen", "127.0.0.1:0", "--once", "--latency", "--latency-out", &prefix];
    let mut command = Command::new(env!("CARGO_BIN_EXE_rdpwhy"));
    command.args(["proxy", "--upstream", &upstream]).args(flags);
    command.env("HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut banner = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    banner.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").expect(&line).to_owned();
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(REQUEST).unwrap();
    client.read_exact(&mut [0; REFUSAL.len()]).unwrap();
    drop(client);
    serving.join().unwrap();
    let mut rest = String::new();
    banner.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{rest}");
    let said = words(&output.stdout);
    assert!(said.lines().any(|line| line.starts_with("x224         server      1")), "{said}");
    let rows = documented(&folder.path().join("live.json"));
    assert!(rows.contains(&("x224.server".to_owned(), 1)), "{rows:?}");
    if let Some(read) = python(&folder.path().join("live.hlog")) {
        assert_eq!(read, rows);
    }
}

#[test]
fn every_turn_is_timed_live_and_offline() {
    const TURNS: u64 = 150;
    let folder = scratch();
    let file = |name: &str| text_of(&folder.path().join(name));
    let (live, offline, recording) = (file("live"), file("offline"), file("all.pcapng"));
    let flags = ["--latency-out", &live, "-w", &recording, "--payload", "full"];
    let mut proxy = Running::jsonl(serve(confirms), &flags);
    let mut client = proxy.connect();
    converse(&mut client, TURNS);
    drop(client);
    proxy.wait_for(|objects| !objects.is_empty());
    proxy.interrupt();
    rdpwhy(&["analyze", &recording, "--latency-out", &offline], folder.path());
    for (run, prefix) in [("live", live), ("offline", offline)] {
        let rows = documented(Path::new(&format!("{prefix}.json")));
        let count = |step: &str| {
            let row = rows.iter().find(|(tag, _)| tag.starts_with(step));
            row.unwrap_or_else(|| panic!("{run}: {rows:?}")).1
        };
        // The confirm is the server's first turn.
        assert_eq!([count("client-turn"), count("server-turn")], [TURNS, TURNS + 1], "{run}");
    }
}

#[test]
fn turns_that_a_recording_only_counts_are_said_to_be_in_no_row() {
    let folder = scratch();
    for (payload, said) in [("handshake", true), ("full", false)] {
        let recording = text_of(&folder.path().join(payload));
        let mut proxy = Running::jsonl(serve(confirms), &["-w", &recording, "--payload", payload]);
        let mut client = proxy.connect();
        converse(&mut client, 150);
        drop(client);
        proxy.wait_for(|objects| !objects.is_empty());
        proxy.interrupt();
        let output = rdpwhy(&["analyze", &recording, "--latency"], folder.path());
        let text = words(&output.stdout);
        assert_eq!(text.contains("later turns took is in no row"), said, "{payload}: {text}");
    }
}
