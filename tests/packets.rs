//! `proxy --packets`: what only packets tell reaches the verdict live and from the recording; without the right to
//! capture the proxy says so and relays.

use crate::support::contract::{check, same_verdict};
use crate::support::forge::Forger;
use crate::support::json::{at, text};
use crate::support::namespaces::Namespaces;
use crate::support::process::Process;
use crate::support::rdpwhy::analyze;
use crate::support::running::{LONG, REQUEST, Running, ask, echo, echoes, fails, serve};
use crate::support::{need, skip, text_of, wait_until};
use serde_json::Value;
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::time::Duration;

/// The server chose TLS. MS-RDPBCGR 2.2.1.2.
const CONFIRM: [u8; 19] = [3, 0, 0, 19, 14, 0xD0, 0, 0, 0x12, 0x34, 0, 2, 0, 8, 0, 1, 0, 0, 0];

/// A proxy that captures and records.
struct Capturing {
    proxy: Running,
    folder: tempfile::TempDir,
}

impl Capturing {
    /// In front of this server; `None` after a skip where it may not capture.
    fn start(upstream: SocketAddr) -> Option<Capturing> {
        let folder = crate::support::scratch();
        let recording = text_of(&folder.path().join(RECORDING));
        let flags = ["--format", "jsonl", "--packets", "-w", &recording];
        let proxy = Running::start(&upstream.to_string(), &flags, None);
        if captures(&proxy) {
            return Some(Capturing { proxy, folder });
        }
        skip(NO_RIGHT);
        None
    }

    /// The live verdict, once it has fallen; asserts that the recording says the same.
    fn verdict(mut self) -> Value {
        let live = self.proxy.wait_for(|objects| objects.len() == 1).remove(0);
        self.proxy.interrupt();
        let offline = analyze(&self.folder.path().join(RECORDING), self.folder.path()).objects;
        assert_eq!(offline.len(), 1, "{offline:#?}");
        assert_same(&live, &offline[0]);
        live
    }
}

const RECORDING: &str = "case.pcapng";
const NO_RIGHT: &str = "packets can not be captured here (root or CAP_NET_RAW)";

/// Whether its banner says that it captures.
fn captures(proxy: &Running) -> bool {
    let said = || proxy.process.output();
    let word = |word: &str| said().contains(word);
    assert!(wait_until(LONG, || word("are captured:") || word("are not captured")), "{}", said());
    word("are captured:")
}

/// Asserts that live and recorded agree in the verdict and in what packets told.
fn assert_same(live: &Value, offline: &Value) {
    let broken = [check(live), check(offline), same_verdict(live, offline)].concat();
    assert!(broken.is_empty(), "{broken:?}\n{live:#}\n{offline:#}");
    for field in ["/vantage", "/complete", "/legs/client/tcp", "/legs/server/tcp", "/evidence"] {
        let of = |object: &Value| match (field, at(object, field)) {
            // A recording has its own numbers for what was read.
            ("/evidence", items) => facts(items),
            (_, value) => value.clone(),
        };
        assert_eq!(of(live), of(offline), "{field}");
    }
}

fn facts(items: &Value) -> Value {
    items.as_array().unwrap().iter().map(|item| at(item, "/fact").clone()).collect()
}

/// The RSTs of the server on the server leg.
fn resets(object: &Value) -> Vec<Value> {
    let resets = at(object, "/legs/server/tcp/resets").as_array().unwrap();
    resets.iter().filter(|rst| at(rst, "/from") == "server").cloned().collect()
}

/// A request, its confirm, and three bytes of a TLS record behind it.
fn negotiate(client: &mut TcpStream, server: &mut TcpStream) {
    client.write_all(&REQUEST).unwrap();
    server.read_exact(&mut [0; 19]).unwrap();
    server.write_all(&CONFIRM).unwrap();
    client.read_exact(&mut [0; 19]).unwrap();
    client.write_all(&[0x16, 3, 1]).unwrap();
    server.read_exact(&mut [0; 3]).unwrap();
}

fn listener(address: &str) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (server, _) = listener.accept().unwrap();
    server.set_read_timeout(Some(LONG)).unwrap();
    server
}

#[test]
fn a_reset_of_the_server_itself_is_like_its_other_segments() {
    for address in ["127.0.0.1", "::1"] {
        let (host, upstream) = listener(address);
        let Some(capturing) = Capturing::start(upstream) else { return };
        let mut client = capturing.proxy.connect();
        let mut server = accept(&host);
        negotiate(&mut client, &mut server);
        SockRef::from(&server).set_linger(Some(Duration::ZERO)).unwrap();
        drop(server);
        assert!(client.read(&mut [0; 1]).is_err(), "the reset was passed on");
        assert_reset_by_the_server(&capturing.verdict());
    }
}

fn assert_reset_by_the_server(said: &Value) {
    assert_eq!((text(said, "/vantage"), text(said, "/complete")), ("V3".into(), "true".into()));
    let resets = resets(said);
    assert_eq!(resets.len(), 1, "{resets:?}");
    assert_eq!(at(&resets[0], "/ttl"), at(&resets[0], "/usual_ttl"), "{resets:?}");
    assert_eq!((at(&resets[0], "/offset"), at(&resets[0], "/followed_by")), (&0.into(), &0.into()));
    assert!(at(&resets[0], "/earlier_segments").as_u64() >= Some(3), "{resets:?}");
    for (leg, sender, bytes) in [
        ("client", "from_client", 22),
        ("client", "from_server", 19),
        ("server", "from_server", 19),
    ] {
        let path = format!("/legs/{leg}/tcp/{sender}/bytes");
        assert_eq!(at(said, &path), bytes, "{path}");
    }
}

