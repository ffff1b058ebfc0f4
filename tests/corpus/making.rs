//! Making one sample: the peers are started, tcpdump or the relay records, the client visits.

use crate::support::clients::Client;
use crate::support::endpoints::{AlertingServer, Endpoint, http_server, openssl_server, scripted};
use crate::support::process::{Process, command};
use crate::support::shadow::{Release, Shadow};
use crate::support::xrdp::{Options, Xrdp};
use crate::support::{free_port, need, scratch, text_of, wait_until};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// One sample.
#[derive(Clone, Copy)]
pub struct Recipe {
    /// Its file.
    pub file: &'static str,
    /// What listens.
    pub peer: Peer,
    /// What stands between, and who records.
    pub via: Via,
    /// Who connects, one after another.
    pub visits: &'static [Visit],
    /// Exit codes that the last client may have; none where it was ended or is no RDP client.
    pub codes: &'static [i32],
    /// Words that the last client or the server must have said.
    pub proof: &'static str,
    /// What became of each connection, or of all of them; nothing where the peers compare it
    /// themselves.
    pub outcomes: &'static [&'static str],
    /// The causes that are true of the failures: another one may not be named, and none need be.
    pub causes: &'static [&'static str],
}

/// What listens.
#[derive(Clone, Copy)]
pub enum Peer {
    /// xrdp.
    Xrdp(Options),
    /// FreeRDP's shadow server.
    Shadow(Release),
    /// Python's web server.
    Http,
    /// `openssl s_server`.
    Openssl,
    /// A TLS server of rustls, which sends an alert.
    Rustls,
    /// These lines of shell: a scripted peer.
    Script(&'static str),
    /// Selects TLS, then answers the ClientHello with a RST: a scripted peer.
    ResetsAtHello,
    /// Accepts on port 3389 and waits: a scripted peer.
    Idle,
    /// Nothing; the port is 3389.
    Nobody,
}

/// What stands between, and who records.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// The loopback interface alone; tcpdump records.
    Wire,
    /// The same with a rule of nftables at the server's side. `PORT` stands for the server's.
    Firewall(&'static str),
    /// The relay with these further arguments; it records itself.
    Relay(&'static [&'static str]),
    /// `rdpwhy demo`, which brings its own peers.
    Demo,
}

/// Who connects.
#[derive(Clone, Copy)]
pub enum Visit {
    /// This client with these arguments, ended after so many seconds.
    Client(Client, &'static [&'static str], u64),
    /// Somebody who connects and leaves.
    Touch,
}

/// The port of connections that no server answers: only by it they are known for RDP.
const RDP: u16 = 3389;

/// A running server.
enum Running {
    Xrdp(Xrdp),
    Shadow(Shadow),
    Endpoint(Endpoint),
    Rustls(AlertingServer),
    Thread(u16),
    Nobody,
}

impl Running {
    fn start(peer: Peer) -> Option<Running> {
        Some(match peer {
            Peer::Xrdp(options) => Running::Xrdp(Xrdp::start(options)?),
            Peer::Shadow(release) => Running::Shadow(Shadow::start(release)?),
            Peer::Http => Running::Endpoint(http_server()?),
            Peer::Openssl => Running::Endpoint(openssl_server()?),
            Peer::Rustls => Running::Rustls(AlertingServer::start()?),
            Peer::Script(lines) => Running::Endpoint(scripted(lines)?),
            Peer::ResetsAtHello => Running::Thread(answer_one(free_port(), reset_at_hello)),
            Peer::Idle => Running::Thread(answer_one(RDP, |mut stream| {
                let _ = stream.read(&mut [0]);
            })),
            Peer::Nobody => Running::Nobody,
        })
    }

    fn port(&self) -> u16 {
        match self {
            Running::Xrdp(server) => server.port,
            Running::Shadow(server) => server.port,
            Running::Endpoint(server) => server.port,
            Running::Rustls(server) => server.port,
            Running::Thread(port) => *port,
            Running::Nobody => RDP,
        }
    }

    fn log(&self) -> String {
        match self {
            Running::Xrdp(server) => server.log(),
            _ => String::new(),
        }
    }
}

