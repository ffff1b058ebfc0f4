//! A server has lost its private key since it was started, and finds out when a client has come.

use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Plan, Recipe, Server, Why, everywhere};
use crate::support::clients::Client;
use crate::support::shadow::LostKey;

pub const RECIPE: Recipe = Recipe {
    name: "cert-key-inaccessible",
    row: "cert-key-inaccessible",
    decoys: &["rst-injected-toclient", "fin-injected", "rst-inpath-reject"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let lost = draw.of_half(&[LostKey::Gone, LostKey::Empty], &[LostKey::Foreign]);
    plan.note("key", format!("{lost:?}"));
    plan.faulty_server = Some(Server::Keyless(lost));
    let client = draw.of_half(&[Client::Xfreerdp], &[Client::Xfreerdp3]);
    plan.callers = vec![Caller::of(client, &plan.server)];
    plan.label(
        &everywhere(),
        Expected {
            // It closes before the hello is there, which is on its way by then, or not.
            reached: &["x224_confirm", "tls_client_hello"],
            from: &["server"],
            what: &["rst-genuine-server", "clean-close-no-reason"],
            why: Why::Perhaps("cert-key-inaccessible"),
            party: &["server"],
            ..FAILED
        },
    );
    plan
}
