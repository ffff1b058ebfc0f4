//! A device in the path clears the flags of the server's X.224 confirm, as a well-known one for recording
//! sessions does. The session comes up.

use crate::boxes::{came_up, relay};
use crate::draw::Draw;
use crate::recipe::{Caller, ESTABLISHED, Leg, Plan, Recipe, Server, everywhere};
use crate::support::certs::Kind;
use crate::support::xrdp::{Options, SOUND};

pub const RECIPE: Recipe = Recipe {
    name: "neg-flags-shape",
    row: "neg-flags-shape",
    decoys: &["clean-session"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    // FreeRDP 3 does not get through NLA with fewer flags than its server meant.
    let certificate = draw.of_half(&[Kind::Good, Kind::Ec], &[Kind::Ec384]);
    plan.server = Server::Xrdp(Options { certificate, ..SOUND });
    plan.callers = vec![Caller::for_server(draw, &plan.server)];
    let leg = Leg::drawn(draw);
    // xrdp sends 1, EXTENDED_CLIENT_DATA_SUPPORTED alone.
    let flags = draw.of_half(&["flags=0", "flags=8"], &["flags=31"]);
    plan.note("box", format!("{flags}, {leg:?} leg"));
    plan.fault = relay(&plan, leg, "x224.py", flags);
    plan.label(&everywhere(), ESTABLISHED);
    plan.label(&[leg.pair()], came_up(&["neg-flags-shape"]));
    plan
}
