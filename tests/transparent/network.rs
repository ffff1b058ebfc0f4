//! Client, relay and server as three network namespaces in a row. Each namespace lives as long as a process of the
//! test's that holds it, so nothing of it has a name and nothing is left.

use crate::support::process::{Process, command};
use crate::support::{need, scratch, skip, text_of, wait_until};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// A host of the network.
#[derive(Clone, Copy, Debug)]
pub enum Host {
    /// 10.77.1.2 and fd77:1::2, behind interface `c`.
    Client,
    /// Between the two, with a foot in either network: interfaces `pc` and `ps`.
    Relay,
    /// 10.77.2.2, 10.77.2.3 and fd77:2::2, fd77:2::3, behind interface `s`.
    Server,
}

/// The namespaces. A router without a firewall, where packets pass if nobody diverts them.
pub struct Network {
    hosts: [Process; 3],
    /// Files of the test.
    pub folder: tempfile::TempDir,
}

/// Takes the process numbers of client, relay and server.
const SET_UP: &str = "
set -e
ip link add c netns $1 type veth peer name pc netns $2
ip link add ps netns $2 type veth peer name s netns $3
on() { host=$1; shift; nsenter --net=/proc/$host/ns/net \"$@\"; }
address() { on $1 ip address add $3 dev $2 $4; on $1 ip link set $2 up; }
for host in $1 $2 $3; do on $host ip link set lo up; done
address $1 c 10.77.1.2/24; address $1 c fd77:1::2/64 nodad
address $2 pc 10.77.1.1/24; address $2 pc fd77:1::1/64 nodad
address $2 ps 10.77.2.1/24; address $2 ps fd77:2::1/64 nodad
address $3 s 10.77.2.2/24; address $3 s fd77:2::2/64 nodad
address $3 s 10.77.2.3/24; address $3 s fd77:2::3/64 nodad
on $1 ip route add default via 10.77.1.1; on $1 ip -6 route add default via fd77:1::1
on $3 ip route add default via 10.77.2.1; on $3 ip -6 route add default via fd77:2::1
on $2 sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
";

impl Network {
    /// Makes the network; `None` after a skip.
    pub fn start() -> Option<Network> {
        if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
            skip("network namespaces need root");
            return None;
        }
        for program in ["ip", "nft", "nsenter", "socat", "python3"] {
            need(program)?;
        }
        let unshare = need("unshare")?;
        let folder = scratch();
        let hold = |name: &str| {
            let mut holder = command(&unshare);
            holder.args(["--net", "sleep", "infinity"]);
            Process::start(&mut holder, &folder.path().join(name))
        };
        let mut hosts = ["client", "relay", "server"].map(hold);
        let own = std::fs::read_link("/proc/self/ns/net").unwrap();
        for host in &mut hosts {
            let link = format!("/proc/{}/ns/net", host.child().id());
            let moved = || std::fs::read_link(&link).is_ok_and(|theirs| theirs != own);
            if !wait_until(Duration::from_secs(20), moved) {
                skip(&format!("no network namespace: {}", host.output()));
                return None;
            }
        }
        let numbers = hosts.each_mut().map(|host| host.child().id().to_string());
        let done = Command::new("sh").args(["-c", SET_UP, "sh"]).args(numbers).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        Some(Network { hosts, folder })
    }

    /// A command on a host.
    pub fn on(&mut self, host: Host, program: &str) -> Command {
        let mut entered = command(&PathBuf::from("nsenter"));
        let holder = self.hosts[host as usize].child().id();
        entered.arg(format!("--net=/proc/{holder}/ns/net")).arg(program);
        entered.env("XDG_CONFIG_HOME", self.folder.path().join("config"));
        entered
    }

    /// Runs a script on a host to its end.
    pub fn run(&mut self, host: Host, script: &str) -> Output {
        self.on(host, "sh").args(["-c", script]).stdin(Stdio::null()).output().unwrap()
    }

    /// Its output, where it succeeds.
    pub fn told(&mut self, host: Host, script: &str) -> String {
        let output = self.run(host, script);
        assert!(output.status.success(), "{script}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A server on this port of every address that hands its connections to lines of shell. What these print on
    /// standard error is the output of the process.
    pub fn serve(&mut self, port: u16, lines: &str) -> Process {
        let script = self.file(&format!("serve-{port}.sh"), lines);
        let log = self.folder.path().join(format!("serve-{port}.log"));
        let mut server = self.on(Host::Server, "socat");
        server.arg(format!("TCP6-LISTEN:{port},fork,reuseaddr,ipv6only=0"));
        server.arg(format!("EXEC:sh {}", text_of(&script)));
        let process = Process::start(&mut server, &log);
        self.await_listener(Host::Server, port);
        process
    }

    /// Waits until a host listens on this port.
    pub fn await_listener(&mut self, host: Host, port: u16) {
        let listens = format!("ss -Hltn sport = :{port} | grep -q .");
        let came =
            wait_until(Duration::from_secs(20), || self.run(host, &listens).status.success());
        assert!(came, "nobody listens on port {port} of {host:?}");
    }

    /// A file of the test's.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// What a file holds by now.
pub fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
