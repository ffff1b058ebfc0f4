//! What a recipe is.
//!
//! **To add one**: a file in `recipes/` with a `RECIPE` and its `plan`, a line in [`crate::recipes::RECIPES`], and
//! where a family is new its row in `held_out.md`. A plan says what runs where, what the fault is, and what is right to
//! say at each vantage. The label is written down from what the recipe does, never from what the program says: where
//! the wire at a vantage does not decide between two causes, the right answer there is to abstain ([`Why::Open`]).
//!
//! The clean twin of a recipe is the same plan without its fault: everything in [`Plan::fault`],
//! [`Plan::act`], [`Plan::fault_flags`] and [`Plan::faulty_server`] is left out, and the session has to come up. A decoy
//! twin is another recipe that shows the same symptom for another cause.

use crate::draw::Draw;
pub use crate::peers::{Caller, SESSION, Server};
use crate::stage::Scene;
use crate::topology::{Ip, Node, Port};
use crate::truth::Part;
use std::time::Duration;

/// One recipe.
pub struct Recipe {
    /// Its name, that of its file with dashes.
    pub name: &'static str,
    /// The row of the catalogue it makes; `none` for sessions without a fault.
    pub row: &'static str,
    /// Recipes with the same symptom and another cause.
    pub decoys: &'static [&'static str],
    /// Whether it belongs to the subset that runs with every test run.
    pub smoke: bool,
    /// Draws the parameters of one run.
    pub plan: fn(&mut Draw) -> Plan,
}

/// One run, with all its parameters drawn.
pub struct Plan {
    /// Version of the Internet Protocol.
    pub ip: Ip,
    /// The port of the server that the relay is told.
    pub port: u16,
    /// Where the server itself listens, if something else listens on `port`.
    pub behind: Option<u16>,
    /// The server.
    pub server: Server,
    /// The server instead of it when the fault is the server itself.
    pub faulty_server: Option<Server>,
    /// The clients, one after the other.
    pub callers: Vec<Caller>,
    /// Clients that were started before the first one and run beside it.
    pub beside: Vec<Caller>,
    /// The client of the clean twin when the fault is the client itself.
    pub sound_caller: Option<Caller>,
    /// What stands in front of the server in the clean twin, where the fault stands there otherwise.
    pub sound_front: Option<Step>,
    /// What is there with and without the fault, made before anything is started.
    pub setting: Vec<Step>,
    /// The fault, made before the first client is started.
    pub fault: Vec<Step>,
    /// What happens while the first client runs.
    pub act: Option<Act>,
    /// How long what is on its way takes when the last client is gone.
    pub settles: Duration,
    /// Whether the fault at most holds packets up that pass a router, and neither takes nor changes nor makes any.
    pub leaves_packets: bool,
    /// Flags for the relay with which it makes the fault.
    pub fault_flags: Vec<String>,
    /// What is right to say.
    pub labels: Vec<Label>,
    /// The drawn parameters as they are to stand in the label file.
    pub notes: Vec<(&'static str, String)>,
}

/// Something done while the client runs.
pub type Act = Box<dyn FnOnce(&mut Scene) + Send>;

/// A program of its own that makes a fault or stands in for a server. In its arguments and files `{folder}`, `{server}`
/// (address and port the relay is told), `{backend}` (those of the server itself), `{server_ip}`, `{port}`, `{behind}`,
/// `{client_ip}`, `{listen_ip}` and `{relay_ip}` (the relay's addresses towards client and server) are filled in.
#[derive(Clone, Debug)]
pub struct Program {
    /// A program of the system, or `NAME.c` or `NAME.py` of `tests/lab/programs`.
    pub program: &'static str,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Files it is to find in its folder.
    pub files: Vec<(&'static str, String)>,
    /// When it has started.
    pub ready: Ready,
}

/// When a program has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// When it listens on this TCP port.
    Listens(u16),
    /// When it has printed this.
    Says(&'static str),
    /// When it has printed `ready`; as a fault it later prints a line with `"acted"`, or the run does
    /// not count.
    Acts,
}

/// One step of a fault.
#[derive(Clone, Debug)]
pub enum Step {
    /// A shell line on a machine.
    Sh(Node, String),
    /// Chains of nftables on a machine, in a table `inet lab`.
    Nft(Node, String),
    /// A program that runs until the end.
    Program(Node, Program),
    /// A signal to the server and its children.
    SignalServer(&'static str),
}

impl Step {
    /// The machine where it is taken.
    fn node(&self) -> Option<Node> {
        match self {
            Self::Sh(node, _) | Self::Nft(node, _) | Self::Program(node, _) => Some(*node),
            Self::SignalServer(_) => None,
        }
    }
}

/// What is right to say at some vantages. A vantage that no label names is not looked at.
#[derive(Clone, Debug)]
pub struct Label {
    /// Where.
    pub vantages: Vec<Vantage>,
    /// Of which connection.
    pub which: Which,
    /// What.
    pub expected: Expected,
    /// Whether the catalogue says that these vantages establish the row. Where they only suggest it, a
    /// wrong name said with "possible" is no more than the suggestion it claims to be.
    pub best: bool,
}

/// Which connections of a run a label is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Every one: clients come again by themselves.
    Every,
    /// The one with this number in order of time, from 0.
    Nth(usize),
}

/// From where the program looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Vantage {
    /// V2: the relay itself.
    Relay,
    /// V3: the relay that captures both its legs.
    RelayPackets,
    /// V1: one capture.
    At(Port),
    /// V6: two captures, client's side and server's side.
    Pair(Port, Port),
}

/// A right answer. An empty list leaves the point open.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// What became of the connection.
    pub outcome: &'static [&'static str],
    /// How far it got.
    pub reached: &'static [&'static str],
    /// Who closed it (`ended.from`).
    pub from: &'static [&'static str],
    /// The phenomenon.
    pub what: &'static [&'static str],
    /// Other rows that hold of the same fault as well: as phenomenon or cause they are right, too.
    pub also: &'static [&'static str],
    /// The cause.
    pub why: Why,
    /// Whom the verdict names. `unknown` is always an abstention and never an error.
    pub party: &'static [&'static str],
    /// Findings that are there to be found.
    pub finds: &'static [&'static str],
    /// Rows of faults that look like this one: to name one, as a mere finding too, is an error.
    pub never: &'static [&'static str],
}

