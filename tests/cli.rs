//! The program's command line: what goes to stdout and what to stderr, the exit codes of the contract, and what
//! it says of inputs that are no captures.

use crate::support::json::{lines, text};
use crate::support::{scratch, text_of};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const CLIENT: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [10, 0, 0, 2];

/// X.224 requests: for standard RDP security, with a user's name in a cookie. MS-RDPBCGR 2.2.1.1.
const REQUEST: [u8; 11] = [3, 0, 0, 11, 6, 0xE0, 0, 0, 0, 0, 0];
/// Negotiation failure HYBRID_REQUIRED_BY_SERVER. MS-RDPBCGR 2.2.1.2.2.
const FAILURE: [u8; 19] = [3, 0, 0, 19, 14, 0xD0, 0, 0, 0x12, 0x34, 0, 3, 0, 8, 0, 5, 0, 0, 0];

fn run(folder: &Path, arguments: &[&str]) -> Output {
    run_with(folder, arguments, &[], &[])
}

fn run_with(folder: &Path, arguments: &[&str], input: &[u8], env: &[(&str, &str)]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rdpwhy"))
        .args(arguments)
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .env_remove("NO_COLOR")
        .envs(env.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A pcap file (libpcap's savefile format) with link type 101, raw IP.
fn pcap(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file: Vec<u8> = [0xA1B2_C3D4_u32, 0x0004_0002, 0, 0, 65_535, 101]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    for (at, packet) in (0u32..).zip(packets) {
        let len = packet.len() as u32;
        for word in [1_700_000_000, at * 1000, len, len] {
            file.extend(word.to_le_bytes());
        }
        file.extend(packet);
    }
    file
}

/// An IPv4 packet (RFC 791) without a checksum.
fn ipv4(protocol: u8, from: [u8; 4], to: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let total = (20 + payload.len() as u16).to_be_bytes();
    let header = [&[0x45, 0][..], &total, &[0, 0, 0x40, 0, 64, protocol, 0, 0], &from, &to];
    [&header.concat(), payload].concat()
}

fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let len = 8 + payload.len() as u16;
    let header: Vec<u8> = [from, to, len, 0].iter().flat_map(|word| word.to_be_bytes()).collect();
    ipv4(17, CLIENT, SERVER, &[&header, payload].concat())
}

/// A TCP conversation: SYN to FIN, each side's bytes in turn, the client's first.
fn tcp(from: u16, to: u16, turns: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    let mut next = [1000u32, 5000];
    let mut send = |side: usize, flags: u8, payload: &[u8]| {
        let (ports, ends) = match side {
            0 => ([from, to], [CLIENT, SERVER]),
            _ => ([to, from], [SERVER, CLIENT]),
        };
        let mut segment: Vec<u8> = ports.iter().flat_map(|port| port.to_be_bytes()).collect();
        segment.extend(next[side].to_be_bytes());
        segment.extend(if flags == 2 { 0 } else { next[1 - side] }.to_be_bytes());
        segment.extend([0x50, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
        segment.extend(payload);
        next[side] += payload.len() as u32 + u32::from(flags & 3 != 0);
        packets.push(ipv4(6, ends[0], ends[1], &segment));
    };
    send(0, 0x02, &[]);
    send(1, 0x12, &[]);
    send(0, 0x10, &[]);
    for (at, turn) in turns.iter().enumerate() {
        send(at % 2, 0x18, turn);
    }
    send(1, 0x11, &[]);
    send(0, 0x11, &[]);
    send(1, 0x10, &[]);
    packets
}

/// A failure that its own words explain, from this client port to this server port.
fn refused(from: u16, to: u16) -> Vec<Vec<u8>> {
    tcp(from, to, &[&REQUEST, &FAILURE])
}

#[test]
fn what_is_not_built_is_a_usage_error() {
    let folder = scratch();
    for arguments in [
        &["analyze", "x.pcap", "--format", "html"][..],
        &["analyze", "x.pcap", "--format", "markdown"],
        &["proxy", "--upstream", "h", "--mitm"],
        &["proxy", "--upstream", "h", "--payload", "full"],
        &["proxy", "--upstream", "h", "-w", "x", "--payload", "some"],
        &["proxy", "--upstream", "h", "-w", "x", "--ring-size", "1MB"],
        &["proxy", "--upstream", "h", "-w", "x", "--ring", "0"],
        &["proxy", "--upstream", "http://h"],
        &["proxy", "--upstream", "h", "--connect-timeout", "soon"],
        &["proxy", "--upstream", "h", "--allow", "10.0.0.0/33"],
        &["proxy"],
        &["proxy", "--upstream", "h", "--transparent", "tproxy"],
        &["proxy", "--upstream", "h", "--print-rules"],
        &["proxy", "--upstream", "h", "--port", "3389"],
        &["proxy", "--route", "127.0.0.1:0"],
        &["proxy", "--route", "127.0.0.1=h"],
        &["proxy", "--route", "127.0.0.1:5=h", "--route", "127.0.0.1:5=i"],
        &["proxy", "--upstream", "h", "--listen", "127.0.0.1:5", "--route", "127.0.0.1:5=i"],
        &["proxy", "--route", "127.0.0.1:0=h", "--route", "127.0.0.1:0=i", "--packets"],
        &["proxy", "--route", "127.0.0.1:0=h", "--transparent", "tproxy"],
        &["proxy", "--upstream", "h", "--send-proxy-protocol", "v3"],
        &["proxy", "--transparent", "tproxy", "--accept-proxy-protocol"],
        &["proxy", "--transparent", "bridge"],
        &["proxy", "--transparent", "tproxy", "--interface", "eth0"],
        &["proxy", "--transparent", "redirect", "--print-rules", "--listen", "127.0.0.1:1"],
        &["proxy", "--transparent", "tproxy", "--print-rules", "--interface", "a\" accept"],
        &["proxy", "--transparent", "tproxy", "--print-rules", "--listen", "0.0.0.0:0"],
        &["analyze"],
        &["analyze", "--client-side", "a"],
        &["analyze", "--server-side", "b"],
        &["analyze", "x.pcap", "--client-side", "a", "--server-side", "b"],
        &["analyze", "--vantage", "client=a"],
        &["analyze", "--vantage", "a", "--vantage", "b"],
        &["load"],
        &[],
    ] {
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", err(&output));
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn what_others_could_reach_is_refused_unless_allowed() {
    let folder = scratch();
    for arguments in [
        &["proxy", "--upstream", "127.0.0.1:9", "--listen", "0.0.0.0:0"][..],
        &["proxy", "--upstream", "127.0.0.1:9", "--listen", "0.0.0.0:0", "--allow", "10.0.0.0/8"],
        &["proxy", "--upstream", "127.0.0.1:9", "--listen", "0.0.0.0:0", "--allow-remote"],
        &["proxy", "--upstream", "127.0.0.1:9", "--listen", "[::]:0"],
        &["proxy", "--route", "0.0.0.0:0=127.0.0.1:9"],
        &[
            "proxy",
            "--upstream",
            "127.0.0.1:9",
            "--route",
            "0.0.0.0:0=127.0.0.1:9",
            "--allow-remote",
        ],
        &["proxy", "--route", "127.0.0.1:0=127.0.0.1:9", "--route", "[::]:0=127.0.0.1:9"],
        &["proxy", "--route", "127.0.0.1:8=127.0.0.1:9", "--route", "127.0.0.1:9=127.0.0.1:10"],
        &["proxy", "--transparent", "tproxy"],
        &["proxy", "--transparent", "tproxy", "--listen", "127.0.0.1:0", "--allow", "10.0.0.0/8"],
        &["proxy", "--transparent", "redirect", "--allow-remote"],
        &["proxy", "--upstream", "127.0.0.1:13389"],
        &["proxy", "--upstream", "localhost:13389"],
    ] {
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(7), "{arguments:?}: {}", err(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn exit_codes_of_analyze_follow_the_worst_that_was_found() {
    let folder = scratch();
    let file = |name: &str, packets: &[Vec<u8>]| {
        let path = folder.path().join(name);
        std::fs::write(&path, pcap(packets)).unwrap();
        text_of(&path)
    };
    let explained = file("explained.pcap", &refused(50_000, 3389));
    let undecided = file("undecided.pcap", &tcp(50_000, 3389, &[&REQUEST]));
    let other = file("other.pcap", &tcp(50_000, 80, &[b"GET / HTTP/1.1\r\n\r\n"]));
    let text_file = text_of(&folder.path().join("notes.txt"));
    std::fs::write(&text_file, "these are notes\n").unwrap();
    for (arguments, code) in [
        (&["analyze", &explained][..], 3),
        (&["analyze", &undecided], 4),
        (&["analyze", &explained, &undecided], 4),
        (&["analyze", &explained, &other], 3),
        (&["analyze", &other], 5),
        (&["analyze", &text_file, &explained], 1),
        (&["analyze", "--client-side", &explained, "--server-side", &explained], 3),
        (&["analyze", "--client-side", &explained, "--server-side", &text_file], 1),
        (&["analyze", "--client-side", &other, "--server-side", &other], 5),
        (&["explain", "neg:5"], 0),
        (&["causes"], 0),
        (&["--version"], 0),
    ] {
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", err(&output));
        assert!(!output.stdout.is_empty(), "{arguments:?}");
    }
    // The results of what can be read are there all the same.
    let output = run(folder.path(), &["analyze", &text_file, &explained, "--format", "jsonl"]);
    let objects = lines(&out(&output));
    assert_eq!(objects.len(), 1, "{objects:?}");
    assert_eq!(text(&objects[0], "/rdp/failure"), "HYBRID_REQUIRED_BY_SERVER");
    assert!(err(&output).contains("notes.txt"), "{}", err(&output));
}

#[test]
fn inputs_that_are_no_captures_are_named_with_what_to_do() {
    let folder = scratch();
    // Buffers of 4096 bytes, and the marker of a log file header behind the first buffer's.
    let mut etl = vec![0; 4096];
    etl[1] = 0x10;
    etl[72..76].copy_from_slice(&[2, 0, 2, 0xc0]);
    let cases: [(&str, Vec<u8>, &[&str]); 6] = [
        ("trace.etl", etl, &["etl2pcapng"]),
        ("trace.cap", [b"GMBU\0\x02\x01\0".to_vec(), vec![0; 200]].concat(), &["editcap"]),
        ("trace.snoop", [b"snoop\0\0\0\0\0\0\x02\0\0\0\x04".to_vec()].concat(), &["editcap"]),
        ("empty.pcap", Vec::new(), &["empty"]),
        ("notes.txt", b"No. Time Source Destination\n".repeat(9), &["text", "pcapng"]),
        ("noise.bin", (0..200u8).map(|n| n.wrapping_mul(89) ^ 0xA5).collect(), &["pcapng"]),
    ];
    for (name, bytes, words) in cases {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let output = run(folder.path(), &["analyze", &text_of(&path)]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        for word in words.iter().chain(&[name]) {
            assert!(err(&output).contains(word), "{name} lacks {word}: {}", err(&output));
        }
        assert!(!out(&output).contains("no RDP connection in"), "{name}: nothing was looked into");
    }
    for (path, word) in [(folder.path().to_owned(), "folder"), (folder.path().join("gone"), "gone")]
    {
        let output = run(folder.path(), &["analyze", &text_of(&path)]);
        assert_eq!(output.status.code(), Some(1));
        assert!(err(&output).contains(word), "{}", err(&output));
    }
}

#[test]
fn stdin_is_a_file_like_others() {
    let folder = scratch();
    let file = pcap(&refused(50_000, 3389));
    let output = run_with(folder.path(), &["analyze", "-", "--format", "json"], &file, &[]);
    assert_eq!(output.status.code(), Some(3), "{}", err(&output));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], "rdpwhy/1");
    assert_eq!(document["connections"].as_array().unwrap().len(), 1);
    assert!(output.stderr.is_empty(), "{}", err(&output));
}

#[test]
fn filters_choose_connections() {
    let folder = scratch();
    let path = text_of(&folder.path().join("many.pcap"));
    let mut packets = refused(50_001, 3389);
    packets.extend(refused(50_002, 4000));
    packets.extend(tcp(50_003, 4001, &[b"hello", b"there"]));
    packets.extend(tcp(50_004, 8080, &[b"hello", b"there"]));
    std::fs::write(&path, pcap(&packets)).unwrap();
    let count = |more: &[&str]| {
        let arguments = [&["analyze", &path, "--format", "jsonl"][..], more].concat();
        lines(&out(&run(folder.path(), &arguments))).len()
    };
    assert_eq!(count(&[]), 2, "the second has an RDP request on another port");
    assert_eq!(count(&["--port", "4001"]), 3);
    assert_eq!(count(&["--all"]), 4);
    assert_eq!(count(&["--all", "--failed"]), 2);
    assert_eq!(count(&["--connection", "2"]), 1);
    assert_eq!(count(&["--connection", "9"]), 0);
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    let folder = scratch();
    let path = folder.path().join("many.pcap");
    let packets: Vec<Vec<u8>> = (0..400).flat_map(|n| refused(20_000 + n, 3389)).collect();
    std::fs::write(&path, pcap(&packets)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_rdpwhy"))
        .args(["analyze", &text_of(&path), "--format", "jsonl"])
        .env("XDG_CONFIG_HOME", folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.stderr.is_empty(), "{}", err(&output));
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn results_go_to_a_file_and_an_unwritable_one_is_said() {
    let folder = scratch();
    let (capture, result) = (folder.path().join("in.pcap"), folder.path().join("out.jsonl"));
    std::fs::write(&capture, pcap(&refused(50_000, 3389))).unwrap();
    let arguments = ["analyze", &text_of(&capture), "--format", "jsonl", "-o"];
    let output = run(folder.path(), &[&arguments[..], &[&text_of(&result)]].concat());
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stdout.is_empty());
    assert_eq!(lines(&std::fs::read_to_string(&result).unwrap()).len(), 1);
    for bad in [text_of(&folder.path().join("none/out")), "/dev/full".to_owned()] {
        let output = run(folder.path(), &[&arguments[..], &[&bad]].concat());
        assert_eq!(output.status.code(), Some(1), "{bad}");
        assert!(err(&output).contains("can not write"), "{bad}: {}", err(&output));
    }
}

#[test]
fn traffic_that_hides_rdp_is_hinted_at() {
    let folder = scratch();
    let path = text_of(&folder.path().join("hidden.pcap"));
    std::fs::write(&path, pcap(&[udp(50_000, 3389, &[0; 40]), udp(50_000, 3389, &[1; 40])]))
        .unwrap();
    let output = run(folder.path(), &["analyze", &path]);
    assert_eq!(output.status.code(), Some(5));
    assert!(out(&output).contains("UDP"), "{}", out(&output));
    std::fs::write(&path, pcap(&tcp(50_000, 443, &[b"\x16\x03\x01\0\x02\x01\0"]))).unwrap();
    let output = run(folder.path(), &["analyze", &path]);
    assert_eq!(output.status.code(), Some(5));
    assert!(out(&output).contains("RD Gateway"), "{}", out(&output));
}

#[test]
fn colors_are_for_terminals_and_for_those_who_ask() {
    let folder = scratch();
    let path = text_of(&folder.path().join("in.pcap"));
    std::fs::write(&path, pcap(&refused(50_000, 3389))).unwrap();
    for (more, env, colored) in [
        (&[][..], None, false),
        (&["--color", "auto"], None, false),
        (&["--color", "never"], None, false),
        (&["--color", "always"], None, true),
        (&["--color", "always"], Some(("NO_COLOR", "1")), true),
        (&["--color", "auto"], Some(("NO_COLOR", "1")), false),
    ] {
        let env: Vec<(&str, &str)> = env.into_iter().collect();
        let arguments = [&["analyze", &path][..], more].concat();
        let output = run_with(folder.path(), &arguments, &[], &env);
        assert_eq!(out(&output).contains('\x1b'), colored, "{more:?} {env:?}");
    }
}

/// A request whose cookie names this user. MS-RDPBCGR 2.2.1.1.
fn cookie(user: &[u8]) -> Vec<u8> {
    let tail = [&[0xE0, 0, 0, 0, 0, 0][..], b"Cookie: mstshash=", user, b"\r\n"].concat();
    let whole = (tail.len() + 5) as u8;
    [&[3, 0, 0, whole, whole - 5][..], &tail].concat()
}

#[test]
fn users_are_hashed_unless_asked_and_never_steer_the_terminal() {
    let folder = scratch();
    let path = text_of(&folder.path().join("in.pcap"));
    let named = |user: &[u8]| {
        std::fs::write(&path, pcap(&tcp(50_000, 3389, &[&cookie(user), &FAILURE]))).unwrap();
    };
    named(b"operator");
    for format in ["text", "json", "jsonl"] {
        let hashed = run(folder.path(), &["analyze", &path, "--format", format]);
        assert!(!out(&hashed).contains("operator"), "{}", out(&hashed));
        let arguments = ["analyze", &path, "--format", format, "--show-identities"];
        assert!(out(&run(folder.path(), &arguments)).contains("operator"), "{format}");
    }
    let hash = || {
        let output = run(folder.path(), &["analyze", &path, "--format", "jsonl"]);
        text(&lines(&out(&output))[0], "/rdp/cookie")
    };
    let first = hash();
    assert!(first.starts_with("user#"), "{first}");
    assert_eq!(hash(), first);
    named(b"\x1b]0;owned\x07\x1b[31mred\x08\xC2\x9B2J\xFF");
    for format in ["text", "json", "jsonl"] {
        let arguments = ["analyze", &path, "--format", format, "--show-identities"];
        let output = run(folder.path(), &arguments);
        let control = |c: char| c.is_control() && c != '\n';
        assert!(!out(&output).contains(control), "{format}: {:?}", out(&output));
        assert!(out(&output).contains("owned"), "{format}: {:?}", out(&output));
    }
}
