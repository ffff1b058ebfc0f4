//! One connection, as many bytes as go through.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc;
use std::time::Instant;

use rdpwhy_captures::file::PacketReader;
use rdpwhy_captures::link::{self, Decoded};
use rdpwhy_captures::segment::tcp_segment;
use rdpwhy_captures::writer::CLIENT_INTERFACE;

use super::{
    PATIENCE, Recorded, Sample, cpu_at_rest, expect, joined, listener, open_session, start,
};
use crate::peers::{Kind, Recording, Running};
use crate::rdp::{HEADER, Prologue, Side, record};

const GIB: f64 = (1u64 << 30) as f64;

/// The server sends records of one size until `bytes` are through.
pub fn run(kind: Kind, prologue: &Prologue, size: usize, bytes: u64) -> io::Result<Sample> {
    let (listener, upstream) = listener()?;
    let relay = start(kind, upstream)?;
    let records = bytes.div_ceil((size + HEADER) as u64);
    let total = records * (size + HEADER) as u64;
    let (go, going) = mpsc::channel();
    let server = {
        let prologue = prologue.clone();
        std::thread::spawn(move || serve(listener, &prologue, size, records, &going))
    };
    let mut client = connect(relay.port)?;
    open_session(&mut client, prologue, Side::Client)?;
    let cpu = cpu_at_rest(&relay);
    let began = Instant::now();
    let _ = go.send(());
    let arrived = discard(&client)?;
    let took = began.elapsed().as_secs_f64();
    expect("bytes", arrived, total)?;
    let cpu = cpu_at_rest(&relay).saturating_sub(cpu);
    drop(client);
    joined(server)?;
    let recorded = finish(kind, relay, total)?;
    let gib = total as f64 / GIB;
    Ok(Sample { cost: cpu as f64 / 1e9 / gib, speed: gib / took, latency: None, recorded })
}

fn serve(
    listener: TcpListener,
    prologue: &Prologue,
    size: usize,
    records: u64,
    going: &mpsc::Receiver<()>,
) -> io::Result<()> {
    let (mut socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    open_session(&mut socket, prologue, Side::Server)?;
    let record = record(size);
    if going.recv().is_err() {
        return Ok(()); // the client has failed and says why
    }
    for _ in 0..records {
        socket.write_all(&record)?;
    }
    socket.shutdown(Shutdown::Write)?;
    let mut rest = [0; 64];
    while socket.read(&mut rest)? > 0 {}
    Ok(())
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)))?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Counts bytes until the sender ends, without copying them: the relay shall be the bottleneck.
fn discard(socket: &TcpStream) -> io::Result<u64> {
    /// `MSG_TRUNC`, tcp(7): received bytes are thrown away.
    const DISCARD: i32 = 0x20;
    let socket = socket2::SockRef::from(socket);
    let mut room = vec![MaybeUninit::uninit(); 1 << 20];
    let mut arrived = 0;
    loop {
        match socket.recv_with_flags(&mut room, DISCARD) {
            Ok(0) => return Ok(arrived),
            Ok(read) => arrived += read as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Ends the relay; what says that it records every byte is held to it.
fn finish(kind: Kind, relay: Running, total: u64) -> io::Result<Option<Recorded>> {
    relay.finish(|recording| {
        let Some(Recording { file, dropped }) = recording else { return Ok(None) };
        if kind == Kind::RdpwhyFull {
            let kept = kept(&file)?;
            if kept < total {
                return Err(io::Error::other(format!("{kept} bytes kept of {total}")));
            }
        }
        Ok(Some(Recorded { bytes: std::fs::metadata(&file)?.len(), dropped }))
    })
}

/// Bytes of the server's stream that a recording of ours has, counted on the leg that is to have them all.
fn kept(recording: &Path) -> io::Result<u64> {
    let mut reader =
        PacketReader::open(std::fs::File::open(recording)?).map_err(io::Error::other)?;
    let (mut client, mut bytes) = (None, 0);
    while let Some(packet) = reader.next_packet() {
        let packet = packet.map_err(|damage| io::Error::other(damage.to_string()))?;
        let raw = packet.raw;
        if packet.interface_name != Some(CLIENT_INTERFACE) {
            continue;
        }
        let decoded = link::ip_packet(raw.link_type, raw.bytes, raw.original_len);
        let Ok(Decoded::Ip(ip)) = decoded else { continue };
        let Some(tcp) = tcp_segment(&ip) else { continue };
        // The first packet is the client's.
        if *client.get_or_insert(tcp.source_port()) != tcp.source_port() {
            bytes += tcp.payload.len() as u64;
        }
    }
    Ok(bytes)
}
