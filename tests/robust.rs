//! The proxy under bad conditions: peers that are slow, silent, many or gone, disks that are full, limits that are
//! small. It relays exactly, keeps serving, ends when told, and prints one final verdict per connection.

use crate::support::json::{at, lines, text};
use crate::support::running::{
    Full, LONG, REQUEST, Running, ask, assert_final_once, echo, echoes, fails, serve,
};
use crate::support::{free_port, need, scratch, skip, text_of};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream, UdpSocket};
use std::process::Command;
use std::thread;
use std::time::Duration;

#[test]
fn once_ends_after_a_failure_that_nobody_tries_again() {
    let mut proxy = Running::jsonl(serve(fails), &["--once"]);
    ask(&mut proxy.connect());
    proxy.wait_for(|objects| objects.len() == 1);
    // A second attempt within five seconds belongs to the case, however long it takes.
    let mut second = proxy.connect();
    thread::sleep(Duration::from_secs(7));
    assert!(proxy.process.runs(), "ended under a session: {}", proxy.process.output());
    ask(&mut second);
    drop(second);
    let code = proxy.code();
    assert_final_once(&proxy.objects(), 2);
    assert!([3, 4].contains(&code), "{code}");
    let case = |at: usize| text(&proxy.objects()[at], "/case");
    assert_eq!(case(0), case(1));
}

