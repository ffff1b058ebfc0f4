//! The server's process hangs: its kernel takes connections and bytes, and nobody answers.

use crate::draw::{Draw, Half};
use crate::recipe::{
    Expected, FAILED, Plan, Program, Ready, Recipe, Server, Step, Why, everywhere,
};
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
    // The held-out half has a program that takes everything and never says anything.
    if draw.half() == Half::Training {
        plan.fault = vec![Step::SignalServer("STOP")];
    } else {
        plan.faulty_server = Some(Server::Program(Program {
            program: "socat",
            arguments: vec![
                format!("TCP6-LISTEN:{},fork,reuseaddr,ipv6only=0", plan.port),
                "EXEC:sleep 60".into(),
            ],
            files: Vec::new(),
            ready: Ready::Listens(plan.port),
        }));
    }
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
