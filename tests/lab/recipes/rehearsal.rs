//! A client comes and shows its user the certificate; he says no, thinks better of it, and comes
//! back for his session.

use crate::draw::Draw;
use crate::recipe::{Caller, ESTABLISHED, Expected, FAILED, Plan, Recipe, Server, everywhere};
use crate::support::certs::Kind;
use crate::support::clients::Client;
use crate::support::xrdp::{Options, SOUND};
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "client-rehearsal-close",
    row: "client-rehearsal-close",
    decoys: &["client-declines"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let (server, first) = declined(draw);
    plan.note("first client", format!("{:?}, {server:?}", first.client));
    plan.callers = vec![first.clone(), Caller::of(first.client, &server)];
    plan.server = server;
    let rehearsal = Expected {
        outcome: &["rehearsal"],
        reached: &["tls_finished", "tls_encrypted"],
        // The server's answer to the close_notify can overtake the FIN behind it.
        from: &["client", "server"],
        what: &["client-rehearsal-close"],
        party: &["client"],
        ..FAILED
    };
    plan.label_nth(0, &everywhere(), rehearsal);
    plan.label_nth(1, &everywhere(), ESTABLISHED);
    plan
}

/// A server with a certificate nobody knows, and a client whose user says no to it.
pub fn declined(draw: &mut Draw) -> (Server, Caller) {
    let client = draw.of_half(&[Client::Xfreerdp], &[Client::Xfreerdp3]);
    let versions = draw.one(&["TLSv1.2", "TLSv1.2, TLSv1.3"]);
    let certificate = draw.of_half(&[Kind::Good, Kind::Ec], &[Kind::Ec384]);
    let server = Server::Xrdp(Options { ssl_protocols: versions, certificate, ..SOUND });
    let thinks = Duration::from_millis(draw.range_of_half([700, 1800], [1900, 2800]));
    let mut caller = Caller::asking(client, &server, thinks);
    caller.answer = Some((thinks, "N\n"));
    caller.lasts = thinks + Duration::from_secs(5);
    (server, caller)
}
