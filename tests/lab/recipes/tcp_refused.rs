//! Nobody listens on the server's port: its kernel answers with a RST.

use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, NETWORK, Plan, RELAY, Recipe, Server, Vantage, Why};

pub const RECIPE: Recipe = Recipe {
    name: "tcp-refused-rst",
    row: "tcp-refused-rst",
    decoys: &["tcp-refused-by-router", "icmp-reject", "syn-proxy-fake-open"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.faulty_server = Some(Server::Nobody);
    refused(&mut plan, &["server"], &["server"]);
    plan
}

/// The labels of a refused connection: whom the relay and the captures name.
pub fn refused(plan: &mut Plan, party: &'static [&'static str], alone: &'static [&'static str]) {
    let [near, far] = Leg::Server.ends();
    let seen = Expected {
        what: &["tcp-refused-rst"],
        why: Why::Perhaps("tcp-refused-rst"),
        from: &["server"],
        ..FAILED
    };
    // The relay may have heard the client's request meanwhile.
    plan.hint(&RELAY, Expected { reached: &["tcp", "x224_request"], party, ..seen.clone() });
    let capture = Expected { reached: &["none"], party: alone, ..seen };
    plan.hint(&[Vantage::At(near)], capture.clone());
    if alone != NETWORK {
        plan.label(&[Vantage::At(far)], capture.clone());
    }
    plan.label(&[Leg::Server.pair()], Expected { party, ..capture });
}
