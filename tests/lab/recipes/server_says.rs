//! What a server says or does inside of TLS: it sends its client on, it gives its user's session to a newer
//! connection, it ends the session for a time limit, it dies. From outside the first two can be guessed, and of the
//! others no more is seen than that it ended the session.

use crate::boxes::freerdp;
use crate::draw::Draw;
use crate::recipe::{
    Caller, ENDS, ESTABLISHED, Expected, Leg, Plan, Program, RELAY, Ready, Recipe, SESSION, Server,
    Step, Vantage, Why, everywhere,
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

pub const REPLACED: Recipe = Recipe {
    name: "session-replaced",
    row: "session-replaced",
    decoys: &["idle-timeout-rst", "lb-reset"],
    smoke: false,
    plan: replaced,
};

pub const CROWDED: Recipe = Recipe {
    name: "session-time-limit-crowded",
    row: "session-idle-logon-timeout",
    decoys: &["session-replaced", "lb-reset"],
    smoke: false,
    plan: crowded,
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
    // His second session begins where the first one was to end.
    plan.callers[0].lasts += SESSION / 2;
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

/// A user comes again while his sessions are up, and the older ones are ended.
fn replaced(draw: &mut Draw) -> Plan {
    let after = draw.range_of_half([0, 1500], [1600, 2800]);
    let older = draw.of_half(&[1], &[2]);
    let mut plan = served(draw, &["replace"], after);
    plan.note("older sessions", older);
    plan.beside = vec![plan.callers[0].clone(); older];
    let ended = Expected {
        what: &["clean-close-no-reason"],
        why: Why::Perhaps("session-replaced"),
        party: &["server"],
        ..ESTABLISHED
    };
    // A client that is told to leave can close before the relay has passed on that the server did.
    let [server_leg, client_leg] =
        [Leg::Server, Leg::Client].map(|leg| leg.ends().map(Vantage::At));
    for number in 0..older {
        plan.hint_nth(number, &[&RELAY[..], &client_leg].concat(), ended.clone());
        let finds = &["session-replaced"];
        plan.hint_nth(number, &server_leg, Expected { finds, ..ended.clone() });
    }
    plan.hint_nth(older, &everywhere(), ESTABLISHED);
    plan
}

/// A time limit ends the session of a user right after another user's has come up.
fn crowded(draw: &mut Draw) -> Plan {
    let after = draw.range_of_half([3000, 4500], [4600, 6500]);
    let code = draw.of_half(&["3"], &["4"]);
    let mut plan = served(draw, &["errorinfo", code], after);
    plan.beside = vec![plan.callers[0].clone()];
    let user = draw.of_half(&["/u:someone-else"], &["/u:clerk-0043"]);
    let arguments = &mut plan.callers[0].arguments;
    arguments.retain(|word| !word.starts_with("/u:"));
    arguments.push(user.to_owned());
    let ended = Expected {
        what: &["clean-close-no-reason"],
        party: &["server"],
        never: &["session-replaced"],
        ..ESTABLISHED
    };
    plan.hint(&everywhere(), ended);
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
    plan.note("act", format!("{} after {after} ms", act.join(" ")));
    plan.setting.push(certificate());
    let server = server(plan.port, &[act, &[&after.to_string()]].concat());
    plan.callers = vec![Caller::of(freerdp(draw), &server)];
    plan.callers[0].lasts += Duration::from_millis(after);
    plan.sound_caller = Some(Caller::for_server(draw, &plan.server));
    plan.faulty_server = Some(server);
    plan
}

/// What [`server`] shows to its clients.
pub fn certificate() -> Step {
    Step::Sh(
        Node::S,
        "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=farm.example.org \
         -keyout {folder}/farm.key -out {folder}/farm.crt 2>{folder}/openssl.log"
            .to_owned(),
    )
}

/// The server of FreeRDP 3's library, in one of its modes.
pub fn server(port: u16, mode: &[&str]) -> Server {
    let port_word = port.to_string();
    let arguments = [&[port_word.as_str(), "farm.crt", "farm.key"], mode].concat();
    Server::Program(Program {
        program: "freerdp_server.c",
        arguments: arguments.into_iter().map(str::to_owned).collect(),
        files: Vec::new(),
        ready: Ready::Listens(port),
    })
}

/// A session that came up, and that the server ended: why is not to be seen. A client that is told to leave can be
/// the first to close, so who closed is left open.
fn ended(plan: &mut Plan, what: &'static [&'static str], why: Why) {
    let party = &["server"];
    plan.hint(&everywhere(), Expected { what, why, party, ..ESTABLISHED });
}
