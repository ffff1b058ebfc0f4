//! Whether the system lets this process do what was asked for, found out before the first client comes.

use std::io;

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::Error;
use crate::os;
use crate::relay::Transparent;

/// Fails where diverted connections could not be taken: with the name of the missing right, or of the platform.
pub fn transparent(mode: Transparent) -> Result<(), Error> {
    match mode {
        Transparent::Tproxy => {
            granted("--transparent tproxy", |socket| os::set_transparent(socket))
        }
        Transparent::Redirect if !cfg!(target_os = "linux") => {
            Err(Error::Platform("--transparent redirect"))
        }
        Transparent::Redirect => Ok(()),
    }
}

/// Fails where no socket can be made to ignore resets.
pub fn rst_immune() -> Result<(), Error> {
    granted("--rst-immune", |socket| os::ignore_resets(socket))
}

/// Tries an option on a socket that nobody will use.
fn granted(flag: &'static str, option: impl Fn(&Socket) -> io::Result<()>) -> Result<(), Error> {
    let socket =
        Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).map_err(Error::Runtime)?;
    option(&socket).map_err(|error| match error.kind() {
        io::ErrorKind::Unsupported => Error::Platform(flag),
        io::ErrorKind::PermissionDenied => Error::Right { flag, right: "CAP_NET_ADMIN" },
        _ => Error::Runtime(error),
    })
}
