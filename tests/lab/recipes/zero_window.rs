//! The client's process stops while the server draws: its window closes and stays closed.

use crate::draw::Draw;
use crate::recipe::{
    Caller, ESTABLISHED, Expected, Leg, Plan, RELAY, Recipe, Server, Step, Vantage,
};
use crate::support::certs::Kind;
use crate::support::clients::Client;
use crate::support::xrdp::{Options, SOUND};
use crate::topology::Node;
use std::path::Path;
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "zero-window-stall",
    row: "zero-window-stall",
    decoys: &["server-stall"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    // FreeRDP 3 draws nothing through so small a window.
    let client = draw.of_half(&[Client::Xfreerdp], &[Client::Rdesktop]);
    let certificate = draw.of_half(&[Kind::Good, Kind::Ec], &[Kind::Ec384]);
    plan.server = Server::Xrdp(Options { certificate, ..SOUND });
    plan.callers = vec![Caller::of(client, &plan.server)];
    plan.callers[0].lasts = Duration::from_secs(11);
    // A window so small that one screen fills it.
    let window = draw.of_half(&[6000], &[4500]);
    let line = format!("sysctl -qw net.ipv4.tcp_rmem='4096 {window} {window}'");
    plan.setting.push(Step::Sh(Node::C, line));
    // On a longer way the screen comes in pieces, and the client is stopped between two of them.
    super::wan::through(&mut plan, Leg::Client, "delay=50");
    let sent = draw.range_of_half([5000, 14_000], [8000, 14_000]);
    plan.note("stopped after bytes sent", sent);
    plan.act = Some(Box::new(move |scene| {
        scene.until_sent(Node::S, sent);
        scene.client.process.signal("STOP");
        std::thread::sleep(Duration::from_millis(8500));
        // A client that was stopped before it had anything to draw has its window open.
        let probes = scene.network.command(Node::P, Path::new("ss")).args(["-Htno"]).output();
        let probes = String::from_utf8_lossy(&probes.unwrap().stdout).into_owned();
        assert!(probes.contains("timer:(persist"), "the window did not close: {probes}");
        scene.client.process.signal("CONT");
    }));
    let found = Expected {
        outcome: &["established", "failed"],
        finds: &["zero-window-stall"],
        party: &["client"],
        ..ESTABLISHED
    };
    let ends = Leg::Client.ends().map(Vantage::At);
    plan.label(&[&RELAY[..], &ends].concat(), found);
    plan
}
