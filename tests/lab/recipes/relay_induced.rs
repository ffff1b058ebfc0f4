//! The relay's own deadline ends a connection whose user is still reading the certificate.

use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Plan, RELAY, Recipe, Server, Why};
use crate::support::clients::Client;
use crate::support::xrdp::SOUND;
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "relay-induced",
    row: "relay-induced",
    decoys: &["rst-genuine-server"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(SOUND);
    let client = draw.of_half(&[Client::Rdesktop, Client::Xfreerdp], &[Client::Xfreerdp3]);
    plan.callers = vec![Caller::asking(client, Duration::from_secs(4))];
    let limit = draw.between(1500, 2500);
    plan.note("deadline", format!("{limit} ms"));
    plan.fault_flags = vec!["--handshake-timeout".into(), format!("{limit}ms")];
    plan.label(
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
