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
    let hook = draw.of_half(&["forward priority filter"], &["prerouting priority mangle"]);
    plan.note("hook", hook);
    plan.fault = vec![Step::Nft(
        Leg::Server.router(),
        format!(
            "chain f {{ type filter hook {hook}\n tcp dport {{port}} reject with tcp reset\n }}"
        ),
    )];
    refused(&mut plan, Leg::Server.network(), NETWORK);
    plan
}
