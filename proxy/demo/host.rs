//! The embedded host: a real TCP listener that fails as its scene says. It serves one connection.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::scenes::{Host, HostTls};
use super::tls::Authority;
use super::x224;
use crate::os;

/// Records of application data that stand for a desktop: more than a sign-on needs.
pub const RECORDS: usize = 16;
/// Bytes in each of them.
pub const RECORD: usize = 240;

/// MCS Disconnect Provider Ultimatum, rn-provider-initiated, in X.224 Data. T.125 7, MS-RDPBCGR 2.2.2.3.
const DISCONNECT: [u8; 9] = [0x03, 0x00, 0x00, 0x09, 0x02, 0xf0, 0x80, 0x20, 0x80];

/// Where a host is, and the listener it has, if any.
pub struct Place {
    /// Its address.
    pub address: SocketAddr,
    listener: Option<TcpListener>,
    /// A bound port that does not listen: it refuses, and nobody else can open it meanwhile.
    _reserved: Option<socket2::Socket>,
}

/// Opens a place for a host on loopback.
pub async fn open(host: Host) -> io::Result<Place> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    if host != Host::Absent {
        let listener = TcpListener::bind(any).await?;
        let address = listener.local_addr()?;
        return Ok(Place { address, listener: Some(listener), _reserved: None });
    }
    let reserved = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    reserved.bind(&any.into())?;
    let address = reserved.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
    Ok(Place { address, listener: None, _reserved: Some(reserved) })
}

/// Serves one connection as the host would.
pub async fn serve(place: &Place, host: Host, authority: &Authority) -> io::Result<()> {
    let Some(listener) = &place.listener else { return Ok(()) };
    let (mut stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    if host == Host::Ssh {
        stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").await?;
    }
    if host == Host::TlsFirst {
        return tls(stream, HostTls::Usual, authority).await;
    }
    x224::read_packet(&mut stream).await?;
    match host {
        Host::Absent | Host::TlsFirst | Host::HangsUp => hang_up(stream).await,
        Host::Web => {
            let page = b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(page).await?;
            hang_up(stream).await
        }
        Host::Ssh => {
            stream.write_all(b"Invalid SSH identification string.\r\n").await?;
            hang_up(stream).await
        }
        Host::Refuses(code) => {
            stream.write_all(&x224::failure(code)).await?;
            until_left(&mut stream).await
        }
        Host::NoTls => {
            stream.write_all(&x224::response(x224::RDP)).await?;
            until_left(&mut stream).await
        }
        Host::ResetsAtHello => {
            agree_and_read_hello(&mut stream).await?;
            os::reset_on_close(&stream)
        }
        Host::TlsFails => {
            agree_and_read_hello(&mut stream).await?;
            stream.write_all(&DISCONNECT).await?;
            hang_up(stream).await
        }
        Host::Tls(kind) => {
            stream.write_all(&x224::response(x224::SSL)).await?;
            tls(stream, kind, authority).await
        }
    }
}

/// Agrees to TLS and takes the first TLS record, so that nothing unread turns the close into a reset.
async fn agree_and_read_hello(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(&x224::response(x224::SSL)).await?;
    let mut header = [0; 5];
    stream.read_exact(&mut header).await?;
    let mut body = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
    stream.read_exact(&mut body).await?;
    Ok(())
}

/// TLS by rustls; a failed handshake ends with the alert that rustls sends.
async fn tls(stream: TcpStream, kind: HostTls, authority: &Authority) -> io::Result<()> {
    let config = authority.host(kind)?;
    match TlsAcceptor::from(Arc::clone(&config)).accept(stream).into_fallible().await {
        Ok(stream) => desktop(stream).await,
        Err((_, stream)) => hang_up(stream).await,
    }
}

/// A desktop in its shape on the wire: many records until the client leaves.
async fn desktop(mut stream: TlsStream<TcpStream>) -> io::Result<()> {
    let mut asked = [0; 256];
    if stream.read(&mut asked).await? == 0 {
        return stream.shutdown().await;
    }
    for _ in 0..RECORDS {
        stream.write_all(&[0; RECORD]).await?;
        stream.flush().await?;
    }
    while stream.read(&mut asked).await? > 0 {}
    stream.shutdown().await
}

/// Closes in order, then takes what the client still says: unread bytes would make it a reset.
async fn hang_up(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    until_left(&mut stream).await
}

/// Reads until the client has left, for a limited time.
pub async fn until_left(stream: &mut TcpStream) -> io::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let mut rest = [0; 1024];
    let reading = async {
        while stream.read(&mut rest).await? > 0 {}
        Ok(())
    };
    timeout(PATIENCE, reading).await.unwrap_or(Ok(()))
}
