//! Server and client know no common cipher suite.

use crate::boxes::{freerdp, with, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Plan, Recipe, Server, Why, everywhere};
use crate::support::clients::Client;
use crate::support::xrdp::Options;

pub const RECIPE: Recipe = Recipe {
    name: "no-common-cipher",
    row: "no-common-cipher",
    decoys: &["data-injected", "server-rejects-client-cert"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let sound = Options { ssl_protocols: "TLSv1.2", ..xrdp(draw) };
    plan.server = Server::Xrdp(sound);
    let (theirs, ours) = draw.of_half(
        &[
            ("AES256-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
            ("ECDHE-RSA-AES256-SHA384", "AES128-GCM-SHA256"),
        ],
        &[("ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES256-GCM-SHA384")],
    );
    plan.faulty_server = Some(Server::Xrdp(Options { tls_ciphers: theirs, ..sound }));
    let caller = Caller::of(freerdp(draw), &plan.server);
    let word = if caller.client == Client::Xfreerdp3 { "/tls:ciphers" } else { "/tls-ciphers" };
    plan.callers = vec![with(&caller, &[&format!("{word}:{ours}")])];
    plan.note("suites", format!("server {theirs}, client {ours}"));
    plan.label(
        &everywhere(),
        Expected {
            reached: &["tls_client_hello"],
            what: &["tls-alert-40"],
            // Alert 40 can mean signature algorithms, curves or the kind of certificate as well.
            why: Why::Perhaps("no-common-cipher"),
            party: &["server", "client"],
            ..FAILED
        },
    );
    plan
}
