//! A server sends bytes behind its negotiation failure: xrdp does. One that only does not close (FreeRDP's shadow
//! server) shows nothing of it: the clients here close within a millisecond.

use crate::boxes::{freerdp, with};
use crate::draw::{Draw, Half};
use crate::recipe::{Caller, ENDS, Expected, FAILED, Plan, Recipe, Server, Why};
use crate::support::certs::Kind;
use crate::support::clients::Client;
use crate::support::xrdp::{Key, Options, SOUND};

pub const RECIPE: Recipe = Recipe {
    name: "nego-failure-tail",
    row: "nego-failure-tail",
    decoys: &["neg-failure-forged"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let sound = Options {
        security_layer: "tls",
        certificate: draw.of_half(&[Kind::Good], &[Kind::Ec384]),
        ..SOUND
    };
    plan.server = Server::Xrdp(sound);
    let caller = Caller::of(freerdp(draw), &plan.server);
    let refusal: &[&str] = match draw.half() {
        Half::Training => {
            plan.faulty_server = Some(Server::Xrdp(Options { key: Key::Missing, ..sound }));
            plan.callers = vec![caller];
            &["ssl-cert-not-on-server"]
        }
        Half::HeldOut => {
            let hello = Caller::of(Client::Hello, &plan.server);
            plan.callers = vec![with(&hello, &["--protocols", "0"])];
            plan.sound_caller = Some(caller);
            &["ssl-required"]
        }
    };
    let seen = Expected {
        reached: &["x224_confirm"],
        what: refusal,
        why: Why::Is(refusal[0]),
        finds: &["nego-failure-tail"],
        ..FAILED
    };
    plan.label(&ENDS, seen);
    plan
}
