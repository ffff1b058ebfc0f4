//! The user changes his mind while the connection is being made, and ends his client.

use super::wan::through;
use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Leg, Plan, Recipe, Vantage, Why, everywhere};
use crate::topology::Node;
use std::time::Duration;

pub const RECIPE: Recipe = Recipe {
    name: "user-cancel",
    row: "user-cancel",
    decoys: &["client-declines", "rst-genuine-client"],
    smoke: false,
    plan,
};

/// When he does.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Behind the SYN.
    Connecting,
    /// Behind the request.
    Requested,
    /// When the server has sent so many bytes: the confirm (19), its part of TLS, and in NLA.
    Sent(u64),
}

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let sent = Moment::Sent(draw.range_of_half([19, 1200], [1250, 1900]));
    let moment = draw.one(&[Moment::Connecting, Moment::Requested, sent, sent, sent]);
    let signal = draw.of_half(&["INT", "TERM", "HUP"], &["QUIT"]);
    // He has to be faster than the answer.
    let milliseconds = draw.range_of_half([400, 700], [750, 1000]);
    plan.note("cancelled", format!("{moment:?}, by {signal}"));
    if !matches!(moment, Moment::Sent(_)) {
        through(&mut plan, Leg::Client, &format!("delay={milliseconds}"));
        // His FIN, and what was under way to him, arrive all the same.
        plan.settles += Duration::from_millis(3 * milliseconds);
    }
    plan.act = Some(Box::new(move |scene| {
        match moment {
            Moment::Connecting => scene.until_connecting(),
            Moment::Requested => scene.until_sent(Node::C, 1),
            Moment::Sent(bytes) => scene.until_sent(Node::S, bytes),
        }
        scene.client.process.signal(signal);
    }));
    let left = Expected {
        from: &["client"],
        why: Why::Perhaps("user-cancel"),
        party: &["client"],
        ..FAILED
    };
    match moment {
        // Of a handshake that was not completed no relay hears.
        Moment::Connecting => {
            // On a busy machine the answer can be there before he is.
            let what = &["user-cancel", "rst-genuine-client", "clean-close-no-reason"];
            plan.hint(&Leg::Client.ends().map(Vantage::At), Expected { what, ..left });
        }
        _ => plan.hint(&everywhere(), Expected { outcome: OUTCOMES, what: ENDS, ..left }),
    }
    plan
}

/// On a fast path the session can be there before he is.
const OUTCOMES: &[&str] = &["failed", "rehearsal", "unknown", "established"];

const ENDS: &[&str] = &[
    "user-cancel",
    "clean-close-no-reason",
    "rst-genuine-client",
    "truncated-tls",
    "client-rehearsal-close",
];
