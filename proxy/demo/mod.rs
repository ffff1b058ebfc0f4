//! `rdpwhy demo`: the real relay between an embedded client and an embedded, deliberately faulty host.
//! Every verdict falls live; then the recording of them all is analysed and must say the same.

mod client;
mod host;
pub(crate) mod scenes;
mod table;
pub(crate) mod tls;
pub(crate) mod x224;

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use rdpwhy_analyzer::session::Session;
use rdpwhy_analyzer::verdict::Identities;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::cli::common::Result_;
use crate::clock::Clock;
use crate::desk::{Desk, Message};
use crate::dial::{DialOptions, Target};
use crate::error::Error;
use crate::offline::{self, Scope};
use crate::output::{Filter, Output, print};
use crate::record::{Payload, Policy, Recorder, Ring};
use crate::relay::{Deadlines, Guard, ProxyProtocol, Relay, Upstream, Workers, listen};
use scenes::{SCENES, Scene};
use tls::Authority;

/// Real failures on loopback, with live verdicts; needs nothing
///
/// Starts the relay between an embedded client and an embedded host that fails in many ways, prints each
/// verdict as it falls, records everything, analyses the recording again and compares. Exit code 0 when
/// live, offline and expectation agree for every scene, else 1.
#[derive(clap::Args)]
pub struct Args {
    /// Keep the recording in this file
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    /// Only list the scenes
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    result: Result_,
}

