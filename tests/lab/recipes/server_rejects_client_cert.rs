//! A gateway asks for a client's certificate, the client has none, and it is turned away: OpenSSL behind a
//! scripted X.224.

use crate::boxes::{freerdp, program, xrdp};
use crate::draw::Draw;
use crate::recipe::{Caller, Expected, FAILED, Plan, Recipe, Server, Step, Why, everywhere};
use crate::topology::Node;

pub const RECIPE: Recipe = Recipe {
    name: "server-rejects-client-cert",
    row: "server-rejects-client-cert",
    decoys: &["no-common-cipher", "client-declines"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.server = Server::Xrdp(xrdp(draw));
    let version = draw.one(&["1.2", "1.3"]);
    let key = draw.of_half(&["rsa:2048", "rsa:3072"], &["ec -pkeyopt ec_paramgen_curve:secp384r1"]);
    plan.note("server", format!("TLS {version}, {key}"));
    plan.setting.push(Step::Sh(
        Node::S,
        format!(
            "openssl req -x509 -newkey {key} -nodes -days 20 -subj /CN=gateway.rdpwhy.test \
             -keyout {{folder}}/own.key -out {{folder}}/own.crt 2>{{folder}}/openssl.log"
        ),
    ));
    plan.faulty_server = Some(Server::Program(program(
        "rdp_shim.py",
        &format!(
            "{{port}} --highest {version} --certificate {{folder}}/own.crt,{{folder}}/own.key \
             --client-certificate {{folder}}/own.crt"
        ),
    )));
    plan.callers = vec![Caller::of(freerdp(draw), &plan.server)];
    // OpenSSL says 40 in TLS 1.2 and 116 in 1.3, where it is encrypted.
    let (what, why): (&[&str], _) = if version == "1.2" {
        let alerts = &["tls-alert-40", "tls-alert-42", "tls-alert-116"];
        (alerts, Why::Is("server-rejects-client-cert"))
    } else {
        (&[], Why::Perhaps("server-rejects-client-cert"))
    };
    plan.label(&everywhere(), Expected { what, why, ..FAILED });
    plan
}
