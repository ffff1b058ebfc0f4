//! A device in the path removes the negotiation from the X.224 request: the server takes the client for
//! one from before TLS.

use crate::boxes::{relay, xrdp};
use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, Plan, RELAY, Recipe, Server, Vantage, Why};
use crate::support::xrdp::Options;

pub const RECIPE: Recipe = Recipe {
    name: "x224-negreq-removed",
    row: "x224-negreq-removed",
    decoys: &["ssl-required"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    if let Server::Xrdp(options) = &mut plan.server {
        *options = Options { security_layer: "tls", ..xrdp(draw) };
    }
    let leg = Leg::drawn(draw);
    plan.note("box", format!("{leg:?} leg"));
    plan.fault = relay(&plan, leg, "x224.py", "no-negreq");
    let seen = Expected { why: Why::Perhaps("x224-negreq-removed"), ..FAILED };
    let [near, far] = leg.ends().map(Vantage::At);
    // The client did offer what the answer misses. A server from before TLS would answer just so.
    plan.hint(&[near], Expected { party: &["network", "server"], ..seen.clone() });
    if leg == Leg::Server {
        let party = &["server_network", "network", "server"];
        plan.hint(&RELAY, Expected { party, ..seen.clone() });
    }
    // The server's own capture shows a client from before TLS, and a server that says no.
    let what = &["nla-required", "ssl-required", "rst-genuine-server", "clean-close-no-reason"];
    plan.hint(&[far], Expected { what, why: Why::Open, ..FAILED });
    let proven = Why::Is("x224-negreq-removed");
    plan.label(&[leg.pair()], Expected { party: leg.network(), why: proven, ..seen });
    // The client comes again and asks for less by itself.
    plan.first_only();
    plan
}
