//! Windows event ids that an administrator can look up beside a failed connection. An id belongs to a
//! provider: the same number can stand in several logs.

use super::Standing;

/// One event of one provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The event id.
    pub id: u32,
    /// Where it is logged.
    pub log: &'static Log,
    /// What it says, in one plain sentence.
    pub meaning: &'static str,
    /// How well the row is known.
    pub standing: Standing,
}

/// An event log together with the provider that writes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// The log's name as `Get-WinEvent` takes it.
    pub name: &'static str,
    /// The provider's name.
    pub provider: &'static str,
    /// True when the provider must be named to tell its ids from others in the same log.
    pub shared: bool,
    /// True when the log is on the client's computer.
    pub on_client: bool,
    /// Where the events are described.
    pub source: &'static str,
}

/// Every event with this id, in the order of the table.
pub fn lookup(id: u32) -> impl Iterator<Item = &'static Event> {
    TABLE.iter().filter(move |event| event.id == id)
}

const MANIFEST: &str = "the provider's event manifest (Windows 10)";

const fn log(name: &'static str, provider: &'static str, source: &'static str) -> Log {
    Log { name, provider, shared: false, on_client: false, source }
}

const fn system(provider: &'static str, source: &'static str) -> Log {
    Log { name: "System", provider, shared: true, on_client: false, source }
}

pub(super) static SCHANNEL: Log = system("Schannel", MANIFEST);
pub(super) static RCM_SYSTEM: Log =
    system("Microsoft-Windows-TerminalServices-RemoteConnectionManager", MANIFEST);
static RCM: Log = log(
    "Microsoft-Windows-TerminalServices-RemoteConnectionManager/Operational",
    "Microsoft-Windows-TerminalServices-RemoteConnectionManager",
    MANIFEST,
);
pub(super) static CORE: Log = log(
    "Microsoft-Windows-RemoteDesktopServices-RdpCoreTS/Operational",
    "Microsoft-Windows-RemoteDesktopServices-RdpCoreTS",
    MANIFEST,
);
pub(super) static LSM: Log = log(
    "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational",
    "Microsoft-Windows-TerminalServices-LocalSessionManager",
    MANIFEST,
);
pub(super) static SECURITY: Log = log(
    "Security",
    "Microsoft-Windows-Security-Auditing",
    "Microsoft Learn: security auditing events",
);
static TERMDD: Log = system("TermDD", "Microsoft Support article KB954398");
static LSASRV: Log = Log {
    on_client: true,
    ..system("LsaSrv", "Microsoft Support: CredSSP updates for CVE-2018-0886")
};
pub(super) static CLIENT: Log = Log {
    on_client: true,
    ..log(
        "Microsoft-Windows-TerminalServices-RDPClient/Operational",
        "Microsoft-Windows-TerminalServices-ClientActiveXCore",
        MANIFEST,
    )
};

const fn row(id: u32, log: &'static Log, meaning: &'static str) -> Event {
    Event { id, log, meaning, standing: Standing::Documented }
}

const fn reported(id: u32, log: &'static Log, meaning: &'static str) -> Event {
    Event { id, log, meaning, standing: Standing::Reported }
}

