//! The server's process hangs: its kernel takes connections and bytes, and nobody answers.

use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Plan, Recipe, Step, Why, everywhere};
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "service-down-after-accept",
    row: "service-down-after-accept",
    decoys: &["payload-trigger-drop", "server-stall"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.fault = vec![Step::SignalServer("STOP")];
    plan.callers[0].lasts = Duration::from_secs(draw.between(13, 15));
    plan.label(
        &everywhere(),
        Expected {
            reached: &["x224_request"],
            what: &["service-down-after-accept"],
            why: Why::Perhaps("service-down-after-accept"),
            party: &["server"],
            ..FAILED
        },
    );
    plan
}
