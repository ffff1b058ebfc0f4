//! The statuses that a CredSSP server returns in `TSRequest.errorCode` (MS-CSSP 2.2.1): NTSTATUS, an
//! NTSTATUS that wraps a Win32 error, or an SSPI HRESULT. Windows event 4625 shows the same numbers.

use super::{Code, find};

/// The row of a status. Wrapped values have none of their own, see [`unwrap`].
pub fn lookup(value: u32) -> Option<&'static Code> {
    find(TABLE, value)
}

/// A status inside another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapped {
    /// A Win32 error in the low 16 bits: NTSTATUS `C007xxxx` or HRESULT `8007xxxx`.
    Win32(u16),
    /// An NTSTATUS turned into an HRESULT by setting bit 28: `D000006D` is `C000006D`.
    NtStatus(u32),
}

/// What `value` wraps, if its form says that it wraps something. MS-ERREF 2.1 and 2.3.
pub fn unwrap(value: u32) -> Option<Wrapped> {
    match value >> 16 {
        0xc007 | 0x8007 => Some(Wrapped::Win32(value as u16)),
        0xd000..=0xdfff => Some(Wrapped::NtStatus(value & !0x1000_0000)),
        _ => None,
    }
}

const ERREF: &str = "MS-ERREF 2.3.1 (NTSTATUS values)";
const SSPI: &str = "Microsoft Learn: COM Error Codes (Security and Setup)";

const fn nt(value: u32, name: &'static str, meaning: &'static str) -> Code {
    Code::specified(value, name, meaning, ERREF)
}

const fn sspi(value: u32, name: &'static str, meaning: &'static str) -> Code {
    Code::documented(value, name, meaning, SSPI)
}

/// The statuses met in CredSSP, sorted by value.
#[rustfmt::skip] // one row a line
pub static TABLE: &[Code] = &[
    sspi(0x8009_0302, "SEC_E_UNSUPPORTED_FUNCTION", "The function asked for is not supported by the security package."),
    sspi(0x8009_0304, "SEC_E_INTERNAL_ERROR", "The Local Security Authority cannot be contacted, or had an internal error."),
    sspi(0x8009_0308, "SEC_E_INVALID_TOKEN", "The security token is not valid: malformed, or not what was expected."),
    sspi(0x8009_030c, "SEC_E_LOGON_DENIED", "The logon attempt failed."),
    sspi(0x8009_030e, "SEC_E_NO_CREDENTIALS", "No credentials are available in the security package."),
    sspi(0x8009_0346, "SEC_E_BAD_BINDINGS", "The channel bindings do not match: the two ends do not see the same TLS channel."),
    nt(0xc000_0022, "STATUS_ACCESS_DENIED", "Access denied: a right is missing or a policy forbids it."),
    nt(0xc000_005e, "STATUS_NO_LOGON_SERVERS", "The server found no domain controller to check the logon with."),
    nt(0xc000_0064, "STATUS_NO_SUCH_USER", "The account does not exist."),
    nt(0xc000_006a, "STATUS_WRONG_PASSWORD", "The password is wrong."),
    nt(0xc000_006d, "STATUS_LOGON_FAILURE", "The user name or the password is wrong; which of them is withheld on purpose."),
    nt(0xc000_006e, "STATUS_ACCOUNT_RESTRICTION", "An account restriction prevents the logon, such as an empty password or a policy."),
    nt(0xc000_006f, "STATUS_INVALID_LOGON_HOURS", "The account may not log on at this time."),
    nt(0xc000_0070, "STATUS_INVALID_WORKSTATION", "The account may not log on from this computer."),
    nt(0xc000_0071, "STATUS_PASSWORD_EXPIRED", "The password has expired; it cannot be changed during NLA, change it elsewhere."),
    nt(0xc000_0072, "STATUS_ACCOUNT_DISABLED", "The account is disabled."),
    nt(0xc000_00b5, "STATUS_IO_TIMEOUT", "The server waited for network input or output until a time-out."),
    nt(0xc000_0133, "STATUS_TIME_DIFFERENCE_AT_DC", "The clocks of this computer and of the domain controller differ too much."),
    nt(0xc000_0155, "STATUS_LOGON_NOT_GRANTED", "The logon was not granted: a user right is missing."),
    nt(0xc000_015b, "STATUS_LOGON_TYPE_NOT_GRANTED", "The account lacks the right for this type of logon on that computer."),
    nt(0xc000_018d, "STATUS_TRUSTED_RELATIONSHIP_FAILURE", "The trust between the server and its domain is broken."),
    nt(0xc000_0193, "STATUS_ACCOUNT_EXPIRED", "The account has expired."),
    nt(0xc000_0224, "STATUS_PASSWORD_MUST_CHANGE", "The password must be changed before the first logon; it cannot be changed during NLA, change it elsewhere."),
    nt(0xc000_0234, "STATUS_ACCOUNT_LOCKED_OUT", "The account is locked out."),
    nt(0xc000_035b, "STATUS_BAD_BINDINGS", "The channel bindings do not match: TLS ends somewhere between client and server."),
];

#[cfg(test)]
mod tests {
    use super::super::checks;
    use super::*;

    #[test]
    fn every_row_is_there() {
        assert_eq!(TABLE.len(), 25);
        assert!(TABLE.windows(2).all(|pair| pair[0].value < pair[1].value));
        checks::is_written_out(TABLE);
        assert_eq!(lookup(0xc000006d).and_then(|code| code.name), Some("STATUS_LOGON_FAILURE"));
    }

    #[test]
    fn wrapped_values_are_taken_apart() {
        assert_eq!(unwrap(0xc007_052e), Some(Wrapped::Win32(1326)));
        assert_eq!(unwrap(0x8007_0005), Some(Wrapped::Win32(5)));
        assert_eq!(unwrap(0xd000_006d), Some(Wrapped::NtStatus(0xc000_006d)));
        assert_eq!(unwrap(0xc000_006d), None);
    }
}
