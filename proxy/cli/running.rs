//! A relay that runs: until it is through, or as signals say.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::proxy::Args;
use super::signals::{Asked, Signals};
use super::{config, routes};
use crate::error::Error;
use crate::log::say;
use crate::output::ExitStatus;
use crate::relay::{Listen, Routes, at};

/// How long behind a drain a reader or a disk that stands still is waited for: a service manager kills soon after.
const WRITTEN: Duration = Duration::from_secs(5);

/// What can still be done to a relay that runs.
pub struct Running {
    args: Args,
    work: JoinHandle<Result<ExitStatus, Error>>,
    /// As long as it listens.
    routes: Option<Routes>,
    stop: watch::Sender<bool>,
    stopped: watch::Receiver<bool>,
    /// While it drains: when it ends whatever is open.
    drained: Option<Instant>,
    /// It was told to end by whoever does not look: when it no longer waits for what is to be written.
    last: Option<Instant>,
}

impl Running {
    /// A relay with these routes, which ends when `stop` becomes true; `work` is what its desk does, until everything
    /// is written.
    pub fn new(
        args: Args,
        work: JoinHandle<Result<ExitStatus, Error>>,
        routes: Routes,
        stop: watch::Sender<bool>,
        stopped: watch::Receiver<bool>,
    ) -> Running {
        Running { args, work, routes: Some(routes), stop, stopped, drained: None, last: None }
    }

    /// Runs until the desk is through: with `--once` after one case, after SIGINT with open sessions reported as
    /// they stand, after SIGTERM when all have ended or had their time. SIGINT while it ends does without reports.
    pub async fn until_done(mut self, mut signals: Signals) -> Result<ExitStatus, Error> {
        loop {
            tokio::select! {
                over = &mut self.work => {
                    return over.unwrap_or_else(|error| Err(Error::Desk(error.to_string())));
                }
                _ = self.stopped.changed(), if !self.ends() => self.end(),
                () = at(self.drained) => self.end(),
                () = at(self.last) => return Err(Error::Unwritten(WRITTEN)),
                asked = signals.next() => match asked {
                    Asked::Reload => self.reload().await,
                    Asked::Drain if self.drained.is_none() && !self.ends() => self.drain(),
                    Asked::Drain | Asked::End if !self.ends() => self.end(),
                    Asked::Drain | Asked::End => {
                        return Err(Error::Interrupted);
                    }
                },
            }
        }
    }

    fn ends(&self) -> bool {
        *self.stop.borrow()
    }

    /// Open sessions end now, as far as the relay is concerned.
    fn end(&mut self) {
        self.routes = None;
        // Whoever interrupts it by hand sees what it waits for.
        self.last = self.drained.take().map(|_| Instant::now() + WRITTEN);
        let _ = self.stop.send(true);
    }

    /// Nobody new; whoever is here has some time.
    fn drain(&mut self) {
        self.routes = None;
        self.drained = Some(Instant::now() + self.args.drain);
        say(&format!(
            "told to end: nobody new is served; open sessions have {} s; a second signal ends them now",
            self.args.drain.as_secs_f64()
        ));
    }

    /// Takes over what the configuration file says now about routes and who may connect.
    async fn reload(&mut self) {
        let Some(routes) = &mut self.routes else { return };
        match changed(&self.args, routes).await {
            // Everything else stays as it was at the start, and is compared with that.
            Ok(drain) => self.args.drain = drain,
            Err(error) => say(&format!("the configuration stays as it is: {error}")),
        }
    }
}

/// Changes the routes to what the file says now; gives the time that it leaves to open sessions.
async fn changed(before: &Args, open: &mut Routes) -> Result<Duration, Error> {
    let args = super::proxy_flags()?;
    let wanted = routes::wanted(&args)?;
    routes::check(&args, &wanted)?;
    let changes = open.change(wanted, args.allow.clone()).await?;
    for (address, upstream) in &changes.opened {
        say(&format!("listening on {address}"));
        say(&format!("{address} -> {upstream}"));
    }
    for (address, listen) in &changes.closed {
        say(&match listen {
            Listen::At(_) => format!("no longer listening on {address}; its open sessions go on"),
            Listen::Passed(name) => format!(
                "{address} is no longer served, its open sessions go on; the service manager still listens there, and who \
                 connects waits: stop the socket unit of fd:{name}"
            ),
        });
    }
    if before.packets && !changes.opened.is_empty() {
        say("packets of what began to listen now are not captured");
    }
    let late = config::differing(&before.settings, &args.settings);
    let late: Vec<&str> = late.into_iter().filter(|key| !routes::KEYS.contains(key)).collect();
    if !late.is_empty() {
        say(&format!("changed, and in force after the next start: {}", late.join(", ")));
    }
    say("the configuration was read again");
    Ok(args.drain)
}
