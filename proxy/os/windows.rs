//! Windows: `SIO_TCP_INFO` (Windows 10 1703, Server 2016) and `TCP_ICMP_ERROR_INFO` (Windows 10 2004).

use std::io;
use std::mem::offset_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::windows::io::AsRawSocket;
use std::ptr;

use rdpwhy_analyzer::input::TcpSample;
use socket2::Socket;
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, ICMP_ERROR_INFO, IPPROTO_TCP, SIO_TCP_INFO, SOCKET,
    TCP_FAIL_CONNECT_ON_ICMP_ERROR, TCP_ICMP_ERROR_INFO, TCP_INFO_v0, TCPSTATE_CLOSE_WAIT,
    TCPSTATE_CLOSED, TCPSTATE_CLOSING, TCPSTATE_ESTABLISHED, TCPSTATE_LAST_ACK, TCPSTATE_TIME_WAIT,
    WSAIoctl, getsockopt, setsockopt,
};

use super::{IcmpError, SocketState, TcpState};

/// `TCP_INFO_v0`. Windows counts bytes in flight where Linux counts segments; they are given as the segments
/// they fill.
pub fn socket_state(socket: &Socket) -> Option<SocketState> {
    let info = tcp_info(socket)?;
    let state = info.u32_at(offset_of!(TCP_INFO_v0, State)).cast_signed();
    let mss = info.u32_at(offset_of!(TCP_INFO_v0, Mss));
    let in_flight = info.u32_at(offset_of!(TCP_INFO_v0, BytesInFlight));
    let measured = |rtt: u32| (rtt != 0 && rtt != u32::MAX).then_some(rtt);
    let sample = TcpSample {
        rtt_us: measured(info.u32_at(offset_of!(TCP_INFO_v0, RttUs))),
        min_rtt_us: measured(info.u32_at(offset_of!(TCP_INFO_v0, MinRttUs))),
        unacked: Some(in_flight.div_ceil(mss.max(1))),
        bytes_sent: Some(info.u64_at(offset_of!(TCP_INFO_v0, BytesOut))),
        bytes_received: Some(info.u64_at(offset_of!(TCP_INFO_v0, BytesIn))),
        bytes_retrans: Some(info.u32_at(offset_of!(TCP_INFO_v0, BytesRetrans)).into()),
        snd_mss: Some(mss),
        snd_wnd: Some(info.u32_at(offset_of!(TCP_INFO_v0, SndWnd))),
        ..TcpSample::default()
    };
    Some(SocketState { sample, state: tcp_state(state), peer_ended: peer_ended(state) })
}

/// The first SYN and those that `TCP_INFO_v0` calls retransmitted.
pub fn syns_sent(socket: &Socket) -> Option<u32> {
    let again = *tcp_info(socket)?.0.get(offset_of!(TCP_INFO_v0, SynRetrans))?;
    Some(u32::from(again) + 1)
}

/// Linux only.
pub fn save_syn(_listener: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux only.
pub fn saved_syn(_stream: &Socket) -> Option<Vec<u8>> {
    None
}

/// Makes an ICMP error end `connect()`, as it does on Linux; without it Windows waits for the timeout.
pub fn keep_connect_error(socket: &Socket, _v6: bool, on: bool) -> io::Result<()> {
    let value = u32::from(on);
    let (level, name, len) = (IPPROTO_TCP, TCP_FAIL_CONNECT_ON_ICMP_ERROR, size_of::<u32>() as i32);
    // SAFETY: the pointer and `len` describe `value`, which lives through the call and is only read.
    let done = unsafe { setsockopt(handle(socket), level, name, (&raw const value).cast(), len) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `TCP_ICMP_ERROR_INFO`; the call fails with WSANO_DATA when no ICMP error came.
pub fn connect_error(socket: &Socket) -> Option<IcmpError> {
    let mut info = ICMP_ERROR_INFO::default();
    let mut len = size_of::<ICMP_ERROR_INFO>() as i32;
    let (level, name) = (IPPROTO_TCP, TCP_ICMP_ERROR_INFO);
    // SAFETY: the pointer and `len` describe `info`, which lives through the call and is made of integers, for
    // which any bytes are valid; `len` is a live i32.
    let done = unsafe { getsockopt(handle(socket), level, name, (&raw mut info).cast(), &mut len) };
    let complete = usize::try_from(len).is_ok_and(|len| len >= size_of::<ICMP_ERROR_INFO>());
    (done == 0 && complete).then(|| IcmpError {
        kind: info.r#type,
        code: info.code,
        offender: offender(&info),
    })
}

/// Linux only.
pub fn set_transparent(_socket: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux only.
pub fn original_destination(_stream: &Socket) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux only.
pub fn ignore_resets(_stream: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn offender(info: &ICMP_ERROR_INFO) -> Option<IpAddr> {
    let source = info.srcaddress;
    // SAFETY: all members of the union begin with the family and are made of integers; which one holds the
    // address is what the family says.
    unsafe {
        match source.si_family {
            AF_INET => Some(Ipv4Addr::from(source.Ipv4.sin_addr.S_un.S_addr.to_ne_bytes()).into()),
            AF_INET6 => Some(Ipv6Addr::from(source.Ipv6.sin6_addr.u.Byte).into()),
            _ => None,
        }
    }
}

/// The bytes of a `TCP_INFO_v0`, read by offset: its BOOLEAN is no Rust bool until someone checked it.
#[repr(C, align(8))]
struct TcpInfo([u8; size_of::<TCP_INFO_v0>()]);

impl TcpInfo {
    fn u32_at(&self, offset: usize) -> u32 {
        self.0.get(offset..).and_then(<[u8]>::first_chunk).copied().map_or(0, u32::from_ne_bytes)
    }

    fn u64_at(&self, offset: usize) -> u64 {
        self.0.get(offset..).and_then(<[u8]>::first_chunk).copied().map_or(0, u64::from_ne_bytes)
    }
}

fn tcp_info(socket: &Socket) -> Option<TcpInfo> {
    let version: u32 = 0;
    let mut info = TcpInfo([0; size_of::<TCP_INFO_v0>()]);
    let mut filled: u32 = 0;
    // SAFETY: the input pointer and length describe `version`, the output ones `info`; both and `filled` live
    // through the call, which is synchronous because no OVERLAPPED is given.
    let done = unsafe {
        WSAIoctl(
            handle(socket),
            SIO_TCP_INFO,
            (&raw const version).cast(),
            size_of::<u32>() as u32,
            info.0.as_mut_ptr().cast(),
            info.0.len() as u32,
            &mut filled,
            ptr::null_mut(),
            None,
        )
    };
    (done == 0 && filled as usize >= info.0.len()).then_some(info)
}

fn tcp_state(state: i32) -> TcpState {
    match state {
        TCPSTATE_ESTABLISHED => TcpState::Established,
        TCPSTATE_CLOSE_WAIT => TcpState::CloseWait,
        TCPSTATE_CLOSED => TcpState::Closed,
        other => TcpState::Other(u8::try_from(other).unwrap_or(u8::MAX)),
    }
}

/// Only the peer's FIN or the end leads to these.
fn peer_ended(state: i32) -> bool {
    matches!(
        state,
        TCPSTATE_CLOSED
            | TCPSTATE_CLOSE_WAIT
            | TCPSTATE_CLOSING
            | TCPSTATE_LAST_ACK
            | TCPSTATE_TIME_WAIT
    )
}

fn handle(socket: &Socket) -> SOCKET {
    socket.as_raw_socket() as SOCKET
}
