//! A device in the path removes the negotiation from the X.224 request: the server takes the client for
//! one from before TLS.

use crate::boxes::relay;
use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, Plan, RELAY, Recipe, Server, Vantage, Why};
use crate::support::xrdp::{Options, SOUND};

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
        *options = Options { security_layer: "tls", ..SOUND };
    }
    let leg = Leg::drawn(draw);
    plan.note("box", format!("{leg:?} leg"));
    plan.fault = relay(&plan, leg, "x224.py", "no-negreq");
    // Without a second look at the request, all that is to be seen is a server that does not negotiate.
    let seen = Expected { why: Why::Perhaps("x224-negreq-removed"), ..FAILED };
    let ends = leg.ends().map(Vantage::At);
    plan.label(&[&ends[..], &RELAY].concat(), seen.clone());
    let proven = Why::Is("x224-negreq-removed");
    plan.label(&[leg.pair()], Expected { party: leg.network(), why: proven, ..seen });
    plan
}
