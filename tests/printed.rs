//! Which connections a relay reports: all, failures alone, or none. It judges and counts every one.

use crate::support::json::{at, text};
use crate::support::running::{FAILURE, LONG, REQUEST, Running, ask, serve};
use crate::support::wait_until;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

/// Two failures, and before, between and behind them what is no RDP.
fn visits(proxy: &Running) {
    foreign(proxy.connect());
    for _ in 0..2 {
        ask(&mut proxy.connect());
        foreign(proxy.connect());
    }
}

/// Refuses whoever asks for Remote Desktop, and hangs up on every other.
fn refuses(mut stream: TcpStream) {
    let mut asked = [0; REQUEST.len()];
    if stream.read_exact(&mut asked).is_ok() && asked == REQUEST {
        let _ = stream.write_all(&FAILURE);
    }
}

fn foreign(mut client: TcpStream) {
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let _ = client.read_to_end(&mut Vec::new());
}

/// Ends it when the totals can be complete; gives what it printed.
fn ended(mut proxy: Running, code: i32) -> String {
    assert_eq!(proxy.interrupt(), code);
    proxy.printed()
}

const TOTALS: [&str; 2] = ["5 connections: 2 failed", "2 × ssl-cert-not-on-server"];

#[test]
fn failures_alone_are_reported_and_all_are_counted() {
    let upstream = format!("127.0.0.1:{}", serve(refuses));
    let proxy = Running::start(&upstream, &["--failed", "--format", "jsonl"], None);
    visits(&proxy);
    let objects = proxy.wait_for(|objects| objects.len() == 2);
    let outcomes = objects.iter().map(|object| text(object, "/outcome"));
    assert!(outcomes.eq(["failed", "failed"]), "{objects:#?}");
    // They have their numbers among all.
    let numbers: Vec<_> = objects.iter().map(|object| at(object, "/index").clone()).collect();
    assert_eq!(numbers, [2, 4]);
    ended(proxy, 3);
    let proxy = Running::start(&upstream, &["--failed"], None);
    visits(&proxy);
    wait_until(LONG, || proxy.printed().matches(" WHY ").count() == 2);
    let printed = ended(proxy, 3);
    assert!(TOTALS.iter().all(|total| printed.contains(total)), "{printed}");
    assert_eq!(printed.matches(" WHY ").count(), 2, "{printed}");
}

#[test]
fn a_summary_counts_what_reports_would_have_said() {
    let upstream = format!("127.0.0.1:{}", serve(refuses));
    let proxy = Running::start(&upstream, &["--summary"], None);
    visits(&proxy);
    let printed = ended(proxy, 3);
    assert!(TOTALS.iter().all(|total| printed.contains(total)), "{printed}");
    assert!(!printed.contains(" WHY "), "{printed}");
}
