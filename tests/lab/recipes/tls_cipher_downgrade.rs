//! A device in the path ends TLS and takes one old cipher suite only. The session comes up with it.

use crate::boxes::{came_up, freerdp, relay};
use crate::draw::Draw;
use crate::recipe::{Caller, ESTABLISHED, Expected, Leg, Plan, Recipe, Server, everywhere};
use crate::support::xrdp::{Options, SOUND};

pub const RECIPE: Recipe = Recipe {
    name: "tls-cipher-downgrade",
    row: "tls-cipher-downgrade",
    decoys: &["clean-session"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(Options { ssl_protocols: "TLSv1.2", ..SOUND });
    plan.callers = vec![Caller::of(freerdp(draw), &plan.server)];
    let leg = Leg::drawn(draw);
    let cipher = draw.of_half(&["AES128-SHA", "AES256-SHA", "AES128-SHA256"], &["AES256-SHA256"]);
    plan.note("box", format!("{cipher}, {leg:?} leg"));
    let arguments = format!("--highest 1.2 --ciphers {cipher}");
    plan.fault = relay(&plan, leg, "terminate.py", &arguments);
    plan.label(&everywhere(), ESTABLISHED);
    // A box that ends TLS to weaken it makes a hello and shows a certificate of its own.
    let finds = &["tls-cipher-downgrade", "clienthello-rewritten", "tls-cert-substituted"];
    plan.label(&[leg.pair()], Expected { also: finds, ..came_up(finds) });
    plan
}
