//! The command line's promises: exit codes, streams, safety rules, files. Scripted peers on plain
//! sockets; each run has a home of its own.

use crate::support::{json, scratch};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// X.224 Connection Request with the cookie "lab" and the mask SSL.
const REQUEST: &[u8] =
    b"\x03\0\0\x29\x24\xe0\0\0\0\0\0Cookie: mstshash=lab\r\n\x01\0\x08\0\x01\0\0\0";
/// Connection Confirm: RDP_NEG_FAILURE 5, HYBRID_REQUIRED_BY_SERVER.
const NLA_REQUIRED: &[u8] = b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x03\0\x08\0\x05\0\0\0";

fn rdpwhy(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rdpwhy"));
    command.args(arguments).env("HOME", home).env("XDG_CONFIG_HOME", home.join("config"));
    command.env_remove("RDPWHY_LOG").stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    let home = scratch();
    rdpwhy(home.path(), arguments).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A proxy that runs until it ends by itself or is dropped.
struct Running {
    child: Child,
    port: u16,
    log: String,
    rest: Option<BufReader<std::process::ChildStderr>>,
    _home: tempfile::TempDir,
}

impl Running {
    fn start(upstream: &str, more: &[&str]) -> Running {
        let home = scratch();
        let mut arguments =
            vec!["proxy", "--upstream", upstream, "--listen", "127.0.0.1:0", "--format", "jsonl"];
        arguments.extend(more);
        let mut command = rdpwhy(home.path(), &arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut banner = BufReader::new(child.stderr.take().unwrap());
        let mut log = String::new();
        let port = loop {
            let begin = log.len();
            assert!(banner.read_line(&mut log).unwrap() > 0, "no address in {log:?}");
            if let Some(address) = log[begin..].strip_prefix("listening on 127.0.0.1:") {
                break address.trim().parse().unwrap();
            }
        };
        Running { child, port, log, rest: Some(banner), _home: home }
    }

    fn connect(&self) -> TcpStream {
        let client = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        client
    }

    /// Waits for the end, or ends it as Ctrl-C does. Gives exit code, objects and standard error.
    fn end(self, interrupt: bool) -> (Option<i32>, Vec<Value>, String) {
        self.end_behind(interrupt.then_some(0))
    }

    /// The same; ends it as Ctrl-C does once it has printed this many objects, if any.
    fn end_behind(mut self, printed: Option<usize>) -> (Option<i32>, Vec<Value>, String) {
        let mut objects = String::new();
        let mut stdout = BufReader::new(self.child.stdout.take().unwrap());
        if let Some(count) = printed {
            for _ in 0..count {
                assert!(stdout.read_line(&mut objects).unwrap() > 0, "{objects}");
            }
            let pid = self.child.id().to_string();
            assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        }
        stdout.read_to_string(&mut objects).unwrap();
        let mut log = std::mem::take(&mut self.log);
        self.rest.take().unwrap().read_to_string(&mut log).unwrap();
        let code = self.child.wait().unwrap().code();
        (code, json::lines(&objects), log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that answers the first bytes of each connection and closes.
fn answering(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for socket in listener.incoming().take(8) {
            let mut socket = socket.unwrap();
            let mut request = [0; 256];
            let _ = socket.read(&mut request);
            let _ = socket.write_all(answer);
            let _ = socket.shutdown(Shutdown::Write);
            let _ = socket.read_to_end(&mut Vec::new());
        }
    });
    address
}

/// One failed connection.
fn fail_once(proxy: &Running) {
    let mut client = proxy.connect();
    client.write_all(REQUEST).unwrap();
    let _ = client.read_to_end(&mut Vec::new());
}

#[test]
fn what_is_not_built_is_a_usage_error() {
    for wrong in [
        &["proxy"][..],
        &["analyze"],
        &["analyze", "x", "--format", "html"],
        &["proxy", "--upstream", "h", "--tui"],
        &["proxy", "--upstream", "h", "--ring", "3"],
        &["proxy", "--upstream", "h:0"],
        &["explain"],
        &["explain", "nonsense"],
        &["load", "h"],
    ] {
        let output = run(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", err(&output));
        assert!(out(&output).is_empty() && !err(&output).is_empty(), "{wrong:?}");
    }
}

#[test]
fn an_open_relay_is_refused() {
    let output = run(&["proxy", "--upstream", "127.0.0.1", "--listen", "0.0.0.0:0"]);
    assert_eq!(output.status.code(), Some(7), "{}", err(&output));
    let open = ["proxy", "--upstream", "127.0.0.1", "--listen", "0.0.0.0:0", "--allow-remote"];
    let output = run(&open);
    assert_eq!(output.status.code(), Some(7), "without --allow: {}", err(&output));
}

#[test]
fn an_address_in_use_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["proxy", "--upstream", "127.0.0.1", "--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains(&address), "{}", err(&output));
}

#[test]
fn once_ends_after_one_explained_failure() {
    let proxy = Running::start(&answering(NLA_REQUIRED), &["--once"]);
    fail_once(&proxy);
    let (code, objects, _) = proxy.end(false);
    assert_eq!((code, objects.len()), (Some(3), 1), "{objects:#?}");
    assert_eq!(objects[0]["verdict"]["cause"], "nla-required");
}

#[test]
fn an_undecided_failure_and_an_interrupt_end_with_4() {
    let proxy = Running::start(&answering(b""), &[]);
    fail_once(&proxy);
    let (code, objects, _) = proxy.end_behind(Some(1));
    assert_eq!((code, objects.len()), (Some(4), 1), "{objects:#?}");
    assert_eq!(objects[0]["verdict"]["cause"], Value::Null);
}

#[test]
fn a_run_without_a_connection_ends_with_0() {
    let (code, objects, log) = Running::start("127.0.0.1:9", &[]).end(true);
    assert_eq!((code, objects.len()), (Some(0), 0), "{log}");
}

#[test]
fn a_stalled_server_is_named_while_it_stalls_and_again_when_it_is_over() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Running::start(&silent.local_addr().unwrap().to_string(), &["--once"]);
    let mut client = proxy.connect();
    client.write_all(REQUEST).unwrap();
    let (held, _) = silent.accept().unwrap();
    // Ten seconds without a confirm are a stall; the client gives up after that.
    std::thread::sleep(Duration::from_secs(12));
    drop(client);
    let (code, objects, _) = proxy.end(false);
    drop(held);
    assert_eq!(code, Some(3), "{objects:#?}");
    let whats: Vec<&str> = objects.iter().filter_map(|o| o["verdict"]["what"].as_str()).collect();
    assert_eq!(whats, ["service-down-after-accept"; 2], "the client that leaves is not its cause");
    assert_eq!(
        (&objects[0]["final"], &objects[1]["final"]),
        (&Value::Bool(false), &Value::Bool(true))
    );
    assert_eq!(objects[1]["supersedes"], objects[0]["index"]);
}

#[test]
fn a_deadline_of_ours_is_our_fault() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = silent.local_addr().unwrap().to_string();
    let proxy = Running::start(&upstream, &["--handshake-timeout", "1s", "--once"]);
    fail_once(&proxy);
    let (code, objects, _) = proxy.end(false);
    assert_eq!(code, Some(3), "{objects:#?}");
    let object = &objects[0];
    assert_eq!(object["verdict"]["what"], "relay-induced", "{object:#}");
    assert_eq!(
        (&object["ended"]["from"], &object["ended"]["how"]),
        (&"relay".into(), &"relay_deadline".into())
    );
}

#[test]
fn a_ring_keeps_its_newest_files() {
    let folder = scratch();
    let path = folder.path().join("case.pcapng");
    let path = path.to_str().unwrap();
    let more = ["-w", path, "--ring", "2", "--ring-size", "1KB"];
    let proxy = Running::start(&answering(NLA_REQUIRED), &more);
    for _ in 0..5 {
        fail_once(&proxy);
    }
    let (_, objects, _) = proxy.end_behind(Some(5));
    assert_eq!(objects.len(), 5);
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(files.len(), 2, "{files:?}");
}

#[cfg(unix)]
#[test]
fn a_full_disk_costs_the_recording_and_nothing_else() {
    let proxy = Running::start(&answering(NLA_REQUIRED), &["-w", "/dev/full"]);
    // The file can be opened; its first flush finds the disk full, or the start already does.
    for _ in 0..3 {
        fail_once(&proxy);
    }
    let (code, objects, log) = proxy.end_behind(Some(3));
    // The verdicts are printed; that the recording failed is the run's own failure.
    assert_eq!((code, objects.len()), (Some(1), 3), "{log}");
    assert_eq!(log.matches("the recording stops here").count(), 1, "{log}");
}

#[test]
fn payload_decides_what_is_kept() {
    let secret = b"SECRET-APPLICATION-BYTES";
    for (payload, kept) in [("none", false), ("handshake", false), ("full", true)] {
        let folder = scratch();
        let path = folder.path().join("case.pcapng");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = listener.local_addr().unwrap().to_string();
        let more = ["-w", path.to_str().unwrap(), "--payload", payload];
        let proxy = Running::start(&upstream, &more);
        let mut client = proxy.connect();
        client.write_all(REQUEST).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        // Standard RDP security up to Client Info, which can hold a password.
        server.read_exact(&mut [0; 41]).unwrap();
        server.write_all(b"\x03\0\0\x0b\x06\xd0\0\0\x12\x34\0").unwrap();
        client.read_exact(&mut [0; 11]).unwrap();
        let mut info = b"\x03\0\0\0\x02\xf0\x80\x64\0\x06\x03\xeb\x70\x18".to_vec();
        info.extend(secret);
        info[3] = info.len() as u8;
        client.write_all(&info).unwrap();
        server.read_exact(&mut vec![0; info.len()]).unwrap();
        drop((client, server));
        proxy.end_behind(Some(1));
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(secret.len()).any(|window| window == secret);
        assert_eq!(found, kept, "--payload {payload}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "a recording is its owner's");
        }
    }
}

#[test]
fn files_that_are_no_captures_are_named_and_the_others_still_read() {
    let folder = scratch();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = file("good.pcap", &one_syn());
    for (bad, says) in [
        (file("empty.pcap", b""), "empty"),
        (file("x.cap", b"GMBU\x02\x00rest of the header of it"), "Network Monitor"),
        (file("x.txt", b"this is a text, no capture at all"), ""),
        (folder.path().to_str().unwrap().to_owned(), "folder"),
        (folder.path().join("missing").to_str().unwrap().to_owned(), "No such file"),
    ] {
        let output = run(&["analyze", &bad, &good, "--format", "jsonl"]);
        assert_eq!(output.status.code(), Some(1), "{bad}");
        assert!(
            err(&output).contains(&bad) && err(&output).contains(says),
            "{bad}: {}",
            err(&output)
        );
        assert_eq!(json::lines(&out(&output)).len(), 1, "the good file is reported all the same");
    }
}

#[test]
fn a_capture_without_rdp_ends_with_5_and_stdin_is_read() {
    let mut other = one_syn();
    // The destination port becomes 80.
    let at = other.len() - 18;
    other[at..at + 2].copy_from_slice(&80u16.to_be_bytes());
    for (bytes, code, printed) in [(other, 5, 0), (one_syn(), 0, 1)] {
        let home = scratch();
        let mut command = rdpwhy(home.path(), &["analyze", "-", "--format", "jsonl"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), json::lines(&out(&output)).len()), (Some(code), printed));
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let home = scratch();
    let mut command = rdpwhy(home.path(), &["demo", "--format", "jsonl"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with('{'), "{first}");
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not end");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn json_is_one_document_and_text_has_no_color_in_a_file() {
    let folder = scratch();
    let capture = folder.path().join("one.pcap");
    std::fs::write(&capture, one_syn()).unwrap();
    let capture = capture.to_str().unwrap();
    let output = run(&["analyze", capture, "--format", "json"]);
    let document: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(document["schema"], "rdpwhy/1");
    assert_eq!(document["connections"].as_array().unwrap().len(), 1);
    assert_eq!(document["summary"]["connections"], 1);
    let target = folder.path().join("out.txt");
    let output = run(&["analyze", capture, "-o", target.to_str().unwrap()]);
    assert!(out(&output).is_empty());
    let text = std::fs::read_to_string(target).unwrap();
    assert!(!text.is_empty() && !text.contains('\x1b'), "{text:?}");
    let output = run(&["analyze", capture, "-o", "/no/such/folder/out"]);
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
}

#[test]
fn explain_says_what_a_pair_does_not_tell() {
    let output = run(&["explain", "0x904", "0x7"]);
    assert_eq!(output.status.code(), Some(0));
    let text = out(&output).to_lowercase();
    assert!(text.contains("socket closed") && text.contains("mcs"), "{text}");
    for code in ["alert:80", "neg:5", "nt:c000006d", "errinfo:7", "2308", "ext:7", "event:36870"] {
        let output = run(&["explain", code, "--format", "json"]);
        assert_eq!(output.status.code(), Some(0), "{code}");
        let explained: Value = serde_json::from_str(&out(&output)).unwrap();
        assert!(explained["items"].as_array().is_some_and(|items| !items.is_empty()), "{code}");
    }
}

#[test]
fn the_catalogue_is_printed() {
    let output = run(&["causes", "--format", "json"]);
    let rows: Value = serde_json::from_str(&out(&output)).unwrap();
    let rows = rows.as_array().unwrap();
    assert!(rows.len() >= 89, "{} rows", rows.len());
    for row in rows {
        assert!(row["id"].is_string() && row["class"].is_string(), "{row}");
        assert!(row["support"].is_u64() && row["vantages"]["establish"].is_array(), "{row}");
        // What this build can not tell has no detector, and what it tells has advice.
        assert_eq!(row["status"] == "planned", row["remedy"].is_null(), "{row}");
        let told = row["recall"].as_f64().is_some_and(|recall| recall > 0.0);
        assert_eq!(row["status"] == "proven", told, "{row}");
    }
    let status = |id: &str| rows.iter().find(|row| row["id"] == id).unwrap()["status"].clone();
    assert_eq!(status("early-auth-denied"), "planned");
}

/// A pcap file with one SYN to port 3389, written by hand: little endian, microseconds, raw IP.
fn one_syn() -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65535, 101, 1_700_000_000, 5, 40, 40] {
        file.extend(word.to_le_bytes());
    }
    file.extend(*b"\x45\0\0\x28\0\x01\x40\0\x40\x06\0\0\x0a\0\0\x05\x0a\0\0\x09");
    file.extend(*b"\xc3\xbf\x0d\x3d\0\0\0\x01\0\0\0\0\x50\x02\xff\xff\0\0\0\0");
    file
}
