//! Full recordings (`--payload full`): every byte that passed is in them, in the eyes of tshark.

use crate::support::json::{at, text};
use crate::support::running::{LONG, REQUEST, Running, assert_final_once, echo, echoes, serve};
use crate::support::{scratch, text_of};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::process::Command;
use std::time::Duration;

#[test]
fn a_full_recording_that_waits_has_the_streams_exactly() {
    let folder = scratch();
    let recording = text_of(&folder.path().join("case.pcapng"));
    let flags = ["-w", &recording, "--payload", "full", "--record-policy", "wait"];
    let mut proxy = Running::jsonl(serve(echoes), &flags);
    echo(proxy.connect(), 4 << 20);
    let objects = proxy.wait_for(|objects| objects.len() == 1);
    assert_eq!(at(&objects[0], "/complete"), true);
    proxy.interrupt();
    let Some(streams) = followed(&recording) else { return };
    let sent: Vec<u8> = (0..4usize << 20).map(|n| (n * 31 + n / 251) as u8).collect();
    for stream in streams {
        assert!(stream.finalize() == Sha256::digest(&sent), "a recorded stream differs");
    }
}

#[test]
fn a_full_recording_has_what_comes_long_after_one_side_has_ended() {
    /// Longer than it takes until a session is taken for one that hangs.
    const LATE: Duration = Duration::from_millis(3500);
    let slow = serve(|mut stream| {
        let mut asked = Vec::new();
        stream.read_to_end(&mut asked).unwrap();
        std::thread::sleep(LATE);
        stream.write_all(&asked.repeat(3)).unwrap();
    });
    let folder = scratch();
    let recording = text_of(&folder.path().join("case.pcapng"));
    let flags = ["-w", &recording, "--payload", "full", "--record-policy", "wait"];
    let mut proxy = Running::jsonl(slow, &flags);
    let mut client = proxy.connect();
    client.write_all(&REQUEST).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, REQUEST.repeat(3));
    let last = |objects: &[Value]| objects.iter().any(|object| at(object, "/final") == true);
    let objects = proxy.wait_for(last);
    assert_eq!(text(objects.last().unwrap(), "/ended/from"), "client");
    proxy.interrupt();
    let Some([asked, answered]) = followed(&recording) else { return };
    assert!(asked.finalize() == Sha256::digest(REQUEST));
    assert!(answered.finalize() == Sha256::digest(&answer), "the late answer is not recorded");
}

#[test]
fn once_does_not_wait_for_what_a_full_recording_could_still_get() {
    let silent = serve(|mut stream| {
        let mut asked = Vec::new();
        stream.read_to_end(&mut asked).unwrap();
        std::thread::sleep(LONG);
    });
    let folder = scratch();
    let recording = text_of(&folder.path().join("case.pcapng"));
    let mut proxy = Running::jsonl(silent, &["--once", "-w", &recording, "--payload", "full"]);
    let mut client = proxy.connect();
    client.write_all(&REQUEST).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    proxy.code();
    assert_final_once(&proxy.objects(), 1);
    let Some([asked, _]) = followed(&recording) else { return };
    assert!(asked.finalize() == Sha256::digest(REQUEST));
}

/// Both directions of a recording's first connection, as tshark follows them.
fn followed(recording: &str) -> Option<[Sha256; 2]> {
    let tshark = crate::support::need("tshark")?;
    let follow = Command::new(tshark)
        .args(["-r", recording, "-q", "-z", "follow,tcp,raw,0"])
        .output()
        .unwrap();
    let mut streams = [Sha256::new(), Sha256::new()];
    for line in String::from_utf8(follow.stdout).unwrap().lines() {
        // The acceptor's bytes are indented.
        let hex = line.trim_start();
        if hex.len() % 2 == 0 && !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
            let bytes: Vec<u8> = hex.as_bytes().chunks(2).map(|pair| byte(pair).unwrap()).collect();
            streams[usize::from(line.starts_with('\t'))].update(bytes);
        }
    }
    Some(streams)
}
