//! A device beside the path writes into the client's stream, before the client's own next bytes arrive: the server
//! reads what the client never sent.

use crate::boxes::{forger, latency};
use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, NETWORK, Plan, RELAY, Recipe, Vantage, Why};

pub const RECIPE: Recipe = Recipe {
    name: "data-injected-toserver",
    row: "data-injected",
    decoys: &["tls-record-tampered", "rst-genuine-server"],
    smoke: false,
    plan,
};

/// What is seen at the server's side where the second writer is not: what it wrote, and how the server answered.
const ANSWERS: &[&str] = &[
    "data-injected",
    "tls-alert-40",
    "tls-alert-47",
    "tls-alert-10",
    "clean-close-no-reason",
    "rst-genuine-server",
];

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let leg = Leg::drawn(draw);
    let data = draw.of_half(&["alert:40", "random:60"], &["alert:47", "random:300"]);
    let ttl = draw.of_half(&["43", "58", "199", "copy"], &["copy --ip-id copy", "122"]);
    let milliseconds = draw.between(20, 40);
    plan.note("forged", format!("{data}, TTL {ttl}, {leg:?} leg, {milliseconds} ms"));
    plan.setting.push(latency(&plan, leg, milliseconds));
    let arguments = format!("--trigger cc --send data --data {data} --to server --ttl {ttl}");
    plan.fault = vec![forger(&plan, leg, &arguments)];
    let seen = Expected { what: ANSWERS, why: Why::Perhaps("data-injected"), ..FAILED };
    let [_, far] = leg.ends().map(Vantage::At);
    plan.hint(&[far], Expected { party: NETWORK, ..seen.clone() });
    if leg == Leg::Client {
        // The relay is who was lied to. Its sockets show a client that said so itself.
        let (why, party) = (Why::Open, leg.network());
        plan.hint(&RELAY[..1], Expected { why, party, ..seen.clone() });
        plan.hint(&RELAY[1..], Expected { party, ..seen.clone() });
    }
    let proven = Why::Is("data-injected");
    let what = &["data-injected"];
    plan.label(&[leg.pair()], Expected { what, party: leg.network(), why: proven, ..seen });
    // A client may come again without TLS, which nobody minds.
    plan.first_only();
    plan
}
