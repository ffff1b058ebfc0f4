//! A router answers the SYN with a RST in the server's name: on the relay's side it looks as if
//! nobody listened.

use super::tcp_refused::refused;
use crate::draw::Draw;
use crate::recipe::{Leg, NETWORK, Plan, Recipe, Step};

pub const RECIPE: Recipe = Recipe {
    name: "tcp-refused-by-router",
    row: "tcp-refused-rst",
    decoys: &["tcp-refused-rst"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    // A firewall's rule; or the router leads the connection to a port of its own where nobody listens.
    let (hook, then) = draw.of_half(
        &[
            ("filter hook forward priority filter", "reject with tcp reset"),
            ("filter hook prerouting priority mangle", "reject with tcp reset"),
        ],
        &[("nat hook prerouting priority dstnat", "redirect to :9")],
    );
    plan.note("hook", format!("{hook}, {then}"));
    plan.fault = vec![Step::Nft(
        Leg::Server.router(),
        format!("chain f {{ type {hook}\n tcp dport {{port}} {then}\n }}"),
    )];
    refused(&mut plan, Leg::Server.network(), NETWORK);
    plan
}
