//! A device in the path puts another protocol into the server's X.224 confirm than it selected: the ends go
//! on in different languages.

use crate::boxes::{relay, xrdp};
use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, Plan, RELAY, Recipe, Server, Vantage, Why};
use crate::support::xrdp::Options;
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "neg-rsp-rewritten",
    row: "neg-rsp-rewritten",
    decoys: &["neg-rsp-unrequested", "nla-not-offered"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    if let Server::Xrdp(options) = &mut plan.server {
        *options = Options { security_layer: "tls", ..xrdp(draw) };
    }
    let leg = Leg::drawn(draw);
    // TLS is what only xrdp selects, NLA what only the shadow server does; 0 is neither.
    let selected = match plan.server {
        Server::Shadow(_) => draw.of_half(&["0", "1"], &["1"]),
        _ => draw.of_half(&["0", "2"], &["8"]),
    };
    plan.note("box", format!("selected={selected}, {leg:?} leg"));
    plan.fault = relay(&plan, leg, "x224.py", &format!("selected={selected}"));
    plan.callers[0].lasts = Duration::from_secs(8);
    let seen = Expected { why: Why::Perhaps("neg-rsp-rewritten"), ..FAILED };
    let ends = leg.ends().map(Vantage::At);
    plan.hint(&[&ends[..], &RELAY].concat(), seen.clone());
    let proven = Why::Is("neg-rsp-rewritten");
    plan.label(&[leg.pair()], Expected { party: leg.network(), why: proven, ..seen });
    // The client comes again and again, until it is ended before it has said anything.
    plan.first_only();
    plan
}
