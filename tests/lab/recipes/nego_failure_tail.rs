//! A server sends bytes behind its negotiation failure, or does not close after it: xrdp and FreeRDP's shadow
//! server do.

use crate::boxes::{freerdp, with};
use crate::draw::{Draw, Half};
use crate::recipe::{Caller, ENDS, Expected, FAILED, Plan, Recipe, Server, Why};
use crate::support::shadow::Release;
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
    let sound = Options { security_layer: "tls", ..SOUND };
    plan.server = Server::Xrdp(sound);
    let caller = Caller::of(freerdp(draw), &plan.server);
    let (what, why): (&[&str], _) = match draw.half() {
        Half::Training => {
            plan.faulty_server = Some(Server::Xrdp(Options { key: Key::Missing, ..sound }));
            plan.callers = vec![caller];
            (&["ssl-cert-not-on-server"], "ssl-cert-not-on-server")
        }
        Half::HeldOut => {
            plan.faulty_server = Some(Server::Shadow(Release::Three));
            plan.callers = vec![with(&caller, &["/sec:tls"])];
            (&["nla-required"], "nla-required")
        }
    };
    let seen = Expected {
        reached: &["x224_confirm"],
        what,
        why: Why::Is(why),
        finds: &["nego-failure-tail"],
        ..FAILED
    };
    plan.label(&ENDS, seen);
    plan
}
