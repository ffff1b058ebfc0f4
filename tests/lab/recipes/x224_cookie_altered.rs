//! A device in the path puts another name into the cookie of the X.224 request, or removes it. The session
//! does not mind.

use crate::boxes::{came_up, relay};
use crate::draw::Draw;
use crate::recipe::{ESTABLISHED, Leg, Plan, Recipe, everywhere};

pub const RECIPE: Recipe = Recipe {
    name: "x224-cookie-altered",
    row: "x224-cookie-altered",
    decoys: &["clean-session"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let leg = Leg::drawn(draw);
    let edit =
        draw.of_half(&["cookie=somebody", "no-cookie", "cookie=x"], &["cookie=a.much.longer-name"]);
    plan.note("box", format!("{edit}, {leg:?} leg"));
    plan.fault = relay(&plan, leg, "x224.py", edit);
    plan.label(&everywhere(), ESTABLISHED);
    plan.label(&[leg.pair()], came_up(&["x224-cookie-altered"]));
    plan
}
