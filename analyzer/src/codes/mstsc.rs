//! The first number of the Windows client's error box, "Error code: 0x…", `discReason` of
//! `IMsTscAxEvents::OnDisconnected`.

use super::{Code, find};

/// The row of a disconnect reason.
pub fn lookup(value: u32) -> Option<&'static Code> {
    find(TABLE, value)
}

/// What the structure of the number says of it even when no list knows the value: its low byte is a
/// family. The pattern was observed in the known rows; the vendor does not document it.
pub fn family(value: u32) -> Option<&'static str> {
    match (value >> 24, value & 0xff) {
        (2, _) => Some("RemoteApp (0x2000001 and up)"),
        (3, _) => Some("RD Gateway (0x3000001 and up)"),
        (1.., _) => None,
        (0, 0..=3) if value <= 3 => Some("generic"),
        (0, 0x04) => Some("transport (sockets, time-outs)"),
        (0, 0x06) => Some("RDP's own encryption"),
        (0, 0x07) => Some("TLS and CredSSP"),
        (0, 0x08) => Some("client internals, licensing and others"),
        (0, 0x09) => Some("negotiation, NLA and policy"),
        (0, 0x0a) => Some("smart card"),
        (0, _) => None,
    }
}

pub(super) const LEARN: &str = "Microsoft Learn: IMsTscAxEvents::OnDisconnected";
const WIKI: &str = "TechNet Wiki 37870, client disconnect codes (read in secondary copies)";
const WIKI_XRDP: &str = "TechNet Wiki 37870 (read in secondary copies); xrdp issue 844";
const WIKI_MREMOTE: &str = "TechNet Wiki 37870 (read in secondary copies); mRemoteNG source";

const fn learn(value: u32, name: &'static str, meaning: &'static str) -> Code {
    Code::documented(value, name, meaning, LEARN)
}

const fn wiki(value: u32, meaning: &'static str) -> Code {
    Code::reported(value, meaning, WIKI)
}

