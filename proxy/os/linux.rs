//! Linux: `TCP_INFO`, `TCP_SAVE_SYN`, the socket error queue, transparent sockets and socket filters (tcp(7), ip(7),
//! socket(7)).

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use socket2::{Domain, MaybeUninitSlice, MsgHdrMut, SockFilter, Socket};

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
pub fn keep_connect_error(socket: &Socket, v6: bool, on: bool) -> io::Result<()> {
    if v6 {
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

/// `IP_TRANSPARENT` or `IPV6_TRANSPARENT`, by the family of the socket.
pub fn set_transparent(socket: &Socket) -> io::Result<()> {
    match socket.domain()? {
        Domain::IPV6 => socket.set_ip_transparent_v6(true),
        _ => socket.set_ip_transparent_v4(true),
    }
}

/// `SO_ORIGINAL_DST` or `IP6T_SO_ORIGINAL_DST`. An IPv4 client of an IPv6 listener is known to IPv4 alone.
pub fn original_destination(stream: &Socket) -> io::Result<SocketAddr> {
    let own = stream.local_addr()?.as_socket();
    let found = match own.is_some_and(|own| own.ip().to_canonical().is_ipv6()) {
        true => stream.original_dst_v6()?,
        false => stream.original_dst_v4()?,
    };
    found.as_socket().ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// `SO_ATTACH_FILTER` with a classic BPF program. On a TCP socket a packet begins with its TCP header.
pub fn ignore_resets(stream: &Socket) -> io::Result<()> {
    const FLAGS: u32 = 13; // place of the flags in the header, RFC 9293 3.1
    const RST: u32 = 0x04;
    const WHOLE: u32 = u32::MAX;
    let code = |bits: u32| bits as u16; // every opcode fits, linux/bpf_common.h
    stream.attach_filter(&[
        SockFilter::new(code(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS), 0, 0, FLAGS),
        SockFilter::new(code(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K), 0, 1, RST),
        SockFilter::new(code(libc::BPF_RET | libc::BPF_K), 0, 0, 0),
        SockFilter::new(code(libc::BPF_RET | libc::BPF_K), 0, 0, WHOLE),
    ])
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
