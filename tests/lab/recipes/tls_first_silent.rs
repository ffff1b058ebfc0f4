//! OpenSSL listens on the port and wants TLS from the first byte. To what is no TLS it says nothing:
//! it closes, and nobody can see why.

use crate::draw::Draw;
use crate::recipe::{
    Expected, FAILED, Plan, Program, Ready, Recipe, Server, Step, Why, everywhere,
};
use crate::topology::Node;

pub const RECIPE: Recipe = Recipe {
    name: "tls-first-silent",
    row: "clean-close-no-reason",
    decoys: &["lb-no-backend", "tls-first-endpoint"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let port = plan.port.to_string();
    let key = draw.of_half(
        &["rsa:2048", "ec -pkeyopt ec_paramgen_curve:prime256v1"],
        &["ec -pkeyopt ec_paramgen_curve:secp384r1"],
    );
    let make = format!(
        "openssl req -x509 -newkey {key} -nodes -days 3 -subj /CN=tls.example.org \
         -keyout {{folder}}/tls.key -out {{folder}}/tls.crt 2>{{folder}}/openssl.log"
    );
    plan.note("key", key);
    plan.setting.push(Step::Sh(Node::S, make));
    let words = ["s_server", "-quiet", "-accept", &port, "-cert", "tls.crt", "-key", "tls.key"];
    plan.faulty_server = Some(Server::Program(Program {
        program: "openssl",
        arguments: words.map(str::to_owned).to_vec(),
        files: Vec::new(),
        ready: Ready::Listens(plan.port),
    }));
    plan.label(
        &everywhere(),
        Expected {
            reached: &["x224_request"],
            from: &["server"],
            what: &["clean-close-no-reason", "rst-genuine-server"],
            why: Why::Perhaps("lb-no-backend"),
            party: &["server"],
            ..FAILED
        },
    );
    // What a client tries afterwards can be less than a whole attempt.
    plan.first_only();
    plan
}