/// Every known disconnect reason, sorted by value.
#[rustfmt::skip] // one row a line
pub static TABLE: &[Code] = &[
    learn(0x0, "disconnectReasonNoInfo", "No information is available."),
    learn(0x1, "disconnectReasonLocalNotError", "Local disconnection; not an error."),
    learn(0x2, "disconnectReasonRemoteByUser", "Remote disconnection by a user; not an error."),
    learn(0x3, "disconnectReasonByServer", "Remote disconnection by the server; not an error."),
    learn(0x104, "disconnectReasonDNSLookupFailed", "The DNS lookup of the host's name failed."),
    learn(0x106, "disconnectReasonOutOfMemory", "The client is out of memory."),
    wiki(0x107, "Reported beside client event 1026 as no error, or as the stage of an authentication prompt."),
    learn(0x108, "disconnectReasonConnectionTimedOut", "The connection timed out."),
    wiki(0x10a, "The smart card service is not running."),
    learn(0x204, "disconnectReasonSocketConnectFailed", "The Winsock connect call failed: no TCP connection came to be."),
    learn(0x206, "disconnectReasonOutOfMemory2", "The client is out of memory."),
    learn(0x208, "disconnectReasonHostNotFound", "The host was not found."),
    wiki(0x20a, "There is no smart card reader."),
    learn(0x304, "disconnectReasonWinsockSendFailed", "The Winsock send call failed."),
    learn(0x306, "disconnectReasonOutOfMemory3", "The client is out of memory."),
    learn(0x308, "disconnectReasonInvalidIPAddr", "The IP address given is not valid."),
    wiki(0x30a, "There is no smart card in the reader."),
    learn(0x404, "disconnectReasonSocketRecvFailed", "The Winsock recv call failed."),
    learn(0x406, "disconnectReasonInvalidSecurityData", "The security data is not valid."),
    learn(0x408, "disconnectReasonInternalError", "Internal error of the client."),
    wiki(0x40a, "The smart card subsystem reported an error."),
    learn(0x506, "disconnectReasonInvalidEncryption", "The encryption method is not valid."),
    learn(0x508, "disconnectReasonDNSLookupFailed2", "The DNS lookup of the host's name failed (second form)."),
    Code::reported(0x509, "The server does not support the TLS security that the client requires.", WIKI_XRDP),
    learn(0x604, "disconnectReasonGetHostByNameFailed", "The Winsock gethostbyname call failed."),
    learn(0x606, "disconnectReasonInvalidServerSecurityInfo", "The server's security data is not valid."),
    learn(0x608, "disconnectReasonTimerError", "Internal timer error of the client."),
    learn(0x704, "disconnectReasonTimeoutOccurred", "A time-out occurred."),
    learn(0x706, "disconnectReasonServerCertificateUnpackErr", "The server's certificate could not be unpacked."),
    wiki(0x708, "Another console session is already in progress."),
    learn(0x804, "disconnectReasonInvalidIP", "A bad IP address was given."),
    learn(0x807, "SSL_ERR_LOGON_FAILURE", "The logon failed."),
    learn(0x808, "disconnectReasonLicensingFailed", "The licence negotiation failed."),
    learn(0x904, "disconnectReasonAtClientWinsockFDCLOSE", "The socket closed: Winsock told the client (FD_CLOSE) that its established TCP connection had ended."),
    learn(0x906, "disconnectReasonInternalSecurityError", "Internal security error."),
    wiki(0x907, "The server's authentication certificate is not the expected one."),
    learn(0x908, "disconnectReasonLicensingTimeout", "Licensing timed out."),
    learn(0xa06, "disconnectReasonInternalSecurityError2", "Internal security error (second form)."),
    learn(0xa07, "SSL_ERR_NO_SUCH_USER", "The user does not exist."),
    wiki(0xb04, "Generic message: an error prevented the connection."),
    learn(0xb06, "disconnectReasonEncryptionError", "Encryption error."),
    learn(0xb07, "SSL_ERR_ACCOUNT_DISABLED", "The account is disabled."),
    Code::reported(0xb08, "Normal disconnection from the client's user interface.", "mRemoteNG source"),
    Code::reported(0xb09, "The server requires NLA; the client has it switched off or lacks it.", WIKI_MREMOTE),
    learn(0xc06, "disconnectReasonDecryptionError", "Decryption error."),
    learn(0xc07, "SSL_ERR_ACCOUNT_RESTRICTION", "The account is restricted."),
    learn(0xc08, "disconnectReasonClientDecompressionError", "Decompression error in the client."),
    Code::unverified(0xd06, "Said to be a class of protocol errors.", "a comment in MsRdpEx (Devolutions); no other source"),
    learn(0xd07, "SSL_ERR_ACCOUNT_LOCKED_OUT", "The account is locked out."),
    wiki(0xd09, "Policy demands that the password be typed."),
    wiki(0xe06, "The client cannot do the required FIPS encryption level."),
    learn(0xe07, "SSL_ERR_ACCOUNT_EXPIRED", "The account has expired."),
    wiki(0xe08, "Reconnecting to the session failed."),
    wiki(0xe09, "The server does not support Restricted Admin mode."),
    learn(0xf07, "SSL_ERR_PASSWORD_EXPIRED", "The password has expired."),
    wiki(0xf08, "The credentials may not be sent to this computer."),
    wiki(0x1007, "The account may not log on at this time of day."),
    wiki(0x1008, "The client is low on video resources."),
    Code::reported(0x1104, "Protocol error.", "rdpwrap issue 363"),
    wiki(0x1107, "The account may not log on from this workstation."),
    learn(0x1207, "SSL_ERR_PASSWORD_MUST_CHANGE", "The password must be changed before the first logon."),
    wiki(0x1307, "The account is not granted this type of logon."),
    wiki(0x1407, "Kerberos user-to-user authentication is required."),
    learn(0x1607, "SSL_ERR_DELEGATION_POLICY", "Policy does not allow the credentials to be delegated to this server."),
    learn(0x1707, "SSL_ERR_POLICY_NTLM_ONLY", "Policy does not allow credentials to be delegated unless client and server authenticated each other."),
    learn(0x1807, "SSL_ERR_NO_AUTHENTICATING_AUTHORITY", "No authority could be contacted for authentication."),
    learn(0x1b07, "SSL_ERR_CERT_EXPIRED", "The received certificate has expired."),
    learn(0x1c07, "SSL_ERR_SMARTCARD_WRONG_PIN", "A wrong PIN was given for the smart card."),
    wiki(0x1d07, "The clocks of client and server differ too much."),
    Code::unverified(0x1f07, "No source gives this code a meaning.", "none found"),
    Code::reported(0x2104, "macOS client: trouble with the server's TLS certificate; making a new one helped there.", "xrdp issue 1922"),
    learn(0x2107, "SSL_ERR_FRESH_CRED_REQUIRED_BY_SERVER", "The server does not accept saved credentials."),
    learn(0x2207, "SSL_ERR_SMARTCARD_CARD_BLOCKED", "The smart card is blocked."),
    Code::unverified(0x2307, "No source gives this code a meaning.", "none found"),
    wiki(0x2507, "RemoteApp: the automatic reconnection failed."),
    wiki(0x2604, "The versions of client and server do not match."),
    wiki(0x300_000c, "RD Gateway: the gateway cannot be reached."),
    wiki(0x300_0018, "RD Gateway: the gateway ended the connection."),
    wiki(0x300_001b, "RD Gateway: a resource authorization policy (RAP) refused, or the computer's name was given in the wrong form."),
    wiki(0x300_001c, "RD Gateway: a connection authorization policy (CAP) refused."),
    wiki(0x300_0020, "RD Gateway: a web proxy on the way wants authentication."),
    wiki(0x300_0034, "RD Gateway: trouble with the authentication cookie (first form)."),
    wiki(0x300_0035, "RD Gateway: trouble with the authentication cookie (second form)."),
    wiki(0x300_004a, "RD Gateway: the HTTPS ports are refused."),
];

#[cfg(test)]
mod tests {
    use super::super::{Standing, checks};
    use super::*;

    #[test]
    fn every_row_is_written_out_and_sorted() {
        checks::is_written_out(TABLE);
        assert!(TABLE.windows(2).all(|pair| pair[0].value < pair[1].value));
        let documented = TABLE.iter().filter(|code| code.standing == Standing::Documented).count();
        let unverified = TABLE.iter().filter(|code| code.standing == Standing::Unverified).count();
        assert_eq!((TABLE.len(), documented, unverified), (TOTAL, LEARN_ROWS, 3));
    }

    const TOTAL: usize = 84;
    const LEARN_ROWS: usize = 47;

    #[test]
    fn the_first_numbers_people_meet() {
        assert!(lookup(0x904).is_some_and(|code| code.meaning.contains("socket closed")));
        assert_eq!(
            lookup(516).and_then(|code| code.name),
            Some("disconnectReasonSocketConnectFailed")
        );
        assert!(lookup(0x388).is_none());
    }

    #[test]
    fn an_unknown_number_still_has_a_family() {
        assert_eq!(family(0x9904), Some("transport (sockets, time-outs)"));
        assert_eq!(family(0x9907), Some("TLS and CredSSP"));
        assert_eq!(family(0x3000042), Some("RD Gateway (0x3000001 and up)"));
        assert_eq!((family(0x100), family(u32::MAX)), (None, None));
    }
}
