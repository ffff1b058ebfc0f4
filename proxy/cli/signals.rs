//! The signals that end `rdpwhy proxy`.

/// SIGINT, SIGTERM and their like, caught from the moment this is made.
pub struct Interrupt {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
    #[cfg(windows)]
    ctrl_c: tokio::signal::windows::CtrlC,
}

impl Interrupt {
    /// Catches them from now on.
    pub fn catch() -> std::io::Result<Interrupt> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let signals = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
            Ok(Interrupt { signals })
        }
        #[cfg(windows)]
        Ok(Interrupt { ctrl_c: tokio::signal::windows::ctrl_c()? })
    }

    /// Waits for the next of them.
    pub async fn wait(&mut self) {
        #[cfg(unix)]
        {
            let [interrupt, terminate] = &mut self.signals;
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        #[cfg(windows)]
        self.ctrl_c.recv().await;
    }
}
