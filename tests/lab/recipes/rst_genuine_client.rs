//! The client's process dies while its user reads the certificate: its kernel resets the connection,
//! for there are bytes nobody has read, or closes it.

use crate::draw::Draw;
use crate::recipe::{
    Caller, Expected, FAILED, HANDSHAKE, Leg, Plan, RELAY, Recipe, Server, Vantage, Why,
};
use crate::support::certs::Kind;
use crate::support::clients::Client;
use crate::support::xrdp::{Options, SOUND};
use crate::topology::Node;
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "rst-genuine-client",
    row: "rst-genuine-client",
    decoys: &["client-declines", "client-rehearsal-close"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let client = draw.of_half(&[Client::Xfreerdp], &[Client::Xfreerdp3]);
    let certificate = draw.of_half(&[Kind::Good, Kind::Ec], &[Kind::Ec384]);
    // The tickets of TLS 1.3 are what it has not read.
    plan.server = Server::Xrdp(Options { ssl_protocols: "TLSv1.3", certificate, ..SOUND });
    plan.callers = vec![Caller::asking(client, &plan.server, Duration::from_secs(6))];
    let dies = draw.range_of_half([200, 1500], [1700, 2600]);
    let signal = draw.of_half(&["KILL"], &["ABRT"]);
    plan.note("killed", format!("{client:?}, {signal}, {dies} ms after the handshake"));
    plan.sound_caller = Some(Caller::of(client, &plan.server));
    plan.act = Some(Box::new(move |scene| {
        scene.until_sent(Node::S, HANDSHAKE);
        std::thread::sleep(Duration::from_millis(dies));
        scene.client.process.signal(signal);
    }));
    let seen = Expected {
        reached: &["tls_finished", "tls_encrypted"],
        from: &["client"],
        what: &["rst-genuine-client", "clean-close-no-reason"],
        why: Why::Perhaps("client-rejects-cert"),
        party: &["client"],
        ..FAILED
    };
    let ends = Leg::Client.ends().map(Vantage::At);
    plan.hint(&[&RELAY[..], &ends].concat(), seen.clone());
    plan.label(&[Leg::Client.pair()], seen);
    plan
}
