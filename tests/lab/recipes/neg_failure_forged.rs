//! A device in the path answers the client's X.224 request with a failure of its own, although the server
//! had agreed.

use crate::boxes::{relay, xrdp};
use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, Plan, RELAY, Recipe, Server, Vantage, Why};

pub const RECIPE: Recipe = Recipe {
    name: "neg-failure-forged",
    row: "neg-failure-forged",
    decoys: &["ssl-cert-not-on-server", "nla-required"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(xrdp(draw));
    plan.callers = vec![crate::recipe::Caller::for_server(draw, &plan.server)];
    let leg = Leg::drawn(draw);
    let (code, what): (_, &[&str]) = draw.of_half(
        &[
            ("2", &["neg-failure-forged", "neg-failure-other", "ssl-not-allowed"][..]),
            ("3", &["neg-failure-forged", "neg-failure-other", "ssl-cert-not-on-server"][..]),
            ("5", &["neg-failure-forged", "neg-failure-other", "nla-required"][..]),
        ],
        &[("4", &["neg-failure-forged", "neg-failure-other", "neg-inconsistent-flags"][..])],
    );
    plan.note("box", format!("failure={code}, {leg:?} leg"));
    plan.fault = relay(&plan, leg, "x224.py", &format!("failure={code}"));
    // A client's own view is that of a server which refuses.
    let seen = Expected {
        reached: &["x224_confirm"],
        what,
        why: Why::Perhaps("neg-failure-forged"),
        ..FAILED
    };
    let [near, _] = leg.ends().map(Vantage::At);
    plan.hint(&[near], seen.clone());
    if leg == Leg::Server {
        plan.hint(&RELAY, seen.clone());
    }
    let proven = Why::Is("neg-failure-forged");
    plan.label(&[leg.pair()], Expected { party: leg.network(), why: proven, ..seen });
    // The client comes again and asks for less by itself.
    plan.first_only();
    plan
}
