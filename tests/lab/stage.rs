//! One run of a plan: machines, server, fault, relay, captures, clients, and what is left of it.

use crate::capture::Captures;
use crate::degrade::Damage;
use crate::programs;
use crate::recipe::{Caller, Plan, Program, RELAY_PORT, Ready, Server, Step};
use crate::relay::Relay;
use crate::support::clients::{Ended, Running};
use crate::support::place::Place;
use crate::support::process::Process;
use crate::support::shadow::{Release, Shadow};
use crate::support::wait_until;
use crate::support::xrdp::Xrdp;
use crate::topology::{Node, Port, Topology};
use crate::truth;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// What all runs share.
pub struct House {
    /// The X display of every client.
    pub display: String,
    /// A copy of the program that anybody may run.
    pub rdpwhy: PathBuf,
    /// Whether the relay can capture both legs itself (V3).
    pub has_packets: bool,
    /// Whether captures of both ends can be compared (V6).
    pub has_pairs: bool,
}

impl House {
    /// Asks the program what it can do.
    pub fn new(display: &str, rdpwhy: PathBuf) -> Self {
        let helps = |command: &str, flag: &str| {
            let output = Command::new(&rdpwhy).args([command, "--help"]).output().unwrap();
            String::from_utf8_lossy(&output.stdout).contains(flag)
        };
        let has_packets = helps("proxy", "--packets");
        let has_pairs = helps("analyze", "--client-side");
        Self { display: display.to_owned(), rdpwhy, has_packets, has_pairs }
    }
}

/// What an act can reach while the client runs.
pub struct Scene<'a> {
    /// The machines.
    pub network: &'a Topology,
    /// The server.
    pub server: &'a mut Served,
    /// The client.
    pub client: &'a mut Running,
    /// The programs of the fault, in the order of the plan.
    pub programs: &'a mut Vec<Process>,
    /// The run's folder.
    pub folder: &'a Path,
}