/// What is right to say about the cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Why {
    /// The facts at this vantage do not decide it: to name one is an error, unless it is only the
    /// phenomenon again.
    #[default]
    Open,
    /// They decide it: this one has to be named.
    Is(&'static str),
    /// They suggest it: this one or none.
    Perhaps(&'static str),
}

impl Why {
    /// The row, where one is right.
    pub fn id(self) -> Option<&'static str> {
        match self {
            Self::Open => None,
            Self::Is(id) | Self::Perhaps(id) => Some(id),
        }
    }
}

/// Where the peers of a recipe of the network stand: the leg with the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// Between client and relay.
    Client,
    /// Between relay and server.
    Server,
}

impl Leg {
    /// Its router.
    pub fn router(self) -> Node {
        if self == Self::Client { Node::M1 } else { Node::M2 }
    }

    /// The router's interfaces, towards the client's side and towards the server's side.
    pub fn router_ports(self) -> [Port; 2] {
        if self == Self::Client { [Port::M1c, Port::M1p] } else { [Port::M2p, Port::M2s] }
    }

    /// Its ends: the client's side, the server's side.
    pub fn ends(self) -> [Port; 2] {
        if self == Self::Client { [Port::C, Port::Pc] } else { [Port::Ps, Port::S] }
    }

    /// One of the two.
    pub fn drawn(draw: &mut Draw) -> Self {
        draw.one(&[Self::Client, Self::Server])
    }

    /// The captures of both its ends, as one vantage.
    pub fn pair(self) -> Vantage {
        let [client, server] = self.ends();
        Vantage::Pair(client, server)
    }

    /// The network of it: what the relay calls it, and what two captures do who know of no relay.
    pub fn network(self) -> &'static [&'static str] {
        if self == Self::Client {
            &["client_network", "network"]
        } else {
            &["server_network", "network"]
        }
    }

    /// The TCP port its server's side listens on.
    pub fn port(self, plan: &Plan) -> u16 {
        if self == Self::Client { RELAY_PORT } else { plan.port }
    }
}

/// The relay itself, without and with captures of its own.
pub const RELAY: [Vantage; 2] = [Vantage::Relay, Vantage::RelayPackets];

/// Whom a single capture names that shows a fault of the network.
pub const NETWORK: &[&str] = &["network"];

/// What anybody sees who sees a failure.
pub const FAILED: Expected = Expected {
    outcome: &["failed"],
    reached: &[],
    from: &[],
    what: &[],
    also: &[],
    why: Why::Open,
    party: &[],
    finds: &[],
    never: &[],
};

/// What anybody sees who sees a session come up.
pub const ESTABLISHED: Expected = Expected { outcome: &["established"], ..FAILED };

