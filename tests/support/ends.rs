//! A client, a router and a server, each in a network namespace, with a capture at both ends.
//!
//! The router translates the client's address, so that nothing but what was said can tell which session
//! of one capture is which of the other.

use super::clients::Client;
use super::display::Display;
use super::place::Place;
use super::process::{Process, command_in};
use super::rdpwhy::{Said, analyze_with};
use super::xrdp::{SOUND, Xrdp};
use super::{need, scratch, skip, text_of, wait_until};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const SERVER: &str = "10.77.2.2";
const PORT: u16 = 3389;
/// Namespace, interface and name of each capture, from the client to the server.
const CAPTURES: [(&str, &str, &str); 4] =
    [("c", "c0", "client"), ("m", "mc", "in"), ("m", "ms", "out"), ("s", "s0", "server")];

/// The three namespaces, removed on drop.
pub struct Ends {
    prefix: String,
    scratch: tempfile::TempDir,
}

impl Ends {
    /// Makes them; `None` after a skip was noted, where that needs rights or programs that are not there.
    pub fn make() -> Option<Ends> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        for program in ["ip", "nft", "tcpdump", "xrdp", "xfreerdp"] {
            need(program)?;
        }
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let ends =
            Ends { prefix: format!("rdpwhy-{}-{n}", std::process::id()), scratch: scratch() };
        if !run("ip", &["netns", "add", &ends.name("c")]) {
            skip("network namespaces can not be made here (they need root)");
            return None;
        }
        ends.connect();
        Some(ends)
    }

    fn name(&self, role: &str) -> String {
        format!("{}-{role}", self.prefix)
    }

    fn connect(&self) {
        let [c, m, s] = ["c", "m", "s"].map(|role| self.name(role));
        let ip = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            assert!(run("ip", &words), "ip {line}");
        };
        ip(&format!("netns add {m}"));
        ip(&format!("netns add {s}"));
        for (near, name, far, address) in [(&c, "c0", "mc", "10.77.1"), (&s, "s0", "ms", "10.77.2")]
        {
            ip(&format!("link add {name} netns {near} type veth peer name {far} netns {m}"));
            ip(&format!("-n {near} addr add {address}.2/24 dev {name}"));
            ip(&format!("-n {m} addr add {address}.1/24 dev {far}"));
            ip(&format!("-n {near} link set {name} up"));
            ip(&format!("-n {near} link set lo up"));
            ip(&format!("-n {m} link set {far} up"));
            ip(&format!("-n {near} route add default via {address}.1"));
        }
        let forward = ["netns", "exec", &m, "sysctl", "-qw", "net.ipv4.ip_forward=1"];
        assert!(run("ip", &forward), "no forwarding");
        let translate = "table ip nat { chain out { type nat hook postrouting priority 100; oifname ms masquerade; }\n}";
        self.rules(translate);
    }

    /// Adds nftables rules to the router.
    fn rules(&self, text: &str) {
        let file = self.scratch.path().join("rules.nft");
        std::fs::write(&file, text).unwrap();
        let loaded = run("ip", &["netns", "exec", &self.name("m"), "nft", "-f", &text_of(&file)]);
        assert!(loaded, "nft refused {text}");
    }

    /// One real session through the router with this rule on what it forwards, captured at both ends, and
    /// what the comparison says. The client is ended after some seconds.
    pub fn session(&self, rule: &str) -> Option<Said> {
        if !rule.is_empty() {
            self.rules(&format!(
                "table ip fault {{ chain f {{ type filter hook forward priority 0; {rule}; }}\n}}"
            ));
        }
        let address = format!("{SERVER}:{PORT}").parse().unwrap();
        let at = |role| Place { namespace: Some(self.name(role)), address, called: None };
        let _server = Xrdp::start_at(SOUND, &at("s"))?;
        let captures = CAPTURES.map(|(role, interface, name)| self.capture(role, interface, name));
        self.knock();
        let arguments = ["/u:tester", "/p:x", "/sec:tls", "/cert:ignore", "/log-level:ERROR"];
        let limit = Duration::from_secs(8);
        let display = Display::start()?;
        let client = Client::Xfreerdp.start(&at("c"), &arguments, &display.name, None)?;
        client.finish(limit);
        self.knock();
        for mut capture in captures {
            capture.signal("INT");
            assert!(capture.wait(Duration::from_secs(10)).is_some(), "tcpdump did not end");
        }
        let [client, server] = ["client", "server"].map(|name| text_of(&self.file(name)));
        let arguments = ["--client-side", &client, "--server-side", &server];
        Some(analyze_with(&arguments, self.scratch.path()))
    }

    /// What the captures along the whole path say together of the same session.
    pub fn along(&self) -> Said {
        let named = CAPTURES.map(|(_, _, name)| format!("{name}={}", text_of(&self.file(name))));
        let arguments: Vec<&str> =
            named.iter().flat_map(|capture| ["--vantage", capture.as_str()]).collect();
        analyze_with(&arguments, self.scratch.path())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join(format!("{name}.pcap"))
    }

    fn capture(&self, role: &str, interface: &str, name: &str) -> Process {
        let file = self.file(name);
        let log = file.with_extension("log");
        let mut command = command_in(Some(&self.name(role)), Path::new("tcpdump"));
        // Without a buffer, so that ending it loses no packet.
        command.args([
            "-i",
            interface,
            "-Z",
            "root",
            "-U",
            "--immediate-mode",
            "-w",
            &text_of(&file),
        ]);
        let mut process = Process::start(&mut command, &log);
        let ready =
            wait_until(Duration::from_secs(10), || process.output().contains("listening on"));
        assert!(ready && process.runs(), "tcpdump: {}", process.output());
        process
    }

    /// A refused connection to another port: both captures were running then, and it shows.
    fn knock(&self) {
        let written = |name| std::fs::metadata(self.file(name)).map_or(0, |file| file.len());
        let before = CAPTURES.map(|(_, _, name)| written(name));
        let line = format!("exec 3<>/dev/tcp/{SERVER}/9");
        let arguments = ["netns", "exec", &self.name("c"), "bash", "-c", &line];
        assert!(!run("ip", &arguments), "something listens on port 9");
        let grown =
            || CAPTURES.iter().zip(before).all(|((_, _, name), before)| written(name) > before);
        assert!(wait_until(Duration::from_secs(5), grown), "a capture does not see the knock");
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        for role in ["c", "m", "s"] {
            let _ = run("ip", &["netns", "del", &self.name(role)]);
        }
    }
}

/// Runs a program to its end; whether it succeeded.
fn run(program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}
