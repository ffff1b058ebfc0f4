//! The relay's own deadline ends a connection whose server would have answered a little later.

use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Plan, RELAY, Recipe, Step, Why};
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "relay-induced",
    row: "relay-induced",
    decoys: &["rst-genuine-server", "service-down-after-accept"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let limit = draw.range_of_half([1000, 3000], [3300, 4200]);
    plan.note("deadline", format!("{limit} ms"));
    plan.fault = vec![Step::SignalServer("STOP")];
    plan.fault_flags = vec!["--handshake-timeout".into(), format!("{limit}ms")];
    plan.act = Some(Box::new(move |scene| {
        std::thread::sleep(Duration::from_millis(limit + 1500));
        scene.signal_server("CONT");
    }));
    plan.callers[0].lasts = Duration::from_millis(limit + 1200);
    // What the client tries after that is its own affair.
    plan.label_nth(
        0,
        &RELAY,
        Expected {
            from: &["relay"],
            what: &["relay-induced"],
            why: Why::Is("relay-induced"),
            party: &["relay"],
            ..FAILED
        },
    );
    plan
}
