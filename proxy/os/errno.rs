//! Names of system errors. The report speaks one language on every platform: POSIX names, which are Windows'
//! names without their WSA (Winsock error 10054, WSAECONNRESET, is ECONNRESET).

use std::io;

/// The POSIX name of a system error, `"ECONNREFUSED"`; `"EUNKNOWN"` for a number that is not in the table or an
/// error that is not the system's.
pub fn errno_name(error: &io::Error) -> &'static str {
    let Some(number) = error.raw_os_error() else { return "EUNKNOWN" };
    NAMES.iter().find(|(known, _)| *known == number).map_or("EUNKNOWN", |(_, name)| name)
}

/// The same name where it is that of a system error, on whichever system it occurred: recordings travel.
pub fn known_name(name: &str) -> Option<&'static str> {
    KNOWN.iter().find(|known| **known == name).copied()
}

/// Why a name could not be resolved, where the answer was not "no such name or no address": `"EAI_AGAIN"` when
/// no name server answered, or the name of a system error. `None` when the name has no address.
pub fn lookup_error_name(error: &io::Error) -> Option<&'static str> {
    const WINDOWS_NO_NAME: [i32; 2] = [11001, 11004]; // WSAHOST_NOT_FOUND, WSANO_DATA
    const WINDOWS_AGAIN: [i32; 2] = [11002, 11003]; // WSATRY_AGAIN, WSANO_RECOVERY
    match error.raw_os_error() {
        Some(number) if cfg!(windows) && WINDOWS_NO_NAME.contains(&number) => None,
        Some(number) if cfg!(windows) && WINDOWS_AGAIN.contains(&number) => Some("EAI_AGAIN"),
        Some(_) => Some(errno_name(error)),
        None => {
            // On Unix the standard library keeps only the text of gai_strerror, in the C locale.
            let text = error.to_string();
            let again = ["Temporary failure", "Try again", "temporary failure"];
            again.iter().any(|words| text.contains(words)).then_some("EAI_AGAIN")
        }
    }
}

/// All names of all systems.
const KNOWN: &[&str] = &[
    "EACCES",
    "EADDRINUSE",
    "EADDRNOTAVAIL",
    "EAFNOSUPPORT",
    "EALREADY",
    "EBADF",
    "ECONNABORTED",
    "ECONNREFUSED",
    "ECONNRESET",
    "EHOSTDOWN",
    "EHOSTUNREACH",
    "EINPROGRESS",
    "EINTR",
    "EINVAL",
    "EIO",
    "EISCONN",
    "EMFILE",
    "EMSGSIZE",
    "ENETDOWN",
    "ENETRESET",
    "ENETUNREACH",
    "ENFILE",
    "ENOBUFS",
    "ENODEV",
    "ENOENT",
    "ENOMEM",
    "ENOPROTOOPT",
    "ENOSPC",
    "ENOTCONN",
    "EOPNOTSUPP",
    "EPERM",
    "EPIPE",
    "EPROTO",
    "ESHUTDOWN",
    "ETIMEDOUT",
    "EWOULDBLOCK",
];

