//! The relay on the machine P, run by an ordinary user.

use crate::recipe::{Plan, RELAY_PORT};
use crate::stage::House;
use crate::support::json;
use crate::support::process::Process;
use crate::support::wait_until;
use crate::topology::{Node, Port, Topology};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// A running `rdpwhy proxy`.
pub struct Relay {
    process: Process,
    results: PathBuf,
}

impl Relay {
    /// Starts it in front of the plan's server and waits until it listens.
    pub fn start(
        house: &House,
        network: &Topology,
        plan: &Plan,
        packets: bool,
        folder: &Path,
    ) -> Self {
        let home = folder.join("relay");
        std::fs::create_dir(&home).unwrap();
        std::os::unix::fs::chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
        let (results, log) = (folder.join("relay.jsonl"), folder.join("relay.log"));
        let listen = SocketAddr::new(Port::Pc.address(plan.ip), RELAY_PORT).to_string();
        let upstream = SocketAddr::new(Port::S.address(plan.ip), plan.port).to_string();
        let mut command = network.command(Node::P, Path::new("setpriv"));
        let user = NOBODY.to_string();
        command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "--no-new-privs"]);
        if packets {
            command.args(["--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw"]);
            command.arg("--bounding-set=-all,+net_raw");
        } else {
            command.args(["--inh-caps=-all", "--bounding-set=-all"]);
        }
        // The kernel forgets this when the user changes, so it is asked again.
        command.args(["--pdeathsig", "KILL"]).arg(&house.rdpwhy);
        command.args(["proxy", "--upstream", &upstream, "--listen", &listen, "--allow-remote"]);
        command.args(["--allow", "10.77.0.0/16", "--allow", "fd77::/16", "--format", "jsonl"]);
        command.args(packets.then_some("--packets")).args(&plan.fault_flags);
        command.env("HOME", &home).env("XDG_CONFIG_HOME", home.join("config")).current_dir(&home);
        command.stdin(Stdio::null()).stdout(std::fs::File::create(&results).unwrap());
        command.stderr(std::fs::File::create(&log).unwrap());
        let mut process = Process::spawn(&mut command, &log);
        let up =
            wait_until(Duration::from_secs(20), || process.listens(RELAY_PORT) || !process.runs());
        assert!(up && process.runs(), "the relay did not start: {}", process.output());
        Self { process, results }
    }

    /// Ends it as Ctrl-C does; the objects that hold in the end.
    pub fn finish(mut self) -> Vec<Value> {
        self.process.signal("INT");
        let ended = self.process.wait(Duration::from_secs(20));
        assert!(ended.is_some(), "the relay ignored SIGINT: {}", self.process.output());
        json::latest(&json::lines(&std::fs::read_to_string(&self.results).unwrap()))
    }
}

/// The user and the group `nobody` of Linux systems.
const NOBODY: u32 = 65_534;
