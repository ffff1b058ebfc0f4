//! Threads that relay. Each has a runtime of its own and shares nothing with the others: a session stays on the
//! thread on which it began, and no packet of it wakes a second one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Threads that relay; they end with the last clone.
#[derive(Clone)]
pub struct Workers(Arc<Threads>);

struct Threads {
    runtimes: Vec<Handle>,
    next: AtomicUsize,
    /// Dropped with the last clone, which the threads notice.
    _alive: watch::Sender<()>,
}

impl Workers {
    /// Starts that many threads; at least one.
    pub fn start(count: usize) -> io::Result<Workers> {
        let (alive, over) = watch::channel(());
        let threads = (0..count.max(1)).map(|number| begin(number, over.clone()));
        Ok(Workers::on(threads.collect::<Result<_, _>>()?, alive))
    }

    /// No threads but those of the runtime that calls this.
    pub fn here() -> Workers {
        Workers::on(vec![Handle::current()], watch::Sender::default())
    }

    /// Where listeners belong: the first thread accepts for all.
    pub fn accepting(&self) -> &Handle {
        &self.0.runtimes[0]
    }

    fn on(runtimes: Vec<Handle>, alive: watch::Sender<()>) -> Workers {
        Workers(Arc::new(Threads { runtimes, next: AtomicUsize::new(0), _alive: alive }))
    }

    /// Gives a client to the thread whose turn it is, where `session` serves it. Called on the accepting thread, to
    /// which the socket belongs; it changes hands where that is another one.
    pub fn serve<S>(
        &self,
        sessions: &mut JoinSet<()>,
        client: TcpStream,
        session: impl FnOnce(TcpStream) -> S + Send + 'static,
    ) where
        S: Future<Output = ()> + Send + 'static,
    {
        let Threads { runtimes, next, .. } = &*self.0;
        match next.fetch_add(1, Ordering::Relaxed) % runtimes.len() {
            0 => drop(sessions.spawn(session(client))),
            turn => drop(sessions.spawn_on(
                async move {
                    // A socket that can not be watched is closed, as one that could not be accepted.
                    match client.into_std().and_then(TcpStream::from_std) {
                        Ok(client) => session(client).await,
                        Err(error) => tracing::warn!("can not serve a client: {error}"),
                    }
                },
                &runtimes[turn],
            )),
        }
    }
}

fn begin(number: usize, mut over: watch::Receiver<()>) -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let work = move || {
        let _ = runtime.block_on(over.changed());
        // A name that is still being looked up would hold the end up.
        runtime.shutdown_background();
    };
    std::thread::Builder::new().name(format!("relay-{number}")).spawn(work)?;
    Ok(handle)
}
