//! Nothing is wrong: the session comes up and its user leaves.

use crate::draw::Draw;
use crate::recipe::{ESTABLISHED, Plan, Recipe, everywhere};

pub const RECIPE: Recipe =
    Recipe { name: "clean-session", row: "none", decoys: &[], smoke: true, plan };

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.label(&everywhere(), ESTABLISHED);
    plan
}
