//! A client that asks for TLS or NLA meets a server that has standard RDP security alone, and says so in a failure.

use super::server_says::{certificate, server};
use crate::boxes::{freerdp, with};
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Plan, Recipe, Why, everywhere};

pub const RECIPE: Recipe = Recipe {
    name: "ssl-not-allowed",
    row: "ssl-not-allowed",
    decoys: &["neg-rsp-unrequested", "neg-failure-forged"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.setting.push(certificate());
    plan.server = server(plan.port, &["plain"]);
    plan.faulty_server = Some(server(plan.port, &["clear"]));
    let caller = Caller::of(freerdp(draw), &plan.server);
    let security = draw.of_half(&["/sec:tls"], &["/sec:nla"]);
    plan.note("client", format!("{:?} {security}", caller.client));
    plan.callers = vec![with(&caller, &[security])];
    plan.sound_caller = Some(caller);
    plan.label(
        &everywhere(),
        Expected {
            reached: &["x224_confirm"],
            what: &["ssl-not-allowed"],
            why: Why::Is("ssl-not-allowed"),
            party: &["server", "client"],
            ..FAILED
        },
    );
    plan
}
