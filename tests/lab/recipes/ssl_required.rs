//! A client that knows standard RDP security only meets a server that insists on TLS.

use crate::boxes::{freerdp, with, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Plan, Recipe, Server, Why, everywhere};
use crate::support::clients::Client;
use crate::support::xrdp::Options;

pub const RECIPE: Recipe = Recipe {
    name: "ssl-required",
    row: "ssl-required",
    decoys: &["x224-protocols-cleared", "x224-negreq-removed"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(Options { security_layer: "tls", ..xrdp(draw) });
    let caller = Caller::of(freerdp(draw), &plan.server);
    let protocols = draw.one(&["", "0", "0x0a"]);
    plan.note("requested", protocols);
    // FreeRDP then sends no negotiation at all, and xrdp answers in kind: it ends the connection only
    // when the client goes on without TLS, and gives no reason.
    let (reached, what, why): (&[&str], &[&str], _) = if protocols.is_empty() {
        plan.callers = vec![with(&caller, &["/sec:rdp"])];
        let what = &["ssl-required", "rst-genuine-server", "clean-close-no-reason"];
        (&["x224_confirm", "mcs"], what, Why::Perhaps("ssl-required"))
    } else {
        let hello = Caller::of(Client::Hello, &plan.server);
        plan.callers = vec![with(&hello, &["--protocols", protocols])];
        (&["x224_confirm"], &["ssl-required"], Why::Is("ssl-required"))
    };
    plan.sound_caller = Some(caller);
    let party = &["server", "client"];
    plan.label(&everywhere(), Expected { reached, what, why, party, ..FAILED });
    plan
}
