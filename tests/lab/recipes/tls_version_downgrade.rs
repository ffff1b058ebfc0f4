//! A device in the path ends TLS and knows no newer version than 1.2, although both ends do. The session comes up.

use crate::boxes::{came_up, freerdp, relay};
use crate::draw::Draw;
use crate::recipe::{Caller, ESTABLISHED, Leg, Plan, Recipe, Server, everywhere};
use crate::support::xrdp::SOUND;

pub const RECIPE: Recipe = Recipe {
    name: "tls-version-downgrade",
    row: "tls-version-downgrade",
    decoys: &["tls13-sentinel-honest"],
    smoke: false,
    plan,
};

/// The device does more than one thing, and each is true.
pub const FOUND: &[&str] = &[
    "tls-version-downgrade",
    "tls-cipher-downgrade",
    "clienthello-rewritten",
    "tls-cert-substituted",
    "tls-cert-cloned",
];

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(SOUND);
    plan.callers = vec![Caller::of(freerdp(draw), &plan.server)];
    let leg = Leg::drawn(draw);
    let certificate =
        draw.of_half(&["foreign", "clone"], &["foreign --legs client", "clone --legs client"]);
    plan.note("box", format!("{certificate}, {leg:?} leg"));
    let arguments = format!("--highest 1.2 --certificate {certificate}");
    plan.fault = relay(&plan, leg, "terminate.py", &arguments);
    plan.label(&everywhere(), ESTABLISHED);
    plan.label(&[leg.pair()], came_up(FOUND));
    plan
}
