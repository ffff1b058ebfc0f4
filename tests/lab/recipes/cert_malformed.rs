//! The server's certificate is broken: its bytes do not parse, its signature is wrong, or its key or its
//! signature is too weak.

use crate::boxes::{freerdp, program, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, ENDS, Expected, FAILED, Plan, RELAY, Recipe, Server, Step, Why};
use crate::support::xrdp::Options;
use crate::topology::Node;

pub const RECIPE: Recipe = Recipe {
    name: "cert-malformed",
    row: "cert-malformed",
    decoys: &["cert-self-signed", "tls-record-tampered"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(Options { ssl_protocols: "TLSv1.2", ..xrdp(draw) });
    // The length of what is signed; the last bytes of a self-signature of 256.
    let (key, digest, flip) = draw.of_half(
        &[
            ("rsa:2048", "sha256", "--flip 6"),
            ("rsa:2048", "sha256", "--flip 700"),
            ("rsa:2048", "md5", ""),
            ("rsa:512", "sha256", ""),
        ],
        &[("rsa:768", "sha256", ""), ("rsa:1024", "md5", "")],
    );
    plan.note("certificate", format!("{key}, {digest} {flip}"));
    plan.setting.push(Step::Sh(
        Node::S,
        format!(
            "openssl req -x509 -newkey {key} -{digest} -nodes -days 20 -subj /CN=broken.rdpwhy.test \
             -keyout {{folder}}/broken.key -out {{folder}}/broken.crt 2>{{folder}}/openssl.log"
        ),
    ));
    // A scripted peer: no server lets itself be configured with it.
    plan.faulty_server = Some(Server::Program(program(
        "rdp_shim.py",
        &format!(
            "{{port}} --highest 1.2 --certificate {{folder}}/broken.crt,{{folder}}/broken.key {flip}"
        ),
    )));
    let caller = Caller::of(freerdp(draw), &plan.server);
    plan.callers = vec![caller.clone()];
    plan.callers[0].arguments.retain(|word| word != "/cert:ignore");
    plan.sound_caller = Some(caller);
    // What does not parse is refused by the TLS library, with an alert. The rest is for FreeRDP to see,
    // which knows of the authority only that it does not know it.
    let cause = if flip == "--flip 6" { "cert-malformed" } else { "client-rejects-cert" };
    let why = Why::Perhaps(cause);
    let seen = Expected { why, finds: &["cert-malformed"], ..FAILED };
    plan.label(&[&ENDS[..], &RELAY].concat(), seen);
    plan
}
