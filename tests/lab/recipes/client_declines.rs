//! A client shows its user the certificate, and he says no: for good.

use super::rehearsal::declined;
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Plan, Recipe, Why, everywhere};

pub const RECIPE: Recipe = Recipe {
    name: "client-declines",
    row: "client-rejects-cert",
    decoys: &["client-rehearsal-close", "rst-genuine-client"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let (server, first) = declined(draw);
    plan.note("client", format!("{:?}, {server:?}", first.client));
    // The clean twin trusts it.
    plan.sound_caller = Some(Caller::of(first.client, &server));
    plan.callers = vec![first];
    plan.server = server;
    let seen = Expected {
        reached: &["tls_finished", "tls_encrypted"],
        // The server's answer to the close_notify can overtake the FIN behind it.
        from: &["client", "server"],
        what: &["clean-close-no-reason", "rst-genuine-client", "client-rehearsal-close"],
        why: Why::Perhaps("client-rejects-cert"),
        party: &["client"],
        ..FAILED
    };
    plan.label(&everywhere(), seen);
    plan
}
