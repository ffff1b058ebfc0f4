//! The server stops in the middle of the handshake: once its confirm has gone out, or when TLS is up and the
//! client has more to say.

use super::server_closes::cut;
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, HANDSHAKE, Plan, Recipe, Server, Why, everywhere};
use crate::support::certs::Kind;
use crate::support::clients::Client;
use crate::support::xrdp::{Options, SOUND};
use crate::topology::Node;
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
    let seen = Expected {
        what: &["server-stall"],
        why: Why::Perhaps("server-stall"),
        party: &["server"],
        ..FAILED
    };
    let early = draw.of_half(&[true, false], &[false]);
    if early {
        // Nothing of the server's passes after its confirm (19 bytes).
        cut(&mut plan, &["end=fin", "after_server=19", "pause=60000"]);
        plan.callers[0].lasts = Duration::from_secs(draw.between(9, 11));
        // A first flight that is one packet and too large for the way would be missed just so.
        let seen = Expected { what: &["unanswered-turn"], why: Why::Open, ..seen };
        plan.hint(&everywhere(), seen);
        return plan;
    }
    let client = draw.of_half(&[Client::Xfreerdp, Client::Xfreerdp3], &[Client::Rdesktop]);
    if client == Client::Rdesktop {
        plan.server = Server::Xrdp(Options { certificate: Kind::Ec384, ..SOUND });
    }
    let thinks = draw.range_of_half([1500, 4400], [4800, 5600]);
    plan.note("user thinks", format!("{thinks} ms"));
    plan.callers = vec![Caller::asking(client, &plan.server, Duration::from_millis(thinks))];
    plan.callers[0].lasts = Duration::from_millis(thinks + 8500);
    let pause = draw.range_of_half([200, 1000], [1600, 2400]);
    plan.act = Some(Box::new(move |scene| {
        scene.until_sent(Node::S, HANDSHAKE);
        std::thread::sleep(Duration::from_millis(pause));
        scene.signal_server("STOP");
    }));
    plan.label(&everywhere(), seen);
    plan
}
