//! A device beside the path ends the connection in order in the server's name; what the server sends
//! arrives as well, later.

use crate::boxes::{forger, latency};
use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, NETWORK, Plan, RELAY, Recipe, Vantage, Why};

pub const RECIPE: Recipe = Recipe {
    name: "fin-injected",
    row: "fin-injected",
    decoys: &["clean-close-no-reason", "cert-key-inaccessible"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let leg = Leg::drawn(draw);
    // What the server sent meanwhile may be counted or not.
    let (trigger, reached): (_, &[&str]) = draw.one(&[
        ("cr", &["x224_request", "x224_confirm"][..]),
        ("client-hello", &["tls_client_hello", "tls_server_hello", "tls_encrypted"][..]),
    ]);
    let ttl = draw.of_half(&["42", "59", "201", "copy"], &["copy --ip-id copy", "60"]);
    let milliseconds = draw.between(20, 40);
    plan.note("forged", format!("at {trigger}, TTL {ttl}, {leg:?} leg, {milliseconds} ms"));
    plan.setting.push(latency(&plan, leg, milliseconds));
    let arguments = format!("--trigger {trigger} --send fin --to client --ttl {ttl}");
    plan.fault = vec![forger(&plan, leg, &arguments)];
    let seen = Expected {
        reached,
        from: &["server"],
        what: &["fin-injected"],
        why: Why::Is("fin-injected"),
        party: NETWORK,
        ..FAILED
    };
    let [near, _] = leg.ends().map(Vantage::At);
    plan.label(&[near], Expected { why: Why::Perhaps("fin-injected"), ..seen.clone() });
    plan.label(&[leg.pair()], Expected { party: leg.network(), ..seen.clone() });
    if leg == Leg::Server {
        // The end of a stream does not tell by whom it was sent.
        let blind = &["fin-injected", "clean-close-no-reason", "lb-no-backend"];
        let (what, party) = (blind, leg.network());
        plan.hint(&RELAY[..1], Expected { what, why: Why::Open, party, ..seen.clone() });
        plan.label(&RELAY[1..], Expected { why: Why::Perhaps("fin-injected"), party, ..seen });
    }
    // A client may come again without TLS, which nobody minds.
    plan.first_only();
    plan
}
