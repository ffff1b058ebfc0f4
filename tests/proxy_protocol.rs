//! The PROXY protocol on both legs: HAProxy writes the header for the relay and reads that of the relay, and
//! scripted peers send what no HAProxy would.

use crate::support::haproxy::{Haproxy, Section};
use crate::support::json::{self, at, text};
use crate::support::rdpwhy::analyze;
use crate::support::running::{FAILURE, LONG, REQUEST, Running, echo, echoes, serve};
use crate::support::{scratch, text_of};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

/// Behind the signature: PROXY, TCP over IPv4, 12 bytes, 203.0.113.7:50000 to 198.51.100.9:3389.
const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\xc6\x33\x64\x09\xc3\x50\x0d\x3d";

/// A server that tells of each connection its first line, then sends back what it gets.
fn tells_and_echoes() -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            stream.set_read_timeout(Some(LONG)).unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            tell.send(line).unwrap();
            thread::spawn(move || std::io::copy(&mut reader, &mut &stream));
        }
    });
    (port, told)
}

/// A client of the relay or of a HAProxy in front of it, and its address.
fn client_of(port: u16) -> (TcpStream, SocketAddr) {
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.set_read_timeout(Some(LONG)).unwrap();
    client.set_write_timeout(Some(LONG)).unwrap();
    let address = client.local_addr().unwrap();
    (client, address)
}

#[test]
fn haproxy_on_both_sides_hears_and_tells_of_the_client() {
    for (incoming, outgoing) in [("send-proxy", "v2"), ("send-proxy-v2", "v1")] {
        let (server, told) = tells_and_echoes();
        let behind = Section { bind: "accept-proxy", server, options: "send-proxy" };
        let Some(behind) = Haproxy::start(&behind) else { return };
        let folder = scratch();
        let recording = folder.path().join("case.pcapng");
        let file = text_of(&recording);
        let flags = ["--accept-proxy-protocol", "--send-proxy-protocol", outgoing];
        let flags = [&flags[..], &["-w", &file, "--payload", "full"]].concat();
        let mut relay = Running::jsonl(behind.port, &flags);
        let before = Section { bind: "", server: relay.port, options: incoming };
        let Some(before) = Haproxy::start(&before) else { return };
        let (client, address) = client_of(before.port);
        echo(client, 300_000);
        let port = address.port();
        let line = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {port} {}\r\n", before.port);
        assert_eq!(told.recv_timeout(LONG).unwrap(), line, "{incoming} {outgoing}");
        let objects = relay.wait_for(|objects| objects.len() == 1);
        assert!(relay.interrupt() < 5);
        let offline = analyze(&recording, folder.path());
        for object in objects.iter().chain(&offline.objects) {
            assert_eq!(text(object, "/client"), address.to_string(), "{object:#}");
            let peer: SocketAddr = text(object, "/legs/client/peer").parse().unwrap();
            assert_ne!(peer, address, "the proxy is the other end of the leg");
            let passed = at(object, "/ended/after_bytes/to_server");
            assert_eq!(passed, 300_000, "a header was counted: {object:#}");
        }
        assert_eq!(offline.objects.len(), 1);
        let recorded = std::fs::read(&recording).unwrap();
        for header in [&b"PROXY TCP"[..], b"\0\r\nQUIT\n"] {
            assert!(!recorded.windows(header.len()).any(|part| part == header));
        }
    }
}

#[test]
fn a_header_may_come_in_pieces_and_with_the_clients_bytes_behind_it() {
    let folder = scratch();
    let recording = folder.path().join("case.pcapng");
    let flags = ["--accept-proxy-protocol", "-w", &text_of(&recording)];
    let mut relay = Running::jsonl(serve(echoes), &flags);
    let line = b"PROXY TCP6 2001:db8::5 2001:db8::9 50001 3389\r\n";
    for (header, whose) in [(V2, "203.0.113.7:50000"), (line, "[2001:db8::5]:50001")] {
        let (mut client, _) = client_of(relay.port);
        client.set_nodelay(true).unwrap();
        let (first, last) = header.split_at(header.len() - 3);
        for byte in first {
            client.write_all(&[*byte]).unwrap();
        }
        client.write_all(&[last, &REQUEST].concat()).unwrap();
        let mut back = [0; REQUEST.len()];
        client.read_exact(&mut back).unwrap();
        assert_eq!(back, REQUEST);
        drop(client);
        let objects = relay.wait_for(|all| all.iter().any(|one| at(one, "/client") == whose));
        assert!(objects.iter().all(|one| text(one, "/reached") == "x224_request"), "{objects:#?}");
    }
    relay.interrupt();
    // A client of IPv6 that came over a leg of IPv4 is one in the recording, too.
    let offline = analyze(&recording, folder.path()).objects;
    for (offline, live) in offline.iter().zip(json::latest(&relay.objects())) {
        for path in ["/client", "/legs/client/peer", "/reached", "/verdict/what"] {
            assert_eq!(text(offline, path), text(&live, path), "{path} of {offline:#}");
        }
    }
    assert_eq!(offline.len(), 2);
}

