//! A server that has standard RDP security only says so with a response, not with the failure that the
//! specification wants, to a client that did not offer it.

use crate::boxes::{freerdp, with, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Plan, Recipe, Server, Why, everywhere};
use crate::support::xrdp::Options;

pub const RECIPE: Recipe = Recipe {
    name: "neg-rsp-unrequested",
    row: "neg-rsp-unrequested",
    decoys: &["neg-rsp-rewritten"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(xrdp(draw));
    plan.faulty_server = Some(Server::Xrdp(Options { security_layer: "rdp", ..xrdp(draw) }));
    let caller = Caller::of(freerdp(draw), &plan.server);
    plan.callers = vec![with(&caller, &["/sec:tls"])];
    plan.note("client", format!("{:?} /sec:tls", caller.client));
    plan.label(
        &everywhere(),
        Expected {
            reached: &["x224_confirm"],
            what: &["neg-rsp-unrequested"],
            why: Why::Perhaps("ssl-not-allowed"),
            party: &["server"],
            ..FAILED
        },
    );
    plan
}
