//! A router forgets every SYN to the server's port.

use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, NETWORK, Plan, RELAY, Recipe, Step, Vantage, Why};
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "tcp-syn-drop",
    row: "tcp-syn-drop",
    decoys: &["half-open-asymmetric", "tcp-refused-rst"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    // Three SYNs have gone after 3 s, four after 7 s; the fifth goes after 15 s.
    plan.callers[0].lasts = Duration::from_secs(draw.between(10, 12));
    // The training half drops as it forwards, or before it routes; the held-out half has no way to the server.
    let how = draw.of_half(&["forward priority filter", "prerouting priority raw"], &["route"]);
    let router = Leg::Server.router();
    plan.fault = vec![match how {
        "route" => Step::Sh(router, "ip route replace blackhole {server_ip}".into()),
        hook => Step::Nft(
            router,
            format!(
                "chain f {{ type filter hook {hook}\n tcp dport {{port}} tcp flags & (syn|ack) == syn drop\n }}"
            ),
        ),
    }];
    plan.note("how", how);
    let seen = Expected {
        what: &["tcp-syn-drop"],
        // A firewall, a dead host and a lost way look the same.
        why: Why::Open,
        ..FAILED
    };
    plan.hint(
        &RELAY,
        // The relay has heard the client's request meanwhile.
        Expected { reached: &["x224_request"], party: Leg::Server.network(), ..seen.clone() },
    );
    let known = seen.clone();
    let [near, _] = Leg::Server.ends();
    plan.hint(&[Vantage::At(near)], Expected { reached: &["none"], party: NETWORK, ..seen });
    let known = Expected { why: Why::Is("tcp-syn-drop"), party: Leg::Server.network(), ..known };
    plan.label(&[Leg::Server.pair()], known);
    plan
}
