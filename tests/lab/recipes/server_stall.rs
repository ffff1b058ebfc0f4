//! The server's processes stop in the middle of the handshake, once its confirm has gone out.

use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Plan, Recipe, Why, everywhere};
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "server-stall",
    row: "server-stall",
    decoys: &["pmtu-blackhole-s2c", "payload-trigger-drop", "service-down-after-accept"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    // After the confirm (19 bytes), or somewhat later in the TLS handshake.
    let sent = draw.range_of_half([19, 19], [20, 600]);
    plan.note("stopped after bytes sent", sent);
    plan.act = Some(Box::new(move |scene| {
        scene.until_server_sent(sent);
        if let Some(process) = scene.server.process() {
            process.signal("STOP");
        }
    }));
    plan.callers[0].lasts = Duration::from_secs(draw.between(9, 11));
    plan.label(
        &everywhere(),
        Expected {
            what: &["server-stall"],
            why: Why::Perhaps("server-stall"),
            party: &["server"],
            ..FAILED
        },
    );
    plan
}
