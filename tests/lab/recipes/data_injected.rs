//! A device beside the path writes a TLS alert into the server's stream, before the server's own
//! answer to the ClientHello arrives.

use crate::boxes::{forger, latency};
use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, NETWORK, Plan, RELAY, Recipe, Vantage, Why};

pub const RECIPE: Recipe = Recipe {
    name: "data-injected",
    row: "data-injected",
    decoys: &["no-common-cipher", "tls-alert-80"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let leg = Leg::drawn(draw);
    let (alert, what): (_, &[&str]) = draw.of_half(
        &[
            ("40", &["data-injected", "tls-alert-40"][..]),
            ("80", &["data-injected", "tls-alert-80"][..]),
            ("70", &["data-injected", "tls-alert-70"][..]),
        ],
        &[("47", &["data-injected", "tls-alert-47"][..])],
    );
    let ttl = draw.of_half(&["43", "58", "199", "copy"], &["copy --ip-id copy", "122"]);
    let milliseconds = draw.between(20, 40);
    plan.note("forged", format!("alert {alert}, TTL {ttl}, {leg:?} leg, {milliseconds} ms"));
    plan.setting.push(latency(&plan, leg, milliseconds));
    let arguments =
        format!("--trigger client-hello --send data --data alert:{alert} --to client --ttl {ttl}");
    plan.fault = vec![forger(&plan, leg, &arguments)];
    let seen = Expected {
        reached: &["tls_client_hello"],
        what,
        why: Why::Is("data-injected"),
        party: NETWORK,
        ..FAILED
    };
    let [near, _] = leg.ends().map(Vantage::At);
    plan.label(&[near], Expected { why: Why::Perhaps("data-injected"), ..seen.clone() });
    plan.label(&[leg.pair()], Expected { party: leg.network(), ..seen.clone() });
    if leg == Leg::Server {
        // Before there are keys anybody can write an alert.
        let (why, party) = (Why::Open, leg.network());
        plan.hint(&RELAY[..1], Expected { why, party, ..seen.clone() });
        plan.label(&RELAY[1..], Expected { why: Why::Perhaps("data-injected"), party, ..seen });
    }
    // A client may come again without TLS, which nobody minds.
    plan.first_only();
    plan
}
