//! The embedded client: X.224 request with a cookie, TLS by rustls, a few records, and it leaves. What
//! goes wrong for it is its scene's point and no error of the program.

use std::io;
use std::net::SocketAddr;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::host::{RECORD, RECORDS, until_left};
use super::scenes::Client;
use super::tls::{Authority, NAME};
use super::x224::{self, Answer};

impl Client {
    /// The protocols it asks for.
    fn requests(self) -> u32 {
        match self {
            Client::WithoutNla => x224::SSL,
            _ => x224::SSL | x224::HYBRID,
        }
    }

    /// The flags of its request.
    fn flags(self) -> u8 {
        if matches!(self, Client::OnlyNla) { x224::RESTRICTED_ADMIN } else { 0 }
    }

    /// True when it goes on with this protocol.
    fn takes(self, selected: u32) -> bool {
        match self {
            Client::OnlyNla => selected == x224::HYBRID,
            _ => selected != x224::RDP && self.requests() & selected == selected,
        }
    }
}

/// Connects once, as far as it gets.
pub async fn run(
    client: Client,
    server: SocketAddr,
    user: &str,
    authority: &Authority,
) -> io::Result<()> {
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&x224::request(user, client.flags(), client.requests())).await?;
    let packet = x224::read_packet(&mut stream).await?;
    match packet.as_deref().and_then(x224::answer) {
        Some(Answer::Selected(selected)) if client.takes(selected) => {
            tls(client, stream, authority).await
        }
        Some(_) => leave(stream).await,
        // No Remote Desktop: whatever it is ends by itself.
        None => until_left(&mut stream).await,
    }
}

async fn tls(client: Client, stream: TcpStream, authority: &Authority) -> io::Result<()> {
    let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
    let connector = TlsConnector::from(authority.client(client)?);
    match connector.connect(name, stream).into_fallible().await {
        Ok(stream) => work(stream).await,
        // The host gave up and ends it.
        Err((error, mut stream)) if is_alert(&error) => until_left(&mut stream).await,
        Err((_, stream)) => leave(stream).await,
    }
}

/// A short session: asks, sees the desktop, moves the mouse, signs off.
async fn work(mut stream: TlsStream<TcpStream>) -> io::Result<()> {
    stream.write_all(&[0; 128]).await?;
    stream.flush().await?;
    let mut desktop = vec![0; RECORD * RECORDS];
    stream.read_exact(&mut desktop).await?;
    stream.write_all(&[0; 32]).await?;
    stream.shutdown().await?;
    while stream.read(&mut desktop).await? > 0 {}
    Ok(())
}

/// Closes in order, first.
async fn leave(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    until_left(&mut stream).await
}

fn is_alert(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(tls, Some(rustls::Error::AlertReceived(_)))
}
