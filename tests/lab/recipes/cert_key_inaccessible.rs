//! A server can not use its private key when the ClientHello comes, and ends the connection without a word: the shape
//! of Schannel, by a scripted peer.

use crate::boxes::{freerdp, program, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Plan, Recipe, Server, Why, everywhere};

pub const RECIPE: Recipe = Recipe {
    name: "cert-key-inaccessible",
    row: "cert-key-inaccessible",
    decoys: &["rst-injected-toclient", "fin-injected", "rst-inpath-reject"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(xrdp(draw));
    let how = draw.one(&["rst", "fin"]);
    let think = draw.range_of_half([0, 200], [250, 700]);
    plan.note("end", format!("{how} after {think} ms"));
    let arguments = format!("{{port}} --close-at hello --how {how} --think {think}");
    plan.faulty_server = Some(Server::Program(program("rdp_shim.py", &arguments)));
    plan.callers = vec![Caller::of(freerdp(draw), &plan.server)];
    plan.label(
        &everywhere(),
        Expected {
            reached: &["tls_client_hello"],
            from: &["server"],
            what: &["rst-genuine-server", "clean-close-no-reason"],
            why: Why::Perhaps("cert-key-inaccessible"),
            party: &["server"],
            ..FAILED
        },
    );
    plan
}
