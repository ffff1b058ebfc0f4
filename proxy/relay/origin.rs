//! Where a client comes from: from its socket, or from the PROXY protocol header in front of its first byte.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rdpwhy_analyzer::input::{Close, Timestamp};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::Relay;
use super::death::close_of;
use crate::proxy_protocol::{self, Ends, Header, LONGEST, Version};

/// How long a header may take: longer than one retransmission of TCP (proxy-protocol.txt 2).
const PATIENCE: Duration = Duration::from_secs(5);

/// The relay's part in the PROXY protocol.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProxyProtocol {
    /// Clients come through a proxy that says of each whose connection it is.
    pub accept: bool,
    /// The server is told so in this form.
    pub send: Option<Version>,
}

/// Where a client comes from, and when it came.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The client's address.
    pub client: SocketAddr,
    /// The address it called.
    pub called: SocketAddr,
    /// The relay's end of the client leg.
    pub own: Option<SocketAddr>,
    /// The other end of the client leg: the client itself, or the proxy in front of it.
    pub peer: SocketAddr,
    /// When it was accepted.
    pub accepted: Timestamp,
}

impl Origin {
    /// What the socket alone tells.
    pub fn of(relay: &Relay, client: &TcpStream, peer: SocketAddr) -> Origin {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let own = client.local_addr().ok();
        let called = own.unwrap_or(nowhere);
        Origin { client: peer, called, own, peer, accepted: relay.clock.now() }
    }

    /// Takes the header from the connection, where there must be one, and not a byte more. A relay that is told to stop
    /// waits for no header.
    pub async fn announced(
        &mut self,
        relay: &Relay,
        client: &TcpStream,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), Unannounced> {
        if !relay.proxy_protocol.accept {
            return Ok(());
        }
        let why = tokio::select! {
            header = timeout(PATIENCE, take_header(client)) => match header {
                Ok(Ok(header)) => {
                    if let Some(Ends { source, destination }) = header.ends {
                        (self.client, self.called) = (source, destination);
                    }
                    return Ok(());
                }
                Ok(Err(NoHeader::Left(how))) => return Err(Unannounced::Left(how)),
                Ok(Err(NoHeader::Wrong(error))) => error.to_string(),
                Err(_) => format!("none came within {} s", PATIENCE.as_secs()),
            },
            _ = stop.changed() => return Ok(()),
        };
        let peer = self.peer;
        let why = format!("no PROXY protocol header from {peer} (--accept-proxy-protocol): {why}");
        Err(Unannounced::Refused(why))
    }

    /// What the server is to read in front of the client's first byte; empty where nothing was asked for.
    pub fn header(&self, relay: &Relay) -> Vec<u8> {
        let ends = Ends { source: self.client, destination: self.called };
        relay.proxy_protocol.send.map_or_else(Vec::new, |form| proxy_protocol::write(form, ends))
    }
}

/// Why a client is not served that was to be announced.
pub enum Unannounced {
    /// Nothing came at all: a proxy that only looks whether somebody listens. How it left.
    Left(Close),
    /// What came is no header; why.
    Refused(String),
}

/// Why there is no header.
enum NoHeader {
    Left(Close),
    Wrong(io::Error),
}

impl From<io::Error> for NoHeader {
    fn from(error: io::Error) -> NoHeader {
        NoHeader::Wrong(error)
    }
}

/// Looks before it takes: what lies behind the header is the client's, and stays in the socket.
async fn take_header(client: &TcpStream) -> Result<Header, NoHeader> {
    let mut bytes = vec![0; LONGEST];
    let mut taken = 0;
    loop {
        let peeked = match client.peek(&mut bytes[taken..]).await {
            Ok(0) if taken == 0 => return Err(NoHeader::Left(Close::Fin)),
            Ok(0) => return Err(io::Error::other("the connection ended before its end").into()),
            Err(error) if taken == 0 => return Err(NoHeader::Left(close_of(&error))),
            peeked => peeked?,
        };
        let known = taken + peeked;
        let header = proxy_protocol::parse(&bytes[..known]).map_err(io::Error::other)?;
        let end = header.map_or(known, |header| header.length);
        while taken < end {
            match client.try_read(&mut bytes[taken..end]) {
                Ok(0) => return Err(io::Error::other("the connection ended within it").into()),
                Ok(read) => taken += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    client.readable().await?
                }
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(header) = header {
            return Ok(header);
        }
    }
}
