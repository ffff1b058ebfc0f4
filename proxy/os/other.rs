//! Systems without a call of this kind that we use: macOS, the BSDs.

use std::io;
use std::net::SocketAddr;

use socket2::Socket;

use super::{IcmpError, SocketState};

/// Not told here.
pub fn socket_state(_socket: &Socket) -> Option<SocketState> {
    None
}

/// Not told here.
pub fn syns_sent(_socket: &Socket) -> Option<u32> {
    None
}

/// Linux only.
pub fn save_syn(_listener: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Linux only.
pub fn saved_syn(_stream: &Socket) -> Option<Vec<u8>> {
    None
}

/// Not told here.
pub fn keep_connect_error(_socket: &Socket, _v6: bool, _on: bool) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not told here.
pub fn connect_error(_socket: &Socket) -> Option<IcmpError> {
    None
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
