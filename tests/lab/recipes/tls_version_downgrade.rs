//! A device in the path ends TLS and knows no newer version than 1.2, although both ends do. The session comes up.

use crate::boxes::{came_up, freerdp, relay, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, ESTABLISHED, Expected, Leg, Plan, Recipe, Server, everywhere};
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "tls-version-downgrade",
    row: "tls-version-downgrade",
    decoys: &["tls13-sentinel-honest"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(xrdp(draw));
    plan.callers = vec![Caller::of(freerdp(draw), &plan.server)];
    plan.callers[0].lasts = Duration::from_secs(8);
    let leg = Leg::drawn(draw);
    let certificate =
        draw.of_half(&["foreign", "clone"], &["foreign --legs client", "clone --legs client"]);
    plan.note("box", format!("{certificate}, {leg:?} leg"));
    let arguments = format!("--highest 1.2 --certificate {certificate}");
    plan.fault = relay(&plan, leg, "terminate.py", &arguments);
    plan.label(&everywhere(), ESTABLISHED);
    let finds = &["tls-version-downgrade", "clienthello-rewritten"];
    // It shows a certificate of its own, too.
    let also: &[&str] = &[
        "tls-version-downgrade",
        "clienthello-rewritten",
        "tls-cert-substituted",
        "tls-cert-cloned",
    ];
    plan.label(&[leg.pair()], Expected { also, ..came_up(finds) });
    plan
}
