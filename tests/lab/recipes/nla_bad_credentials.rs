//! The password is wrong, or there is no such user: the server that insists on NLA turns the client away.

use crate::draw::{Draw, Half};
use crate::recipe::{Caller, Expected, FAILED, Plan, RELAY, Recipe, Server, Vantage, Why};
use crate::support::shadow::{PASSWORD, Release, USER};
use crate::topology::Port;
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "nla-bad-credentials",
    row: "nla-bad-credentials",
    decoys: &["credssp-pubkey-mismatch"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let release = match draw.half() {
        Half::Training => Release::Two,
        Half::HeldOut => Release::Three,
    };
    plan.server = Server::Shadow(release);
    let caller = Caller::for_server(draw, &plan.server);
    let (user, password) = draw.of_half(
        &[(USER, "wrong"), (USER, "Right-Pass-2"), ("nobody", PASSWORD)],
        &[("guest-7", "Another-1"), (USER, "right-pass-1")],
    );
    plan.note("credentials", format!("{user}, {password}, {release:?}"));
    let mut wrong = caller.clone();
    wrong.arguments = vec![format!("/u:{user}"), format!("/p:{password}"), "/cert:ignore".into()];
    wrong.lasts = Duration::from_secs(10);
    plan.callers = vec![wrong];
    plan.sound_caller = Some(caller);
    let seen = Expected {
        reached: &["credssp", "tls_encrypted"],
        what: &["nla-bad-credentials", "clean-close-no-reason", "rst-genuine-client"],
        why: Why::Perhaps("nla-bad-credentials"),
        ..FAILED
    };
    let ends = [Port::C, Port::Pc, Port::Ps, Port::S].map(Vantage::At);
    plan.hint(&[&ends[..], &RELAY].concat(), seen);
    plan
}