/// No part of a scene takes longer than this.
const LONGEST: Duration = Duration::from_secs(5);

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    if args.list {
        let line = |scene: &Scene| format!("{:13} {}\n", scene.name, scene.story);
        print(&SCENES.iter().map(line).collect::<String>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let folder = Folder::make(args.keep.as_deref())?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?
        .block_on(async {
            tokio::select! {
                result = demonstrate(&args, &folder) => result,
                // The folder goes in order, too.
                _ = tokio::signal::ctrl_c() => {
                    Err(Error::Disagreement("interrupted before all scenes were over".into()))
                }
            }
        })
}

/// Where the recording is written; a temporary folder is removed with this.
struct Folder {
    recording: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Folder {
    fn make(keep: Option<&Path>) -> Result<Folder, Error> {
        if let Some(path) = keep {
            return Ok(Folder { recording: path.to_owned(), _temporary: None });
        }
        let made = tempfile::Builder::new().prefix("rdpwhy-demo-").tempdir();
        let folder = made.map_err(|source| Error::Write { path: std::env::temp_dir(), source })?;
        Ok(Folder { recording: folder.path().join("demo.pcapng"), _temporary: Some(folder) })
    }
}

/// Plays every scene, analyses the recording, compares.
async fn demonstrate(args: &Args, folder: &Folder) -> Result<ExitCode, Error> {
    let path = &folder.recording;
    let unwritable = |source| Error::Write { path: path.clone(), source };
    let ring = Ring { path: path.clone(), files: None, size: 0 };
    let recorder = Recorder::start(ring, Payload::Handshake, Policy::Wait).map_err(unwritable)?;
    let mut output = args.result.open(Filter::default())?;
    output.remember();
    let identities = args.result.identities();
    let mut stage = Stage {
        authority: Authority::new().map_err(Error::Runtime)?,
        clock: Clock::start(),
        desk: Desk::new(identities.clone(), output, None),
        recorder,
    };
    for (number, scene) in (1..).zip(SCENES) {
        let (name, story) = (scene.name, scene.story);
        stage.desk.output.say(&format!("-- {number} of {} -- {name}: {story}\n", SCENES.len()));
        stage.play(number, scene).await.map_err(Error::Runtime)?;
    }
    let Stage { desk, recorder, .. } = stage;
    let mut output = desk.output;
    let written = tokio::task::spawn_blocking(move || recorder.finish()).await;
    written.map_err(|error| Error::Runtime(io::Error::other(error)))?;
    output.say("-- now the same from the recording --\n");
    let offline = analyze(path, &identities)?;
    conclude(args, output, &offline)
}

/// What the analysis of the recording says.
fn analyze(recording: &Path, identities: &Identities) -> Result<Output, Error> {
    let unreadable = |why: String| {
        Error::Disagreement(format!("the recording {} can not be read: {why}", recording.display()))
    };
    let file = File::open(recording).map_err(|error| unreadable(error.to_string()))?;
    let scope = Scope { ports: Vec::new(), all: false, timed: false };
    let mut output = Output::nowhere();
    output.remember();
    let name = recording.display().to_string();
    offline::analyze(&name, file, &scope, identities, &mut output)
        .map_err(|error| unreadable(error.to_string()))?;
    Ok(output)
}

/// The table and the totals; an error where anything differs.
fn conclude(args: &Args, mut output: Output, offline: &Output) -> Result<ExitCode, Error> {
    let live = output.remembered().to_vec();
    let rows = table::rows(SCENES, &live, offline.remembered());
    let differing = rows.iter().filter(|row| !row.differences().is_empty()).count();
    output.say(&table::table(&rows));
    let program = program();
    let recording = match &args.keep {
        Some(path) => format!("the recording:    {program} analyze {}", path.display()),
        None => format!("keep a recording: {program} demo --keep demo.pcapng"),
    };
    output.say(&format!("{recording}\nyour own server:  {program} proxy --upstream HOST\n"));
    output.finish().map_err(Error::Result)?;
    if differing > 0 {
        let total = rows.len();
        return Err(Error::Disagreement(format!("{differing} of {total} scenes do not agree")));
    }
    Ok(ExitCode::SUCCESS)
}

/// The program as it was called: one that is built and not installed is found by its path only.
fn program() -> String {
    let called = std::env::args_os().next();
    called.map_or_else(|| "rdpwhy".to_owned(), |path| path.to_string_lossy().into_owned())
}

/// What all scenes share.
struct Stage {
    authority: Authority,
    clock: Clock,
    desk: Desk,
    recorder: Recorder,
}

impl Stage {
    /// Plays one scene through a relay of its own, until its verdict has fallen.
    async fn play(&mut self, number: u64, scene: &Scene) -> io::Result<()> {
        let place = host::open(scene.host).await?;
        let listening = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), false)?;
        let address = listening.address;
        let (from_relay, told) = mpsc::channel(16);
        let (to_desk, messages) = mpsc::channel(16);
        let (stop, stopped) = watch::channel(false);
        let upstream = place.address;
        let relay = Arc::new(Relay {
            source: address.to_string().into(),
            numbers: Arc::new(AtomicU64::new(number)),
            upstream: Upstream::Fixed(Target {
                host: upstream.ip().to_string(),
                port: upstream.port(),
            }),
            dial: DialOptions::default(),
            proxy_protocol: ProxyProtocol::default(),
            deadlines: Deadlines::default(),
            rst_immune: None,
            once: false,
            clock: self.clock,
            desk: from_relay,
            recorder: Some(self.recorder.clone()),
            packets: None,
            feed: Session::feed,
            announces: true,
            measures: None,
            workers: Workers::here(),
        });
        let guard = Guard::new(Vec::new(), 1);
        // Different users, so that no scene is taken for another attempt of the one before.
        let user = format!("demo{number}");
        let authority = &self.authority;
        tokio::join!(
            listening.serve(relay, guard, stopped),
            pass_on(told, to_desk, stop),
            self.desk.work(messages),
            bounded(host::serve(&place, scene.host, authority)),
            bounded(client::run(scene.client, address, &user, authority)),
        );
        Ok(())
    }
}

/// Passes messages on to the desk until the relay is gone. The relay is stopped when its one session has
/// ended; a session that does not end is the relay's fault, and the verdict will say so.
async fn pass_on(
    mut told: mpsc::Receiver<Message>,
    desk: mpsc::Sender<Message>,
    stop: watch::Sender<bool>,
) {
    let late = sleep(LONGEST);
    tokio::pin!(late);
    loop {
        let message = tokio::select! {
            message = told.recv() => message,
            () = &mut late, if !*stop.borrow() => {
                let _ = stop.send(true);
                continue;
            }
        };
        let Some(message) = message else { return };
        if matches!(message, Message::Ended { .. }) {
            let _ = stop.send(true);
        }
        let _ = desk.send(message).await;
    }
}

/// What goes wrong between host and client is the scene's point, and the verdict tells it.
async fn bounded(part: impl Future<Output = io::Result<()>>) {
    if let Ok(Err(error)) = timeout(LONGEST, part).await {
        tracing::debug!("a part of the scene ended with: {error}");
    }
}
