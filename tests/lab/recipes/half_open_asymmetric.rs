//! The server's answers get lost on their way back: its SYN-ACK never arrives.

use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, NETWORK, Plan, RELAY, Recipe, Step, Vantage, Why};
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "half-open-asymmetric",
    row: "half-open-asymmetric",
    decoys: &["tcp-syn-drop"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.callers[0].lasts = Duration::from_secs(draw.between(10, 12));
    let how = draw.of_half(&["forward priority filter", "prerouting priority raw"], &["route"]);
    plan.note("how", how);
    let router = Leg::Server.router();
    plan.fault = vec![match how {
        "route" => Step::Sh(router, "ip route replace blackhole {relay_ip}".into()),
        hook => Step::Nft(
            router,
            format!("chain f {{ type filter hook {hook}\n tcp sport {{port}} drop\n }}"),
        ),
    }];
    let [near, far] = Leg::Server.ends();
    let network = Leg::Server.network();
    // On the relay's side nobody can know which way a packet was lost.
    let near_side = Expected { what: &["tcp-syn-drop"], why: Why::Open, ..FAILED };
    plan.hint(&RELAY, Expected { party: network, ..near_side.clone() });
    plan.hint(&[Vantage::At(near)], Expected { reached: &["none"], party: NETWORK, ..near_side });
    let known = Expected {
        what: &["half-open-asymmetric"],
        why: Why::Perhaps("half-open-asymmetric"),
        reached: &["none"],
        ..FAILED
    };
    plan.hint(&[Vantage::At(far)], Expected { party: NETWORK, ..known.clone() });
    plan.label(
        &[Leg::Server.pair()],
        Expected { party: network, why: Why::Is("half-open-asymmetric"), ..known },
    );
    plan
}
