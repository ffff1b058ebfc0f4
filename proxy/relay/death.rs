//! How a socket dies, and that it did although nobody reads it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rdpwhy_analyzer::input::Close;
use tokio::net::TcpStream;

use crate::os;

/// Looks after a socket that nobody reads, because its peer does not or because it has sent its FIN: a RST must
/// be noticed still.
pub struct Watch<'a> {
    socket: &'a TcpStream,
    death: Option<Pin<Box<dyn Future<Output = Close> + Send + 'a>>>,
}

impl<'a> Watch<'a> {
    /// Of this socket, looking at nothing yet.
    pub fn new(socket: &'a TcpStream) -> Watch<'a> {
        Watch { socket, death: None }
    }

    /// How it died; looks after it while that is `wanted`.
    pub fn poll(&mut self, cx: &mut Context<'_>, wanted: bool) -> Poll<Close> {
        if !wanted {
            self.death = None;
            return Poll::Pending;
        }
        self.death.get_or_insert_with(|| Box::pin(died(self.socket))).as_mut().poll(cx)
    }
}

/// Resolves when the socket is dead. A soft error (an ICMP message on an open connection) is none.
pub async fn died(socket: &TcpStream) -> Close {
    /// How often a socket with a soft error is looked at again.
    const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);
    loop {
        let told = os::wait_for_error(socket).await;
        let over =
            os::socket_state(socket).map_or(told, |state| state.state == os::TcpState::Closed);
        if over {
            return os::pending_error(socket).map_or(Close::Rst, |error| close_of(&error));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// How a read error is called in the facts.
pub fn close_of(error: &io::Error) -> Close {
    match error.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionAborted => Close::Rst,
        _ => Close::Error(os::errno_name(error)),
    }
}
