//! One operation: TCP, X.224, TLS and the first message of NLA, as far as it is asked to go.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rdpwhy_analyzer::input::{Close, Direction, Input, Leg};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::Until;
use super::nla;
use super::tap::{Observer, Tap};
use crate::clock::Clock;
use crate::demo::x224;
use crate::dial::{AttemptState, DialOptions, Target, dial, lacked};
use crate::latency::Step;

/// What all operations of a run share.
pub struct Plan {
    /// Where to.
    pub address: SocketAddr,
    /// How far.
    pub until: Until,
    /// TLS as a client that accepts any certificate.
    pub tls: TlsConnector,
    /// The name it asks for.
    pub name: ServerName<'static>,
    /// How long an operation may take.
    pub timeout: Duration,
    /// The only clock.
    pub clock: Clock,
}

/// What became of an operation.
#[derive(Debug)]
pub struct Outcome {
    /// When it had reached its goal or had failed; closing its connection comes after that.
    pub ended: Instant,
    /// The steps it took.
    pub steps: Vec<(Step, Duration)>,
    /// It reached the server: the TCP handshake completed.
    pub reached: bool,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
}

/// A failure by its cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The verdict's cause or phenomenon, or what the operation itself knows.
    pub name: String,
    /// The cause is known.
    pub explained: bool,
}

/// What ended an operation before its goal.
pub(super) enum Broken {
    /// The connection broke; the engine says why.
    Connection,
    /// Something that the engine can not see, or that is no failure of the connection.
    Known(String),
    /// Of something that the engine can not see only this is known, and no cause.
    Seen(String),
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Broken {
        Broken::Connection
    }
}

/// How far an operation has come.
#[derive(Default)]
pub(super) struct Way {
    /// The steps it took.
    steps: Vec<(Step, Duration)>,
    /// When it reached its goal.
    arrived: Option<Instant>,
}

/// Runs one operation.
pub async fn run(plan: Arc<Plan>) -> Outcome {
    let observer = Observer::new(plan.address, plan.clock);
    bounded(&plan, &observer, async |way| {
        let stream = connect(&plan, &observer, way).await?;
        beyond_tcp(stream, &plan, &observer, way).await
    })
    .await
}

/// Runs `work` for as long as the plan allows.
pub(super) async fn bounded(
    plan: &Plan,
    observer: &Observer,
    work: impl AsyncFnOnce(&mut Way) -> Result<(), Broken>,
) -> Outcome {
    let mut way = Way::default();
    let result = timeout(plan.timeout, work(&mut way)).await;
    let Way { steps, arrived } = way;
    let ended = arrived.unwrap_or_else(Instant::now);
    let reached = steps.iter().any(|(step, _)| *step == Step::Tcp);
    let failure = if arrived.is_some() { None } else { failure(result, &steps, observer) };
    Outcome { ended, failure, steps, reached }
}

/// The cause of a failed operation. One that ran out of time is judged as it stands: still open.
fn failure(
    result: Result<Result<(), Broken>, tokio::time::error::Elapsed>,
    steps: &[(Step, Duration)],
    observer: &Observer,
) -> Option<Failure> {
    match result {
        Ok(Ok(())) => None,
        Ok(Err(Broken::Known(name))) => Some(Failure { name, explained: true }),
        Ok(Err(Broken::Seen(name))) => Some(Failure { name, explained: false }),
        Ok(Err(Broken::Connection)) => {
            // We leave it, as any client would.
            observer.note(Input::Closed {
                leg: Leg::Client,
                dir: Direction::ToServer,
                how: Close::Fin,
            });
            Some(observer.verdict().unwrap_or_else(|| undecided("broken", steps)))
        }
        Err(_) => Some(observer.verdict().unwrap_or_else(|| undecided("timeout", steps))),
    }
}

/// A failure of which only the last step is known.
fn undecided(how: &str, steps: &[(Step, Duration)]) -> Failure {
    let name = match steps.last() {
        Some((step, _)) => format!("{how}-after-{}", step.name()),
        None => format!("{how}-before-tcp"),
    };
    Failure { name, explained: false }
}

async fn connect(
    plan: &Plan,
    observer: &Observer,
    way: &mut Way,
) -> Result<tokio::net::TcpStream, Broken> {
    let target = Target { host: plan.address.ip().to_string(), port: plan.address.port() };
    let outcome = dial(&target, &DialOptions::default(), &mut |_| {}).await;
    for failure in outcome.failures() {
        let failure = failure.clone();
        observer.note(Input::ConnectFailed { leg: Leg::Server, failure });
    }
    let connected =
        outcome.attempts.iter().find(|attempt| attempt.state == AttemptState::Connected);
    let took = connected.map(|attempt| attempt.after);
    if let (None, Some(own)) = (&outcome.stream, outcome.failures().find_map(lacked)) {
        return Err(Broken::Known(format!("this-machine-{own}")));
    }
    let stream = outcome.stream.ok_or(Broken::Connection)?;
    observer.connected(plan.address, stream.local_addr().ok(), took);
    way.steps.push((Step::Tcp, took.unwrap_or_default()));
    Ok(stream)
}

/// The rest of an operation over a stream that is open.
pub(super) async fn beyond_tcp<S>(
    stream: S,
    plan: &Plan,
    observer: &Observer,
    way: &mut Way,
) -> Result<(), Broken>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = Tap::new(stream, observer.clone());
    let selected = way.step(Step::X224, negotiate(&mut stream)).await?;
    match (plan.until, selected) {
        (Until::X224, _) => {
            way.arrived = Some(Instant::now());
            return Ok(());
        }
        (Until::Tls, x224::RDP) => return Err(Broken::Known("tls-not-selected".into())),
        (Until::NlaChallenge, x224::RDP | x224::SSL) => {
            return Err(Broken::Known("nla-not-selected".into()));
        }
        _ => {}
    }
    let handshake = plan.tls.connect(plan.name.clone(), stream);
    let mut stream = way.step(Step::Tls, async { Ok(handshake.await?) }).await?;
    if plan.until == Until::NlaChallenge {
        way.step(Step::Challenge, nla::challenge(&mut stream)).await?;
    }
    way.arrived = Some(Instant::now());
    leave(&mut stream).await;
    Ok(())
}

impl Way {
    /// Records how long a step took, if it was taken.
    async fn step<T>(
        &mut self,
        step: Step,
        work: impl Future<Output = Result<T, Broken>>,
    ) -> Result<T, Broken> {
        let began = Instant::now();
        let done = work.await?;
        self.steps.push((step, began.elapsed()));
        Ok(done)
    }
}

/// Ends TLS in order, and takes what the server still says (tickets of TLS 1.3): unread bytes would turn the
/// close into a reset, which a server may log as an error.
async fn leave(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    const PATIENCE: Duration = Duration::from_millis(250);
    let mut rest = [0; 1024];
    let leaving = async {
        stream.shutdown().await?;
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = timeout(PATIENCE, leaving).await;
}

/// X.224 request and answer; gives the protocol that the server chose.
async fn negotiate(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<u32, Broken> {
    /// The name in the cookie: no user's.
    const NAME: &str = "rdpwhy";
    stream.write_all(&x224::request(NAME, 0, x224::SSL | x224::HYBRID)).await?;
    let packet = x224::read_packet(stream).await?;
    match packet.as_deref().and_then(x224::answer) {
        Some(x224::Answer::Selected(selected)) => Ok(selected),
        _ => Err(Broken::Connection),
    }
}

/// The address of a client that has none yet.
pub(super) const NOWHERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
