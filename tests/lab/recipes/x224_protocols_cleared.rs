//! A device in the path clears the protocols that the client asks for in its X.224 request, and a server
//! that insists on TLS or NLA refuses.

use crate::boxes::{relay, xrdp};
use crate::draw::{Draw, Half};
use crate::recipe::{
    Expected, FAILED, Leg, NETWORK, Plan, RELAY, Recipe, Server, Step, Vantage, Why,
};
use crate::support::xrdp::Options;

pub const RECIPE: Recipe = Recipe {
    name: "x224-protocols-cleared",
    row: "x224-protocols-cleared",
    decoys: &["ssl-required", "nla-required"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    if let Server::Xrdp(options) = &mut plan.server {
        *options = Options { security_layer: "tls", ..xrdp(draw) };
    }
    let leg = Leg::drawn(draw);
    let user = if matches!(plan.server, Server::Shadow(_)) { "labuser" } else { "lab" };
    plan.note("box", format!("{leg:?} leg"));
    plan.fault = match draw.half() {
        Half::Training => vec![in_kernel(&plan, leg, user)],
        Half::HeldOut => relay(&plan, leg, "x224.py", "clear=0x03"),
    };
    let seen = Expected {
        reached: &["x224_confirm"],
        what: &[
            "x224-protocols-cleared",
            "ssl-required",
            "nla-required",
            "neg-failure-other",
            "clean-close-no-reason",
        ],
        why: Why::Perhaps("x224-protocols-cleared"),
        ..FAILED
    };
    let [near, far] = leg.ends().map(Vantage::At);
    // A client that offers what the server misses: the request did not arrive as it was sent, or the
    // server contradicts itself.
    plan.hint(&[near], Expected { party: NETWORK, ..seen.clone() });
    if leg == Leg::Server {
        plan.hint(&RELAY, Expected { party: leg.network(), ..seen.clone() });
    }
    // The server's own capture shows a client that does not offer it, and a server that says so.
    plan.hint(&[far], Expected { why: Why::Open, ..seen.clone() });
    let proven = Why::Is("x224-protocols-cleared");
    plan.label(&[leg.pair()], Expected { party: leg.network(), why: proven, ..seen });
    // The client comes again and asks for less by itself.
    plan.first_only();
    plan
}

/// Clears them by a rule of the kernel, two bytes at an even offset of the packet: at an odd one the
/// checksum would not be repaired.
fn in_kernel(plan: &Plan, leg: Leg, user: &str) -> Step {
    // TPKT and X.224 headers, `Cookie: mstshash=`, the name, the line's end, four bytes of header.
    let protocols = 4 + 7 + 17 + user.len() + 2 + 4;
    let bits = protocols / 2 * 2 * 8;
    let port = leg.port(plan);
    Step::Nft(
        leg.router(),
        format!(
            "chain f {{ type filter hook forward priority mangle\n \
             tcp dport {port} @ih,40,8 0xe0 @ih,{bits},16 set 0\n }}"
        ),
    )
}
