//! A router leads every connection to its own web server, which sends everybody to a portal.

use super::http_answer::nginx;
use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, NETWORK, Plan, RELAY, Recipe, Step, Vantage, Why};

pub const RECIPE: Recipe = Recipe {
    name: "http-portal",
    row: "http-answer",
    decoys: &["http-answer"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let leg = Leg::drawn(draw);
    let port = leg.port(&plan);
    let page = draw
        .of_half(&["302 http://portal.example.org/login", "511 /login"], &["302 /guest/welcome"]);
    let (status, location) = page.split_once(' ').unwrap_or_default();
    plan.note("answer", format!("{page}, {leg:?} leg"));
    let portal = nginx(
        8080,
        "return 302 http://portal.example.org/login;",
        &format!("error_page 400 ={status} {location};"),
    );
    plan.fault = vec![
        Step::Program(leg.router(), portal),
        Step::Nft(
            leg.router(),
            format!(
                "chain n {{ type nat hook prerouting priority dstnat\n \
                 tcp dport {port} redirect to :8080\n }}"
            ),
        ),
    ];
    let seen = Expected {
        reached: &["x224_request"],
        what: &["http-answer"],
        why: Why::Is("http-answer"),
        ..FAILED
    };
    let [near, _] = leg.ends();
    if leg == Leg::Server {
        plan.label(&RELAY, Expected { party: leg.network(), ..seen.clone() });
    }
    plan.label(&[Vantage::At(near)], Expected { party: NETWORK, ..seen.clone() });
    // What a client tries afterwards can be less than a whole attempt.
    plan.first_only();
    plan
}