#[test]
fn once_reports_what_is_still_open_and_finishes_the_recording() {
    let folder = scratch();
    let recording = text_of(&folder.path().join("case.pcapng"));
    let mut proxy = Running::jsonl(serve(fails), &["--once", "-w", &recording]);
    // Another client, which says nothing. The case of the first is not kept open by it.
    let other = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    other.bind(&"127.0.0.2:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    let relay = std::net::SocketAddr::from(([127, 0, 0, 1], proxy.port));
    other.connect(&relay.into()).unwrap();
    ask(&mut proxy.connect());
    proxy.code();
    assert_final_once(&proxy.objects(), 2);
    assert_eq!(analyzed(&recording, &proxy).len(), 2);
}

#[test]
fn an_interrupt_reports_open_sessions_and_sums_up() {
    let port =
        serve(|stream| thread::sleep(LONG + Duration::from_secs(stream.ttl().unwrap().into())));
    let mut proxy = Running::start(&format!("127.0.0.1:{port}"), &[], None);
    let mut client = proxy.connect();
    client.write_all(&REQUEST).unwrap();
    thread::sleep(Duration::from_millis(500));
    assert_ne!(proxy.interrupt(), 1, "{}", proxy.process.output());
    assert!(proxy.printed().contains("1 connection"), "{}", proxy.printed());
    let mut idle = Running::jsonl(port, &[]);
    assert_eq!(idle.interrupt(), 0);
    assert!(idle.printed().is_empty());
}

#[test]
fn an_unwritable_recording_is_said_once_and_costs_no_byte() {
    let folder = scratch();
    let missing = text_of(&folder.path().join("none/case.pcapng"));
    for recording in ["/dev/full", &missing] {
        let mut proxy = Running::jsonl(serve(echoes), &["-w", recording, "--payload", "full"]);
        for _ in 0..3 {
            echo(proxy.connect(), 3 << 20);
        }
        proxy.wait_for(|objects| objects.len() == 3);
        assert_eq!(proxy.interrupt(), 1, "what was asked for could not be written");
        let log = proxy.process.output();
        assert_eq!(log.matches("recording stops here").count(), 1, "{log}");
    }
}

#[test]
fn a_disk_that_fills_up_is_said_once_and_costs_no_byte() {
    // A file may not grow beyond this; the signal that would say so is ignored. ulimit counts 512 bytes.
    let limited = "trap '' XFSZ; ulimit -f 1000; exec \"$@\"";
    let folder = scratch();
    let recording = text_of(&folder.path().join("case.pcapng"));
    let upstream = format!("127.0.0.1:{}", serve(echoes));
    let flags = ["--format", "jsonl", "-w", &recording, "--payload", "full"];
    let mut proxy = Running::start(&upstream, &flags, Some(limited));
    for _ in 0..3 {
        echo(proxy.connect(), 3 << 20);
    }
    assert_eq!(proxy.interrupt(), 1);
    let log = proxy.process.output();
    assert_eq!(log.matches("recording stops here").count(), 1, "{log}");
    assert_final_once(&proxy.objects(), 3);
}

#[test]
fn a_ring_keeps_its_size_and_every_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = scratch();
    let recording = text_of(&folder.path().join("case.pcapng"));
    let flags = ["-w", &recording, "--payload", "full", "--record-policy", "wait"];
    let ring = ["--ring", "3", "--ring-size", "300KB"];
    let mut proxy = Running::jsonl(serve(echoes), &[&flags[..], &ring].concat());
    for _ in 0..12 {
        echo(proxy.connect(), 100_000);
    }
    proxy.wait_for(|objects| objects.len() == 12);
    proxy.interrupt();
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn deadlines_of_the_relay_are_the_relays_doing() {
    // Nothing is said and nothing is closed by anybody else.
    let silent = serve(|stream| {
        let _ = std::io::copy(&mut &stream, &mut std::io::sink());
    });
    let mut proxy = Running::jsonl(silent, &["--handshake-timeout", "1s"]);
    let mut client = proxy.connect();
    client.write_all(&REQUEST).unwrap();
    assert!(client.read(&mut [0; 9]).is_err(), "a RST ends it");
    let objects = proxy.wait_for(|objects| !objects.is_empty());
    assert_eq!(text(&objects[0], "/ended/how"), "relay_deadline");
    assert_eq!(text(&objects[0], "/verdict/what"), "relay-induced");
    assert_eq!(text(&objects[0], "/verdict/party"), "relay");
    proxy.interrupt();
    let Some(backlog) = Full::start() else { return };
    let mut proxy = Running::jsonl(backlog.port, &["--connect-timeout", "1s"]);
    let mut client = proxy.connect();
    client.write_all(&REQUEST).unwrap();
    assert!(client.read(&mut [0; 9]).is_err());
    let objects = proxy.wait_for(|objects| !objects.is_empty());
    assert_eq!(text(&objects[0], "/ended/how"), "relay_deadline");
    assert_eq!(text(&objects[0], "/verdict/what"), "relay-induced");
    proxy.interrupt();
}

#[test]
fn a_server_that_drops_syns_is_named_while_it_lasts_and_when_the_client_has_left() {
    let Some(backlog) = Full::start() else { return };
    let mut proxy = Running::jsonl(backlog.port, &[]);
    let mut client = proxy.connect();
    client.write_all(&REQUEST).unwrap();
    let objects = proxy.wait_for(|objects| !objects.is_empty());
    assert_eq!(at(&objects[0], "/final"), false);
    assert_eq!(text(&objects[0], "/verdict/what"), "tcp-syn-drop");
    drop(client);
    let objects = proxy.wait_for(|objects| objects.len() == 2);
    assert_final_once(&objects, 1);
    assert_eq!(text(&objects[1], "/verdict/what"), "tcp-syn-drop");
    assert_ne!(text(&objects[1], "/verdict/party"), "client");
    proxy.interrupt();
}

#[test]
fn a_server_that_says_nothing_is_named_while_it_lasts_and_when_the_client_has_left() {
    let port = serve(|stream| {
        let _ = std::io::copy(&mut &stream, &mut std::io::sink());
    });
    let mut proxy = Running::jsonl(port, &[]);
    let mut client = proxy.connect();
    client.write_all(&REQUEST).unwrap();
    let objects = proxy.wait_for(|objects| !objects.is_empty());
    assert_eq!(at(&objects[0], "/final"), false);
    assert_eq!(text(&objects[0], "/verdict/what"), "service-down-after-accept");
    // Nothing was closed: it is open still.
    client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert_eq!(client.read(&mut [0; 9]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    drop(client);
    let objects = proxy.wait_for(|objects| objects.len() == 2);
    assert_final_once(&objects, 1);
    assert_eq!(text(&objects[1], "/verdict/what"), "service-down-after-accept");
    assert_ne!(text(&objects[1], "/verdict/party"), "client");
    proxy.interrupt();
}

/// Its process asks this name server and no other: in a mount namespace of its own, a file stands in the place of the
/// system's.
const ASKS: &str =
    r#"exec unshare --mount sh -c 'mount --bind "$0" /etc/resolv.conf && exec "$@"' FILE "$@""#;

#[test]
fn a_name_server_that_says_nothing_is_named_while_it_lasts_and_when_the_client_has_left() {
    const LEAST: Duration = Duration::from_secs(9);
    let Some(_) = need("unshare") else { return };
    // Any number does but that of another test's.
    let [.., a, b] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, 53, a, b.max(2));
    let Ok(_silent) = UdpSocket::bind((address, 53)) else {
        return skip("a name server's port needs root");
    };
    let folder = scratch();
    let file = folder.path().join("resolv.conf");
    let lines = format!("nameserver {address}\noptions timeout:30 attempts:1\n");
    std::fs::write(&file, lines).unwrap();
    let line = ASKS.replace("FILE", &text_of(&file));
    let flags = ["--format", "jsonl"];
    let mut proxy = Running::start("srv.rdpwhy.test:3389", &flags, Some(&line));
    let mut client = proxy.connect();
    client.write_all(&REQUEST).unwrap();
    let objects = proxy.wait_for(|objects| !objects.is_empty());
    assert_eq!(at(&objects[0], "/final"), false);
    assert_eq!(text(&objects[0], "/verdict/what"), "name-not-found");
    let waited = at(&objects[0], "/duration_ms").as_f64().unwrap();
    assert!(waited >= LEAST.as_secs_f64() * 1000.0, "{waited} ms");
    drop(client);
    let objects = proxy.wait_for(|objects| objects.len() == 2);
    assert_final_once(&objects, 1);
    assert_eq!(text(&objects[1], "/verdict/what"), "name-not-found");
    let fact = text(&objects[1], "/evidence/0/fact");
    assert!(fact.contains("srv.rdpwhy.test had brought nothing"), "{fact}");
    proxy.interrupt();
}

#[test]
fn every_address_of_a_name_that_was_tried_is_reported() {
    let addresses = std::net::ToSocketAddrs::to_socket_addrs(&("localhost", 1)).unwrap();
    if addresses.filter(|to| to.is_ipv6()).count() == 0 {
        // No peer is missing: this machine's name has one address only.
        return eprintln!("localhost has no IPv6 address here: there is no second attempt to see");
    }
    let upstream = format!("localhost:{}", serve(fails));
    let mut proxy = Running::start(&upstream, &["--format", "jsonl"], None);
    ask(&mut proxy.connect());
    let objects = proxy.wait_for(|objects| objects.len() == 1);
    let attempts = at(&objects[0], "/legs/server/attempts").as_array().unwrap().clone();
    assert!(attempts.iter().any(|attempt| attempt.to_string().contains("::1")), "{attempts:?}");
    assert_eq!(text(&objects[0], "/reached"), "x224_confirm");
    proxy.interrupt();
}

#[test]
fn a_name_that_nobody_knows_is_said_so() {
    let mut proxy = Running::start("nobody.invalid", &["--format", "jsonl", "--once"], None);
    let mut client = proxy.connect();
    client.write_all(&REQUEST).unwrap();
    let _ = client.read(&mut [0; 9]);
    proxy.code();
    let objects = proxy.objects();
    assert_final_once(&objects, 1);
    let what = text(&objects[0], "/verdict/what");
    // A machine without any name server is not told that the name does not exist, and says that.
    assert_eq!(what, "name-not-found", "{:#}", objects[0]);
}

#[test]
fn a_slow_reader_gets_every_byte_and_holds_up_nobody() {
    let port = serve(|mut stream| {
        let mut digest = Sha256::new();
        let mut chunk = [0; 1024];
        for turn in 0.. {
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => break,
                Ok(read) => digest.update(&chunk[..read]),
            }
            if turn < 4 {
                thread::sleep(Duration::from_secs(1));
            }
        }
        let _ = stream.write_all(&digest.finalize());
    });
    let mut proxy = Running::jsonl(port, &[]);
    let sent: Vec<u8> = (0..24usize << 20).map(|n| (n * 7 + n / 253) as u8).collect();
    let mut slow = proxy.connect();
    let copy = sent.clone();
    let writing = thread::spawn(move || {
        slow.write_all(&copy).unwrap();
        slow.shutdown(Shutdown::Write).unwrap();
        let mut digest = Vec::new();
        slow.read_to_end(&mut digest).unwrap();
        digest
    });
    thread::sleep(Duration::from_secs(2));
    // What the server does not take waits with the client, not in the relay.
    let memory = proxy.memory();
    assert!(memory < 200_000, "{memory} KiB");
    assert!(writing.join().unwrap() == Sha256::digest(&sent).to_vec());
    proxy.interrupt();
}

#[test]
fn many_at_once_and_many_in_turn() {
    let mut proxy = Running::jsonl(serve(fails), &[]);
    let mut clients: Vec<TcpStream> = (0..200).map(|_| proxy.connect()).collect();
    clients.iter_mut().for_each(ask);
    drop(clients);
    for _ in 0..500 {
        ask(&mut proxy.connect());
    }
    let before = proxy.memory();
    for _ in 0..1500 {
        ask(&mut proxy.connect());
    }
    proxy.wait_for(|objects| objects.len() >= 2200);
    let after = proxy.memory();
    assert!(after < before + 100_000, "{before} KiB became {after} KiB");
    proxy.interrupt();
    assert_final_once(&proxy.objects(), 2200);
}

#[test]
fn without_descriptors_it_waits_and_serves_on() {
    let upstream = format!("127.0.0.1:{}", serve(echoes));
    let limited = "ulimit -n 64; exec \"$@\"";
    let mut proxy = Running::start(&upstream, &["--format", "jsonl"], Some(limited));
    let clients: Vec<TcpStream> = (0..120).map(|_| proxy.connect()).collect();
    thread::sleep(Duration::from_secs(2));
    drop(clients);
    echo(proxy.connect(), 1 << 20);
    proxy.interrupt();
    let objects = proxy.objects();
    assert!(proxy.process.output().matches("can not accept").count() < 60);
    for object in objects.iter().filter(|object| text(object, "/outcome") == "failed") {
        let named = text(object, "/verdict/party");
        assert!(!["server", "server_network"].contains(&named.as_str()), "{object:#}");
    }
}

#[test]
fn a_port_that_nothing_listens_on_is_refused_and_once_ends() {
    let mut proxy = Running::jsonl(free_port(), &["--once"]);
    let mut client = proxy.connect();
    let _ = client.read(&mut [0; 9]);
    assert!([3, 4].contains(&proxy.code()));
    assert_final_once(&proxy.objects(), 1);
    assert_eq!(text(&proxy.objects()[0], "/verdict/what"), "tcp-refused-rst");
}

/// What `analyze` says of a recording, with the configuration of the proxy that made it.
fn analyzed(recording: &str, proxy: &Running) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_rdpwhy"))
        .args(["analyze", "--format", "jsonl", recording])
        .env("XDG_CONFIG_HOME", proxy.folder.path().join("config"))
        .output()
        .unwrap();
    lines(&String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_user_has_the_same_name_live_and_offline() {
    let folder = scratch();
    let recording = text_of(&folder.path().join("case.pcapng"));
    let answers = serve(|mut stream| {
        let _ = stream.read_exact(&mut [0; 38]);
        fails(stream);
    });
    let mut proxy = Running::jsonl(answers, &["--once", "-w", &recording]);
    let mut client = proxy.connect();
    client.write_all(&[3, 0, 0, 38, 33, 0xE0, 0, 0, 0, 0, 0]).unwrap();
    client.write_all(b"Cookie: mstshash=operator\r\n").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let _ = client.read(&mut [0; 19]);
    drop(client);
    proxy.code();
    let (live, offline) = (&proxy.objects()[0], &analyzed(&recording, &proxy)[0]);
    assert!(text(live, "/rdp/cookie").starts_with("user#"), "{live:#}");
    assert_eq!(text(live, "/rdp/cookie"), text(offline, "/rdp/cookie"));
}
