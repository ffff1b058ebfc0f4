//! One shortage at a time: the relay says so, nothing is lost that had begun, and it serves again afterwards.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use crate::peer::{self, LATE};
use crate::streams::{Load, Tally};
use crate::support::process::command;
use crate::support::running::{LONG, Running};
use crate::support::{lacking, need, wait_until};

/// Each with its name.
pub const ALL: &[(&str, fn())] = &[
    ("out of file descriptors", out_of_descriptors),
    ("backlog overflow", backlog_overflow),
    ("full disk", full_disk),
    ("half-open peers", half_open_peers),
];

fn out_of_descriptors() {
    let limited = "ulimit -n 64; exec \"$@\"";
    let upstream = format!("127.0.0.1:{}", peer::serve());
    let flags = ["--format", "jsonl", "--max-sessions", "1000"];
    let mut proxy = Running::start(&upstream, &flags, Some(limited));
    // More than there are descriptors for; the rest waits in the backlog.
    let open: Vec<TcpStream> = (0..100).map(|_| proxy.connect()).collect();
    let said = wait_until(LONG, || proxy.process.output().contains("can not accept a client now"));
    assert!(said, "{}", proxy.process.output());
    drop(open);
    assert!(is_well(serves(&mut proxy)), "{}", proxy.process.output());
}

fn backlog_overflow() {
    let mut proxy = Running::jsonl(peer::serve(), &[]);
    proxy.process.signal("STOP");
    let connect = |_| {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], proxy.port));
        TcpStream::connect_timeout(&address, Duration::from_millis(300))
    };
    // The backlog holds 1,024, or what the system allows.
    let open: Vec<_> = (0..1_200).map_while(|at| connect(at).ok()).collect();
    proxy.process.signal("CONT");
    drop(open);
    assert!(is_well(serves(&mut proxy)), "{}", proxy.process.output());
}

fn full_disk() {
    let flags = ["-w", "/dev/full", "--payload", "full"];
    let mut proxy = Running::jsonl(peer::serve(), &flags);
    // A recording that was wanted and is not there is a failure of the run.
    assert_eq!(serves(&mut proxy), 1);
    let said = proxy.process.output();
    assert!(said.contains("/dev/full"), "{said}");
}

/// Clients whose host forgets them: no FIN and no RST is sent, and what comes for them is answered with a RST. RFC 9293
/// 3.5.1. The relay can not know before the server says something.
fn half_open_peers() {
    const CLIENTS: usize = 50;
    let vanish = "import socket, sys, time\n\
        port, count, word = map(int, sys.argv[1:])\n\
        clients = [socket.create_connection(('127.0.0.1', port)) for _ in range(count)]\n\
        [client.sendall(bytes([word])) for client in clients]\n\
        time.sleep(1)\n\
        [client.setsockopt(socket.IPPROTO_TCP, 19, 1) for client in clients]  # TCP_REPAIR\n";
    let Some(python) = need("python3") else { return };
    let mut proxy = Running::jsonl(peer::serve(), &[]);
    let arguments = [proxy.port.to_string(), CLIENTS.to_string(), LATE.to_string()];
    let left = command(&python).args(["-c", vanish]).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&left.stderr);
    if said.contains("PermissionError") {
        return lacking("no right to leave without a word (CAP_NET_ADMIN)");
    }
    assert!(left.status.success(), "{said}");
    let objects = proxy.wait_for(|objects| objects.len() >= CLIENTS);
    for object in &objects {
        assert_eq!(object["ended"]["how"], "rst", "{object:#}");
        assert_eq!(object["ended"]["from"], "client", "{object:#}");
    }
    assert!(is_well(serves(&mut proxy)), "{}", proxy.process.output());
}

/// Asserts that streams pass exactly, and that the process ends when it is told to; gives its exit code.
fn serves(proxy: &mut Running) -> i32 {
    let stop = Arc::new(AtomicBool::new(false));
    let load = Load { port: proxy.port, stop: stop.clone() };
    let workers = load.start(2, Load::bulk);
    thread::sleep(Duration::from_secs(1));
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut tally = Tally::default();
    for worker in workers {
        tally.add(worker.join().unwrap());
    }
    assert!(tally.streams > 0 && tally.wrong == 0, "{tally:?}\n{}", proxy.process.output());
    proxy.interrupt()
}

/// Nothing was wrong but what became of connections.
fn is_well(code: i32) -> bool {
    [0, 3, 4].contains(&code)
}
