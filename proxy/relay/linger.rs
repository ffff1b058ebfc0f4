//! Sessions of which one side has ended and the other keeps its half open: who hangs holds no place for ever.

use std::time::{Duration, Instant};

use rdpwhy_analyzer::input::Direction;
use tokio::sync::watch;
use tokio::time::timeout;

use super::pump::{Pump, Taken};
use crate::record::Chunk;

/// A client that leaves looks as one that closes its half: the verdict is given when the other side then
/// says nothing for this long, and does not wait for a server that hangs.
pub const LINGER: Duration = Duration::from_secs(2);
/// A session whose verdict is given ends when nothing has passed for this long: who hangs holds no place for ever.
const LINGER_MOST: Duration = Duration::from_secs(600);

/// With a session of which one side has ended: who hangs holds no place for ever.
#[derive(Default)]
pub struct Patience(Option<(Instant, Taken)>);

impl Patience {
    /// Nothing has passed for [`LINGER_MOST`], and no receiver has taken anything, however slowly. Asked from time to
    /// time, while nothing is read.
    pub fn hangs(&mut self, pump: &Pump) -> bool {
        let taken = pump.taken();
        match &self.0 {
            Some((since, before)) if *before == taken => since.elapsed() >= LINGER_MOST,
            _ => {
                self.0 = Some((Instant::now(), taken));
                false
            }
        }
    }
}

/// A session whose verdict is given: bytes still pass, nobody looks at them.
pub async fn linger(mut pump: Box<Pump>, stop: &mut watch::Receiver<bool>) {
    let mut unseen = |_: Direction, _: Chunk<'_>| {};
    let mut hangs = Patience::default();
    loop {
        tokio::select! {
            passed = timeout(LINGER, pump.run(true, &mut unseen)) => match passed {
                Ok(None) => {}
                Ok(Some(_)) => if pump.propagate().over {
                    return;
                },
                Err(_) => if hangs.hangs(&pump) {
                    return pump.abort();
                },
            },
            _ = stop.changed() => return,
        }
    }
}
