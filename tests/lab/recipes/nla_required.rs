//! A client without NLA meets a server that insists on it.

use crate::boxes::{freerdp, with, xrdp};
use crate::draw::{Draw, Half};
use crate::recipe::{Caller, Expected, FAILED, Plan, Recipe, Server, Why, everywhere};
use crate::support::shadow::Release;

pub const RECIPE: Recipe = Recipe {
    name: "nla-required",
    row: "nla-required",
    decoys: &["x224-protocols-cleared", "neg-failure-forged"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(xrdp(draw));
    let release = if draw.half() == Half::Training { Release::Two } else { Release::Three };
    plan.faulty_server = Some(Server::Shadow(release));
    let caller = Caller::of(freerdp(draw), &plan.server);
    plan.callers = vec![with(&caller, &["/sec:tls"])];
    plan.note("client", format!("{:?} /sec:tls, {release:?}", caller.client));
    plan.label(
        &everywhere(),
        Expected {
            reached: &["x224_confirm"],
            what: &["nla-required"],
            why: Why::Is("nla-required"),
            party: &["server", "client"],
            ..FAILED
        },
    );
    plan
}
