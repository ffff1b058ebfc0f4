//! Connections that come and go.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{PATIENCE, Sample, cpu_at_rest, expect, joined, listener, on_a_thread, start};
use crate::peers::Kind;
use crate::rdp::{CONFIRM, REQUEST};

/// Connections before the clock starts.
const WARM_UP: u64 = 32;

/// `at_once` clients connect one time after the other until there were `connections`.
pub fn run(kind: Kind, at_once: usize, connections: u64) -> io::Result<Sample> {
    let (listener, upstream) = listener()?;
    let (stop, stopped) = oneshot::channel();
    let served = Arc::new(AtomicU64::new(0));
    let server = on_a_thread(serve(listener, served.clone(), stopped));
    let relay = start(kind, upstream)?;
    let address = SocketAddr::from(([127, 0, 0, 1], relay.port));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(clients(address, at_once, WARM_UP))?;
    let cpu = cpu_at_rest(&relay);
    let began = Instant::now();
    runtime.block_on(clients(address, at_once, connections))?;
    let took = began.elapsed().as_secs_f64();
    let cpu = cpu_at_rest(&relay).saturating_sub(cpu);
    let _ = stop.send(());
    joined(server)?;
    relay.finish(drop);
    expect("connections", served.load(Ordering::Relaxed), connections + WARM_UP)?;
    let count = connections as f64;
    Ok(Sample { cost: cpu as f64 / 1e3 / count, speed: count / took, ..Sample::default() })
}

async fn serve(
    listener: std::net::TcpListener,
    served: Arc<AtomicU64>,
    mut stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (socket, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = &mut stopped => return Ok(()),
        };
        let served = served.clone();
        tokio::spawn(async move {
            if answer(socket).await.is_ok() {
                served.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
}

async fn answer(mut socket: TcpStream) -> io::Result<()> {
    let mut request = REQUEST;
    socket.read_exact(&mut request).await?;
    assert!(request == REQUEST, "the relay changed bytes");
    socket.write_all(&CONFIRM).await
}

async fn clients(address: SocketAddr, at_once: usize, connections: u64) -> io::Result<()> {
    let left = Arc::new(AtomicU64::new(connections));
    let mut clients = JoinSet::new();
    for _ in 0..at_once {
        let left = left.clone();
        clients.spawn(async move {
            while take(&left) {
                timeout(PATIENCE, client(address)).await??;
            }
            io::Result::Ok(())
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.map_err(io::Error::other)??;
    }
    Ok(())
}

fn take(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

async fn client(address: SocketAddr) -> io::Result<()> {
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(&REQUEST).await?;
    let mut answer = Vec::with_capacity(CONFIRM.len());
    socket.read_to_end(&mut answer).await?;
    expect("bytes of a confirm", answer.len() as u64, CONFIRM.len() as u64)
}
