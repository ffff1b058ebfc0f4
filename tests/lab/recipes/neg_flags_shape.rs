//! A device in the path clears the flags of the server's X.224 confirm, as a well-known one for recording
//! sessions does. The session comes up.

use crate::boxes::{came_up, relay};
use crate::draw::Draw;
use crate::recipe::{ESTABLISHED, Leg, Plan, Recipe, everywhere};

pub const RECIPE: Recipe = Recipe {
    name: "neg-flags-shape",
    row: "neg-flags-shape",
    decoys: &["clean-session"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let leg = Leg::drawn(draw);
    plan.note("box", format!("{leg:?} leg"));
    plan.fault = relay(&plan, leg, "x224.py", "flags=0");
    plan.label(&everywhere(), ESTABLISHED);
    plan.label(&[leg.pair()], came_up(&["neg-flags-shape"]));
    plan
}
