//! A device beside the path resets the connection in the server's name, towards the client alone. What
//! the server sends arrives as well, later.

use crate::boxes::{forger, latency};
use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, NETWORK, Plan, RELAY, Recipe, Vantage, Why};

pub const RECIPE: Recipe = Recipe {
    name: "rst-injected-toclient",
    row: "rst-injected-toclient",
    decoys: &["rst-genuine-server", "rst-inpath-reject"],
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
    let kind = draw.one(&["rst", "rst-triple", "rst-acks", "rst-thrice"]);
    // None of the ends is so many hops away.
    let ttl = draw.of_half(&["39", "50", "55", "200", "copy"], &["copy --ip-id copy", "61", "124"]);
    let milliseconds = draw.between(20, 40);
    plan.note("forged", format!("{kind} at {trigger}, TTL {ttl}, {leg:?} leg, {milliseconds} ms"));
    plan.setting.push(latency(&plan, leg, milliseconds));
    let arguments = format!("--trigger {trigger} --send {kind} --to client --ttl {ttl}");
    plan.fault = vec![forger(&plan, leg, &arguments)];
    let seen = Expected {
        reached,
        from: &["server"],
        what: &["rst-injected-toclient"],
        why: Why::Is("rst-injected-toclient"),
        party: NETWORK,
        ..FAILED
    };
    let [near, _] = leg.ends();
    // With the server's own TTL it takes the server's later segments to see it.
    let doubtful = &["rst-injected-toclient", "rst-genuine-server", "rst-of-unclear-origin"];
    let why = Why::Perhaps("rst-injected-toclient");
    let copied = Expected { what: doubtful, why, ..seen.clone() };
    if ttl.starts_with("copy") {
        plan.hint(&[Vantage::At(near)], copied);
    } else {
        plan.label(&[Vantage::At(near)], seen.clone());
    }
    plan.label(&[leg.pair()], Expected { party: leg.network(), ..seen.clone() });
    if leg == Leg::Server {
        // A socket that was reset does not tell by whom.
        let blind =
            Expected { what: doubtful, why: Why::Open, party: leg.network(), ..seen.clone() };
        plan.hint(&RELAY[..1], blind);
        plan.label(&RELAY[1..], Expected { party: leg.network(), ..seen });
    }
    // A client may come again without TLS, which nobody minds.
    plan.first_only();
    plan
}
