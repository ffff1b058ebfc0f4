//! A device in the path ends TLS in front of a server that insists on NLA: the two ends notice that they do not
//! share one TLS connection.

use crate::boxes::relay;
use crate::draw::{Draw, Half};
use crate::recipe::{Caller, Expected, FAILED, Leg, Plan, RELAY, Recipe, Server, Vantage, Why};
use crate::support::shadow::Release;
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "credssp-pubkey-mismatch",
    row: "credssp-pubkey-mismatch",
    decoys: &["nla-bad-credentials"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let release = match draw.half() {
        Half::Training => Release::Two,
        Half::HeldOut => Release::Three,
    };
    plan.server = Server::Shadow(release);
    plan.callers = vec![Caller::for_server(draw, &plan.server)];
    plan.callers[0].lasts = Duration::from_secs(10);
    let leg = Leg::drawn(draw);
    let certificate = draw.of_half(&["foreign"], &["clone"]);
    plan.note("box", format!("{certificate}, {release:?}, {leg:?} leg"));
    let arguments = format!("--certificate {certificate}");
    plan.fault = relay(&plan, leg, "terminate.py", &arguments);
    let seen = Expected {
        reached: &["credssp", "tls_encrypted", "tls_finished"],
        why: Why::Perhaps("credssp-pubkey-mismatch"),
        ..FAILED
    };
    let [near, far] = leg.ends().map(Vantage::At);
    plan.hint(&[&[near, far], &RELAY[..]].concat(), seen.clone());
    // That TLS was ended on the way is proof enough of what the server noticed.
    let what = &["clienthello-rewritten", "tls-cert-substituted", "tls-cert-cloned"];
    plan.label(&[leg.pair()], Expected { what, party: leg.network(), ..seen });
    plan
}
