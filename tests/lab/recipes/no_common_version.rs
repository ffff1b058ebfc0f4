//! A server that speaks TLS 1.3 only meets a client that speaks up to 1.2 only.

use crate::boxes::{freerdp, with, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Plan, Recipe, Server, Why, everywhere};
use crate::support::clients::Client;
use crate::support::xrdp::Options;

pub const RECIPE: Recipe = Recipe {
    name: "no-common-version",
    row: "no-common-version",
    decoys: &["tls-version-intolerance", "tls-alert-80", "data-injected"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(xrdp(draw));
    plan.faulty_server = Some(Server::Xrdp(Options { ssl_protocols: "TLSv1.3", ..xrdp(draw) }));
    let caller = Caller::of(freerdp(draw), &plan.server);
    let most =
        if caller.client == Client::Xfreerdp3 { "/tls:enforce:1.2" } else { "+enforce-tlsv1_2" };
    plan.callers = vec![with(&caller, &[most])];
    plan.label(
        &everywhere(),
        Expected {
            reached: &["tls_client_hello"],
            what: &["tls-alert-70"],
            why: Why::Is("no-common-version"),
            party: &["server", "client"],
            ..FAILED
        },
    );
    plan
}
