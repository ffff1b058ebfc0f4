//! The proxy when what it writes to stands still: it relays, judges and counts all the same.

use crate::support::running::{LONG, REQUEST, Running, ask, assert_final_once, fails, serve};
use crate::support::{scratch, text_of, wait_until};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// A pipe that is as good as a file to whoever writes to it, and whoever does not read from it.
fn pipe(folder: &tempfile::TempDir) -> (String, std::fs::File) {
    let path = text_of(&folder.path().join("pipe"));
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    // Open for both it has a reader, and nobody waits for one.
    let reader = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    (path, reader)
}

/// A relay whose results go into such a pipe, in front of a server that refuses everybody.
fn unread(folder: &tempfile::TempDir, flags: &[&str]) -> (Running, std::fs::File) {
    let (pipe, reader) = pipe(folder);
    let upstream = format!("127.0.0.1:{}", serve(fails));
    (Running::start(&upstream, flags, Some(&format!("exec \"$@\" > {pipe}"))), reader)
}

/// More results than a pipe holds.
fn fill(proxy: &Running) {
    (0..200).for_each(|_| ask(&mut proxy.connect()));
}

/// Clients in turn until so many were served: more than can wait anywhere, and than there are places.
fn serves(proxy: &Running) {
    let (mut served, began) = (0, Instant::now());
    while served < 2400 {
        // While it finds out that nobody reads, it may refuse one, as early as in its connect.
        served += u32::from(is_served(proxy.port).is_ok());
        let log = || proxy.process.output();
        assert!(began.elapsed() < LONG, "{served} were served, then nobody: {}", log());
    }
}

fn is_served(port: u16) -> std::io::Result<()> {
    let mut client = TcpStream::connect(("127.0.0.1", port))?;
    client.set_read_timeout(Some(LONG))?;
    client.write_all(&REQUEST)?;
    client.read_exact(&mut [0; 19])
}

#[test]
fn a_reader_of_the_results_that_stands_still_costs_results_and_no_client() {
    let folder = scratch();
    let (mut proxy, mut reader) = unread(&folder, &["--max-sessions", "16"]);
    serves(&proxy);
    proxy.process.signal("INT");
    let reading = thread::spawn(move || {
        let (mut chunk, mut text) = (vec![0; 1 << 16], String::new());
        while !text.contains("connections") {
            let read = reader.read(&mut chunk).unwrap();
            text += &String::from_utf8_lossy(&chunk[..read]);
        }
        text
    });
    assert_eq!(proxy.code(), 1, "results are lost");
    assert!(reading.join().unwrap().contains("2400 connections"), "all were counted");
    let log = proxy.process.output();
    assert_eq!(log.matches("nobody reads the results").count(), 1, "{log}");
    assert!(log.contains("lost: nobody read them"), "{log}");
}

#[test]
fn a_recording_that_stands_still_lacks_sessions_and_costs_no_verdict() {
    let folder = scratch();
    let (pipe, mut reader) = pipe(&folder);
    let flags = ["--max-sessions", "16", "-w", &pipe];
    let mut proxy = Running::jsonl(serve(fails), &flags);
    serves(&proxy);
    proxy.process.signal("INT");
    // A second signal would end it, but for now it waits.
    thread::sleep(Duration::from_millis(300));
    assert!(proxy.process.runs(), "{}", proxy.process.output());
    let reading = thread::spawn(move || {
        // Until the test is over.
        let mut chunk = vec![0; 1 << 16];
        while reader.read(&mut chunk).is_ok_and(|read| read > 0) {}
    });
    assert_eq!(proxy.code(), 1, "the recording is not whole");
    assert_final_once(&proxy.objects(), 2400);
    let log = proxy.process.output();
    assert!(log.contains("the recording lacks the ends of"), "{log}");
    drop(reading);
}

#[test]
fn a_second_signal_ends_it_where_nobody_reads() {
    let folder = scratch();
    let (mut proxy, _reader) = unread(&folder, &[]);
    fill(&proxy);
    proxy.process.signal("INT");
    // It has heard of it once it no longer listens.
    assert!(wait_until(LONG, || TcpStream::connect(("127.0.0.1", proxy.port)).is_err()));
    thread::sleep(Duration::from_millis(300));
    assert!(proxy.process.runs(), "{}", proxy.process.output());
    assert_eq!(proxy.interrupt(), 1);
}

#[test]
fn a_service_manager_that_ends_it_does_not_wait_for_a_reader() {
    let folder = scratch();
    let (mut proxy, _reader) = unread(&folder, &["--drain", "100ms"]);
    fill(&proxy);
    proxy.process.signal("TERM");
    assert_eq!(proxy.code(), 1);
    assert!(
        proxy.process.output().contains("found nobody to take it"),
        "{}",
        proxy.process.output()
    );
}

#[test]
fn a_summary_that_nobody_reads_does_not_hold_up_its_end() {
    let folder = scratch();
    let (mut proxy, mut pipe) = unread(&folder, &["--drain", "100ms"]);
    // As much as it holds, however much that is: whoever writes waits then.
    let filling = thread::spawn(move || pipe.write_all(&vec![b'x'; 1 << 22]));
    thread::sleep(Duration::from_millis(300));
    proxy.process.signal("TERM");
    assert_eq!(proxy.code(), 1, "{}", proxy.process.output());
    assert!(!filling.is_finished(), "the pipe was full");
}
