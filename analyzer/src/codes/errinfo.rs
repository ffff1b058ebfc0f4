//! The reasons a server gives in a Set Error Info PDU, `ERRINFO_…`. MS-RDPBCGR 2.2.5.1.1.
//! Only a server that has read the client's MCS Connect Initial can send one.

use super::{Code, Standing, find};

/// The row of an `errorInfo` value.
pub fn lookup(value: u32) -> Option<&'static Code> {
    find(TABLE, value)
}

const SPEC: &str = "MS-RDPBCGR 2.2.5.1.1";

const fn row(value: u32, name: &'static str, meaning: &'static str) -> Code {
    Code::specified(value, name, meaning, SPEC)
}

const fn freerdp(value: u32, name: &'static str, meaning: &'static str) -> Code {
    let source = "FreeRDP source, include/freerdp/error.h";
    Code { value, name: Some(name), meaning, source, standing: Standing::Reported }
}

/// Every known `errorInfo` value, sorted.
#[rustfmt::skip] // one row a line
pub static TABLE: &[Code] = &[
    row(0x0, "ERRINFO_NONE", "No error; to be ignored."),
    row(0x1, "ERRINFO_RPC_INITIATED_DISCONNECT", "An administrator's tool in another session disconnected this one."),
    row(0x2, "ERRINFO_RPC_INITIATED_LOGOFF", "An administrator's tool in another session logged this one off."),
    row(0x3, "ERRINFO_IDLE_TIMEOUT", "The server's limit for idle sessions was reached."),
    row(0x4, "ERRINFO_LOGON_TIMEOUT", "The server's limit for active sessions was reached."),
    row(0x5, "ERRINFO_DISCONNECTED_BY_OTHERCONNECTION", "Another connection took the session over."),
    row(0x6, "ERRINFO_OUT_OF_MEMORY", "The server ran out of memory."),
    row(0x7, "ERRINFO_SERVER_DENIED_CONNECTION", "The server denied the connection."),
    row(0x9, "ERRINFO_SERVER_INSUFFICIENT_PRIVILEGES", "The user lacks the right to connect to the server."),
    row(0xa, "ERRINFO_SERVER_FRESH_CREDENTIALS_REQUIRED", "The server does not accept saved credentials; they must be typed."),
    row(0xb, "ERRINFO_RPC_INITIATED_DISCONNECT_BYUSER", "A tool running in the user's own session disconnected it."),
    row(0xc, "ERRINFO_LOGOFF_BY_USER", "The user logged off."),
    row(0xf, "ERRINFO_CLOSE_STACK_ON_DRIVER_NOT_READY", "The session's display driver did not report in time that it had started."),
    row(0x10, "ERRINFO_SERVER_DWM_CRASH", "The session's window manager (DWM) ended unexpectedly."),
    row(0x11, "ERRINFO_CLOSE_STACK_ON_DRIVER_FAILURE", "The session's display driver could not finish starting."),
    row(0x12, "ERRINFO_CLOSE_STACK_ON_DRIVER_IFACE_FAILURE", "The session's display driver started but was not usable."),
    row(0x17, "ERRINFO_SERVER_WINLOGON_CRASH", "The session's Winlogon process ended unexpectedly."),
    row(0x18, "ERRINFO_SERVER_CSRSS_CRASH", "The session's CSRSS process ended unexpectedly."),
    row(0x19, "ERRINFO_SERVER_SHUTDOWN", "The server is shutting down."),
    row(0x1a, "ERRINFO_SERVER_REBOOT", "The server is rebooting."),
    row(0x100, "ERRINFO_LICENSE_INTERNAL", "The server's licensing component failed."),
    row(0x101, "ERRINFO_LICENSE_NO_LICENSE_SERVER", "No Remote Desktop licence server was found."),
    row(0x102, "ERRINFO_LICENSE_NO_LICENSE", "No client access licence is left for this server."),
    row(0x103, "ERRINFO_LICENSE_BAD_CLIENT_MSG", "The server got a bad licensing message from the client."),
    row(0x104, "ERRINFO_LICENSE_HWID_DOESNT_MATCH_LICENSE", "The client access licence stored by the client was altered."),
    row(0x105, "ERRINFO_LICENSE_BAD_CLIENT_LICENSE", "The client access licence stored by the client is malformed."),
    row(0x106, "ERRINFO_LICENSE_CANT_FINISH_PROTOCOL", "Network trouble ended the licensing protocol."),
    row(0x107, "ERRINFO_LICENSE_CLIENT_ENDED_PROTOCOL", "The client ended the licensing protocol early."),
    row(0x108, "ERRINFO_LICENSE_BAD_CLIENT_ENCRYPTION", "A licensing message was encrypted wrongly."),
    row(0x109, "ERRINFO_LICENSE_CANT_UPGRADE_LICENSE", "The client access licence stored by the client could not be renewed."),
    row(0x10a, "ERRINFO_LICENSE_NO_REMOTE_CONNECTIONS", "The server is not licensed to accept remote connections."),
    row(0x400, "ERRINFO_CB_DESTINATION_NOT_FOUND", "Connection Broker: the target endpoint was not found."),
    row(0x402, "ERRINFO_CB_LOADING_DESTINATION", "Connection Broker: the target endpoint is disconnecting from the broker."),
    row(0x404, "ERRINFO_CB_REDIRECTING_TO_DESTINATION", "Connection Broker: redirecting to the target endpoint failed."),
    row(0x405, "ERRINFO_CB_SESSION_ONLINE_VM_WAKE", "Connection Broker: waking the target virtual machine failed."),
    row(0x406, "ERRINFO_CB_SESSION_ONLINE_VM_BOOT", "Connection Broker: starting the target virtual machine failed."),
    row(0x407, "ERRINFO_CB_SESSION_ONLINE_VM_NO_DNS", "Connection Broker: the address of the target virtual machine cannot be found."),
    row(0x408, "ERRINFO_CB_DESTINATION_POOL_NOT_FREE", "Connection Broker: no endpoint of the pool is free."),
    row(0x409, "ERRINFO_CB_CONNECTION_CANCELLED", "Connection Broker: the connection was cancelled."),
    row(0x410, "ERRINFO_CB_CONNECTION_ERROR_INVALID_SETTINGS", "Connection Broker: the settings in the routing token could not be validated."),
    row(0x411, "ERRINFO_CB_SESSION_ONLINE_VM_BOOT_TIMEOUT", "Connection Broker: the target virtual machine did not start in time."),
    row(0x412, "ERRINFO_CB_SESSION_ONLINE_VM_SESSMON_FAILED", "Connection Broker: session monitoring failed while the target virtual machine started."),
    row(0x10c9, "ERRINFO_UNKNOWNPDUTYPE2", "The client sent a Share Data Header with an unknown pduType2."),
    row(0x10ca, "ERRINFO_UNKNOWNPDUTYPE", "The client sent a Share Control Header with an unknown pduType."),
    row(0x10cb, "ERRINFO_DATAPDUSEQUENCE", "A slow-path data PDU came out of order."),
    row(0x10cd, "ERRINFO_CONTROLPDUSEQUENCE", "A slow-path PDU other than data came out of order."),
    row(0x10ce, "ERRINFO_INVALIDCONTROLPDUACTION", "A Control PDU has an action that is not valid."),
    row(0x10cf, "ERRINFO_INVALIDINPUTPDUTYPE", "An input event has a type that is not valid."),
    row(0x10d0, "ERRINFO_INVALIDINPUTPDUMOUSE", "A mouse event has pointer flags that are not valid."),
    row(0x10d1, "ERRINFO_INVALIDREFRESHRECTPDU", "A Refresh Rect PDU is not valid."),
    row(0x10d2, "ERRINFO_CREATEUSERDATAFAILED", "The server could not build its GCC Conference Create Response."),
    row(0x10d3, "ERRINFO_CONNECTFAILED", "The channel connection phase failed."),
    row(0x10d4, "ERRINFO_CONFIRMACTIVEWRONGSHAREID", "A Confirm Active PDU has a wrong shareId."),
    row(0x10d5, "ERRINFO_CONFIRMACTIVEWRONGORIGINATOR", "A Confirm Active PDU has a wrong originatorId."),
    row(0x10da, "ERRINFO_PERSISTENTKEYPDUBADLENGTH", "A Persistent Key List PDU is too short."),
    row(0x10db, "ERRINFO_PERSISTENTKEYPDUILLEGALFIRST", "A second Persistent Key List PDU was marked as the first."),
    row(0x10dc, "ERRINFO_PERSISTENTKEYPDUTOOMANYTOTALKEYS", "A Persistent Key List PDU announces too many keys in total."),
    row(0x10dd, "ERRINFO_PERSISTENTKEYPDUTOOMANYCACHEKEYS", "A Persistent Key List PDU announces too many keys for one cache."),
    row(0x10de, "ERRINFO_INPUTPDUBADLENGTH", "An input PDU is too short."),
    row(0x10df, "ERRINFO_BITMAPCACHEERRORPDUBADLENGTH", "A Bitmap Cache Error PDU is too short."),
    row(0x10e0, "ERRINFO_SECURITYDATATOOSHORT", "The security fields of a fast-path input PDU are too short."),
    row(0x10e1, "ERRINFO_VCHANNELDATATOOSHORT", "The channel list, or a channel PDU header, is too short."),
    row(0x10e2, "ERRINFO_SHAREDATATOOSHORT", "A Control PDU, Font List PDU or share header is too short."),
    row(0x10e3, "ERRINFO_BADSUPRESSOUTPUTPDU", "A Suppress Output PDU is too short or not valid."),
    row(0x10e5, "ERRINFO_CONFIRMACTIVEPDUTOOSHORT", "A Confirm Active PDU is too short."),
    row(0x10e7, "ERRINFO_CAPABILITYSETTOOSMALL", "A capability set is too short for its own header."),
    row(0x10e8, "ERRINFO_CAPABILITYSETTOOLARGE", "A capability set claims to be longer than the data received."),
    row(0x10e9, "ERRINFO_NOCURSORCACHE", "The client announced no pointer cache at all."),
    row(0x10ea, "ERRINFO_BADCAPABILITIES", "The server did not accept the client's capabilities."),
    row(0x10ec, "ERRINFO_VIRTUALCHANNELDECOMPRESSIONERR", "The data of a virtual channel could not be decompressed."),
    row(0x10ed, "ERRINFO_INVALIDVCCOMPRESSIONTYPE", "A channel PDU names a compression type that is not valid."),
    row(0x10ef, "ERRINFO_INVALIDCHANNELID", "A virtual channel PDU names an MCS channel that is not valid."),
    row(0x10f0, "ERRINFO_VCHANNELSTOOMANY", "The client asked for more than 31 static virtual channels."),
    row(0x10f3, "ERRINFO_REMOTEAPPSNOTENABLED", "The server's session serves remote applications only and the client asked for a desktop."),
    row(0x10f4, "ERRINFO_CACHECAPNOTSET", "A Persistent Key List PDU came without the bitmap cache capability it needs."),
    row(0x10f5, "ERRINFO_BITMAPCACHEERRORPDUBADLENGTH2", "A Bitmap Cache Error PDU's count does not fit its data."),
    row(0x10f6, "ERRINFO_OFFSCRCACHEERRORPDUBADLENGTH", "An Offscreen Bitmap Cache Error PDU is too short."),
    row(0x10f7, "ERRINFO_DNGCACHEERRORPDUBADLENGTH", "A DrawNineGrid Cache Error PDU is too short."),
    row(0x10f8, "ERRINFO_GDIPLUSPDUBADLENGTH", "A GDI+ Error PDU is too short."),
    row(0x1111, "ERRINFO_SECURITYDATATOOSHORT2", "Too short for a basic security header."),
    row(0x1112, "ERRINFO_SECURITYDATATOOSHORT3", "Too short for a non-FIPS or FIPS security header."),
    row(0x1113, "ERRINFO_SECURITYDATATOOSHORT4", "The Security Exchange PDU ends before its header and length are complete."),
    row(0x1114, "ERRINFO_SECURITYDATATOOSHORT5", "The Info Packet ends within its strings."),
    row(0x1115, "ERRINFO_SECURITYDATATOOSHORT6", "The Info Packet ends before its lengths are complete."),
    row(0x1116, "ERRINFO_SECURITYDATATOOSHORT7", "The Extended Info Packet ends before the client address's family and length."),
    row(0x1117, "ERRINFO_SECURITYDATATOOSHORT8", "The Extended Info Packet ends within the client address."),
    row(0x1118, "ERRINFO_SECURITYDATATOOSHORT9", "The Extended Info Packet ends before the length of the client directory."),
    row(0x1119, "ERRINFO_SECURITYDATATOOSHORT10", "The Extended Info Packet ends within the client directory."),
    row(0x111a, "ERRINFO_SECURITYDATATOOSHORT11", "The Extended Info Packet ends within the time zone."),
    row(0x111b, "ERRINFO_SECURITYDATATOOSHORT12", "The Extended Info Packet ends before the session id."),
    row(0x111c, "ERRINFO_SECURITYDATATOOSHORT13", "The Extended Info Packet ends before the performance flags."),
    row(0x111d, "ERRINFO_SECURITYDATATOOSHORT14", "The Extended Info Packet ends before the auto-reconnect cookie's length."),
    row(0x111e, "ERRINFO_SECURITYDATATOOSHORT15", "The Extended Info Packet ends within the auto-reconnect cookie."),
    row(0x111f, "ERRINFO_SECURITYDATATOOSHORT16", "The auto-reconnect cookie's length exceeds 128 bytes."),
    row(0x1120, "ERRINFO_SECURITYDATATOOSHORT17", "The Extended Info Packet ends before the client address's family and length (second check)."),
    row(0x1121, "ERRINFO_SECURITYDATATOOSHORT18", "The Extended Info Packet ends within the client address (second check)."),
    row(0x1122, "ERRINFO_SECURITYDATATOOSHORT19", "The Extended Info Packet ends before the client directory's length (second check)."),
    row(0x1123, "ERRINFO_SECURITYDATATOOSHORT20", "The Extended Info Packet ends within the client directory (second check)."),
    row(0x1124, "ERRINFO_SECURITYDATATOOSHORT21", "The Extended Info Packet ends within the time zone (second check)."),
    row(0x1125, "ERRINFO_SECURITYDATATOOSHORT22", "The Extended Info Packet ends before the session id (second check)."),
    row(0x1126, "ERRINFO_SECURITYDATATOOSHORT23", "The Client Info PDU is too short."),
    row(0x1129, "ERRINFO_BADMONITORDATA", "The client announced more monitors than it described."),
    row(0x112a, "ERRINFO_VCDECOMPRESSEDREASSEMBLEFAILED", "Decompressed virtual channel data does not fit the server's buffer or chunk size."),
    row(0x112b, "ERRINFO_VCDATATOOLONG", "A virtual channel PDU is longer than the agreed chunk size."),
    row(0x112c, "ERRINFO_BAD_FRAME_ACK_DATA", "A frame acknowledgement is too short."),
    row(0x112d, "ERRINFO_GRAPHICSMODENOTSUPPORTED", "The server does not support the graphics mode the client asked for."),
    row(0x112e, "ERRINFO_GRAPHICSSUBSYSTEMRESETFAILED", "The server's graphics could not be reset."),
    row(0x112f, "ERRINFO_GRAPHICSSUBSYSTEMFAILED", "The server's graphics failed and cannot go on encoding."),
    row(0x1130, "ERRINFO_TIMEZONEKEYNAMELENGTHTOOSHORT", "The Extended Info Packet ends before the length of the time zone's key name."),
    row(0x1131, "ERRINFO_TIMEZONEKEYNAMELENGTHTOOLONG", "The time zone's key name is too long."),
    row(0x1132, "ERRINFO_DYNAMICDSTDISABLEDFIELDMISSING", "The field for dynamic daylight saving time is missing."),
    row(0x1133, "ERRINFO_VCDECODINGERROR", "Virtual channel data could not be decoded."),
    row(0x1134, "ERRINFO_VIRTUALDESKTOPTOOLARGE", "The desktop spanned by the client's monitors is too large."),
    row(0x1135, "ERRINFO_MONITORGEOMETRYVALIDATIONFAILED", "The geometry of the client's monitors is not valid."),
    row(0x1136, "ERRINFO_INVALIDMONITORCOUNT", "The number of the client's monitors is not valid."),
    row(0x1191, "ERRINFO_UPDATESESSIONKEYFAILED", "Standard RDP security: the session keys could not be updated."),
    row(0x1192, "ERRINFO_DECRYPTFAILED", "Standard RDP security: decryption failed."),
    row(0x1193, "ERRINFO_ENCRYPTFAILED", "Standard RDP security: encryption failed."),
    row(0x1194, "ERRINFO_ENCPKGMISMATCH", "Standard RDP security: client and server have no encryption method in common."),
    freerdp(0x1195, "ERRINFO_DECRYPTFAILED2", "Standard RDP security: decryption failed (second form)."),
    freerdp(0x1196, "ERRINFO_PEER_DISCONNECTED", "The peer disconnected."),
];

#[cfg(test)]
mod tests {
    use super::super::checks;
    use super::*;

    #[test]
    fn every_row_is_there() {
        checks::covers(
            TABLE,
            &[
                0..=7,
                9..=0xc,
                0xf..=0x12,
                0x17..=0x1a,
                0x100..=0x10a,
                0x400..=0x400,
                0x402..=0x402,
                0x404..=0x409,
                0x410..=0x412,
                0x10c9..=0x10cb,
                0x10cd..=0x10d5,
                0x10da..=0x10e3,
                0x10e5..=0x10e5,
                0x10e7..=0x10ea,
                0x10ec..=0x10ed,
                0x10ef..=0x10f0,
                0x10f3..=0x10f8,
                0x1111..=0x1126,
                0x1129..=0x1136,
                0x1191..=0x1196,
            ],
        );
        checks::is_written_out(TABLE);
    }

    #[test]
    fn the_numbered_range_is_consecutive() {
        for (value, n) in (0x1111..=0x1126).zip(2..) {
            let name = format!("ERRINFO_SECURITYDATATOOSHORT{n}");
            assert_eq!(lookup(value).and_then(|code| code.name), Some(name.as_str()));
        }
    }
}
