//! The capture's thread: packets from the ring to the flows, requests of the sessions in between.

use std::io;
use std::time::Duration;

use rdpwhy_analyzer::input::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::flows::Flows;
use super::{Command, Missing};
use crate::clock::Clock;
use crate::os::packets::{PacketRing, SLOTS};

/// Packets looked at before requests are.
const BATCH: usize = 256;
/// How often what waits is looked over.
const TICK: Duration = Duration::from_secs(1);

/// Opens the capture and starts its thread, which runs as long as anybody can ask it.
pub fn start(
    ports: [u16; 2],
    sessions: usize,
    clock: Clock,
    commands: mpsc::UnboundedReceiver<Command>,
) -> Result<(), Missing> {
    let ring = PacketRing::open(ports).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Missing::Right,
        _ => Missing::System(error),
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Missing::System)?;
    let flows = Flows::new(ports, sessions);
    let work = move || {
        if let Err(error) = runtime.block_on(run(ring, flows, clock, commands)) {
            tracing::error!("the packet capture ends: {error}; the relay goes on without it");
        }
    };
    std::thread::Builder::new().name("packets".into()).spawn(work).map_err(Missing::System)?;
    Ok(())
}

async fn run(
    ring: PacketRing,
    mut flows: Flows,
    clock: Clock,
    mut commands: mpsc::UnboundedReceiver<Command>,
) -> io::Result<()> {
    let mut ring = ring.awaited()?;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            command = commands.recv() => {
                let Some(command) = command else { return Ok(()) };
                // A session speaks of packets that have passed: they are in the ring by then.
                read(ring.get_mut(), &mut flows, clock, SLOTS);
                flows.lost += ring.get_ref().lost();
                obey(command, &mut flows, clock.now());
            }
            guard = ring.readable_mut() => {
                let mut guard = guard?;
                if read(guard.get_inner_mut(), &mut flows, clock, BATCH) < BATCH {
                    guard.clear_ready();
                }
            }
            _ = ticks.tick() => flows.look_over(clock.now()),
        }
    }
}

/// Reads at most this many packets; says how many they were.
fn read(ring: &mut PacketRing, flows: &mut Flows, clock: Clock, most: usize) -> usize {
    // The kernel's wall clock and ours, compared once for all of them.
    let mut shift: Option<(Duration, Timestamp)> = None;
    ring.read(most, &mut |frame| {
        let (wall, time) = *shift.get_or_insert_with(|| (frame.wall, clock.at_wall(frame.wall)));
        let later = frame.wall.saturating_sub(wall).as_nanos() as u64;
        let earlier = wall.saturating_sub(frame.wall).as_nanos() as u64;
        let time = Timestamp(time.0.saturating_add(later).saturating_sub(earlier));
        flows.packet(time, frame.interface, frame.bytes, frame.len);
    })
}

fn obey(command: Command, flows: &mut Flows, now: Timestamp) {
    match command {
        Command::Claim { key, inbox, leg, ends, connected } => {
            flows.claim(key, inbox, leg, ends, connected);
        }
        // A session that did not wait for the answer has no use for it.
        Command::Finish { key, told } => drop(told.send(flows.finish(key, now))),
        Command::Forget { key } => drop(flows.finish(key, now)),
    }
}
