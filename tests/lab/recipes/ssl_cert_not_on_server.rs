//! A server that insists on TLS can not find its private key, says so in a failure, and adds bytes that do
//! not belong there.

use crate::boxes::{freerdp, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Plan, Recipe, Server, Why, everywhere};
use crate::support::xrdp::{Key, Options};

pub const RECIPE: Recipe = Recipe {
    name: "ssl-cert-not-on-server",
    row: "ssl-cert-not-on-server",
    decoys: &["neg-failure-forged"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let sound = Options { security_layer: "tls", ..xrdp(draw) };
    plan.server = Server::Xrdp(sound);
    plan.faulty_server = Some(Server::Xrdp(Options { key: Key::Missing, ..sound }));
    plan.callers = vec![Caller::of(freerdp(draw), &plan.server)];
    plan.label(
        &everywhere(),
        Expected {
            reached: &["x224_confirm"],
            what: &["ssl-cert-not-on-server"],
            why: Why::Is("ssl-cert-not-on-server"),
            party: &["server"],
            ..FAILED
        },
    );
    plan
}
