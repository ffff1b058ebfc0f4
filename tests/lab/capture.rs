//! Captures of one run, made by dumpcap at every interface: at the end of its files it says until when it listened, without which the quiet of a far end proves nothing.

use crate::support::process::Process;
use crate::support::{text_of, wait_until};
use crate::topology::{PORTS, Port, Topology};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// Running captures; stopped on drop.
pub struct Captures {
    running: Vec<(Port, Process)>,
    folder: PathBuf,
}

impl Captures {
    /// Starts one at each port and waits until all of them listen.
    pub fn start(network: &Topology, folder: &Path) -> Self {
        let running = PORTS.iter().map(|port| (*port, dumpcap(network, *port, folder))).collect();
        let mut captures = Self { running, folder: folder.to_owned() };
        for (port, process) in &mut captures.running {
            let ready = wait_until(Duration::from_secs(20), || {
                process.output().contains("File: ") || !process.runs()
            });
            assert!(ready && process.runs(), "dumpcap at {port:?}: {}", process.output());
        }
        captures
    }

    /// Ends them; the files by where they were made.
    pub fn stop(mut self) -> BTreeMap<Port, PathBuf> {
        for (_, process) in &mut self.running {
            process.signal("INT");
        }
        let mut files = BTreeMap::new();
        for (port, process) in &mut self.running {
            let ended = process.wait(Duration::from_secs(10));
            assert!(ended.is_some(), "dumpcap at {port:?} does not end: {}", process.output());
            files.insert(*port, file_of(&self.folder, *port));
        }
        files
    }
}

fn file_of(folder: &Path, port: Port) -> PathBuf {
    folder.join(format!("{}.pcapng", port.name()))
}

fn dumpcap(network: &Topology, port: Port, folder: &Path) -> Process {
    let log = folder.join(format!("{}.dumpcap.log", port.name()));
    let mut command = network.command(port.node(), Path::new("dumpcap"));
    command.args(["-i", port.name(), "-q", "-f", "tcp or icmp or icmp6 or udp port 53"]);
    command.args(["-w", &text_of(&file_of(folder, port))]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(std::fs::File::create(&log).unwrap());
    Process::spawn(&mut command, &log)
}
