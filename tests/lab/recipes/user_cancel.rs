//! The user changes his mind while the connection is being made, and ends his client.

use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Plan, Recipe, Why, everywhere};

pub const RECIPE: Recipe = Recipe {
    name: "user-cancel",
    row: "user-cancel",
    decoys: &["client-declines", "rst-genuine-client"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    // After the confirm (19 bytes), in the TLS handshake, behind it; in NLA.
    let sent = draw.range_of_half([19, 1200], [1250, 1900]);
    let signal = draw.of_half(&["INT", "TERM", "HUP"], &["QUIT"]);
    plan.note("cancelled", format!("after {sent} bytes, by {signal}"));
    plan.act = Some(Box::new(move |scene| {
        scene.until_server_sent(sent);
        scene.client.process.signal(signal);
    }));
    plan.hint(
        &everywhere(),
        Expected {
            // On a fast path the session can be there before he is.
            outcome: &["failed", "rehearsal", "unknown", "established"],
            from: &["client"],
            what: &[
                "user-cancel",
                "clean-close-no-reason",
                "rst-genuine-client",
                "truncated-tls",
                "client-rehearsal-close",
            ],
            why: Why::Perhaps("user-cancel"),
            party: &["client"],
            ..FAILED
        },
    );
    plan
}