/// Every known event, log by log.
#[rustfmt::skip] // one row a line
pub static TABLE: &[Event] = &[
    row(36864, &SCHANNEL, "Schannel started."),
    row(36869, &SCHANNEL, "The certificate for TLS carries no private key information."),
    row(36870, &SCHANNEL, "The private key of the certificate for TLS cannot be accessed (often error 0x8009030D, internal state 10001)."),
    row(36871, &SCHANNEL, "A TLS credential could not be created (internal state 10013: the protocol versions are disabled)."),
    row(36872, &SCHANNEL, "The chosen certificate or its chain has a fault; the fields are role, error code and certificate flags."),
    row(36874, &SCHANNEL, "The client offers no cipher suite that this server supports."),
    row(36880, &SCHANNEL, "A TLS handshake completed; the event holds its details."),
    row(36881, &SCHANNEL, "The peer's certificate has expired or is not yet valid."),
    row(36882, &SCHANNEL, "The peer's certificate was issued by an authority that is not trusted."),
    row(36884, &SCHANNEL, "The name in the peer's certificate is not the one that was expected."),
    row(36886, &SCHANNEL, "There is no suitable default credential for a TLS server."),
    row(36887, &SCHANNEL, "A fatal TLS alert was received; the event names its number."),
    reported(36888, &SCHANNEL, "A fatal TLS alert was made and sent; the event names number and internal state (40 with 1205: no common cipher; 70 with 105: version)."),
    row(1057, &RCM_SYSTEM, "The self-signed certificate for Remote Desktop could not be created (for example: keyset does not exist)."),
    row(1058, &RCM_SYSTEM, "The expired self-signed certificate for Remote Desktop could not be replaced (for example: access denied)."),
    row(1036, &RCM_SYSTEM, "The Remote Desktop listener failed to start."),
    row(1006, &RCM_SYSTEM, "The server received a large number of incomplete connections."),
    row(1068, &RCM_SYSTEM, "The licensing mode is not configured."),
    row(1069, &RCM_SYSTEM, "The grace period for licensing has ended and the licensing mode is not configured."),
    row(1003, &RCM_SYSTEM, "The client provided a licence that is not valid."),
    row(1004, &RCM_SYSTEM, "The server cannot issue a client licence."),
    row(1011, &RCM_SYSTEM, "The client could not be licensed."),
    row(261, &RCM, "The listener received a connection."),
    row(1149, &RCM, "Network-level authentication succeeded; this is not yet a logon."),
    row(65, &CORE, "A connection object was created."),
    row(66, &CORE, "A connection object was assigned to a session."),
    row(97, &CORE, "A component of the RDP stack reported an error."),
    row(98, &CORE, "The TCP connection was established."),
    row(99, &CORE, "The TCP connection failed."),
    row(102, &CORE, "The server terminated the main RDP connection with the client."),
    row(103, &CORE, "The disconnection's reason code."),
    row(129, &CORE, "The stack was bound to the connection."),
    row(131, &CORE, "The server accepted a TCP or UDP connection; the event holds the client's address and port."),
    row(136, &CORE, "No UDP transport is used for this connection."),
    row(138, &CORE, "The DTLS handshake failed; TLS is used instead."),
    row(139, &CORE, "The security layer met an error and the client was disconnected; the event holds the client's address and a status (for example 0x80090304)."),
    row(140, &CORE, "A connection failed because user name or password were wrong (with NLA, logged when the name is unknown)."),
    reported(153, &CORE, "The TLS version of the connection; newer builds only."),
    row(226, &CORE, "The state machine of the RDP stack met an error at a transition."),
    row(227, &CORE, "Detail of an error of the RDP stack."),
    row(228, &CORE, "Detail of an error of the RDP stack."),
    row(21, &LSM, "Session logon succeeded."),
    row(22, &LSM, "The session's shell started."),
    row(23, &LSM, "Session logoff succeeded."),
    row(24, &LSM, "The session was disconnected."),
    row(25, &LSM, "The session was reconnected."),
    row(39, &LSM, "The session was disconnected by another session."),
    row(40, &LSM, "The session was disconnected; the event holds a reason code."),
    row(4624, &SECURITY, "A logon succeeded (logon type 3 for NLA, 10 for the interactive session)."),
    row(4625, &SECURITY, "A logon failed; its status and sub-status are NTSTATUS values that `rdpwhy explain nt:…` reads."),
    row(4740, &SECURITY, "An account was locked out."),
    row(50, &TERMDD, "The RDP protocol component met an error and disconnected the client; the last data word, its bytes reversed, is an NTSTATUS."),
    row(56, &TERMDD, "The security layer met an error and disconnected the client; the last data word, its bytes reversed, is an NTSTATUS (D in front stands for C)."),
    row(6041, &LSASRV, "The client refused the server's CredSSP version (encryption oracle remediation)."),
    row(1024, &CLIENT, "The client is connecting."),
    row(1025, &CLIENT, "The client is connected."),
    row(1026, &CLIENT, "The client was disconnected; the reason is the first number of mstsc's error box, in decimal."),
    row(1027, &CLIENT, "The client connected to a domain and session."),
    row(1029, &CLIENT, "A hash of the user name that the client used."),
    row(1105, &CLIENT, "The multi-transport connection was disconnected."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_is_there() {
        let counted: Vec<usize> =
            [&SCHANNEL, &RCM_SYSTEM, &RCM, &CORE, &LSM, &SECURITY, &TERMDD, &LSASRV, &CLIENT]
                .map(|log| TABLE.iter().filter(|event| event.log == log).count())
                .to_vec();
        assert_eq!(counted, [13, 9, 2, 17, 7, 3, 2, 1, 6]);
        assert_eq!(TABLE.len(), counted.iter().sum::<usize>());
        let distinct: BTreeSet<_> =
            TABLE.iter().map(|event| (event.id, event.log.name, event.log.provider)).collect();
        assert_eq!(distinct.len(), TABLE.len());
        assert!(TABLE.iter().all(|event| event.meaning.ends_with('.')));
    }

    #[test]
    fn an_id_is_found_with_its_log() {
        let found: Vec<_> = lookup(36870).map(|event| event.log.provider).collect();
        assert_eq!(found, ["Schannel"]);
        assert_eq!(lookup(1).count(), 0);
    }
}
