//! A client shows its user the certificate, and he says no: for good.

use super::rehearsal::declined;
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Leg, Plan, RELAY, Recipe, Vantage, Why};

pub const RECIPE: Recipe = Recipe {
    name: "client-declines",
    row: "client-rejects-cert",
    decoys: &["client-rehearsal-close", "rst-genuine-client"],
    smoke: false,
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
        from: &["client"],
        what: &["clean-close-no-reason", "rst-genuine-client", "client-rehearsal-close"],
        why: Why::Perhaps("client-rejects-cert"),
        party: &["client"],
        ..FAILED
    };
    let [near, far] = Leg::Server.ends().map(Vantage::At);
    let client_side = Leg::Client.ends().map(Vantage::At);
    plan.label(&[&RELAY[..], &client_side].concat(), seen.clone());
    // On the other leg the server's answer to the close_notify can overtake the FIN behind it.
    plan.label(&[near, far], Expected { from: &[], party: &[], ..seen });
    plan
}
