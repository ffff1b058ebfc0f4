//! What a code leaves open and what to look at next. Only commands that exist, only looking, and never
//! a step that lowers the security of a connection.

use super::events::{self, Log};
use super::query::Table;
use super::{errinfo, extended};

/// What a code of this table does not tell.
pub(super) fn does_not_tell(table: Table, value: u32) -> &'static str {
    match table {
        Table::Mstsc => of_mstsc(value),
        Table::Extended => of_extended(value),
        Table::ErrInfo => of_errinfo(value),
        Table::Alert => of_alert(value),
        Table::NtStatus => of_status(value),
        Table::Negotiation => of_negotiation(value),
        Table::Event => {
            "That it belongs to the failure you look for. Compare its time, client address and process \
             with the connection before you use it."
        }
    }
}

fn of_mstsc(value: u32) -> &'static str {
    match value {
        0x904 => {
            "Which side ended the connection, whether by an orderly close (FIN), a reset (RST) or a \
             time-out, in which phase after TCP connected, and why. It is the code the client shows \
             when it was given no reason of its own to show."
        }
        0x204 => {
            "Whether the host is down, the port is closed, or something on the way refused or \
             swallowed the packets. TCP never connected, so nothing of RDP, TLS or logon was tried."
        }
        0x1b07 => {
            "Which certificate is meant. It is not known to be shown for the server's Remote Desktop \
             certificate; that a client's or a domain controller's is meant is unverified."
        }
        value if value & 0xff == 7 && value < 0x1_0000 => {
            "What the server's own log says of the refusal. The client shows what CredSSP or TLS gave \
             it, which for a wrong user and for a wrong password may be the same."
        }
        _ => {
            "Which device acted, and why. The number is the client's own summary of what it noticed; \
             it is made on the client, whatever ended the connection."
        }
    }
}

fn of_extended(value: u32) -> &'static str {
    match value {
        0 => "Anything beyond the first number.",
        7 => {
            "Who said so. The server can only have said it in a Set Error Info PDU (ERRINFO 7), which \
             needs a completed MCS Connect Initial; shown for a connection that ended before MCS, the \
             7 was made inside the client and cannot be a server statement. It is also not licence error \
             code 7 (STATUS_VALID_CLIENT), which means success."
        }
        _ => {
            "Whether the server said it. A server's reason needs a completed MCS Connect Initial; for a \
             connection that ended before, the number was made inside the client."
        }
    }
}

fn of_errinfo(value: u32) -> &'static str {
    match value {
        7 => {
            "Which policy denied it: several can lie behind this one number and no document lists them. \
             It is not licence error code 7 (STATUS_VALID_CLIENT), which means success, and not the \
             client's extended code 7 unless a Set Error Info PDU was really seen."
        }
        _ => {
            "Which policy, person or fault made the server say so; that stands in the server's log. It is \
             a server's word only if a Set Error Info PDU was really received."
        }
    }
}

fn of_alert(value: u32) -> &'static str {
    match value {
        42..=46 | 48 => {
            "Who sent it, which decides everything: from the client it means that the client rejects the \
             server's certificate, from the server that it rejects a client's. The certificate's fault \
             itself stands in the certificate, not in the alert."
        }
        40 | 70 | 71 | 80 => {
            "Who sent it, which decides everything: from the server it means that it cannot serve this \
             ClientHello, from the client that it does not accept what the server chose. It does not \
             tell which setting, certificate or key stands behind it."
        }
        _ => {
            "Who sent it, what that side met exactly, and whether a device between the two answered in \
             its place."
        }
    }
}

fn of_status(value: u32) -> &'static str {
    match value {
        0xc000_035b | 0x8009_0346 => {
            "What ends TLS in between. A TLS-inspecting device, a proxy that intercepts, or a load \
             balancer with a certificate of its own all look like this."
        }
        _ => {
            "Which check of the server or of the domain controller failed; event 4625 on the server has \
             the sub-status. It does say that TCP, negotiation and TLS worked, if a server returned it."
        }
    }
}

fn of_negotiation(value: u32) -> &'static str {
    match value {
        3 => {
            "Why: no certificate, an unreadable private key and missing permissions are all possible. \
             What mstsc shows for this code is not known."
        }
        5 => {
            "Why the client did not offer it: an old client, or `enablecredsspsupport:i:0` in its .rdp \
             file. mstsc is reported to show 0xB09 for it."
        }
        _ => {
            "Why the server is set up like this, and whether the client comes back on a new connection \
             with another offer, which many clients do at once."
        }
    }
}

const PROXY: &str = "rdpwhy proxy --upstream HOST   (then point mstsc at 127.0.0.1:13389: it shows \
                     how far the connection gets and who ends it)";
const ANALYZE: &str = "rdpwhy analyze FILE   (the same from a saved capture of the failure)";