/// Makes the sample in `folder`; `None` where a peer is missing. What comes back tells where the
/// peers did not meet as intended.
pub fn make(recipe: &Recipe, folder: &Path) -> Option<Vec<String>> {
    let file = folder.join(recipe.file);
    let work = scratch();
    if recipe.via == Via::Demo {
        let mut demo = Command::new(env!("CARGO_BIN_EXE_rdpwhy"));
        demo.args(["demo", "--keep", &text_of(&file)]).env("HOME", work.path());
        let output = demo.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return Some(Vec::new());
    }
    let server = Running::start(recipe.peer)?;
    let port = server.port();
    let (recorder, entrance) = match recipe.via {
        Via::Relay(arguments) => relay(port, arguments, &file, work.path()),
        _ => (tcpdump(port, &file, work.path())?, port),
    };
    if let Via::Firewall(rule) = recipe.via {
        firewall(&rule.replace("PORT", &port.to_string()));
    }
    let mut last = None;
    for visit in recipe.visits {
        last = go(visit, entrance)?;
        // The server's last packets come a moment after the client has gone.
        std::thread::sleep(Duration::from_millis(700));
    }
    let mut recorder = recorder;
    if matches!(recipe.via, Via::Firewall(_)) {
        // What TCP still tries by itself.
        std::thread::sleep(Duration::from_secs(6));
        nft("delete table inet samples");
    }
    recorder.signal("INT");
    recorder.wait(Duration::from_secs(20));
    let (code, said) = last.unwrap_or_default();
    let said = said + &server.log();
    let mut wrong = Vec::new();
    let recorded = recorder.output();
    if recorded.contains("dropped by kernel") && !recorded.contains("\n0 packets dropped") {
        wrong.push(format!("{}: {recorded}", recipe.file));
    }
    if code.map_or(!recipe.codes.is_empty(), |code| !recipe.codes.contains(&code)) {
        wrong.push(format!("{}: exit code {code:?}, not {:?}: {said}", recipe.file, recipe.codes));
    }
    if !said.contains(recipe.proof) {
        wrong.push(format!("{} lacks {:?}: {said}", recipe.file, recipe.proof));
    }
    Some(wrong)
}

/// One visit: exit code and words of the client.
#[allow(clippy::option_option)] // outside: is the client there; inside: is it one that says anything
fn go(visit: &Visit, port: u16) -> Option<Option<(Option<i32>, String)>> {
    match visit {
        Visit::Touch => {
            drop(TcpStream::connect(("127.0.0.1", port)).unwrap());
            Some(None)
        }
        Visit::Client(client, arguments, seconds) => {
            let ended = client.run(port, arguments, Duration::from_secs(*seconds))?;
            Some(Some((ended.code, ended.output)))
        }
    }
}

/// Hands the first connection to `answer`.
fn answer_one(port: u16, answer: fn(TcpStream)) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || listener.incoming().flatten().take(1).for_each(answer));
    port
}

/// A Connection Confirm that selects TLS, then a RST in answer to the next bytes.
fn reset_at_hello(mut stream: TcpStream) {
    const CONFIRM: &[u8] = &[3, 0, 0, 19, 14, 208, 0, 0, 18, 52, 0, 2, 31, 8, 0, 1, 0, 0, 0];
    let mut bytes = [0; 2048];
    let _ = stream.read(&mut bytes);
    let _ = stream.write_all(CONFIRM);
    let _ = stream.read(&mut bytes);
    let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}

/// Starts tcpdump on the loopback interface.
fn tcpdump(port: u16, file: &Path, work: &Path) -> Option<Process> {
    let mut command = command(&need("tcpdump")?);
    command.args([
        "-i",
        "lo",
        "--immediate-mode",
        "-U",
        "-B",
        "16384",
        "-Z",
        "root",
        "-w",
        &text_of(file),
    ]);
    // An ICMP error quotes the packet it answers, ports included.
    command.arg(format!("tcp port {port} or icmp"));
    let process = Process::start(&mut command, &work.join("tcpdump.log"));
    let up = wait_until(Duration::from_secs(10), || process.output().contains("listening on"));
    assert!(up, "{}", process.output());
    Some(process)
}

/// Starts the relay; with the port it listens on.
fn relay(upstream: u16, arguments: &[&str], file: &Path, work: &Path) -> (Process, u16) {
    let mut command = command(Path::new(env!("CARGO_BIN_EXE_rdpwhy")));
    command.args(["proxy", "--upstream", &format!("127.0.0.1:{upstream}")]);
    command.args(["--listen", "127.0.0.1:0", "-w", &text_of(file)]).args(arguments);
    command.env("HOME", work);
    let process = Process::start(&mut command, &work.join("relay.log"));
    let mut port = None;
    wait_until(Duration::from_secs(10), || {
        let said = process.output();
        let rest = said.split_once("listening on 127.0.0.1:").map(|(_, rest)| rest);
        port = rest.and_then(|rest| rest.lines().next()?.parse().ok());
        port.is_some()
    });
    let port = port.unwrap_or_else(|| panic!("no relay: {}", process.output()));
    (process, port)
}

/// Puts up a rule at the server's side of the loopback interface, where tcpdump has seen the
/// packet already. `tests/samples` runs this in a network of its own.
fn firewall(rule: &str) {
    nft("add table inet samples");
    nft("add chain inet samples in { type filter hook input priority 0 ; }");
    nft(&format!("add rule inet samples in {rule}"));
}

fn nft(words: &str) {
    let program = need("nft").expect("nftables");
    let output = Command::new(program).args(words.split(' ')).output().unwrap();
    assert!(output.status.success(), "nft {words}: {}", String::from_utf8_lossy(&output.stderr));
}