#[test]
fn a_report_in_words_names_the_client_and_the_proxy() {
    let upstream = format!("127.0.0.1:{}", serve(echoes));
    let mut relay = Running::start(&upstream, &["--accept-proxy-protocol"], None);
    let (mut client, proxy) = client_of(relay.port);
    client.write_all(&[V2, &REQUEST].concat()).unwrap();
    client.read_exact(&mut [0; REQUEST.len()]).unwrap();
    drop(client);
    relay.interrupt();
    let words = relay.printed();
    assert!(words.contains("203.0.113.7:50000"), "{words}");
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(&format!("through the proxy {proxy}")), "{words}");
}

#[test]
fn a_proxy_that_speaks_for_itself_keeps_its_own_address() {
    let relay = Running::jsonl(serve(echoes), &["--accept-proxy-protocol"]);
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    for (number, header) in [&local[..], b"PROXY UNKNOWN\r\n"].into_iter().enumerate() {
        let (mut client, address) = client_of(relay.port);
        client.write_all(header).unwrap();
        echo(client, 5000);
        let objects = relay.wait_for(|objects| objects.len() == number + 1);
        assert_eq!(text(&objects[number], "/client"), address.to_string());
        assert_eq!(text(&objects[number], "/legs/client/peer"), address.to_string());
    }
}

#[test]
fn who_brings_no_header_is_refused_and_the_relay_says_that_it_did_it() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = server.local_addr().unwrap().port();
    let relay = Running::jsonl(upstream, &["--accept-proxy-protocol"]);
    let oversized = [&V2[..14], &[0xFF; 2]].concat();
    let cut = &V2[..20];
    for (number, bytes) in [&REQUEST[..], &oversized, cut, b""].into_iter().enumerate() {
        let (mut client, address) = client_of(relay.port);
        client.write_all(bytes).unwrap();
        if bytes == cut {
            client.shutdown(std::net::Shutdown::Write).unwrap();
        }
        // Whoever says nothing is waited for.
        let end = client.read(&mut [0; 1]);
        let reset =
            end.as_ref().err().map(std::io::Error::kind) == Some(ErrorKind::ConnectionReset);
        assert!(reset, "{bytes:02x?}: {end:?}");
        let objects = relay.wait_for(|objects| objects.len() == number + 1);
        let object = &objects[number];
        assert_eq!(text(object, "/client"), address.to_string());
        assert_eq!(text(object, "/verdict/what"), "relay-induced", "{object:#}");
        assert_eq!(text(object, "/verdict/party"), "relay");
        let sentence = text(object, "/verdict/sentence");
        assert!(sentence.contains("--accept-proxy-protocol"), "{sentence}");
    }
    server.set_nonblocking(true).unwrap();
    assert!(server.accept().is_err(), "a refused client reached the server");
}

#[test]
fn the_header_goes_first_even_where_the_client_says_nothing() {
    let (server, told) = tells_and_echoes();
    let relay = Running::jsonl(server, &["--send-proxy-protocol", "v1"]);
    let (client, address) = client_of(relay.port);
    let line = told.recv_timeout(LONG).unwrap();
    let expected = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\n", address.port(), relay.port);
    assert_eq!(line, expected);
    echo(client, 100_000);
}

#[test]
fn a_verdict_is_the_same_behind_a_header() {
    let refuses = serve(|mut stream: TcpStream| {
        let _ = stream.read_exact(&mut [0; 28 + REQUEST.len()]);
        let _ = stream.write_all(&FAILURE);
    });
    let relay = Running::jsonl(refuses, &["--send-proxy-protocol", "v2"]);
    let (mut client, _) = client_of(relay.port);
    client.write_all(&REQUEST).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, FAILURE);
    let objects = relay.wait_for(|objects| objects.len() == 1);
    assert_eq!(text(&objects[0], "/rdp/failure"), "SSL_CERT_NOT_ON_SERVER", "{:#}", objects[0]);
    assert_eq!(at(&objects[0], "/ended/after_bytes/to_server"), REQUEST.len());
    let findings = at(&objects[0], "/findings").to_string();
    assert!(findings.contains("proxy-header-sent"), "{findings}");
}
