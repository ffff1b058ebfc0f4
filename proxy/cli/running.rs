//! A relay that runs: until it is through, or as signals say.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::proxy::Args;
use super::signals::{Asked, Signals};
use super::{config, routes};
use crate::error::Error;
use crate::output::{Output, remark};
use crate::relay::{Listen, Routes, at};

/// What is left of a relay that is through: everything is written by then.
pub struct Over {
    /// The results, but for their summary.
    pub output: Output,
    /// Whatever was to be recorded is.
    pub recorded: bool,
}

/// How long behind a drain a reader or a disk that stands still is waited for: a service manager kills soon after.
const WRITTEN: Duration = Duration::from_secs(5);

/// What can still be done to a relay that runs.
pub struct Running {
    args: Args,
    work: JoinHandle<Over>,
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
    /// A relay with these routes, which ends when `stop` becomes true; `work` is what its desk does.
    pub fn new(
        args: Args,
        work: JoinHandle<Over>,
        routes: Routes,
        stop: watch::Sender<bool>,
        stopped: watch::Receiver<bool>,
    ) -> Running {
        Running { args, work, routes: Some(routes), stop, stopped, drained: None, last: None }
    }

    /// Runs until the desk is through: with `--once` after one case, after SIGINT with open sessions reported as
    /// they stand, after SIGTERM when all have ended or had their time. SIGINT while it ends does without reports.
    pub async fn until_done(mut self, mut signals: Signals) -> Result<Over, Error> {
        loop {
            tokio::select! {
                over = &mut self.work => {
                    return over.map_err(|error| Error::Runtime(std::io::Error::other(error)));
                }
                _ = self.stopped.changed(), if !self.ends() => self.end(),
                () = at(self.drained) => {
                    self.last = Some(Instant::now() + WRITTEN);
                    self.end();
                }
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
        (self.routes, self.drained) = (None, None);
        let _ = self.stop.send(true);
    }

    /// Nobody new; whoever is here has some time.
    fn drain(&mut self) {
        self.routes = None;
        self.drained = Some(Instant::now() + self.args.drain);
        remark(&format!(
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
            Err(error) => remark(&format!("the configuration stays as it is: {error}")),
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
        remark(&format!("listening on {address}"));
        remark(&format!("{address} -> {upstream}"));
    }
    for (address, listen) in &changes.closed {
        remark(&match listen {
            Listen::At(_) => format!("no longer listening on {address}; its open sessions go on"),
            Listen::Passed(name) => format!(
                "{address} is no longer served, its open sessions go on; the service manager still listens there, and who \
                 connects waits: stop the socket unit of fd:{name}"
            ),
        });
    }
    if before.packets && !changes.opened.is_empty() {
        remark("packets of what began to listen now are not captured");
    }
    let late = config::differing(&before.settings, &args.settings);
    let late: Vec<&str> = late.into_iter().filter(|key| !routes::KEYS.contains(key)).collect();
    if !late.is_empty() {
        remark(&format!("changed, and in force after the next start: {}", late.join(", ")));
    }
    remark("the configuration was read again");
    Ok(args.drain)
}