/// Where the relay listens.
pub const RELAY_PORT: u16 = 13389;

/// Every end of both legs.
pub const ENDS: [Vantage; 4] =
    [Vantage::At(Port::C), Vantage::At(Port::Pc), Vantage::At(Port::Ps), Vantage::At(Port::S)];

/// The relay and every end of both legs.
pub fn everywhere() -> Vec<Vantage> {
    [&ENDS[..], &RELAY].concat()
}

impl Plan {
    /// A sound session of this half: server, client and port drawn, no fault.
    pub fn sound(draw: &mut Draw) -> Self {
        let server = Server::drawn(draw);
        let caller = Caller::for_server(draw, &server);
        let port = draw.one(&[3389, 3390, 33_890, 13_389]);
        let (client_ttl, server_ttl) = (draw.one(&[64, 128, 255]), draw.one(&[64, 128]));
        let ttl = |node, value| {
            Step::Sh(
                node,
                format!(
                    "sysctl -qw net.ipv4.ip_default_ttl={value} net.ipv6.conf.all.hop_limit={value}"
                ),
            )
        };
        Self {
            ip: draw.one(&[Ip::V4, Ip::V4, Ip::V4, Ip::V4, Ip::V6]),
            port,
            behind: None,
            notes: vec![
                ("port", port.to_string()),
                ("ttl", format!("client {client_ttl}, server {server_ttl}")),
            ],
            server,
            faulty_server: None,
            callers: vec![caller],
            beside: Vec::new(),
            sound_caller: None,
            sound_front: None,
            setting: vec![ttl(Node::C, client_ttl), ttl(Node::S, server_ttl)],
            fault: Vec::new(),
            act: None,
            settles: Duration::from_millis(900),
            leaves_packets: false,
            fault_flags: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// What is right at vantages that establish the row, of every connection.
    pub fn label(&mut self, vantages: &[Vantage], expected: Expected) {
        let vantages = vantages.to_vec();
        self.labels.push(Label { vantages, which: Which::Every, expected, best: true });
    }

    /// What is right at vantages that can only suggest the row, of every connection.
    pub fn hint(&mut self, vantages: &[Vantage], expected: Expected) {
        let vantages = vantages.to_vec();
        self.labels.push(Label { vantages, which: Which::Every, expected, best: false });
    }

    /// What is right of the connection with this number.
    pub fn label_nth(&mut self, number: usize, vantages: &[Vantage], expected: Expected) {
        let vantages = vantages.to_vec();
        self.labels.push(Label { vantages, which: Which::Nth(number), expected, best: true });
    }

    /// What is right of the connection with this number, where the vantage can only suggest it.
    pub fn hint_nth(&mut self, number: usize, vantages: &[Vantage], expected: Expected) {
        let vantages = vantages.to_vec();
        self.labels.push(Label { vantages, which: Which::Nth(number), expected, best: false });
    }

    /// Restricts every label to the first connection, where the client comes again and fares otherwise.
    pub fn first_only(&mut self) {
        for label in &mut self.labels {
            label.which = Which::Nth(0);
        }
    }

    /// Notes a drawn parameter.
    pub fn note(&mut self, name: &'static str, value: impl ToString) {
        self.notes.push((name, value.to_string()));
    }

    /// Which part each router has in what happens to packets.
    pub fn parts(&self) -> [(Node, Part); 2] {
        [Node::M1, Node::M2].map(|router| {
            let acts = |steps: &[Step]| steps.iter().any(|step| step.node() == Some(router));
            let part = match (acts(&self.fault), acts(&self.setting)) {
                (true, _) if self.leaves_packets => Part::Perhaps,
                (true, _) => Part::Fault,
                (false, true) => Part::Perhaps,
                (false, false) => Part::None,
            };
            (router, part)
        })
    }

    /// The clean twin: no fault, and a session that comes up.
    pub fn without_fault(mut self) -> Self {
        self.fault = self.sound_front.take().into_iter().collect();
        self.act = None;
        self.faulty_server = None;
        self.fault_flags.clear();
        self.beside.clear();
        self.leaves_packets = true;
        self.labels.clear();
        self.label(&everywhere(), ESTABLISHED);
        if let Some(caller) = self.sound_caller.take() {
            self.callers = vec![caller];
        }
        for caller in &mut self.callers {
            let thinks = caller.answer.map_or(Duration::ZERO, |(thinks, _)| thinks);
            caller.lasts = SESSION + thinks;
        }
        self
    }
}

/// When the server has sent so many bytes, its part of a TLS handshake is among them.
pub const HANDSHAKE: u64 = 500;
