//! Another service listens on the port.

use crate::draw::Draw;
use crate::recipe::{Expected, FAILED, Plan, Program, Ready, Recipe, Server, Why, everywhere};

pub const RECIPE: Recipe = Recipe {
    name: "non-rdp-endpoint",
    row: "non-rdp-endpoint",
    decoys: &["http-answer", "tls-first-endpoint"],
    smoke: true,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let mut plan = Plan::sound(draw);
    let banner = draw.of_half(
        &[
            "SSH-2.0-OpenSSH_9.2p1 Debian-2",
            "220 ftp.example.org ready.",
            "* OK IMAP4rev1 ready",
            "RFB 003.008",
            "+OK POP3 ready",
            "220 mail.example.org ESMTP",
        ],
        &["@RSYNCD: 31.0", ":irc.example.org NOTICE * :*** Looking up your hostname", "AMQP-9-1"],
    );
    // Some speak at once, some when they are spoken to.
    let waits = draw.one(&["", "head -c 1 >first; "]);
    let delay = draw.range_of_half([0, 60], [70, 120]);
    plan.note("banner", format!("{banner}, after {delay} ms {waits}"));
    plan.faulty_server = Some(Server::Program(Program {
        program: "socat",
        arguments: vec![
            format!("TCP6-LISTEN:{},fork,reuseaddr,ipv6only=0", plan.port),
            "EXEC:/bin/sh banner.sh".into(),
        ],
        files: vec![(
            "banner.sh",
            format!(
                "{waits}sleep {}\nprintf '%s\\r\\n' '{banner}'\nsleep 3\n",
                delay as f64 / 1000.0
            ),
        )],
        ready: Ready::Listens(plan.port),
    }));
    plan.label(
        &everywhere(),
        Expected {
            reached: &["x224_request", "tcp"],
            what: &["non-rdp-endpoint"],
            why: Why::Is("non-rdp-endpoint"),
            party: &["server"],
            ..FAILED
        },
    );
    // What a client tries afterwards can be less than a whole attempt.
    plan.first_only();
    plan
}
