//! What the relay asks of its operating system beyond the standard library: the state of a TCP socket, the
//! client's SYN, the ICMP error behind a failed `connect()`, limits. One module per operating system answers;
//! those modules hold all unsafe code of the program. What a platform can not tell is `None`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rdpwhy_analyzer::input::TcpSample;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::timeout;

mod errno;
pub mod syn;

pub use errno::{errno_name, known_name, lookup_error_name};

#[cfg(target_os = "linux")]
mod errqueue;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)] // getsockopt and setsockopt for options that socket2 does not know
mod linux;
#[cfg(not(any(target_os = "linux", windows)))]
mod other;
#[cfg(target_os = "linux")]
#[allow(unsafe_code)] // a ring of packets that is shared with the kernel
pub mod packets;
#[cfg(unix)]
#[allow(unsafe_code)] // a descriptor that is there from the start
mod passed;
#[cfg(target_os = "linux")]
mod tcp_info;
#[cfg(unix)]
#[allow(unsafe_code)] // getrlimit and setrlimit
mod unix;
#[cfg(windows)]
#[allow(unsafe_code)] // WSAIoctl, and two socket options that socket2 does not know
mod windows;

#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(not(any(target_os = "linux", windows)))]
use other as platform;
#[cfg(windows)]
use windows as platform;

/// A TCP socket as its kernel sees it at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketState {
    /// The counters.
    pub sample: TcpSample,
    /// The state of the connection.
    pub state: TcpState,
    /// The peer's FIN has arrived or the connection is over (RST, timeout). Unlike a read, this does not wait
    /// for unread data in front of the end.
    pub peer_ended: bool,
}

/// State of a TCP connection (RFC 9293 3.3.2), as far as the relay tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpState {
    /// Open in both directions.
    Established,
    /// The peer sent its FIN, we did not.
    CloseWait,
    /// Over: reset by the peer, timed out, or closed by both.
    Closed,
    /// Any other, by the platform's own number.
    Other(u8),
}

/// An ICMP error that ended a `connect()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// ICMP type; ICMPv6 numbers on an IPv6 socket.
    pub kind: u8,
    /// ICMP code.
    pub code: u8,
    /// Who sent it. Our own address means our own kernel: nobody answered ARP or neighbour discovery.
    pub offender: Option<IpAddr>,
}

/// A TCP socket for a connection to this address that does not block.
pub fn socket(to: SocketAddr) -> io::Result<Socket> {
    let new = |kind| Socket::new(Domain::for_address(to), kind, Some(Protocol::TCP));
    // Linux takes the flag with the call that makes the socket.
    #[cfg(target_os = "linux")]
    return new(Type::STREAM.nonblocking());
    #[cfg(not(target_os = "linux"))]
    {
        let socket = new(Type::STREAM)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

/// The state and counters of a connection; `None` where the platform has no such call or refuses it.
/// Works on a socket that was reset, too. Linux `TCP_INFO`, Windows `SIO_TCP_INFO`.
pub fn socket_state<'s>(socket: impl Into<SockRef<'s>>) -> Option<SocketState> {
    platform::socket_state(&socket.into())
}

/// The counters alone of [`socket_state`].
pub fn tcp_sample<'s>(socket: impl Into<SockRef<'s>>) -> Option<TcpSample> {
    socket_state(socket).map(|state| state.sample)
}

/// How many SYNs a socket sent whose `connect()` runs or failed.
pub fn syns_sent<'s>(socket: impl Into<SockRef<'s>>) -> Option<u32> {
    platform::syns_sent(&socket.into())
}

/// Asks a listener to keep the SYN of each connection for [`saved_syn`]. `Unsupported` outside Linux.
pub fn save_syn<'s>(listener: impl Into<SockRef<'s>>) -> io::Result<()> {
    platform::save_syn(&listener.into())
}

/// The IP and TCP header of the SYN that opened an accepted connection, for [`syn::SynFacts::parse`].
/// The kernel hands it out once; a second call gives `None`.
pub fn saved_syn<'s>(stream: impl Into<SockRef<'s>>) -> Option<Vec<u8>> {
    platform::saved_syn(&stream.into())
}

/// Makes the coming close of this socket send RST instead of FIN (zero linger). Unsent data is dropped.
pub fn reset_on_close<'s>(stream: impl Into<SockRef<'s>>) -> io::Result<()> {
    stream.into().set_linger(Some(Duration::ZERO))
}

