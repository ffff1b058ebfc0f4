//! Listening sockets that the service manager opened (sd_listen_fds(3)): it binds, the program needs no right to.

use std::io;
use std::net::TcpListener;
use std::os::fd::BorrowedFd;

use socket2::SockRef;

/// The first descriptor that is passed (SD_LISTEN_FDS_START).
const FIRST: i32 = 3;
/// More than anybody passes.
const MOST: i32 = 4096;

/// A listening TCP socket by its name in LISTEN_FDNAMES. It stays open for a second call.
pub fn passed_listener(name: &str) -> io::Result<TcpListener> {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let pid = variable("LISTEN_PID");
    if pid != std::process::id().to_string() {
        let why = if pid.is_empty() {
            "no socket was passed"
        } else {
            "sockets were passed to another process"
        };
        return Err(wrong(format!("{why} (LISTEN_PID)")));
    }
    let count = variable("LISTEN_FDS").parse().unwrap_or(0).clamp(0, MOST);
    let names = variable("LISTEN_FDNAMES");
    let all = (FIRST..FIRST + count).zip(names.split(':'));
    let named: Vec<i32> = all.filter(|(_, own)| *own == name).map(|(fd, _)| fd).collect();
    let [fd] = named[..] else {
        let names = names.replace(':', ", ");
        return Err(wrong(format!(
            "{} sockets of this name were passed, of: {names}",
            named.len()
        )));
    };
    // SAFETY: the descriptor is one of those that the service manager opened for this process, and the program
    // closes none of them. One that is not open after all makes the duplication fail.
    let socket = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()?;
    if !listens(&SockRef::from(&socket)) {
        return Err(wrong("what was passed is no listening TCP socket".to_owned()));
    }
    let listener = TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn listens(socket: &SockRef<'_>) -> bool {
    let internet = socket.local_addr().is_ok_and(|address| address.as_socket().is_some());
    let stream = socket.r#type().is_ok_and(|kind| kind == socket2::Type::STREAM);
    internet && stream && accepts(socket)
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn accepts(socket: &SockRef<'_>) -> bool {
    socket.is_listener().unwrap_or(false)
}

/// Where the system does not tell, the first client will.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn accepts(_socket: &SockRef<'_>) -> bool {
    true
}

fn wrong(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, why)
}
