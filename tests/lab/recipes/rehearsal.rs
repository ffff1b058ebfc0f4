//! A client comes to see the certificate or to try the credentials, leaves, and comes back for its
//! session.

use crate::draw::Draw;
use crate::recipe::{Caller, ESTABLISHED, Expected, Plan, Recipe, everywhere};
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "client-rehearsal-close",
    row: "client-rehearsal-close",
    decoys: &["client-rejects-cert", "rst-genuine-client"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let freerdp = draw.of_half(
        &[crate::support::clients::Client::Xfreerdp],
        &[crate::support::clients::Client::Xfreerdp3],
    );
    plan.callers = vec![Caller::for_server(draw, &plan.server)];
    if plan.callers[0].client == crate::support::clients::Client::Rdesktop {
        plan.callers = vec![Caller::of(freerdp, &plan.server)];
    }
    let mut first = plan.callers[0].clone();
    first.arguments.push("+auth-only".into());
    first.lasts = Duration::from_secs(8);
    plan.callers.insert(0, first);
    let rehearsal = Expected {
        outcome: &["rehearsal"],
        what: &["client-rehearsal-close"],
        party: &["client"],
        ..Expected::default()
    };
    plan.label_nth(0, &everywhere(), rehearsal);
    plan.label_nth(1, &everywhere(), ESTABLISHED);
    plan
}
