//! The server's side ends in the middle of a TLS record.

use super::server_closes::cut;
use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, Plan, RELAY, Recipe, Vantage, Why};

pub const RECIPE: Recipe = Recipe {
    name: "truncated-tls",
    row: "truncated-tls",
    decoys: &["clean-close-no-reason", "rst-genuine-server"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let end = draw.one(&["end=fin", "end=rst"]);
    let pause = draw.range_of_half([0, 0], [120, 300]);
    // Within the record of the certificate: after the confirm (19) and the ServerHello (some 90 to 130).
    let bytes = draw.between(19 + 200, 19 + 450);
    cut(&mut plan, &[end, &format!("after_server={bytes}"), &format!("pause={pause}")]);
    let seen = Expected {
        reached: &["tls_client_hello", "tls_server_hello", "tls_encrypted"],
        from: &["server"],
        what: &["truncated-tls"],
        why: Why::Open,
        party: &["server"],
        ..FAILED
    };
    let ends = Leg::Server.ends().map(Vantage::At);
    plan.label(&[&RELAY[..], &ends].concat(), seen);
    // rdesktop comes again without TLS.
    plan.first_only();
    plan
}
