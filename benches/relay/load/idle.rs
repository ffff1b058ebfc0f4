//! Connections that are open and silent.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::interactive::{echo_server, session};
use super::{Sample, cpu_at_rest, joined, listener, start};
use crate::peers::Kind;
use crate::rdp::{Prologue, record};

/// Opens sessions, has each exchange 1,000 bytes, and weighs the relay while they are silent.
pub fn run(kind: Kind, prologue: &Prologue, connections: usize) -> io::Result<Sample> {
    let (listener, upstream) = listener()?;
    let server = echo_server(listener, prologue.clone(), connections + 1);
    let relay = start(kind, upstream)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (before, after) = runtime.block_on(async {
        // The first session brings in what any session needs: code, buffers, arenas.
        let mut sockets = vec![exchanged(relay.port, prologue).await?];
        cpu_at_rest(&relay);
        let before = relay.resident_kib();
        for _ in 0..connections {
            sockets.push(exchanged(relay.port, prologue).await?);
        }
        cpu_at_rest(&relay);
        io::Result::Ok((before, relay.resident_kib()))
    })?;
    joined(server)?;
    relay.finish(drop);
    let cost = (after as f64 - before as f64) / connections as f64;
    Ok(Sample { cost, ..Sample::default() })
}

async fn exchanged(port: u16, prologue: &Prologue) -> io::Result<tokio::net::TcpStream> {
    let mut socket = session(port, prologue).await?;
    let asked = record(1000);
    socket.write_all(&asked).await?;
    let mut answer = vec![0; asked.len()];
    socket.read_exact(&mut answer).await?;
    assert!(answer == asked, "the relay changed bytes");
    Ok(socket)
}
