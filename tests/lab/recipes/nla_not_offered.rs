//! A client that insists on NLA meets a server that has TLS only.

use crate::boxes::{freerdp, with, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Plan, Recipe, Server, Why, everywhere};
use crate::support::xrdp::Options;

pub const RECIPE: Recipe = Recipe {
    name: "nla-not-offered",
    row: "nla-not-offered",
    decoys: &["x224-protocols-cleared", "user-cancel"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let layer = draw.of_half(&["tls"], &["negotiate"]);
    plan.server = Server::Xrdp(Options { security_layer: layer, ..xrdp(draw) });
    let caller = Caller::of(freerdp(draw), &plan.server);
    plan.callers = vec![with(&caller, &["/sec:nla"])];
    plan.sound_caller = Some(caller);
    plan.note("security_layer", layer);
    plan.label(
        &everywhere(),
        Expected {
            reached: &["x224_confirm"],
            from: &["client"],
            what: &["nla-not-offered", "clean-close-no-reason", "ssl-required"],
            why: Why::Perhaps("nla-not-offered"),
            party: &["client", "server"],
            ..FAILED
        },
    );
    plan
}
