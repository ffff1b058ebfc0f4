//! A router changes the TCP options of the SYN. The session comes up all the same.

use crate::draw::Draw;
use crate::recipe::{ESTABLISHED, Expected, Leg, Plan, RELAY, Recipe, Step, everywhere};

pub const RECIPE: Recipe = Recipe {
    name: "tcp-option-rewrite",
    row: "tcp-option-rewrite",
    decoys: &["transparent-tcp-proxy"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let change = draw.of_half(
        &[
            "tcp option maxseg size set 1200",
            "reset tcp option sack-perm",
            "reset tcp option timestamp",
        ],
        &["reset tcp option window", "tcp option maxseg size set 900"],
    );
    plan.note("change", change);
    // A relay sees the SYN of its client alone.
    plan.fault = vec![Step::Nft(
        Leg::Client.router(),
        format!(
            "chain f {{ type filter hook forward priority mangle\n \
             tcp flags & (syn|rst) == syn {change}\n }}"
        ),
    )];
    let clipped = change.starts_with("tcp option maxseg");
    let found = Expected { finds: &["tcp-option-rewrite"], ..ESTABLISHED };
    // Options that are gone leave NOPs behind; a smaller MSS could be the client's own.
    let relay = if clipped { ESTABLISHED } else { found.clone() };
    plan.label(&RELAY, relay);
    plan.label(&everywhere()[..4], ESTABLISHED);
    plan.label(&[Leg::Client.pair()], found);
    plan
}
