//! A client whose newest TLS is refused comes again by itself with an older one, as browsers and gateways did; the
//! server that is reached then notices.

use crate::boxes::{packets, with, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Leg, Plan, Recipe, Server, Vantage, Why};
use crate::support::clients::Client;
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "fallback-retry",
    row: "fallback-retry",
    decoys: &["tls-version-intolerance", "tls13-sentinel-honest"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(xrdp(draw));
    plan.sound_caller = Some(Caller::for_server(draw, &plan.server));
    let hello = Caller::of(Client::Hello, &plan.server);
    let pause = draw.range_of_half([50, 900], [1000, 1800]).to_string();
    let stack = draw.one(&["openssl", "gnutls"]);
    let arguments = ["--offer", "1.3,1.2", "--scsv", "--pause", &pause, "--stack", stack];
    plan.callers = vec![with(&hello, &arguments)];
    plan.callers[0].lasts = Duration::from_secs(8);
    let leg = Leg::drawn(draw);
    plan.note("client", format!("{stack}, after {pause} ms, {leg:?} leg"));
    plan.fault = vec![packets(&plan, leg, "picky.py", "--dislikes tls13 --reacts rst")];
    let [near, _] = leg.ends().map(Vantage::At);
    // Alert 86, inappropriate_fallback, from a server that knows TLS 1.3.
    let second = Expected {
        reached: &["tls_client_hello"],
        what: &["tls-alert-86", "fallback-retry"],
        why: Why::Open,
        finds: &["fallback-retry"],
        ..FAILED
    };
    plan.label_nth(1, &[near], second.clone());
    if leg == Leg::Server {
        plan.label_nth(1, &crate::recipe::RELAY, second);
    }
    plan
}
