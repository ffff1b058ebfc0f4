//! What a server says or does inside of TLS: it sends its client on, it ends the session for a time limit, it dies.
//! From outside the first can be guessed, and of the others no more is seen than that it ended the session.

use crate::boxes::freerdp;
use crate::draw::Draw;
use crate::recipe::{
    Caller, ENDS, ESTABLISHED, Expected, Plan, Program, RELAY, Ready, Recipe, Server, Step, Why,
    everywhere,
};
use crate::topology::Node;
use std::time::Duration;

pub const SENT_ON: Recipe = Recipe {
    name: "server-redirection",
    row: "server-redirection",
    decoys: &["client-rehearsal-close"],
    smoke: false,
    plan: sent_on,
};

pub const TIME_LIMIT: Recipe = Recipe {
    name: "session-time-limit",
    row: "session-idle-logon-timeout",
    decoys: &["idle-timeout-rst", "lb-reset"],
    smoke: false,
    plan: time_limit,
};

pub const CRASH: Recipe = Recipe {
    name: "server-crash",
    row: "server-crash-close",
    decoys: &["truncated-tls", "rst-genuine-server"],
    smoke: false,
    plan: crash,
};

fn sent_on(draw: &mut Draw) -> Plan {
    let after = draw.range_of_half([200, 1500], [1600, 2500]);
    let address = draw.of_half(&["{listen_ip}"], &["-"]);
    let mut plan = served(draw, &["redirect", address, "3640205228.15629.0000"], after);
    let found = Expected { finds: &["server-redirection"], ..ESTABLISHED };
    plan.hint_nth(0, &ENDS, found.clone());
    // A relay tells of a session when it ends, and of the next one behind it.
    plan.hint_nth(0, &RELAY, ESTABLISHED);
    plan.hint_nth(1, &everywhere(), found);
    plan
}

fn time_limit(draw: &mut Draw) -> Plan {
    let after = draw.range_of_half([3000, 6000], [6500, 9000]);
    // ERRINFO_IDLE_TIMEOUT and ERRINFO_LOGON_TIMEOUT. MS-RDPBCGR 2.2.5.1.1.
    let code = draw.of_half(&["3"], &["4"]);
    let mut plan = served(draw, &["errorinfo", code], after);
    ended(&mut plan, &["clean-close-no-reason"], Why::Open);
    plan
}

fn crash(draw: &mut Draw) -> Plan {
    let after = draw.range_of_half([500, 3000], [3200, 5000]);
    let how = draw.of_half(&["crash"], &["crash-rst"]);
    let mut plan = served(draw, &[how], after);
    ended(&mut plan, &["truncated-tls", "rst-genuine-server"], Why::Perhaps("server-crash-close"));
    plan
}

/// A server of FreeRDP 3's library that does this, so many milliseconds after the desktop is there.
fn served(draw: &mut Draw, act: &[&str], after: u64) -> Plan {
    let mut plan = Plan::sound(draw);
    let port = plan.port;
    plan.note("act", format!("{} after {after} ms", act.join(" ")));
    plan.setting.push(Step::Sh(
        Node::S,
        "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=farm.example.org \
         -keyout {folder}/farm.key -out {folder}/farm.crt 2>{folder}/openssl.log"
            .to_owned(),
    ));
    let mut arguments = vec![port.to_string(), "farm.crt".into(), "farm.key".into()];
    arguments.extend(act.iter().map(|word| (*word).to_owned()));
    arguments.push(after.to_string());
    let server = Server::Program(Program {
        program: "freerdp_server.c",
        arguments,
        files: Vec::new(),
        ready: Ready::Listens(port),
    });
    plan.callers = vec![Caller::of(freerdp(draw), &server)];
    plan.callers[0].lasts += Duration::from_millis(after);
    plan.sound_caller = Some(Caller::for_server(draw, &plan.server));
    plan.faulty_server = Some(server);
    plan
}

/// A session that came up, and that the server ended: why is not to be seen. A client that is told to leave can be
/// the first to close, so who closed is left open.
fn ended(plan: &mut Plan, what: &'static [&'static str], why: Why) {
    let party = &["server"];
    plan.hint(&everywhere(), Expected { what, why, party, ..ESTABLISHED });
}
