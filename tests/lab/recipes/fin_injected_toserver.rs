//! A device beside the path ends the connection in order in the client's name, towards the server alone. The client
//! knows of nothing; what the server sends from then on acknowledges a byte that it never sent.

use crate::boxes::{forger, latency};
use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, NETWORK, Plan, RELAY, Recipe, Vantage, Why};
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "fin-injected-toserver",
    row: "fin-injected",
    decoys: &["clean-close-no-reason", "server-stall"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let leg = Leg::drawn(draw);
    let trigger = draw.one(&["cc", "server-hello"]);
    let ttl = draw.of_half(&["42", "59", "201", "copy"], &["copy --ip-id copy", "60"]);
    let milliseconds = draw.between(20, 40);
    plan.note("forged", format!("at {trigger}, TTL {ttl}, {leg:?} leg, {milliseconds} ms"));
    plan.setting.push(latency(&plan, leg, milliseconds));
    let arguments = format!("--trigger {trigger} --send fin --to server --ttl {ttl}");
    plan.fault = vec![forger(&plan, leg, &arguments)];
    plan.callers[0].lasts = Duration::from_secs(6);
    let seen = Expected {
        outcome: &["failed", "unknown"],
        what: &["fin-injected"],
        why: Why::Perhaps("fin-injected"),
        ..FAILED
    };
    let [_, far] = leg.ends().map(Vantage::At);
    // The client goes on, unless it waits for an answer that it can not take any more.
    plan.hint(&[far], Expected { what: &["fin-injected"], party: NETWORK, ..seen.clone() });
    if leg == Leg::Client {
        // The relay is who was lied to. Its sockets show a client that closed.
        let (what, why, party) =
            (&["fin-injected", "clean-close-no-reason"], Why::Open, leg.network());
        plan.hint(&RELAY[..1], Expected { what, why, party, ..seen.clone() });
        plan.hint(&RELAY[1..], Expected { party, ..seen.clone() });
    }
    let proven = Why::Is("fin-injected");
    plan.label(&[leg.pair()], Expected { party: leg.network(), why: proven, ..seen });
    // A client may come again without TLS, which nobody minds.
    plan.first_only();
    plan
}
