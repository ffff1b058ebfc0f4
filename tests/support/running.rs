//! A running `rdpwhy proxy` with flags of a test's choice, and scripted peers for it on plain sockets.

use super::json::{at, lines};
use super::process::{Process, command};
use super::{scratch, skip, wait_until};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

/// Long enough for a busy machine.
pub const LONG: Duration = Duration::from_secs(60);

/// An X.224 request for TLS and NLA. MS-RDPBCGR 2.2.1.1.
pub const REQUEST: [u8; 19] = [3, 0, 0, 19, 14, 0xE0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0];
/// A refusal: the server has no certificate.
pub const FAILURE: [u8; 19] = [3, 0, 0, 19, 14, 0xD0, 0, 0, 0x12, 0x34, 0, 3, 0, 8, 0, 3, 0, 0, 0];

/// A running proxy with flags of the test's choice.
pub struct Running {
    /// The port it listens on, at 127.0.0.1.
    pub port: u16,
    /// The process.
    pub process: Process,
    results: PathBuf,
    /// Its configuration and its output.
    pub folder: tempfile::TempDir,
}

impl Running {
    /// Through `program` (a shell line ending in `"$@"`), or directly.
    pub fn start(upstream: &str, flags: &[&str], shell: Option<&str>) -> Running {
        let route = ["--upstream", upstream, "--listen", "127.0.0.1:0"];
        Running::launch(&[&route, flags].concat(), shell)
    }

    /// The same with nothing but these flags.
    pub fn launch(flags: &[&str], shell: Option<&str>) -> Running {
        let folder = scratch();
        let (results, log) = (folder.path().join("out"), folder.path().join("log"));
        let mut command = match shell {
            None => command(Path::new(env!("CARGO_BIN_EXE_rdpwhy"))),
            Some(line) => {
                let mut shell = command(Path::new("/bin/sh"));
                shell.args(["-c", line, "sh", env!("CARGO_BIN_EXE_rdpwhy")]);
                shell
            }
        };
        command.arg("proxy").args(flags);
        command.env("XDG_CONFIG_HOME", folder.path().join("config")).stdin(Stdio::null());
        command.stdout(std::fs::File::create(&results).unwrap());
        command.stderr(std::fs::File::create(&log).unwrap());
        let mut process = Process::spawn(&mut command, &log);
        let mut port = None;
        wait_until(LONG, || {
            let banner = process.output();
            let rest =
                banner.split_once("listening on 127.0.0.1:").map(|(_, rest)| rest.to_owned());
            port = rest.and_then(|rest| rest.split_once('\n')?.0.parse().ok());
            port.is_some() || !process.runs()
        });
        let port = port.unwrap_or_else(|| panic!("{}", process.output()));
        Running { port, process, results, folder }
    }

    /// With JSON lines, in front of a port of this machine.
    pub fn jsonl(upstream: u16, flags: &[&str]) -> Running {
        let flags = [&["--format", "jsonl"], flags].concat();
        Running::start(&format!("127.0.0.1:{upstream}"), &flags, None)
    }

    /// The ports of its routes at 127.0.0.1, in their order, as soon as it has named this many.
    pub fn ports(&self, count: usize) -> Vec<u16> {
        let mut ports: Vec<u16> = Vec::new();
        let named = wait_until(LONG, || {
            let banner = self.process.output();
            // Whole lines only: the last may be half written.
            let lines = banner.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            let named = lines.filter_map(|line| line.strip_prefix("listening on 127.0.0.1:"));
            ports = named.map(|port| port.parse().unwrap()).collect();
            ports.len() >= count
        });
        assert!(named, "{}", self.process.output());
        ports
    }

    /// A client.
    pub fn connect(&self) -> TcpStream {
        self.connect_to(self.port)
    }

    /// A client of this one of its ports.
    pub fn connect_to(&self, port: u16) -> TcpStream {
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        client.set_read_timeout(Some(LONG)).unwrap();
        client.set_write_timeout(Some(LONG)).unwrap();
        client
    }

    /// Its stdout until now.
    pub fn printed(&self) -> String {
        std::fs::read_to_string(&self.results).unwrap()
    }

    /// The objects printed until now.
    pub fn objects(&self) -> Vec<Value> {
        lines(&self.printed())
    }

    /// The objects, once they are as awaited.
    pub fn wait_for(&self, what: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let came = wait_until(LONG, || what(&self.objects()));
        assert!(came, "{:#?}\n{}", self.objects(), self.process.output());
        self.objects()
    }

    /// Ends by itself; gives the exit code.
    pub fn code(&mut self) -> i32 {
        let status = self.process.wait(LONG);
        status.unwrap_or_else(|| panic!("still runs: {}", self.process.output())).code().unwrap()
    }

    /// Ends it as Ctrl-C does; gives the exit code.
    pub fn interrupt(&mut self) -> i32 {
        self.process.signal("INT");
        self.code()
    }

