//! The program itself as its users run it: `rdpwhy proxy` and `rdpwhy analyze`.

use super::clients::{Client, Ended};
use super::process::{Process, command};
use super::{contract, json, text_of, wait_until};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// A running `rdpwhy proxy` in front of one server.
pub struct Proxy {
    /// The port it listens on, at 127.0.0.1.
    pub port: u16,
    process: Process,
    results: PathBuf,
}

/// What one run of the program said.
pub struct Said {
    /// The objects that hold in the end, one per connection.
    pub objects: Vec<Value>,
    /// The exit code.
    pub code: Option<i32>,
    /// Standard error, for messages.
    pub log: String,
}

impl Proxy {
    /// Starts the proxy; it records to `recording`. Its files go to `folder`.
    pub fn start(upstream: u16, folder: &Path, recording: &Path) -> Self {
        Proxy::start_with(upstream, folder, recording, &[])
    }

    /// The same with more flags.
    pub fn start_with(upstream: u16, folder: &Path, recording: &Path, flags: &[&str]) -> Self {
        let upstream = format!("127.0.0.1:{upstream}");
        let recording = text_of(recording);
        let (mut process, results) = launch(
            folder,
            "proxy",
            &[
                &["proxy", "--upstream", &upstream, "--listen", "127.0.0.1:0"][..],
                &["--format", "jsonl", "-w", &recording],
                flags,
            ]
            .concat(),
        );
        let mut port = None;
        wait_until(Duration::from_secs(20), || {
            port = listening_port(&process.output());
            port.is_some() || !process.runs()
        });
        let port = port.unwrap_or_else(|| panic!("no listening address in {}", process.output()));
        Self { port, process, results }
    }

    /// Every object printed until now.
    fn objects(&self) -> Vec<Value> {
        json::lines(&std::fs::read_to_string(&self.results).unwrap_or_default())
    }

    /// Waits a moment for the first verdict, then ends the proxy as Ctrl-C does.
    pub fn finish(mut self) -> Said {
        wait_until(Duration::from_secs(5), || !self.objects().is_empty());
        self.process.signal("INT");
        let code = self.process.wait(Duration::from_secs(20));
        assert!(code.is_some(), "the proxy ignored SIGINT: {}", self.process.output());
        let objects = json::latest(&self.objects());
        Said { objects, code: code.and_then(|status| status.code()), log: self.process.output() }
    }
}

/// Runs `rdpwhy analyze` on a capture.
pub fn analyze(capture: &Path, folder: &Path) -> Said {
    analyze_with(&[&text_of(capture)], folder)
}

/// Runs `rdpwhy analyze` with these arguments.
pub fn analyze_with(arguments: &[&str], folder: &Path) -> Said {
    let arguments = [&["analyze", "--format", "jsonl"], arguments].concat();
    let (mut process, results) = launch(folder, "analyze", &arguments);
    let code = process.wait(Duration::from_secs(60));
    assert!(code.is_some(), "analyze did not end: {}", process.output());
    let output = std::fs::read_to_string(results).unwrap();
    let objects = json::latest(&json::lines(&output));
    Said { objects, code: code.and_then(|status| status.code()), log: process.output() }
}

/// One client run through the proxy, and the recording of it analysed again.
pub struct Observed {
    /// How the client ended.
    pub client: Ended,
    /// What the proxy said.
    pub live: Said,
    /// What the analysis of its recording said.
    pub offline: Said,
    /// The recording.
    pub recording: PathBuf,
    /// The ports of the proxy and of the server, for a dissector that has to be told.
    pub ports: [u16; 2],
    _scratch: tempfile::TempDir,
}

/// Runs a client against a server through the proxy, for at most `limit`.
pub fn observe(
    upstream: u16,
    client: Client,
    arguments: &[&str],
    limit: Duration,
) -> Option<Observed> {
    let scratch = super::scratch();
    let recording = scratch.path().join("case.pcapng");
    let proxy = Proxy::start(upstream, scratch.path(), &recording);
    let ports = [proxy.port, upstream];
    let client = client.run(proxy.port, arguments, limit)?;
    let live = proxy.finish();
    let offline = analyze(&recording, scratch.path());
    Some(Observed { client, live, offline, recording, ports, _scratch: scratch })
}

impl Observed {
    /// What is wrong whatever the connection was: objects that break the output's contract, exit
    /// codes that do not fit them, and verdicts that differ between live and offline.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, said) in [("live", &self.live), ("offline", &self.offline)] {
            if said.objects.is_empty() {
                problems.push(format!("{name}: no object at all; {}", said.log));
            }
            for object in &said.objects {
                let broken = contract::check(object);
                problems.extend(broken.into_iter().map(|problem| format!("{name}: {problem}")));
            }
            let expected = contract::exit_codes(&said.objects);
            if !said.code.is_some_and(|code| expected.contains(&code)) {
                problems.push(format!("{name}: exit code {:?}, not {expected:?}", said.code));
            }
        }
        if self.live.objects.len() != self.offline.objects.len() {
            let (live, offline) = (self.live.objects.len(), self.offline.objects.len());
            problems.push(format!("{live} connections live, {offline} offline"));
        }
        for live in &self.live.objects {
            let same = |offline: &&Value| json::at(offline, "/client") == json::at(live, "/client");
            match self.offline.objects.iter().find(same) {
                Some(offline) => problems.extend(contract::same_verdict(live, offline)),
                None => problems.push(format!("offline lacks {}", json::at(live, "/client"))),
            }
        }
        problems
    }

    /// All that a failed test should show.
    pub fn story(&self) -> String {
        let mut story = format!("client: {:#?}\nproxy: {}\n", self.client, self.live.log);
        for (name, said) in [("live", &self.live), ("offline", &self.offline)] {
            for object in &said.objects {
                story += &format!("{name}: {object:#}\n");
            }
        }
        story
    }
}

/// Starts the program with its results in a file of their own.
fn launch(folder: &Path, name: &str, arguments: &[&str]) -> (Process, PathBuf) {
    let program = Path::new(env!("CARGO_BIN_EXE_rdpwhy"));
    let results = folder.join(format!("{name}.jsonl"));
    let log = folder.join(format!("{name}.log"));
    let mut command = command(program);
    command.args(arguments).env("HOME", folder).env("XDG_CONFIG_HOME", folder.join("config"));
    command.stdin(Stdio::null()).stdout(std::fs::File::create(&results).unwrap());
    command.stderr(std::fs::File::create(&log).unwrap());
    (Process::spawn(&mut command, &log), results)
}

/// The port in the banner's line `listening on 127.0.0.1:PORT`.
fn listening_port(banner: &str) -> Option<u16> {
    let rest = banner.split_once("listening on 127.0.0.1:")?.1;
    let digits = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..digits].parse().ok()
}
