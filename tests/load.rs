//! `rdpwhy load` as its users run it, against a host that speaks X.224 alone.

use crate::support::shadow::{Release, Shadow};
use crate::support::xrdp::{SOUND, Xrdp};
use crate::support::{free_port, need, scratch, text_of};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Connection Confirm that selects TLS; one that has no certificate. MS-RDPBCGR 2.2.1.2.
const TLS: &[u8] = b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\0\x08\0\x01\0\0\0";
const NO_CERTIFICATE: &[u8] = b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x03\0\x08\0\x03\0\0\0";

fn load(target: &str, more: &[&str], home: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rdpwhy"));
    command.args(["load", target, "--format", "json"]).args(more);
    command.env("HOME", home).stdin(Stdio::null()).output().unwrap()
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// A host that gives so many clients this answer.
fn host(clients: usize, answer: &'static [u8]) -> (String, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = std::thread::spawn(move || {
        for _ in 0..clients {
            let (mut client, _) = listener.accept().unwrap();
            let mut header = [0; 4];
            client.read_exact(&mut header).unwrap();
            let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
            client.read_exact(&mut vec![0; length - 4]).unwrap();
            client.write_all(answer).unwrap();
            let _ = client.read(&mut [0; 1]);
        }
    });
    (address, serving)
}

#[test]
fn every_intended_operation_is_in_the_result() {
    let home = scratch();
    let (address, serving) = host(15, TLS);
    let prefix = text_of(&home.path().join("run"));
    let profile =
        ["--until", "x224", "--step", "10/s,20/s", "--for", "1s", "--latency-out", &prefix];
    let output = load(&address, &profile, home.path());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serving.join().unwrap();
    let document = document(&output);
    assert_eq!((document["planned"].as_u64(), document["fine"].as_u64()), (Some(15), Some(15)));
    let rows = document["latency"]["histograms"].as_array().unwrap();
    let row = |step: &str| rows.iter().find(|row| row["step"] == step).unwrap();
    for (step, corrected) in
        [("tcp", false), ("x224", false), ("service", false), ("response", true)]
    {
        assert_eq!(row(step)["count"], 15, "{step}");
        assert_eq!(row(step)["corrected"], corrected, "{step}");
    }
    for file in ["run.hlog", "run.json", "run.response.single.hgrm"] {
        assert!(home.path().join(file).is_file(), "{file}");
    }
}

#[test]
fn failures_are_counted_by_their_cause() {
    let home = scratch();
    let (address, serving) = host(3, NO_CERTIFICATE);
    let output =
        load(&address, &["--until", "x224", "--rate", "30/s", "--for", "100ms"], home.path());
    serving.join().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let failure = &document(&output)["failures"][0];
    assert_eq!(
        (failure["name"].as_str(), failure["count"].as_u64()),
        (Some("ssl-cert-not-on-server"), Some(3))
    );
}

#[test]
fn a_target_that_is_never_reached_has_a_code_of_its_own() {
    let home = scratch();
    let target = format!("127.0.0.1:{}", free_port());
    let output = load(&target, &["--rate", "20/s", "--for", "100ms"], home.path());
    assert_eq!(output.status.code(), Some(6), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(document(&output)["failed"], 2);
}

#[test]
fn a_high_rate_is_refused_before_anything_is_sent() {
    let home = scratch();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let output = load(&target, &["--rate", "101/s", "--for", "1s"], home.path());
    assert_eq!(output.status.code(), Some(7));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--yes-this-is-mine"));
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn how_far_it_is_shows_on_a_terminal_and_nowhere_else() {
    let home = scratch();
    let run = ["--until", "x224", "--rate", "5/s", "--for", "2s", "--format", "json"];
    let shows = |terminal: bool| {
        let (address, serving) = host(10, TLS);
        let words = [&["load", &address], &run[..]].concat();
        let output = if terminal {
            // script(1) gives it a terminal of its own.
            let line = format!("{} {}", env!("CARGO_BIN_EXE_rdpwhy"), words.join(" "));
            let script = need("script")?;
            Command::new(script).args(["-qefc", &line, "/dev/null"]).output().unwrap()
        } else {
            load(&address, &run[..6], home.path())
        };
        serving.join().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        Some(said.contains(" of 10 operations, 0 failed"))
    };
    assert_ne!(shows(true), Some(false), "nothing was shown");
    assert_eq!(shows(false), Some(false));
}

#[test]
fn a_real_server_gives_its_challenge_before_any_credentials() {
    for release in [Release::Two, Release::Three] {
        let Some(server) = Shadow::start(release) else { continue };
        let home = scratch();
        let target = format!("127.0.0.1:{}", server.port);
        let goal = ["--until", "nla-challenge", "--rate", "4/s", "--for", "1s"];
        let output = load(&target, &goal, home.path());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
        let document = document(&output);
        assert_eq!(document["fine"], 4, "{document}");
        let rows = document["latency"]["histograms"].as_array().unwrap();
        let challenge = rows.iter().find(|row| row["step"] == "nla-challenge").unwrap();
        assert_eq!(challenge["count"], 4);
    }
}

#[test]
fn handshakes_with_a_real_server_are_timed() {
    let Some(server) = Xrdp::start(SOUND) else { return };
    let home = scratch();
    let target = format!("127.0.0.1:{}", server.port);
    for version in ["1.2", "1.3"] {
        let goal = ["--until", "tls", "--tls", version, "--rate", "4/s", "--for", "1s"];
        let output = load(&target, &goal, home.path());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(document(&output)["fine"], 4, "TLS {version}");
    }
}
