//! The second number of the Windows client's error box, "Extended error code: 0x…",
//! `ExtendedDisconnectReasonCode`. Most values repeat the numbering of ERRINFO ([`super::errinfo`]).

use super::{Code, find};

/// The row of an extended reason. Values of the protocol range have none of their own, see
/// [`in_protocol_range`].
pub fn lookup(value: u32) -> Option<&'static Code> {
    find(TABLE, value)
}

/// True for 4096 to 32767 (`exDiscReasonProtocolRangeStart` to `exDiscReasonProtocolRangeEnd`), where
/// the client passes the server's ERRINFO protocol codes on.
pub fn in_protocol_range(value: u32) -> bool {
    (0x1000..=0x7fff).contains(&value)
}

pub(super) const LEARN: &str = "Microsoft Learn: ExtendedDisconnectReasonCode enumeration";
const TYPE_LIBRARY: &str = "type library of mstscax.dll as dumped by MsRdpEx (Devolutions)";

const fn learn(value: u32, name: &'static str, meaning: &'static str) -> Code {
    Code::documented(value, name, meaning, LEARN)
}

/// Every known extended reason outside the protocol range, sorted by value.
#[rustfmt::skip] // one row a line
pub static TABLE: &[Code] = &[
    learn(0, "exDiscReasonNoInfo", "No additional information is available."),
    learn(1, "exDiscReasonAPIInitiatedDisconnect", "A program asked for the disconnection."),
    learn(2, "exDiscReasonAPIInitiatedLogoff", "A program logged the session off."),
    learn(3, "exDiscReasonServerIdleTimeout", "The server ended a session that was idle for too long."),
    learn(4, "exDiscReasonServerLogonTimeout", "The server ended a session that exceeded its time limit."),
    learn(5, "exDiscReasonReplacedByOtherConnection", "Another connection took the session over."),
    learn(6, "exDiscReasonOutOfMemory", "No memory is available."),
    learn(7, "exDiscReasonServerDeniedConnection", "The server denied the connection."),
    learn(8, "exDiscReasonServerDeniedConnectionFips", "The server denied the connection for reasons of FIPS policy."),
    learn(9, "exDiscReasonServerInsufficientPrivileges", "The user lacks the privileges to connect to the server."),
    learn(10, "exDiscReasonServerFreshCredsRequired", "The server wants credentials to be typed again."),
    learn(11, "exDiscReasonRpcInitiatedDisconnectByUser", "A tool in the user's own session asked for the disconnection."),
    learn(12, "exDiscReasonLogoffByUser", "The user logged off."),
    Code::reported(25, "The server shuts down.", TYPE_LIBRARY),
    Code::reported(26, "The server reboots.", TYPE_LIBRARY),
    learn(256, "exDiscReasonLicenseInternal", "Internal licensing error."),
    learn(257, "exDiscReasonLicenseNoLicenseServer", "No licence server was available."),
    learn(258, "exDiscReasonLicenseNoLicense", "No valid licence was available."),
    learn(259, "exDiscReasonLicenseErrClientMsg", "The server received a bad licensing message from the client."),
    learn(260, "exDiscReasonLicenseHwidDoesntMatchLicense", "The hardware id does not match the one in the licence."),
    learn(261, "exDiscReasonLicenseErrClientLicense", "The client's licence is bad."),
    learn(262, "exDiscReasonLicenseCantFinishProtocol", "The licensing protocol could not be finished."),
    learn(263, "exDiscReasonLicenseClientEndedProtocol", "The client ended the licensing protocol."),
    learn(264, "exDiscReasonLicenseErrClientEncryption", "The client encrypted a licensing message wrongly."),
    learn(265, "exDiscReasonLicenseCantUpgradeLicense", "The licence cannot be upgraded."),
    learn(266, "exDiscReasonLicenseNoRemoteConnections", "The computer is not licensed to accept remote connections."),
    learn(267, "exDiscReasonLicenseCreatingLicStoreAccDenied", "Access was denied while the client created its licence store."),
    learn(768, "exDiscReasonRdpEncInvalidCredentials", "RDP encryption: the credentials are not valid."),
];

#[cfg(test)]
mod tests {
    use super::super::{checks, errinfo};
    use super::*;

    #[test]
    fn every_row_is_there() {
        checks::covers(TABLE, &[0..=12, 25..=26, 256..=267, 768..=768]);
        checks::is_written_out(TABLE);
    }

    #[test]
    fn the_protocol_range_is_errinfos() {
        assert!(in_protocol_range(0x10c9) && errinfo::lookup(0x10c9).is_some());
        assert!(!in_protocol_range(0xfff) && !in_protocol_range(0x8000));
    }
}
