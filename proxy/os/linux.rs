//! Linux: `TCP_INFO`, `TCP_SAVE_SYN` and the socket error queue (tcp(7), ip(7)).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;

use socket2::{MaybeUninitSlice, MsgHdrMut, Socket};

use super::{IcmpError, SocketState, errqueue, tcp_info};

/// `TCP_INFO`, parsed as far as this kernel fills it.
pub fn socket_state(socket: &Socket) -> Option<SocketState> {
    let mut bytes = [0; tcp_info::SIZE];
    let filled = get_option(socket, libc::IPPROTO_TCP, libc::TCP_INFO, &mut bytes).ok()?;
    tcp_info::parse(bytes.get(..filled)?)
}

/// Before the handshake is over, only SYNs can have been retransmitted.
pub fn syns_sent(socket: &Socket) -> Option<u32> {
    Some(socket_state(socket)?.sample.total_retrans?.saturating_add(1))
}

/// `TCP_SAVE_SYN` on a listener.
pub fn save_syn(listener: &Socket) -> io::Result<()> {
    set_option(listener, libc::IPPROTO_TCP, libc::TCP_SAVE_SYN, 1)
}

/// `TCP_SAVED_SYN` of an accepted socket.
pub fn saved_syn(stream: &Socket) -> Option<Vec<u8>> {
    let mut bytes = [0; 512]; // 60 + 60 over IPv4; 40, extension headers and 60 over IPv6
    let filled = get_option(stream, libc::IPPROTO_TCP, libc::TCP_SAVED_SYN, &mut bytes).ok()?;
    bytes.get(..filled).filter(|syn| !syn.is_empty()).map(<[u8]>::to_vec)
}

/// `IP_RECVERR` or `IPV6_RECVERR`, by the family of the socket.
pub fn keep_connect_error(socket: &Socket, on: bool) -> io::Result<()> {
    if socket.domain()? == socket2::Domain::IPV6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, on.into())
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_RECVERR, on.into())
    }
}

/// The first ICMP error in the error queue. Never waits.
pub fn connect_error(socket: &Socket) -> Option<IcmpError> {
    const MOST: usize = 8; // a connect() queues one; local errors may stand before it
    (0..MOST).map_while(|_| next_queued(socket)).find_map(|control| errqueue::icmp_error(&control))
}

/// The control bytes of the next message in the error queue.
fn next_queued(socket: &Socket) -> Option<Vec<u8>> {
    let mut quoted = [MaybeUninit::new(0); 128]; // the start of our own SYN, not needed
    let mut control = [MaybeUninit::new(0); 512];
    let mut buffers = [MaybeUninitSlice::new(&mut quoted)];
    let mut message = MsgHdrMut::new().with_buffers(&mut buffers).with_control(&mut control);
    socket.recvmsg(&mut message, libc::MSG_ERRQUEUE).ok()?;
    let filled = message.control_len();
    // SAFETY: every byte was initialised above; the kernel only overwrites them.
    Some(control.iter().take(filled).map(|byte| unsafe { byte.assume_init() }).collect())
}

/// getsockopt into `bytes`; gives how many of them the kernel filled.
pub(super) fn get_option(
    socket: &Socket,
    level: i32,
    name: i32,
    bytes: &mut [u8],
) -> io::Result<usize> {
    let mut len = libc::socklen_t::try_from(bytes.len()).unwrap_or(libc::socklen_t::MAX);
    // SAFETY: the pointer and `len` describe `bytes`, which lives through the call and may hold any byte;
    // `len` is a live socklen_t.
    let done = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, name, bytes.as_mut_ptr().cast(), &mut len)
    };
    if done == 0 { Ok(len as usize) } else { Err(io::Error::last_os_error()) }
}

/// setsockopt with an int.
fn set_option(socket: &Socket, level: i32, name: i32, value: libc::c_int) -> io::Result<()> {
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the pointer and `len` describe `value`, which lives through the call and is only read.
    let done = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), len)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