    /// `VmRSS` in KiB (proc(5)).
    pub fn memory(&mut self) -> u64 {
        let path = format!("/proc/{}/status", self.process.child().id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

/// Asserts one final object per connection, and that it names what it replaces.
pub fn assert_final_once(objects: &[Value], connections: usize) {
    let mut finals: BTreeMap<u64, u32> = BTreeMap::new();
    let mut before: Vec<u64> = Vec::new();
    for object in objects {
        let index = at(object, "/index").as_u64().unwrap();
        if at(object, "/final") == true {
            *finals.entry(index).or_default() += 1;
            let replaced = at(object, "/supersedes").as_u64();
            assert_eq!(replaced, before.contains(&index).then_some(index), "{object:#}");
        } else {
            assert!(!finals.contains_key(&index), "a provisional verdict after the final one");
            before.push(index);
        }
    }
    assert_eq!(finals.len(), connections, "{objects:#?}");
    assert!(finals.values().all(|count| *count == 1), "{finals:?}");
}

/// A server that does this with every connection, on a thread each.
pub fn serve(act: impl Fn(TcpStream) + Send + Sync + Copy + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            stream.set_read_timeout(Some(LONG)).unwrap();
            thread::spawn(move || act(stream));
        }
    });
    port
}

/// Answers the request with a failure and closes.
pub fn fails(mut stream: TcpStream) {
    let _ = stream.read_exact(&mut [0; 19]);
    let _ = stream.write_all(&FAILURE);
}

/// Sends back what it gets.
pub fn echoes(stream: TcpStream) {
    let _ = std::io::copy(&mut &stream, &mut &stream);
}

/// A client that asks, and is answered by [`fails`].
pub fn ask(client: &mut TcpStream) {
    client.write_all(&REQUEST).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, FAILURE);
}

/// A client of [`echoes`]: asserts that all comes back.
pub fn echo(mut client: TcpStream, len: usize) {
    let sent: Vec<u8> = (0..len).map(|n| (n * 31 + n / 251) as u8).collect();
    let mut writer = client.try_clone().unwrap();
    let copy = sent.clone();
    let writing = thread::spawn(move || {
        writer.write_all(&copy).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut got = Vec::new();
    client.read_to_end(&mut got).unwrap();
    writing.join().unwrap();
    assert!(Sha256::digest(&got) == Sha256::digest(&sent), "{} of {len} bytes", got.len());
}

/// A listening socket whose backlog is full: Linux drops the SYNs of whoever comes next.
pub struct Full {
    /// The port.
    pub port: u16,
    _listener: socket2::Socket,
    _clients: Vec<socket2::Socket>,
}

impl Full {
    /// Fills it; `None` after a skip where that has no effect.
    pub fn start() -> Option<Full> {
        let new =
            || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let listener = new();
        listener.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut clients = Vec::new();
        for _ in 0..16 {
            let client = new();
            let full = client.connect_timeout(&address, Duration::from_millis(700)).is_err();
            if full {
                let port = address.as_socket().unwrap().port();
                return Some(Full { port, _listener: listener, _clients: clients });
            }
            clients.push(client);
        }
        skip("this kernel answers SYNs whatever the backlog");
        None
    }
}

/// A confirm that selects TLS. MS-RDPBCGR 2.2.1.2.
const CONFIRM: [u8; 19] = [3, 0, 0, 19, 14, 0xD0, 0, 0, 0x12, 0x34, 0, 2, 0, 8, 0, 1, 0, 0, 0];

/// Confirms the request and sends back the rest.
pub fn confirms(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let _ = stream.read_exact(&mut [0; REQUEST.len()]);
    let _ = stream.write_all(&CONFIRM);
    let _ = std::io::copy(&mut &stream, &mut &stream);
}

/// A client of [`confirms`]: asks, and then sends so many small TLS records, each when the one before is back.
pub fn converse(client: &mut TcpStream, records: u64) {
    // Application data of 64 bytes. RFC 8446 5.1.
    let record = [&[23, 3, 3, 0, 64][..], &[0x5A; 64]].concat();
    client.set_nodelay(true).unwrap();
    client.write_all(&REQUEST).unwrap();
    client.read_exact(&mut [0; CONFIRM.len()]).unwrap();
    for _ in 0..records {
        client.write_all(&record).unwrap();
        let mut back = vec![0; record.len()];
        client.read_exact(&mut back).unwrap();
        assert_eq!(back, record);
    }
}

/// A server that says a word to everybody and waits for them to leave; gives its port.
pub fn says(word: &str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let word = word.to_owned();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let word = word.clone();
            thread::spawn(move || {
                stream.set_read_timeout(Some(LONG)).unwrap();
                let _ = stream.write_all(word.as_bytes());
                let _ = stream.shutdown(Shutdown::Write);
                let _ = stream.read_to_end(&mut Vec::new());
            });
        }
    });
    port
}