#[cfg(unix)]
const NAMES: &[(i32, &str)] = &[
    (libc::EACCES, "EACCES"),
    (libc::EADDRINUSE, "EADDRINUSE"),
    (libc::EADDRNOTAVAIL, "EADDRNOTAVAIL"),
    (libc::EAFNOSUPPORT, "EAFNOSUPPORT"),
    (libc::EALREADY, "EALREADY"),
    (libc::EBADF, "EBADF"),
    (libc::ECONNABORTED, "ECONNABORTED"),
    (libc::ECONNREFUSED, "ECONNREFUSED"),
    (libc::ECONNRESET, "ECONNRESET"),
    (libc::EHOSTDOWN, "EHOSTDOWN"),
    (libc::EHOSTUNREACH, "EHOSTUNREACH"),
    (libc::EINPROGRESS, "EINPROGRESS"),
    (libc::EINTR, "EINTR"),
    (libc::EINVAL, "EINVAL"),
    (libc::EIO, "EIO"),
    (libc::EISCONN, "EISCONN"),
    (libc::EMFILE, "EMFILE"),
    (libc::EMSGSIZE, "EMSGSIZE"),
    (libc::ENETDOWN, "ENETDOWN"),
    (libc::ENETRESET, "ENETRESET"),
    (libc::ENETUNREACH, "ENETUNREACH"),
    (libc::ENFILE, "ENFILE"),
    (libc::ENOBUFS, "ENOBUFS"),
    (libc::ENODEV, "ENODEV"),
    (libc::ENOENT, "ENOENT"),
    (libc::ENOMEM, "ENOMEM"),
    (libc::ENOPROTOOPT, "ENOPROTOOPT"),
    (libc::ENOSPC, "ENOSPC"),
    (libc::ENOTCONN, "ENOTCONN"),
    (libc::EOPNOTSUPP, "EOPNOTSUPP"),
    (libc::EPERM, "EPERM"),
    (libc::EPIPE, "EPIPE"),
    (libc::EPROTO, "EPROTO"),
    (libc::ESHUTDOWN, "ESHUTDOWN"),
    (libc::ETIMEDOUT, "ETIMEDOUT"),
    (libc::EWOULDBLOCK, "EWOULDBLOCK"),
];

#[cfg(windows)]
const NAMES: &[(i32, &str)] = &[
    (10004, "EINTR"),
    (10009, "EBADF"),
    (10013, "EACCES"),
    (10022, "EINVAL"),
    (10024, "EMFILE"),
    (10035, "EWOULDBLOCK"),
    (10036, "EINPROGRESS"),
    (10037, "EALREADY"),
    (10040, "EMSGSIZE"),
    (10042, "ENOPROTOOPT"),
    (10045, "EOPNOTSUPP"),
    (10047, "EAFNOSUPPORT"),
    (10048, "EADDRINUSE"),
    (10049, "EADDRNOTAVAIL"),
    (10050, "ENETDOWN"),
    (10051, "ENETUNREACH"),
    (10052, "ENETRESET"),
    (10053, "ECONNABORTED"),
    (10054, "ECONNRESET"),
    (10055, "ENOBUFS"),
    (10056, "EISCONN"),
    (10057, "ENOTCONN"),
    (10058, "ESHUTDOWN"),
    (10060, "ETIMEDOUT"),
    (10061, "ECONNREFUSED"),
    (10064, "EHOSTDOWN"),
    (10065, "EHOSTUNREACH"),
];

#[cfg(not(any(unix, windows)))]
const NAMES: &[(i32, &str)] = &[];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_everywhere() {
        for (_, name) in NAMES {
            assert_eq!(known_name(name), Some(*name));
        }
        assert_eq!(known_name("ENETRESET"), Some("ENETRESET"));
        assert_eq!(known_name("EUNKNOWN"), None);
    }

    #[test]
    fn numbers_have_names_and_the_rest_is_unknown() {
        #[cfg(unix)]
        let refused = libc::ECONNREFUSED;
        #[cfg(windows)]
        let refused = 10061;
        assert_eq!(errno_name(&io::Error::from_raw_os_error(refused)), "ECONNREFUSED");
        assert_eq!(errno_name(&io::Error::from_raw_os_error(99_999)), "EUNKNOWN");
        assert_eq!(errno_name(&io::Error::other("ours")), "EUNKNOWN");
    }

    #[test]
    fn a_silent_name_server_is_not_a_missing_name() {
        let silent = io::Error::other(
            "failed to lookup address information: Temporary failure in name resolution",
        );
        assert_eq!(lookup_error_name(&silent), Some("EAI_AGAIN"));
        let missing =
            io::Error::other("failed to lookup address information: Name or service not known");
        assert_eq!(lookup_error_name(&missing), None);
    }
}
