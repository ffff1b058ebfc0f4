//! A device beside the path resets the connection in the client's name, towards the server alone. The
//! client hears of it when it says something more, from the server itself.

use crate::boxes::{forger, latency};
use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, NETWORK, Plan, Recipe, Vantage, Why};
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "rst-injected-toserver",
    row: "rst-injected-toserver",
    decoys: &["rst-genuine-client", "server-stall"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let leg = Leg::drawn(draw);
    let trigger = draw.one(&["cc", "server-hello"]);
    let ttl = draw.of_half(&["37", "51", "203", "copy"], &["copy --ip-id copy", "62 --ack no"]);
    let milliseconds = draw.between(20, 40);
    plan.note("forged", format!("at {trigger}, TTL {ttl}, {leg:?} leg, {milliseconds} ms"));
    plan.setting.push(latency(&plan, leg, milliseconds));
    let arguments = format!("--trigger {trigger} --send rst --to server --ttl {ttl}");
    plan.fault = vec![forger(&plan, leg, &arguments)];
    plan.callers[0].lasts = Duration::from_secs(6);
    let seen = Expected {
        what: &["rst-injected-toserver"],
        why: Why::Perhaps("rst-injected-toserver"),
        ..FAILED
    };
    let [near, far] = leg.ends().map(Vantage::At);
    // The server's RST is its own; why it was sent is not to be seen here.
    let genuine = Expected {
        what: &["rst-genuine-server", "rst-of-unclear-origin"],
        why: Why::Open,
        ..seen.clone()
    };
    plan.hint(&[near], genuine);
    plan.hint(&[far], Expected { party: NETWORK, ..seen.clone() });
    let proven = Why::Is("rst-injected-toserver");
    plan.label(&[leg.pair()], Expected { party: leg.network(), why: proven, ..seen });
    // A client may come again without TLS, which nobody minds.
    plan.first_only();
    plan
}
