//! A device in the path can not put a ClientHello together that comes in two segments, and reacts to the first
//! one; the path's segments are small.

use crate::boxes::{freerdp, packets, xrdp};
use crate::draw::Draw;
use crate::recipe::{
    Caller, Expected, FAILED, Leg, NETWORK, Plan, RELAY, Recipe, Server, Step, Vantage, Why,
};
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "ch-fragmentation-intolerance",
    row: "ch-fragmentation-intolerance",
    decoys: &["rst-inpath-reject", "payload-trigger-drop"],
    smoke: false,
    plan,
};

/// What a box in the path does that swallows a segment and resets both ends.
pub const FORGED: &[&str] = &[
    "rst-inpath-reject",
    "rst-injected-toclient",
    "rst-injected-toserver",
    "payload-trigger-drop",
    "fin-injected",
    "data-injected",
];

/// The same where one capture, or none, does not show who sent what.
const SUSPECTED: &[&str] = &[
    "rst-inpath-reject",
    "rst-injected-toclient",
    "payload-trigger-drop",
    "rst-of-unclear-origin",
    "rst-genuine-server",
    "server-stall",
];

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(xrdp(draw));
    plan.callers = vec![Caller::of(freerdp(draw), &plan.server)];
    plan.callers[0].lasts = Duration::from_secs(7);
    let leg = Leg::drawn(draw);
    let size = draw.range_of_half([180, 220], [140, 170]);
    let reacts = draw.of_half(&["rst", "drop"], &["rst-client"]);
    plan.note("box", format!("{reacts}, segments of {size}, {leg:?} leg"));
    let port = leg.port(&plan);
    plan.setting.push(Step::Nft(
        leg.router(),
        format!(
            "chain m {{ type filter hook forward priority mangle\n \
             tcp sport {port} tcp flags syn tcp option maxseg size set {size}\n }}"
        ),
    ));
    let arguments = format!("--dislikes segments --reacts {reacts}");
    plan.fault = vec![packets(&plan, leg, "picky.py", &arguments)];
    let seen = Expected {
        reached: &["tls_client_hello"],
        why: Why::Perhaps("ch-fragmentation-intolerance"),
        party: NETWORK,
        ..FAILED
    };
    let [near, _] = leg.ends().map(Vantage::At);
    plan.hint(&[near], Expected { what: SUSPECTED, ..seen.clone() });
    if leg == Leg::Server {
        plan.hint(&RELAY, Expected { party: leg.network(), what: SUSPECTED, ..seen.clone() });
    }
    // What the box did is proven; that it was for the segments is not.
    plan.hint(&[leg.pair()], Expected { what: FORGED, party: leg.network(), ..seen });
    plan
}
