//! Threads that relay. Each has a runtime of its own and shares no more with the others than the moments at which
//! sessions are looked at: a session stays on the thread on which it began, and no packet of it wakes a second one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

use super::courtesy::Courtesy;
use super::moments::{Looks, Moments};

/// Threads that relay; they end with the last clone.
#[derive(Clone)]
pub struct Workers(Arc<Threads>);

struct Threads {
    runtimes: Vec<Handle>,
    next: AtomicUsize,
    moments: Moments,
    /// Dropped with the last clone, which the threads notice.
    _alive: watch::Sender<()>,
}

impl Workers {
    /// Starts that many threads; at least one. Courteous ones let others run before they sleep.
    pub fn start(count: usize, courteous: bool) -> io::Result<Workers> {
        let (alive, over) = watch::channel(());
        let threads = (0..count.max(1)).map(|number| begin(number, courteous, over.clone()));
        Ok(Workers::on(threads.collect::<Result<_, _>>()?, Moments::start()?, alive))
    }

    /// No threads but those of the runtime that calls this.
    pub fn here() -> Workers {
        Workers::on(vec![Handle::current()], Moments::here(), watch::Sender::default())
    }

    /// Where listeners belong: the first thread accepts for all.
    pub fn accepting(&self) -> &Handle {
        &self.0.runtimes[0]
    }

    /// When a session that begins now is looked at.
    pub fn looks(&self) -> Looks {
        self.0.moments.looks()
    }

    fn on(runtimes: Vec<Handle>, moments: Moments, alive: watch::Sender<()>) -> Workers {
        let next = AtomicUsize::new(0);
        Workers(Arc::new(Threads { runtimes, next, moments, _alive: alive }))
    }

    /// Gives a client to the thread whose turn it is, where `session` serves it. Called on the accepting thread, to
    /// which the socket belongs; it changes hands where that is another one.
    pub fn serve<S>(&self, client: TcpStream, session: impl FnOnce(TcpStream) -> S + Send + 'static)
    where
        S: Future<Output = ()> + Send + 'static,
    {
        let Threads { runtimes, next, .. } = &*self.0;
        match next.fetch_add(1, Ordering::Relaxed) % runtimes.len() {
            0 => drop(runtimes[0].spawn(session(client))),
            turn => drop(runtimes[turn].spawn(async move {
                // A socket that can not be watched is closed, as one that could not be accepted.
                match client.into_std().and_then(TcpStream::from_std) {
                    Ok(client) => session(client).await,
                    Err(error) => tracing::warn!("can not serve a client: {error}"),
                }
            })),
        }
    }
}

fn begin(number: usize, courteous: bool, mut over: watch::Receiver<()>) -> io::Result<Handle> {
    let mut builder = Builder::new_current_thread();
    if courteous {
        let courtesy = Courtesy::new();
        builder.on_thread_park(move || courtesy.let_others_run());
    }
    let runtime = builder.enable_all().build()?;
    let handle = runtime.handle().clone();
    let work = move || {
        let _ = runtime.block_on(over.changed());
        // A name that is still being looked up would hold the end up.
        runtime.shutdown_background();
    };
    std::thread::Builder::new().name(format!("relay-{number}")).spawn(work)?;
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn clients_are_served_by_every_thread_in_turn() {
        const THREADS: usize = 3;
        let workers = Workers::start(THREADS, true).unwrap();
        let listener = {
            let _there = workers.accepting().enter();
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            TcpListener::from_std(listener).unwrap()
        };
        let address = listener.local_addr().unwrap();
        let served = Arc::new(Mutex::new(BTreeSet::new()));
        let (names, of_all) = (served.clone(), workers.clone());
        let accepting = workers.accepting().spawn(async move {
            for _ in 0..2 * THREADS {
                let (client, _) = listener.accept().await.unwrap();
                let names = names.clone();
                of_all.serve(client, |mut client| async move {
                    let name = std::thread::current().name().map(str::to_owned);
                    names.lock().unwrap().insert(name.unwrap());
                    let mut word = [0; 5];
                    client.read_exact(&mut word).await.unwrap();
                    client.write_all(&word).await.unwrap();
                });
            }
        });
        for _ in 0..2 * THREADS {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(b"hello").await.unwrap();
            let mut word = [0; 5];
            client.read_exact(&mut word).await.unwrap();
            assert_eq!(&word, b"hello");
        }
        accepting.await.unwrap();
        let expected: Vec<String> = (0..THREADS).map(|number| format!("relay-{number}")).collect();
        assert_eq!(Vec::from_iter(served.lock().unwrap().clone()), expected);
    }
}