/// What to do next, most useful first.
pub(super) fn next(table: Table, value: u32) -> Vec<String> {
    let (proxy, analyze) = (PROXY.to_owned(), ANALYZE.to_owned());
    match table {
        Table::Mstsc if value <= 3 => vec![client_log()],
        Table::Mstsc if value & 0xff == 7 => {
            vec![security_log(), proxy, analyze, client_log()]
        }
        Table::Mstsc => vec![proxy, analyze, client_log()],
        Table::Extended if value == 0 => vec![proxy, analyze],
        Table::Extended | Table::ErrInfo => vec![session_log(), proxy, analyze],
        Table::Alert => vec![proxy, analyze, schannel_log()],
        Table::Negotiation if value == 3 => {
            vec![proxy, analyze, certificate_log(), schannel_log()]
        }
        Table::Negotiation if value == 5 => {
            let offer = "let the client offer NLA: a current client, and no \
                         `enablecredsspsupport:i:0` in its .rdp file";
            vec![offer.to_owned(), proxy, analyze]
        }
        Table::Negotiation => vec![proxy, analyze],
        Table::NtStatus => vec![security_log(), core_log(), proxy, analyze],
        Table::Event => vec![proxy, analyze],
    }
}

/// What to do next for a client code together with its extended code: what either of them asks for.
pub(super) fn next_of_pair(code: u32, extended: u32) -> Vec<String> {
    let mut steps = next(Table::Mstsc, code);
    let more = match code {
        0x904 => vec![core_log(), schannel_log(), certificate_log()],
        _ if before_tcp(code) => Vec::new(),
        _ => next(Table::Extended, extended),
    };
    for step in more {
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps
}

/// True for client codes that say that no TCP connection came to be.
fn before_tcp(code: u32) -> bool {
    matches!(code, 0x104 | 0x204 | 0x208 | 0x308 | 0x508 | 0x604 | 0x804)
}

/// The read-only command that shows an event.
pub(super) fn show_event(log: &Log, ids: &str) -> String {
    let provider = match log.shared {
        true => format!("ProviderName='{}'; ", log.provider),
        false => String::new(),
    };
    let side = if log.on_client { "client" } else { "server" };
    format!(
        "on the {side}: Get-WinEvent -MaxEvents 20 -FilterHashtable \
         @{{LogName='{}'; {provider}Id={ids}}}",
        log.name
    )
}

fn client_log() -> String {
    show_event(&events::CLIENT, "1024,1025,1026")
}

fn core_log() -> String {
    show_event(&events::CORE, "131,139,140")
}

fn schannel_log() -> String {
    show_event(&events::SCHANNEL, "36870,36871,36874,36887,36888")
}

fn certificate_log() -> String {
    show_event(&events::RCM_SYSTEM, "1057,1058")
}

fn session_log() -> String {
    show_event(&events::LSM, "23,24,39,40")
}

fn security_log() -> String {
    show_event(&events::SECURITY, "4625")
}

/// What a client code and its extended code mean together: (meaning, what it does not tell).
pub(super) fn pair(code: u32, extended: u32) -> (String, String) {
    match (code, extended) {
        (0x904, 7) => (
            "0x904 says \"socket closed\" and nothing more: a TCP connection that had been established \
             ended, by FIN, RST or time-out, in any phase. 0x7 is called \"the server denied the \
             connection\", but before MCS it cannot be a server statement: a server can only say 7 in \
             a Set Error Info PDU, after it has read the client's MCS Connect Initial. Where TCP, \
             negotiation, TLS or CredSSP ended earlier, the 7 was made inside the client; ignore it. Only \
             where MCS was reached can it be the server's own refusal (ERRINFO 7)."
                .to_owned(),
            "The cause. The pair is one symptom, \"the TCP connection ended without a stated reason\". \
             Pages that name one cause for it (certificate, key permissions, security layer, antivirus, \
             VPN, MTU, UDP, too many sessions) contradict each other; no document of the vendor \
             explains why the client adds 7. Only the bytes on the wire or the server's log decide."
                .to_owned(),
        ),
        (_, 0) => (
            format!("The extended code adds nothing; {code:#x} stands alone."),
            "More than the first number does.".to_owned(),
        ),
        _ if before_tcp(code) => (
            format!(
                "{code:#x} says that no TCP connection came to be, so the server said nothing: the \
                 extended {extended:#x} was made inside the client; ignore it."
            ),
            of_mstsc(code).to_owned(),
        ),
        _ => (
            format!(
                "The client made {code:#x} from what it noticed itself. {} It can be a server's word \
                 only if MCS was reached before the connection ended; before MCS it cannot.",
                origin_of_extended(extended)
            ),
            "Whether the second number came from the server, and what caused the first. Only the bytes \
             on the wire or the server's log decide."
                .to_owned(),
        ),
    }
}

/// Where an extended code can come from.
fn origin_of_extended(value: u32) -> String {
    match errinfo::lookup(value).and_then(|code| code.name) {
        Some(name) if mirrors_errinfo(value) => {
            format!("The extended {value:#x} has the number of {name}, which a server can send.")
        }
        _ if extended::lookup(value).is_some() => {
            format!("The extended {value:#x} has no counterpart that a server could send.")
        }
        _ => format!("The extended {value:#x} is in no known list."),
    }
}

/// True where the extended codes and ERRINFO agree, in number and meaning.
fn mirrors_errinfo(value: u32) -> bool {
    matches!(value, 1..=7 | 9..=12 | 25..=26 | 256..=266) || extended::in_protocol_range(value)
}
