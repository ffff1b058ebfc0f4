//! The server's own process aborts the connection: its kernel sends a RST.

use super::server_closes::cut;
use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, Plan, RELAY, Recipe, Vantage, Why};

pub const RECIPE: Recipe = Recipe {
    name: "rst-genuine-server",
    row: "rst-genuine-server",
    decoys: &["rst-injected-toclient", "rst-inpath-reject", "idle-timeout-rst"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    // At once after the request; or when the client has said hello.
    let how = draw.of_half(
        &["after_client=30", "after_server=19", "after_client=200"],
        &["after_client=45", "after_server=19"],
    );
    let pause = draw.range_of_half([0, 60], [120, 400]);
    cut(&mut plan, &["end=rst", how, &format!("pause={pause}")]);
    let seen = Expected {
        from: &["server"],
        what: &["rst-genuine-server"],
        why: Why::Open,
        party: &["server"],
        ..FAILED
    };
    let ends = Leg::Server.ends().map(Vantage::At);
    let open = Expected { why: Why::Perhaps("lb-no-backend"), ..seen.clone() };
    plan.hint(&[&RELAY[..], &ends].concat(), open);
    plan.label(&[Leg::Server.pair()], Expected { why: Why::Perhaps("rst-genuine-server"), ..seen });
    // rdesktop comes again without TLS.
    plan.first_only();
    plan
}
