//! A client that knows TLS 1.2 only meets a server that knows more: its random number says so, and nothing is wrong.

use crate::boxes::{freerdp, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, ESTABLISHED, Plan, Recipe, Server, everywhere};
use crate::support::clients::Client;

pub const RECIPE: Recipe = Recipe {
    name: "tls13-sentinel-honest",
    row: "none",
    decoys: &["tls13-sentinel"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(xrdp(draw));
    let mut caller = Caller::of(freerdp(draw), &plan.server);
    let most = match caller.client {
        Client::Xfreerdp3 => "/tls:enforce:1.2",
        _ => "+enforce-tlsv1_2",
    };
    caller.arguments.push(most.into());
    plan.note("client", format!("{:?} {most}", caller.client));
    plan.callers = vec![caller];
    plan.label(&everywhere(), ESTABLISHED);
    plan
}
