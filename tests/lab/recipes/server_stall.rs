//! The server's processes stop in the middle of the handshake, once its confirm has gone out.

use crate::draw::{Draw, Half};
use crate::recipe::{Caller, Expected, FAILED, HANDSHAKE, Plan, Recipe, Why, everywhere};
use crate::support::clients::Client;
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
    // The training half stops it after its confirm (19 bytes), the held-out half while the user
    // reads the certificate.
    if draw.half() == Half::Training {
        plan.act = Some(Box::new(|scene| {
            scene.until_server_sent(19);
            scene.signal_server("STOP");
        }));
        plan.callers[0].lasts = Duration::from_secs(draw.between(9, 11));
    } else {
        let thinks = draw.between(2000, 3000);
        plan.note("user thinks", format!("{thinks} ms"));
        plan.callers =
            vec![Caller::asking(Client::Xfreerdp3, &plan.server, Duration::from_millis(thinks))];
        plan.callers[0].lasts = Duration::from_millis(thinks + 8500);
        plan.act = Some(Box::new(|scene| {
            scene.until_server_sent(HANDSHAKE);
            std::thread::sleep(Duration::from_millis(300));
            scene.signal_server("STOP");
        }));
    }
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
