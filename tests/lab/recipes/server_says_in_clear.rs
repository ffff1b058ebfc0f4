//! What a server says where nothing is encrypted, with standard RDP security of encryption level none: it refuses the
//! client a licence, or it gives the reason why it ends the session.

use super::server_says::{certificate, server};
use crate::boxes::{freerdp, with};
use crate::draw::Draw;
use crate::recipe::{Caller, ESTABLISHED, Expected, FAILED, Plan, Recipe, Why, everywhere};
use std::time::Duration;

pub const LICENSING: Recipe = Recipe {
    name: "licensing-failure",
    row: "licensing-failure",
    decoys: &["server-error-info", "clean-close-no-reason"],
    smoke: false,
    plan: licensing,
};

pub const ERROR_INFO: Recipe = Recipe {
    name: "server-error-info",
    row: "server-error-info",
    decoys: &["licensing-failure", "clean-close-no-reason"],
    smoke: false,
    plan: error_info,
};

fn licensing(draw: &mut Draw) -> Plan {
    // ERR_NO_LICENSE and ERR_NO_LICENSE_SERVER; ERR_INVALID_CLIENT and ERR_INVALID_MESSAGE_LENGTH.
    // MS-RDPBCGR 2.2.1.12.1.3.
    let code = draw.of_half(&["2", "6"], &["8", "0xc"]);
    let after = draw.range_of_half([0, 400], [450, 900]);
    let how = draw.of_half(&["clear-license"], &["clear-license-ultimatum"]);
    let mut plan = served(draw, how, code, after);
    let said = Expected {
        what: &["licensing-failure"],
        why: Why::Is("licensing-failure"),
        party: &["server"],
        ..FAILED
    };
    plan.label(&everywhere(), said);
    plan
}

fn error_info(draw: &mut Draw) -> Plan {
    // ERRINFO_IDLE_TIMEOUT, ERRINFO_DISCONNECTED_BY_OTHERCONNECTION; ERRINFO_RPC_INITIATED_LOGOFF,
    // ERRINFO_SERVER_DENIED_CONNECTION; and of users who leave ERRINFO_RPC_INITIATED_DISCONNECT_BYUSER,
    // ERRINFO_LOGOFF_BY_USER. MS-RDPBCGR 2.2.5.1.1.
    let (code, by_user) = draw.of_half(
        &[("3", false), ("5", false), ("0xb", true)],
        &[("2", false), ("7", false), ("0xc", true)],
    );
    let after = draw.range_of_half([300, 3000], [3200, 5000]);
    let mut plan = served(draw, "clear-errorinfo", code, after);
    let said = if by_user {
        // A session that its user leaves has ended well.
        Expected { finds: &["server-error-info"], ..ESTABLISHED }
    } else {
        Expected {
            what: &["server-error-info"],
            why: Why::Is("server-error-info"),
            party: &["server"],
            ..ESTABLISHED
        }
    };
    plan.label(&everywhere(), said);
    plan
}

/// A server of FreeRDP 3's library that says this code so many milliseconds after the client's turn. Its clean twin
/// encrypts nothing either.
fn served(draw: &mut Draw, mode: &str, code: &str, after: u64) -> Plan {
    let mut plan = Plan::sound(draw);
    plan.note("act", format!("{mode} {code} after {after} ms"));
    plan.setting.push(certificate());
    plan.server = server(plan.port, &["clear"]);
    plan.faulty_server = Some(server(plan.port, &[mode, code, &after.to_string()]));
    let caller = Caller::of(freerdp(draw), &plan.server);
    plan.callers = vec![with(&caller, &["/sec:rdp"])];
    plan.callers[0].lasts += Duration::from_millis(after);
    plan
}
