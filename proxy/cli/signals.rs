//! The signals that `rdpwhy proxy` obeys.

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(windows, allow(dead_code))] // it has Ctrl-C alone
pub enum Asked {
    /// SIGINT, Ctrl-C: end, and report what is open as it stands.
    End,
    /// SIGTERM: take nobody new, and end when those who are here have left.
    Drain,
    /// SIGHUP: read the configuration file again.
    Reload,
}

/// The signals, caught from the moment this is made.
pub struct Signals {
    #[cfg(unix)]
    end: [tokio::signal::unix::Signal; 2],
    /// Only where there is a file to read again: otherwise a terminal that goes takes the relay along, as ever.
    #[cfg(unix)]
    reload: Option<tokio::signal::unix::Signal>,
    #[cfg(windows)]
    ctrl_c: tokio::signal::windows::CtrlC,
}

#[cfg(unix)]
impl Signals {
    /// Catches them from now on; SIGHUP only where it is to be obeyed.
    pub fn catch(reload: bool) -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        let end = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
        let reload = reload.then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(Signals { end, reload })
    }

    /// Waits for the next of them.
    pub async fn next(&mut self) -> Asked {
        let [interrupt, terminate] = &mut self.end;
        let reload = async {
            match &mut self.reload {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => Asked::End,
            _ = terminate.recv() => Asked::Drain,
            _ = reload => Asked::Reload,
        }
    }
}

#[cfg(windows)]
impl Signals {
    /// Catches Ctrl-C from now on: there is nothing else.
    pub fn catch(_reload: bool) -> std::io::Result<Signals> {
        Ok(Signals { ctrl_c: tokio::signal::windows::ctrl_c()? })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Asked {
        self.ctrl_c.recv().await;
        Asked::End
    }
}