/// Before `connect()` to an address: asks the kernel to keep the ICMP error that may end it, for [`connect_error`].
pub fn keep_connect_error<'s>(socket: impl Into<SockRef<'s>>, to: SocketAddr) -> io::Result<()> {
    platform::keep_connect_error(&socket.into(), to.is_ipv6(), true)
}

/// After a successful `connect()`: undoes [`keep_connect_error`]. With it left on, Linux turns every ICMP error
/// on the open connection into a failed read, which a transparent relay must not suffer.
pub fn drop_connect_error<'s>(socket: impl Into<SockRef<'s>>, to: SocketAddr) -> io::Result<()> {
    platform::keep_connect_error(&socket.into(), to.is_ipv6(), false)
}

/// After a failed `connect()`: the ICMP error behind it. `None` after [`keep_connect_error`] on Linux means
/// that none came, so a refusal was a RST; elsewhere it may mean that the platform does not tell.
pub fn connect_error<'s>(socket: impl Into<SockRef<'s>>) -> Option<IcmpError> {
    platform::connect_error(&socket.into())
}

/// The error a socket is waiting to report (`SO_ERROR`). Asking clears it: after this a read of a reset
/// connection says end of file, so keep the answer. On an open connection Linux also tells the last ICMP error,
/// which ended nothing; [`socket_state`] says whether the connection is over.
pub fn pending_error<'s>(stream: impl Into<SockRef<'s>>) -> Option<io::Error> {
    stream.into().take_error().ok().flatten()
}

/// Waits until a connection that nobody reads may be over: `true` when the system tells of an error, `false` where it
/// would not and some time has passed. On Windows a reset is an abort, which the poller reports to readers only
/// (`AFD_POLL_ABORT`), so that [`socket_state`] has to be asked.
pub async fn wait_for_error(stream: &TcpStream) -> bool {
    const MOMENT: Duration = Duration::from_secs(1);
    let error = stream.ready(Interest::ERROR);
    match cfg!(windows) {
        true => timeout(MOMENT, error).await.is_ok(),
        false => {
            let _ = error.await;
            true
        }
    }
}

/// Before `bind()`: the socket may have an address that is not this machine's, as listener (TPROXY hands it
/// connections to any address) and as caller. Linux `IP_TRANSPARENT`, which needs CAP_NET_ADMIN or CAP_NET_RAW;
/// `Unsupported` elsewhere.
pub fn set_transparent<'s>(socket: impl Into<SockRef<'s>>) -> io::Result<()> {
    platform::set_transparent(&socket.into())
}

/// Where the client of an accepted connection wanted to go before a NAT rule of this machine redirected it.
/// ENOENT where connection tracking knows nothing of it. Linux `SO_ORIGINAL_DST`; `Unsupported` elsewhere.
pub fn original_destination<'s>(stream: impl Into<SockRef<'s>>) -> io::Result<SocketAddr> {
    platform::original_destination(&stream.into())
}

/// Makes a connected TCP socket ignore resets: incoming segments with RST are dropped before TCP sees them.
/// Linux `SO_ATTACH_FILTER`, for which newer kernels want CAP_NET_ADMIN on TCP; `Unsupported` elsewhere.
pub fn ignore_resets<'s>(stream: impl Into<SockRef<'s>>) -> io::Result<()> {
    platform::ignore_resets(&stream.into())
}

/// A listening TCP socket that the service manager passed, by its name (sd_listen_fds(3)); a second call gives it
/// again. `Unsupported` outside Unix.
pub fn passed_listener(name: &str) -> io::Result<std::net::TcpListener> {
    #[cfg(unix)]
    return passed::passed_listener(name);
    #[cfg(not(unix))]
    Err(io::Error::new(io::ErrorKind::Unsupported, format!("no socket {name} can be passed here")))
}

/// Whether an address is one of this machine's.
pub fn is_own_address(address: IpAddr) -> bool {
    // Only an own address can be bound; UDP, because nothing listens or answers for it.
    std::net::UdpSocket::bind((address, 0)).is_ok()
}

/// Raises the limit of open files to what the administrator allows; gives the limit now in force.
/// `None` where there is no such limit.
pub fn raise_file_limit() -> Option<u64> {
    #[cfg(unix)]
    return unix::raise_file_limit();
    #[cfg(not(unix))]
    None
}

#[cfg(all(test, any(target_os = "linux", windows)))]
mod tests;
