//! A device in the path takes TLS 1.3 out of the client's hello. The server says in its random number that it could
//! have done better, and the client does not stand for it.

use crate::boxes::{freerdp, packets, xrdp};
use crate::draw::Draw;
use crate::recipe::{
    Caller, Expected, FAILED, Leg, NETWORK, Plan, RELAY, Recipe, Server, Vantage, Why,
};

pub const RECIPE: Recipe = Recipe {
    name: "tls13-sentinel",
    row: "tls13-sentinel",
    decoys: &["tls13-sentinel-honest", "tls-record-tampered"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(xrdp(draw));
    plan.callers = vec![Caller::of(freerdp(draw), &plan.server)];
    let leg = Leg::drawn(draw);
    plan.note("box", format!("{leg:?} leg"));
    plan.fault = vec![packets(&plan, leg, "tamper.py", "--from client --hello no-tls13")];
    let seen = Expected {
        // The client's alert 47.
        what: &[
            "tls-alert-47",
            "tls13-sentinel",
            "rst-genuine-client",
            "clean-close-no-reason",
            "clienthello-rewritten",
            "tls-version-downgrade",
        ],
        why: Why::Is("tls13-sentinel"),
        party: NETWORK,
        ..FAILED
    };
    let [near, far] = leg.ends().map(Vantage::At);
    // The hello that offered TLS 1.3 and the answer that says it did not, in one capture; but nobody has tried
    // another way to this server, and an accusation needs that.
    plan.hint(&[near], seen.clone());
    if leg == Leg::Server {
        plan.hint(&RELAY, Expected { party: leg.network(), ..seen.clone() });
    }
    // The server's own capture shows a client that never offered it.
    let honest = Expected { why: Why::Open, party: &[], ..seen.clone() };
    plan.hint(&[far], honest);
    plan.label(
        &[leg.pair()],
        Expected {
            party: leg.network(),
            why: Why::Perhaps("tls13-sentinel"),
            also: &["tls-version-downgrade", "clienthello-rewritten"],
            ..seen
        },
    );
    plan
}
