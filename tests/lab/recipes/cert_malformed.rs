//! The server's certificate is broken: its bytes do not parse, its signature is wrong, or its key or its
//! signature is too weak. All but the first is xrdp's own.

use crate::boxes::{freerdp, program, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, ENDS, Expected, FAILED, Plan, RELAY, Recipe, Server, Step, Why};
use crate::support::certs::Kind;
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
    let sound = Options { ssl_protocols: "TLSv1.2", ..xrdp(draw) };
    plan.server = Server::Xrdp(sound);
    let kind = draw.of_half(
        &[
            None,
            Some(Kind::Spoilt),
            Some(Kind::Rsa("2048", "md5")),
            Some(Kind::Rsa("512", "sha256")),
        ],
        &[Some(Kind::Rsa("768", "sha256")), Some(Kind::Rsa("1024", "md5"))],
    );
    plan.note("certificate", format!("{kind:?}"));
    plan.faulty_server = Some(match kind {
        Some(certificate) => Server::Xrdp(Options { certificate, legacy_openssl: true, ..sound }),
        None => unparsable(&mut plan),
    });
    let caller = Caller::of(freerdp(draw), &plan.server);
    plan.callers = vec![caller.clone()];
    plan.callers[0].arguments.retain(|word| word != "/cert:ignore");
    plan.sound_caller = Some(caller);
    // What does not parse is refused by the TLS library, with an alert. The rest is for FreeRDP to see,
    // which knows of the authority only that it does not know it.
    let cause = if kind.is_none() { "cert-malformed" } else { "client-rejects-cert" };
    let why = Why::Perhaps(cause);
    let seen = Expected { why, finds: &["cert-malformed"], ..FAILED };
    plan.label(&[&ENDS[..], &RELAY].concat(), seen);
    plan
}

/// OpenSSL with a certificate whose bytes do not parse: a byte is changed on its way out, the length of what is
/// signed, for no server loads such a one.
fn unparsable(plan: &mut Plan) -> Server {
    let [certificate, key] = ["{folder}/broken.crt", "{folder}/broken.key"];
    let made = "openssl req -x509 -newkey rsa:2048 -nodes -days 20 -subj /CN=broken.rdpwhy.test";
    let made = format!("{made} -keyout {key} -out {certificate} 2>{{folder}}/openssl.log");
    plan.setting.push(Step::Sh(Node::S, made));
    let arguments = format!("{{port}} --highest 1.2 --certificate {certificate},{key} --flip 6");
    Server::Program(program("rdp_shim.py", &arguments))
}
