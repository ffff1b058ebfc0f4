//! A client that knows standard RDP security only meets a server that insists on TLS.

use crate::boxes::{freerdp, with};
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Plan, Recipe, Server, Why, everywhere};
use crate::support::xrdp::{Options, SOUND};

pub const RECIPE: Recipe = Recipe {
    name: "ssl-required",
    row: "ssl-required",
    decoys: &["x224-protocols-cleared", "x224-negreq-removed"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(Options { security_layer: "tls", ..SOUND });
    let caller = Caller::of(freerdp(draw), &plan.server);
    plan.callers = vec![with(&caller, &["/sec:rdp"])];
    plan.sound_caller = Some(caller);
    plan.label(
        &everywhere(),
        Expected {
            reached: &["x224_confirm"],
            what: &["ssl-required"],
            why: Why::Is("ssl-required"),
            party: &["server", "client"],
            ..FAILED
        },
    );
    plan
}
