//! Small messages and their echoes over many connections.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{
    PATIENCE, Sample, cpu_at_rest, expect, joined, on_a_thread, open_session_async, start,
};
use crate::peers::Kind;
use crate::process;
use crate::rdp::{HEADER, Prologue, Side, record};

/// Body sizes, in turn: 100 to 1,500 bytes.
const SIZES: [usize; 8] = [100, 1500, 240, 700, 120, 1100, 400, 180];

/// Fixed rate, open loop: latency counts from when a message should have been sent.
pub fn open(
    kind: Kind,
    prologue: &Prologue,
    connections: usize,
    rate: u64,
    messages: u64,
    warm: u64,
) -> io::Result<Sample> {
    let (listener, upstream) = super::listener()?;
    let server = echo_server(listener, prologue.clone(), connections);
    let relay = start(kind, upstream)?;
    let epoch = Instant::now();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let each = messages / connections as u64;
    let reading = {
        let (prologue, port) = (prologue.clone(), relay.port);
        on_a_thread(async move {
            let mut readers = JoinSet::new();
            let mut writers = Vec::new();
            for _ in 0..connections {
                let socket = session(port, &prologue).await?;
                let socket = ask(socket, warm).await?.into_std()?;
                writers.push(socket.try_clone()?);
                readers.spawn(read_echoes(TcpStream::from_std(socket)?, epoch, each));
            }
            let _ = ready.send(writers);
            merged(readers).await
        })
    };
    let Ok(mut writers) = is_ready.recv_timeout(PATIENCE) else {
        return joined(reading).and(Err(io::Error::other("the sessions did not open")));
    };
    let cpu = cpu_at_rest(&relay);
    let began = Instant::now();
    process::sleep_precisely();
    for number in 0..each * connections as u64 {
        let intended = began + Duration::from_nanos(number * 1_000_000_000 / rate);
        std::thread::sleep(intended.saturating_duration_since(Instant::now()));
        let writer = &mut writers[number as usize % connections];
        writer.write_all(&message(number, intended.duration_since(epoch)))?;
    }
    let latency = joined(reading)?;
    let took = began.elapsed().as_secs_f64();
    let cpu = cpu_at_rest(&relay).saturating_sub(cpu);
    drop(writers);
    joined(server)?;
    relay.finish(drop);
    expect("echoes", latency.len(), each * connections as u64)?;
    let count = latency.len() as f64;
    let cost = cpu as f64 / 1e3 / count;
    Ok(Sample { cost, speed: count / took, latency: Some(latency), recorded: None })
}

/// Closed loop: every connection has one message under way at any time.
pub fn saturated(
    kind: Kind,
    prologue: &Prologue,
    connections: usize,
    messages: u64,
    warm: u64,
) -> io::Result<Sample> {
    let (listener, upstream) = super::listener()?;
    let server = echo_server(listener, prologue.clone(), connections);
    let relay = start(kind, upstream)?;
    let each = messages / connections as u64;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (cpu, took) = runtime.block_on(async {
        let mut sockets = Vec::new();
        for _ in 0..connections {
            sockets.push(ask(session(relay.port, prologue).await?, warm).await?);
        }
        let cpu = cpu_at_rest(&relay);
        let began = Instant::now();
        let mut asking = JoinSet::new();
        for socket in sockets {
            asking.spawn(timeout(PATIENCE, ask(socket, each)));
        }
        // Closing is not what is measured: the connections stay open until the clock is read.
        let mut open = Vec::new();
        while let Some(asked) = asking.join_next().await {
            open.push(asked.map_err(io::Error::other)???);
        }
        let took = began.elapsed().as_secs_f64();
        io::Result::Ok((cpu_at_rest(&relay).saturating_sub(cpu), took))
    })?;
    joined(server)?;
    relay.finish(drop);
    let count = (each * connections as u64) as f64;
    Ok(Sample { cost: cpu as f64 / 1e3 / count, speed: count / took, ..Sample::default() })
}

/// Accepts sessions and echoes until they are closed.
pub fn echo_server(
    listener: TcpListener,
    prologue: Prologue,
    connections: usize,
) -> std::thread::JoinHandle<io::Result<()>> {
    on_a_thread(async move {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let mut sessions = JoinSet::new();
        for _ in 0..connections {
            let (socket, _) = timeout(PATIENCE, listener.accept()).await??;
            sessions.spawn(echo(socket, prologue.clone()));
        }
        while let Some(ended) = sessions.join_next().await {
            ended.map_err(io::Error::other)??;
        }
        Ok(())
    })
}

/// A client's connection through the relay with its session up.
pub async fn session(port: u16, prologue: &Prologue) -> io::Result<TcpStream> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut socket = timeout(PATIENCE, TcpStream::connect(address)).await??;
    socket.set_nodelay(true)?;
    timeout(PATIENCE, open_session_async(&mut socket, prologue, Side::Client)).await??;
    Ok(socket)
}

async fn echo(mut socket: TcpStream, prologue: Prologue) -> io::Result<()> {
    socket.set_nodelay(true)?;
    open_session_async(&mut socket, &prologue, Side::Server).await?;
    drop(prologue);
    let mut room = [0; 4096];
    loop {
        // An open session that falls silent ends with the load generator.
        let read = match socket.read(&mut room).await {
            Ok(0) | Err(_) => return Ok(()),
            Ok(read) => read,
        };
        socket.write_all(&room[..read]).await?;
    }
}

/// A record that carries its intended send time.
fn message(number: u64, intended: Duration) -> Vec<u8> {
    let mut bytes = record(SIZES[number as usize % SIZES.len()]);
    bytes[HEADER..HEADER + 8].copy_from_slice(&(intended.as_nanos() as u64).to_be_bytes());
    bytes
}

async fn read_echoes(
    mut socket: TcpStream,
    epoch: Instant,
    messages: u64,
) -> io::Result<Histogram<u64>> {
    let mut latency = Histogram::new(3).map_err(io::Error::other)?;
    let mut echo = vec![0; HEADER + 1500];
    for _ in 0..messages {
        timeout(PATIENCE, socket.read_exact(&mut echo[..HEADER])).await??;
        let size = usize::from(u16::from_be_bytes([echo[3], echo[4]]));
        socket.read_exact(&mut echo[..size]).await?;
        let now = epoch.elapsed().as_nanos() as u64;
        let intended = echo.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        latency.record(now.saturating_sub(intended)).map_err(io::Error::other)?;
    }
    Ok(latency)
}

async fn merged(mut readers: JoinSet<io::Result<Histogram<u64>>>) -> io::Result<Histogram<u64>> {
    let mut all = Histogram::new(3).map_err(io::Error::other)?;
    while let Some(one) = readers.join_next().await {
        all.add(one.map_err(io::Error::other)??).map_err(io::Error::other)?;
    }
    Ok(all)
}

async fn ask(mut socket: TcpStream, messages: u64) -> io::Result<TcpStream> {
    let mut echo = vec![0; HEADER + 1500];
    for number in 0..messages {
        let asked = message(number, Duration::ZERO);
        socket.write_all(&asked).await?;
        let answer = &mut echo[..asked.len()];
        socket.read_exact(answer).await?;
        if answer != asked {
            return Err(io::Error::other("the relay changed bytes"));
        }
    }
    Ok(socket)
}
