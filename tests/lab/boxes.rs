//! What stands in the path when a fault is a device: the fault programs of `programs/` on the router
//! of a leg, with the rules that lead traffic to them.

use crate::draw::{Draw, Half};
use crate::recipe::{Caller, Expected, Leg, Plan, Program, Ready, Step};
use crate::support::certs::Kind;
use crate::support::clients::Client;
use crate::support::xrdp::{Options, SOUND};

/// Where a box that ends TCP listens on its router.
const BOX_PORT: u16 = 9999;

/// One of the Python programs with its arguments, ready when it says so.
pub fn program(name: &'static str, arguments: &str) -> Program {
    Program {
        program: name,
        arguments: arguments.split_whitespace().map(str::to_owned).collect(),
        files: Vec::new(),
        ready: Ready::Acts,
    }
}

/// A forger that sees one interface of the leg's router, that towards the client's side.
pub fn forger(plan: &Plan, leg: Leg, arguments: &str) -> Step {
    let [interface, _] = leg.router_ports().map(|port| port.name());
    let arguments = format!("{interface} {} {arguments}", leg.port(plan));
    Step::Program(leg.router(), program("inject.py", &arguments))
}

/// Latency on the leg, in milliseconds each way.
pub fn latency(plan: &Plan, leg: Leg, milliseconds: u64) -> Step {
    packets(plan, leg, "delay.py", &format!("--ms {milliseconds}"))
}

/// A box that all packets of the leg pass, TCP staying end to end.
pub fn packets(plan: &Plan, leg: Leg, name: &'static str, arguments: &str) -> Step {
    let [left, right] = leg.router_ports().map(|port| port.name());
    let arguments = format!("{} {left} {right} {arguments}", leg.port(plan));
    Step::Program(leg.router(), program(name, &arguments))
}

/// A box that ends the TCP connections of the leg and makes its own.
pub fn relay(plan: &Plan, leg: Leg, name: &'static str, arguments: &str) -> Vec<Step> {
    vec![
        Step::Program(leg.router(), program(name, &format!("{BOX_PORT} {arguments}"))),
        led(plan, leg, BOX_PORT),
    ]
}

/// What comes to the leg's router for the server is led to a port of the router's own.
pub fn led(plan: &Plan, leg: Leg, to: u16) -> Step {
    let [left, _] = leg.router_ports().map(|port| port.name());
    let port = leg.port(plan);
    let rule = format!("iifname {left} tcp dport {port} redirect to :{to}");
    let chain = "type nat hook prerouting priority dstnat";
    Step::Nft(leg.router(), format!("chain n {{ {chain}\n {rule}\n }}"))
}

/// A FreeRDP of the draw's half.
pub fn freerdp(draw: &mut Draw) -> Client {
    draw.of_half(&[Client::Xfreerdp], &[Client::Xfreerdp3])
}

/// A sound xrdp of the draw's half.
pub fn xrdp(draw: &Draw) -> Options {
    let certificate = if draw.half() == Half::Training { Kind::Good } else { Kind::Ec384 };
    Options { certificate, ..SOUND }
}

/// The same caller with more arguments.
pub fn with(caller: &Caller, more: &[&str]) -> Caller {
    let mut caller = caller.clone();
    caller.arguments.extend(more.iter().map(|word| (*word).to_owned()));
    caller
}

/// What is right at a vantage that shows a session which came up in spite of the fault: one of these is
/// to be found, and may be what the verdict is about.
pub fn came_up(finds: &'static [&'static str]) -> Expected {
    Expected { what: finds, finds, ..crate::recipe::ESTABLISHED }
}
