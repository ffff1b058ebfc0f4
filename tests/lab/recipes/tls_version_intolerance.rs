//! A device in the path does not let a hello pass that offers TLS 1.3. The same user comes again with TLS 1.2 and
//! has his session.

use crate::boxes::{freerdp, packets, with, xrdp};
use crate::draw::Draw;
use crate::recipe::{
    Caller, ESTABLISHED, Expected, FAILED, Leg, Plan, RELAY, Recipe, Server, Vantage, Why,
};
use crate::support::clients::Client;
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "tls-version-intolerance",
    row: "tls-version-intolerance",
    decoys: &["rst-inpath-reject", "no-common-version"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    intolerant(draw, &["rst", "fin", "alert"], &["rst-client"])
}

/// A box that dislikes TLS 1.3 and reacts in one of these ways.
pub fn intolerant(draw: &mut Draw, training: &[&'static str], held_out: &[&'static str]) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(xrdp(draw));
    let first = Caller::of(freerdp(draw), &plan.server);
    let most = match first.client {
        Client::Xfreerdp3 => "/tls:enforce:1.2",
        _ => "+enforce-tlsv1_2",
    };
    plan.callers = vec![first.clone(), with(&first, &[most])];
    plan.callers[0].lasts = Duration::from_secs(6);
    plan.sound_caller = Some(first);
    let leg = Leg::drawn(draw);
    let reacts = draw.of_half(training, held_out);
    plan.note("box", format!("{reacts}, {leg:?} leg"));
    let arguments = format!("--dislikes tls13 --reacts {reacts}");
    plan.fault = vec![packets(&plan, leg, "picky.py", &arguments)];
    let seen = Expected {
        reached: &["tls_client_hello"],
        why: Why::Perhaps("tls-version-intolerance"),
        ..FAILED
    };
    // What the box does, by its own name.
    let also: &[&str] = match reacts {
        "fin" => &["fin-injected", "rst-injected-toserver", "rst-inpath-reject"],
        "alert" => &["data-injected", "rst-injected-toserver", "rst-inpath-reject"],
        _ => &["rst-inpath-reject"],
    };
    let [near, far] = leg.ends().map(Vantage::At);
    // There are servers that dislike it as well: whose dislike it is takes both ends or a probe.
    plan.hint_nth(0, &[near], seen.clone());
    if leg == Leg::Server {
        plan.hint_nth(0, &RELAY, seen.clone());
    }
    plan.label_nth(0, &[leg.pair()], Expected { party: leg.network(), also, ..seen });
    plan.label_nth(1, &[near, far], ESTABLISHED);
    plan.label_nth(1, &RELAY, ESTABLISHED);
    plan
}
