//! Nothing is wrong: the session comes up and its user leaves.

use crate::draw::Draw;
use crate::recipe::{ENDS, Expected, Plan, Recipe, Vantage};

pub const RECIPE: Recipe =
    Recipe { name: "clean-session", row: "none", decoys: &[], smoke: true, plan };

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let vantages = [&ENDS[..], &[Vantage::Relay, Vantage::RelayPackets]].concat();
    plan.label(&vantages, Expected { outcome: &["established"], ..Expected::default() });
    plan
}
