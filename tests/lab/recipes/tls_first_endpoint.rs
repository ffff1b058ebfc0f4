//! A service listens on the port that speaks TLS from the first byte.

use crate::draw::Draw;
use crate::recipe::{
    Expected, FAILED, Plan, Program, Ready, Recipe, Server, Step, Why, everywhere,
};
use crate::topology::Node;

pub const RECIPE: Recipe = Recipe {
    name: "tls-first-endpoint",
    row: "tls-first-endpoint",
    decoys: &["non-rdp-endpoint"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let port = plan.port.to_string();
    let (key, priority) = draw.of_half(
        &[("rsa:2048", "NORMAL")],
        &[("ec -pkeyopt ec_paramgen_curve:secp384r1", "NORMAL:-VERS-TLS1.3")],
    );
    let make = format!(
        "openssl req -x509 -newkey {key} -nodes -days 3 -subj /CN=tls.example.org \
         -keyout {{folder}}/tls.key -out {{folder}}/tls.crt 2>{{folder}}/openssl.log"
    );
    plan.setting.push(Step::Sh(Node::S, make));
    // OpenSSL's server says nothing to what is no TLS, so it can not be recognised.
    let echo = draw.one(&["--http", "--echo"]);
    plan.note("gnutls-serv", format!("{echo}, {key}, {priority}"));
    let files = ["--x509certfile", "tls.crt", "--x509keyfile", "tls.key"];
    let words = [&["--quiet", echo, "-p", &port, "--priority", priority], &files[..]].concat();
    plan.faulty_server = Some(Server::Program(Program {
        program: "gnutls-serv",
        arguments: words.into_iter().map(str::to_owned).collect(),
        files: Vec::new(),
        ready: Ready::Listens(plan.port),
    }));
    plan.label(
        &everywhere(),
        Expected {
            reached: &["x224_request"],
            what: &["tls-first-endpoint"],
            why: Why::Is("tls-first-endpoint"),
            party: &["server"],
            ..FAILED
        },
    );
    // What a client tries afterwards can be less than a whole attempt.
    plan.first_only();
    plan
}
