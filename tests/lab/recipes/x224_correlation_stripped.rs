//! A device in the path removes the correlation identifier from the X.224 request, with or without the flag that
//! announces it.

use crate::boxes::{relay, with, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Leg, Plan, RELAY, Recipe, Server, Vantage, Why};
use crate::support::clients::Client;

pub const RECIPE: Recipe = Recipe {
    name: "x224-correlation-stripped",
    row: "x224-correlation-stripped",
    decoys: &["clean-session"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(xrdp(draw));
    let leg = Leg::drawn(draw);
    let flag = draw.one(&["", "keep-flag"]);
    plan.note("box", format!("{flag}, {leg:?} leg"));
    plan.fault = relay(&plan, leg, "x224.py", &format!("no-correlation {flag}"));
    // Of the clients here none sends one.
    plan.sound_caller = Some(Caller::for_server(draw, &plan.server));
    plan.callers = vec![with(&Caller::of(Client::Hello, &plan.server), &["--correlation"])];
    // The scripted client goes no further than TLS; that is no failure, and no session either.
    let seen = Expected { outcome: &[], finds: &["x224-correlation-stripped"], ..FAILED };
    let (near, far) = (leg.ends()[0], leg.ends()[1]);
    plan.hint(&[Vantage::At(near)], Expected { finds: &[], ..seen.clone() });
    // The flag without the bytes contradicts itself; who took them away is not to be seen.
    let inside: &[&str] = if flag.is_empty() { &[] } else { &["x224-correlation-stripped"] };
    plan.hint(&[Vantage::At(far)], Expected { finds: inside, ..seen.clone() });
    if leg == Leg::Client {
        plan.hint(&RELAY, Expected { finds: inside, why: Why::Open, ..seen.clone() });
    }
    plan.label(&[leg.pair()], seen);
    plan
}
