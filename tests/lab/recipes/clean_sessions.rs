//! Many short sessions one after the other, none with a fault.

use crate::draw::Draw;
use crate::recipe::{Caller, ESTABLISHED, Expected, Plan, Recipe, Server, everywhere};
use crate::support::clients::Client;
use crate::support::xrdp::{Options, SOUND};
use std::time::Duration;

pub const RECIPE: Recipe =
    Recipe { name: "clean-sessions", row: "none", decoys: &[], smoke: false, plan };

/// How many sessions one run has.
const SESSIONS: usize = 18;

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    // A quarter of the training half has the oldest kind of security, which rdesktop alone speaks.
    let plain = draw.of_half(&[true, false, false, false], &[false]);
    if plain {
        plan.server = Server::Xrdp(Options { security_layer: "rdp", ..SOUND });
    }
    plan.callers.clear();
    for _ in 0..SESSIONS {
        let mut caller = Caller::for_server(draw, &plan.server);
        if plain {
            caller = Caller::of(Client::Rdesktop, &plan.server);
        }
        // FreeRDP 2 on both ends sleeps a tenth of a second at every turn.
        let slow = matches!(plan.server, Server::Shadow(_)) && caller.client == Client::Xfreerdp;
        caller.lasts = Duration::from_millis(if slow { 3200 } else { 2200 } + draw.between(0, 900));
        plan.callers.push(caller);
    }
    // On a busy machine a user can leave before the screen is there, and he comes again.
    let outcome: &[&str] = &["established", "rehearsal"];
    plan.label(&everywhere(), Expected { outcome, ..ESTABLISHED });
    plan
}
