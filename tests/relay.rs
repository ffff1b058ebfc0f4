//! The relay is transparent: bytes are exact, half-close and RST pass as what they are. Scripted peers
//! on plain sockets, for no RDP program closes on command.

use crate::support::rdpwhy::Proxy;
use crate::support::scratch;
use socket2::SockRef;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// A client and a server that are connected through the proxy, which runs as long as this lives.
struct Through {
    client: TcpStream,
    server: TcpStream,
    proxy: Proxy,
    _scratch: tempfile::TempDir,
}

fn through() -> Through {
    let scratch = scratch();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let proxy = Proxy::start(port, scratch.path(), &scratch.path().join("case.pcapng"));
    let client = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
    let (server, _) = listener.accept().unwrap();
    for socket in [&client, &server] {
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    }
    Through { client, server, proxy, _scratch: scratch }
}

/// A fixed sequence of numbers that looks random, so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// Writes everything in chunks of random size, from one byte to 64 KiB.
fn write_chunked(mut socket: TcpStream, bytes: Vec<u8>, seed: u64) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut numbers = Numbers(seed);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let most = 1 << (numbers.next() % 17);
            let size = (1 + numbers.next() as usize % most).min(rest.len());
            socket.write_all(&rest[..size]).unwrap();
            rest = &rest[size..];
        }
        socket.shutdown(Shutdown::Write).unwrap();
    })
}

fn read_all(mut socket: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn bytes_are_exact_in_both_directions_at_once() {
    let Through { client, server, proxy, _scratch } = through();
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let (up, down) = (numbers.bytes(3 << 20), numbers.bytes(5 << 20));
    let writers = [
        write_chunked(client.try_clone().unwrap(), up.clone(), 1),
        write_chunked(server.try_clone().unwrap(), down.clone(), 2),
    ];
    let reader = thread::spawn(move || read_all(&server));
    assert!(read_all(&client) == down, "bytes to the client differ");
    assert!(reader.join().unwrap() == up, "bytes to the server differ");
    for writer in writers {
        writer.join().unwrap();
    }
    drop(client);
    proxy.finish();
}

#[test]
fn a_client_that_closes_its_half_still_gets_the_answer() {
    let Through { mut client, mut server, proxy: _proxy, _scratch } = through();
    client.write_all(b"question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&server), b"question");
    server.write_all(b"answer").unwrap();
    drop(server);
    assert_eq!(read_all(&client), b"answer");
}

#[test]
fn a_server_that_closes_its_half_still_hears_the_client() {
    let Through { mut client, mut server, proxy: _proxy, _scratch } = through();
    server.write_all(b"greeting").unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&client), b"greeting");
    client.write_all(b"farewell").unwrap();
    drop(client);
    assert_eq!(read_all(&server), b"farewell");
}

/// Ends a connection with a RST.
fn reset(socket: TcpStream) {
    SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
}

fn assert_reset(mut socket: &TcpStream) {
    let mut bytes = [0; 65536];
    loop {
        match socket.read(&mut bytes) {
            Ok(0) => panic!("a FIN came in place of a RST"),
            Ok(_) => {}
            Err(error) => return assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
        }
    }
}

#[test]
fn a_reset_by_the_server_reaches_the_client_as_a_reset() {
    let Through { mut client, server, proxy, _scratch } = through();
    client.write_all(b"hello").unwrap();
    reset(server);
    assert_reset(&client);
    let said = proxy.finish();
    let ended = &said.objects[0]["ended"];
    assert_eq!((&ended["leg"], &ended["how"]), (&"server".into(), &"rst".into()), "{ended}");
}

#[test]
fn a_reset_by_the_client_reaches_a_server_that_does_not_read() {
    let Through { client, server, proxy, _scratch } = through();
    fill(&client);
    reset(client);
    // The server had not read a byte until now: everything between was full.
    thread::sleep(Duration::from_millis(300));
    assert_reset(&server);
    let said = proxy.finish();
    let ended = &said.objects[0]["ended"];
    assert_eq!((&ended["leg"], &ended["how"]), (&"client".into(), &"rst".into()), "{ended}");
}

#[test]
fn a_reset_by_a_client_that_does_not_read_reaches_the_server() {
    let Through { client, server, proxy: _proxy, _scratch } = through();
    fill(&server);
    reset(client);
    assert_reset(&server);
}

/// Writes until nothing more fits between here and a peer that does not read.
fn fill(mut socket: &TcpStream) {
    socket.set_nonblocking(true).unwrap();
    let chunk = [0; 65536];
    let mut idle = 0;
    while idle < 20 {
        match socket.write(&chunk) {
            Ok(_) => idle = 0,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                idle += 1;
                thread::sleep(Duration::from_millis(25));
            }
        }
    }
    socket.set_nonblocking(false).unwrap();
}