#[test]
fn a_forged_reset_differs_and_its_apparent_sender_goes_on() {
    let Some(forger) = Forger::start() else {
        return skip("packets can not be forged here (root or CAP_NET_RAW)");
    };
    let (host, upstream) = listener("127.0.0.1");
    let Some(capturing) = Capturing::start(upstream) else { return };
    let mut client = capturing.proxy.connect();
    let mut server = accept(&host);
    negotiate(&mut client, &mut server);
    forger.reset(v4(server.local_addr()), v4(server.peer_addr()), 55);
    assert!(client.read(&mut [0; 1]).is_err(), "the reset was passed on");
    // The server knows of nothing.
    server.write_all(b"late").unwrap();
    let said = capturing.verdict();
    let resets = resets(&said);
    let forged = resets.iter().find(|rst| at(rst, "/ttl") == 55).unwrap_or(&Value::Null);
    assert_eq!(at(forged, "/usual_ttl"), 64, "{resets:?}");
    assert!(at(forged, "/earlier_segments").as_u64() >= Some(3), "{resets:?}");
    assert!(at(forged, "/followed_by").as_u64() >= Some(1), "{resets:?}");
}

fn v4(address: std::io::Result<SocketAddr>) -> SocketAddrV4 {
    match address.unwrap() {
        SocketAddr::V4(address) => address,
        SocketAddr::V6(address) => panic!("{address}"),
    }
}

/// Runs a server that resets, as Windows with TTL 128, behind a wire; the relay and its client stand before it.
#[test]
fn packets_of_another_interface_than_loopback_are_seen() {
    let Some(python) = need("python3") else { return };
    let python = text_of(&python);
    let Some(spaces) = Namespaces::make() else { return };
    let within = format!("exec {} \"$@\"", spaces.within(0));
    let flags = ["--format", "jsonl", "--packets"];
    let mut proxy = Running::start("10.99.0.2:3389", &flags, Some(&within));
    if !captures(&proxy) {
        return skip(NO_RIGHT);
    }
    let peers = [
        (
            1,
            format!(
                "import socket, struct\nopen('/proc/sys/net/ipv4/ip_default_ttl', 'w').write('128')\n\
             host = socket.create_server(('10.99.0.2', 3389))\nprint('up', flush=True)\n\
             peer, _ = host.accept()\npeer.recv(19)\npeer.sendall(bytes({CONFIRM:?}))\npeer.recv(3)\n\
             peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\npeer.close()\n"
            ),
        ),
        (
            0,
            format!(
                "import socket\npeer = socket.create_connection(('127.0.0.1', {}))\n\
             peer.sendall(bytes({REQUEST:?}))\npeer.recv(19)\npeer.sendall(bytes([22, 3, 1]))\n\
             try: peer.recv(1)\nexcept ConnectionResetError: print('up')\n",
                proxy.port
            ),
        ),
    ];
    let running = peers.map(|(space, script)| {
        let log = proxy.folder.path().join(format!("peer-{space}"));
        let peer = Process::start(spaces.command(space, &python).args(["-c", &script]), &log);
        let up = wait_until(LONG, || peer.output().contains("up"));
        assert!(up, "{}", peer.output());
        peer
    });
    let said = proxy.wait_for(|objects| objects.len() == 1).remove(0);
    drop(running);
    proxy.interrupt();
    assert_eq!(text(&said, "/vantage"), "V3", "{said:#}");
    let resets = resets(&said);
    assert_eq!((at(&resets[0], "/ttl"), at(&resets[0], "/usual_ttl")), (&128.into(), &128.into()));
    assert_eq!(at(&said, "/legs/server/tcp/from_client/bytes"), 22, "{said:#}");
    assert_eq!(at(&said, "/legs/server/tcp/from_server/bytes"), 19, "{said:#}");
}

#[test]
fn bytes_are_exact_while_packets_are_captured() {
    const LEN: usize = 25 << 20;
    let upstream = SocketAddr::from(([127, 0, 0, 1], serve(echoes)));
    let Some(capturing) = Capturing::start(upstream) else { return };
    echo(capturing.proxy.connect(), LEN);
    let said = capturing.verdict();
    assert_eq!(text(&said, "/vantage"), "V3");
    for leg in ["client", "server"] {
        let tcp = at(&said, &format!("/legs/{leg}/tcp"));
        // A capture that fell behind counts nothing rather than too little.
        match tcp.get("from_client") {
            Some(counts) => assert_eq!(at(counts, "/bytes"), LEN, "{tcp:#}"),
            None => assert_eq!(at(&said, "/complete"), false, "{said:#}"),
        }
    }
}

#[test]
fn without_the_right_the_banner_says_what_is_missing_and_the_relay_works() {
    let Some(setpriv) = need("setpriv") else { return };
    let lesser = format!(
        "exec {} --bounding-set -net_raw --inh-caps -net_raw --ambient-caps -net_raw \"$@\"",
        text_of(&setpriv)
    );
    let upstream = format!("127.0.0.1:{}", serve(fails));
    let flags = ["--format", "jsonl", "--packets"];
    let mut proxy = Running::start(&upstream, &flags, Some(&lesser));
    assert!(!captures(&proxy), "{}", proxy.process.output());
    for words in ["CAP_NET_RAW", "TTL and IP-ID of a RST", "setcap cap_net_raw+ep", "as root"] {
        let said = || proxy.process.output();
        assert!(wait_until(LONG, || said().contains(words)), "{words}: {}", said());
    }
    ask(&mut proxy.connect());
    let said = proxy.wait_for(|objects| objects.len() == 1).remove(0);
    let code = proxy.interrupt();
    assert!([3, 4].contains(&code), "{code}");
    assert_eq!(text(&said, "/vantage"), "V2");
}