impl Scene<'_> {
    /// Sends a signal to the server and its children.
    pub fn signal_server(&mut self, name: &str) {
        if let Some(process) = self.server.process() {
            process.signal(name);
        }
    }

    /// Waits until a machine has sent this many bytes of some connection, for at most 10 s.
    pub fn until_sent(&self, by: Node, bytes: u64) {
        wait_until(Duration::from_secs(10), || {
            let text = self.sockets(by, "established");
            let sent = text.split_whitespace().filter_map(|word| word.strip_prefix("bytes_sent:"));
            sent.filter_map(|number| number.parse::<u64>().ok()).any(|sent| sent >= bytes)
        });
    }

    /// Waits until the client has asked for a connection and has no answer, for at most 10 s.
    pub fn until_connecting(&self) {
        let asks = || !self.sockets(Node::C, "syn-sent").trim().is_empty();
        wait_until(Duration::from_secs(10), asks);
    }

    /// The TCP connections of a machine in some state, as `ss` tells them.
    fn sockets(&self, node: Node, state: &str) -> String {
        let mut command = self.network.command(node, Path::new("ss"));
        let output = command.args(["-Htin", "state", state]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// A running server.
pub enum Served {
    /// xrdp.
    Xrdp(Xrdp),
    /// The shadow server.
    Shadow(Shadow),
    /// Another program.
    Program(Process),
    /// None.
    Nobody,
}

impl Served {
    /// Its process.
    pub fn process(&mut self) -> Option<&mut Process> {
        match self {
            Self::Xrdp(server) => Some(&mut server.process),
            Self::Shadow(server) => Some(&mut server.process),
            Self::Program(process) => Some(process),
            Self::Nobody => None,
        }
    }

    fn log(&self) -> String {
        match self {
            Self::Xrdp(server) => server.log(),
            Self::Shadow(server) => server.log(),
            Self::Program(process) => process.output(),
            Self::Nobody => String::new(),
        }
    }
}

/// What is left of a run.
pub struct Played {
    /// What the relay printed: the objects that hold in the end.
    pub relay: Vec<Value>,
    /// Whether the relay captured its legs itself.
    pub packets: bool,
    /// The captures.
    pub captures: BTreeMap<Port, PathBuf>,
    /// How the clients ended.
    pub clients: Vec<Ended>,
    /// The server's log, for people.
    pub server_log: String,
}

impl Played {
    /// The same with damaged captures, which stand beside the others.
    pub fn damaged(&self, damage: Damage, seed: u64) -> Self {
        let mut captures = BTreeMap::new();
        for (number, (port, file)) in (0..).zip(&self.captures) {
            let copy = file.with_extension(format!("{damage:?}.pcap").to_lowercase());
            // No two captures lose the same packets.
            damage.copy(file, &copy, seed.wrapping_add(number));
            captures.insert(*port, copy);
        }
        let (relay, clients, server_log) = (Vec::new(), Vec::new(), String::new());
        Self { captures, relay, packets: false, clients, server_log }
    }
}

/// Runs a plan in `folder`, with captures at every interface; `packets` makes the relay capture too. `None`
/// where a peer is missing.
pub fn play(house: &House, plan: &mut Plan, packets: bool, folder: &Path) -> Option<Played> {
    let network = Topology::create();
    let mut programs = Vec::new();
    let parts = plan.parts();
    let setting = std::mem::take(&mut plan.setting);
    take(&network, plan, &setting, folder, &mut programs, &mut Served::Nobody)?;
    let mut server = serve(&network, plan, folder)?;
    let fault = std::mem::take(&mut plan.fault);
    let of_setting = programs.len();
    take(&network, plan, &fault, folder, &mut programs, &mut server)?;
    let relay = Relay::start(house, &network, plan, packets, folder);
    let captures = Captures::start(&network, folder);
    let start = |caller: &Caller| {
        let place = Place {
            namespace: Some(network.namespace(Node::C)),
            address: SocketAddr::new(Port::Pc.address(plan.ip), RELAY_PORT),
            called: caller.called.clone(),
        };
        let arguments: Vec<&str> = caller.arguments.iter().map(String::as_str).collect();
        caller.client.start(&place, &arguments, &house.display, caller.answer)
    };
    let mut clients = Vec::new();
    let mut act = plan.act.take();
    for caller in &plan.callers {
        let beside = if clients.is_empty() { &plan.beside[..] } else { &[] };
        let mut earlier = Vec::new();
        for caller in beside {
            earlier.push(start(caller)?);
            std::thread::sleep(Duration::from_millis(2300));
        }
        let mut client = start(caller)?;
        if let Some(act) = act.take() {
            let (server, client, programs) = (&mut server, &mut client, &mut programs);
            act(&mut Scene { network: &network, server, client, programs, folder });
        }
        clients.push(client.finish(caller.lasts));
        clients.extend(earlier.into_iter().map(|client| client.finish(caller.lasts)));
    }
    // What is still on its way, to its end or from the kernel's buffer to dumpcap.
    std::thread::sleep(plan.settles);
    let until = SystemTime::now();
    let captures = captures.stop();
    let relay = relay.finish();
    assert_happened(&fault, &programs[of_setting..]);
    truth::check(&captures, until, parts);
    Some(Played { relay, packets, captures, clients, server_log: server.log() })
}

/// A fault that did not happen would have a wrong label.
fn assert_happened(fault: &[Step], programs: &[Process]) {
    let of_fault = fault.iter().filter_map(|step| match step {
        Step::Program(_, program) => Some(program),
        _ => None,
    });
    for (program, process) in of_fault.zip(programs) {
        let output = process.output();
        let acted = program.ready != Ready::Acts || output.contains("\"acted\"");
        assert!(acted, "{} {:?} did nothing: {output}", program.program, program.arguments);
    }
}

/// Takes steps; programs stay in `running`.
fn take(
    network: &Topology,
    plan: &Plan,
    steps: &[Step],
    folder: &Path,
    running: &mut Vec<Process>,
    server: &mut Served,
) -> Option<()> {
    for step in steps {
        match step {
            Step::Sh(node, line) => network.sh(*node, &fill(line, plan, folder)),
            Step::Nft(node, chains) => {
                let file = folder.join(format!("{node:?}.nft"));
                let text = format!("table inet lab {{\n{}\n}}\n", fill(chains, plan, folder));
                std::fs::write(&file, text).unwrap();
                network.sh(*node, &format!("nft -f {}", file.display()));
            }
            Step::Program(node, program) => {
                running.push(run(network, *node, plan, program, folder)?);
            }
            Step::SignalServer(name) => {
                if let Some(process) = server.process() {
                    process.signal(name);
                }
            }
        }
    }
    Some(())
}

/// Starts the server of the plan.
fn serve(network: &Topology, plan: &Plan, folder: &Path) -> Option<Served> {
    let port = plan.behind.unwrap_or(plan.port);
    let place = Place {
        namespace: Some(network.namespace(Node::S)),
        address: SocketAddr::new(Port::S.address(plan.ip), port),
        called: None,
    };
    Some(match plan.faulty_server.as_ref().unwrap_or(&plan.server) {
        Server::Xrdp(options) => Served::Xrdp(Xrdp::start_at(*options, &place)?),
        Server::Shadow(release) => Served::Shadow(Shadow::start_at(*release, &place)?),
        Server::Keyless(lost) => {
            let shadow = Shadow::start_at(Release::Two, &place)?;
            shadow.lose_key(*lost);
            Served::Shadow(shadow)
        }
        Server::Program(program) => Served::Program(run(network, Node::S, plan, program, folder)?),
        Server::Nobody => Served::Nobody,
    })
}

/// Starts one of the programs and waits until it is ready.
fn run(
    network: &Topology,
    node: Node,
    plan: &Plan,
    program: &Program,
    folder: &Path,
) -> Option<Process> {
    for (name, text) in &program.files {
        std::fs::write(folder.join(name), fill(text, plan, folder)).unwrap();
    }
    let arguments: Vec<String> =
        program.arguments.iter().map(|word| fill(word, plan, folder)).collect();
    let namespace = network.namespace(node);
    programs::start(&namespace, program.program, &arguments, program.ready, folder)
}

/// Fills in what is written in braces.
fn fill(text: &str, plan: &Plan, folder: &Path) -> String {
    let server = SocketAddr::new(Port::S.address(plan.ip), plan.port);
    let values = [
        ("{folder}", folder.display().to_string()),
        ("{server}", server.to_string()),
        ("{backend}", SocketAddr::new(server.ip(), plan.behind.unwrap_or(plan.port)).to_string()),
        ("{server_ip}", server.ip().to_string()),
        ("{port}", plan.port.to_string()),
        ("{behind}", plan.behind.unwrap_or(plan.port).to_string()),
        ("{client_ip}", Port::C.address(plan.ip).to_string()),
        ("{listen_ip}", Port::Pc.address(plan.ip).to_string()),
        ("{relay_ip}", Port::Ps.address(plan.ip).to_string()),
    ];
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}
