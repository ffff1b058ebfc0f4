//! The relays under load: how each is configured, started and ended.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::process;

/// What stands between client and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing.
    Direct,
    /// `mode tcp`, one thread, its own defaults.
    Haproxy,
    /// The same with `option splice-request` and `splice-response`.
    HaproxySplice,
    /// The stream module, one process, its own defaults.
    Nginx,
    /// One process per connection.
    Socat,
    /// HAProxy with splice, and `tcpdump -w` beside it.
    HaproxyTcpdump,
    /// `rdpwhy proxy`.
    Rdpwhy,
    /// `rdpwhy proxy --summary`: every connection is judged and counted, as always, and none is printed.
    RdpwhySummary,
    /// `rdpwhy proxy -w`.
    RdpwhyWrite,
    /// `rdpwhy proxy -w --payload full --record-policy wait`.
    RdpwhyFull,
}

/// What was written of one run.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The file.
    pub file: PathBuf,
    /// Packets that tcpdump says the kernel dropped; `None` of other programs.
    pub dropped: Option<u64>,
}

/// A started relay; ended when dropped.
pub struct Running {
    /// Where clients connect.
    pub port: u16,
    children: Vec<Child>,
    /// The signal that ends it in order.
    end: &'static str,
    recording: Option<PathBuf>,
    /// What tcpdump says at its end.
    words: Option<PathBuf>,
    _scratch: tempfile::TempDir,
}

impl Kind {
    /// As the tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Direct => "direct",
            Kind::Haproxy => "haproxy",
            Kind::HaproxySplice => "haproxy splice",
            Kind::Nginx => "nginx stream",
            Kind::Socat => "socat",
            Kind::HaproxyTcpdump => "haproxy splice + tcpdump -w",
            Kind::Rdpwhy => "rdpwhy",
            Kind::RdpwhySummary => "rdpwhy --summary",
            Kind::RdpwhyWrite => "rdpwhy -w",
            Kind::RdpwhyFull => "rdpwhy -w --payload full",
        }
    }

    /// The program that has to be installed for it, where it is not this project's own.
    pub fn program(self) -> Option<&'static str> {
        match self {
            Kind::Haproxy | Kind::HaproxySplice => Some("haproxy"),
            Kind::Nginx => Some("nginx"),
            Kind::Socat => Some("socat"),
            Kind::HaproxyTcpdump => Some("tcpdump"),
            _ => None,
        }
    }

    /// Starts it in front of a server on this port of 127.0.0.1, and waits until it listens.
    pub fn start(self, upstream: u16) -> Result<Running, String> {
        let scratch =
            tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(|e| e.to_string())?;
        let folder = scratch.path().to_owned();
        // A shell's background job ignores INT, and what it starts with it; this project's own program does not.
        let end = if self.program().is_none() { "-INT" } else { "-TERM" };
        let mut running = Running {
            port: upstream,
            children: Vec::new(),
            end,
            recording: None,
            words: None,
            _scratch: scratch,
        };
        if self == Kind::Direct {
            return Ok(running);
        }
        running.port = free_port()?;
        let mut command = match self {
            Kind::Haproxy => haproxy(&folder, running.port, upstream, false)?,
            Kind::HaproxySplice | Kind::HaproxyTcpdump => {
                haproxy(&folder, running.port, upstream, true)?
            }
            Kind::Nginx => nginx(&folder, running.port, upstream)?,
            Kind::Socat => socat(running.port, upstream)?,
            _ => {
                let records = matches!(self, Kind::RdpwhyWrite | Kind::RdpwhyFull);
                running.recording = records.then(|| folder.join("bench.pcapng"));
                let mut command = rdpwhy(running.port, upstream, running.recording.as_deref());
                match self {
                    Kind::RdpwhySummary => command.arg("--summary"),
                    Kind::RdpwhyFull => {
                        command.args(["--payload", "full", "--record-policy", "wait"])
                    }
                    _ => &mut command,
                };
                command
            }
        };
        running.spawn(&mut command, Stdio::null())?;
        let end = Instant::now() + Duration::from_secs(10);
        while !process::listens(running.port) {
            if Instant::now() > end {
                return Err(format!("{} does not listen: {command:?}", self.name()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        if self == Kind::HaproxyTcpdump {
            let capture = folder.join("bench.pcap");
            let words = folder.join("tcpdump.out");
            let out = std::fs::File::create(&words).map_err(|error| error.to_string())?;
            running.spawn(&mut tcpdump(&capture, upstream)?, out.into())?;
            (running.recording, running.words) = (Some(capture), Some(words));
            std::thread::sleep(Duration::from_millis(700));
        }
        Ok(running)
    }
}

impl Running {
    /// On-CPU nanoseconds so far, of everything that was started.
    pub fn cpu_ns(&self) -> u64 {
        self.children.iter().map(|child| process::cpu_ns(child.id())).sum()
    }

    /// Resident KiB, the same.
    pub fn resident_kib(&self) -> u64 {
        self.children.iter().map(|child| process::resident_kib(child.id())).sum()
    }

    /// Ends everything as a user would, and hands the recording over while it is there.
    pub fn finish<T>(mut self, see: impl FnOnce(Option<Recording>) -> T) -> T {
        for child in &mut self.children {
            let _ = Command::new("kill").args([self.end, &child.id().to_string()]).status();
            let end = Instant::now() + Duration::from_secs(20);
            while matches!(child.try_wait(), Ok(None)) && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let dropped = self.words.as_ref().and_then(|words| {
            let said = std::fs::read_to_string(words).ok()?;
            let line = said.lines().find(|line| line.ends_with("dropped by kernel"))?;
            line.split_whitespace().next()?.parse().ok()
        });
        see(self.recording.clone().map(|file| Recording { file, dropped }))
    }

    fn spawn(&mut self, command: &mut Command, errors: Stdio) -> Result<(), String> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).spawn();
        self.children.push(child.map_err(|error| format!("{command:?}: {error}"))?);
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Looks a program up in PATH and in the system folders PATH often lacks.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// True when a capture on loopback can not even be opened.
pub fn cannot_capture() -> bool {
    let Some(program) = find("tcpdump") else { return true };
    let mut command = Command::new(program);
    // `-d` opens the interface, prints the filter and ends.
    command.args(["-i", "lo", "-d", "tcp"]).stdout(Stdio::null()).stderr(Stdio::null());
    !command.status().is_ok_and(|status| status.success())
}

/// The version in the first line that names one.
pub fn version(program: &str, argument: &str) -> String {
    let Some(path) = find(program) else { return "not installed".to_owned() };
    let Ok(output) = Command::new(path).arg(argument).output() else { return "unknown".to_owned() };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find(|line| line.to_lowercase().contains("version"));
    line.unwrap_or("unknown").trim().to_owned()
}

fn installed(name: &str) -> Result<PathBuf, String> {
    find(name).ok_or_else(|| format!("{name} is not installed"))
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| error.to_string())
}

fn haproxy(folder: &Path, port: u16, upstream: u16, splice: bool) -> Result<Command, String> {
    let splicing = if splice { " option splice-request\n option splice-response\n" } else { "" };
    let config = folder.join("haproxy.cfg");
    let text = format!(
        "global\n nbthread 1\n maxconn 6000\ndefaults\n mode tcp\n timeout connect 10s\n \
         timeout client 10m\n timeout server 10m\n{splicing}listen bench\n \
         bind 127.0.0.1:{port}\n server upstream 127.0.0.1:{upstream}\n"
    );
    std::fs::write(&config, text).map_err(|error| error.to_string())?;
    let mut command = Command::new(installed("haproxy")?);
    command.arg("-db").arg("-f").arg(config);
    Ok(command)
}

fn nginx(folder: &Path, port: u16, upstream: u16) -> Result<Command, String> {
    let program = installed("nginx")?;
    // Debian builds the stream module apart; elsewhere it is in the program.
    let apart = program
        .ancestors()
        .skip(2)
        .flat_map(|root| ["lib/nginx/modules", "share/nginx/modules"].map(|lib| root.join(lib)))
        .map(|folder| folder.join("ngx_stream_module.so"))
        .find(|module| module.is_file());
    let load = apart.map_or(String::new(), |file| format!("load_module {};\n", file.display()));
    let config = folder.join("nginx.conf");
    let text = format!(
        "{load}daemon off;\nmaster_process off;\npid {0}/pid;\nerror_log {0}/errors;\n\
         worker_rlimit_nofile 20000;\nevents {{ worker_connections 20000; }}\n\
         stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{upstream}; }} }}\n",
        folder.display()
    );
    std::fs::write(&config, text).map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.arg("-c").arg(config).arg("-e").arg(folder.join("errors"));
    Ok(command)
}

fn socat(port: u16, upstream: u16) -> Result<Command, String> {
    let mut command = Command::new(installed("socat")?);
    command.arg(format!("TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,backlog=512"));
    command.arg(format!("TCP:127.0.0.1:{upstream}"));
    Ok(command)
}

fn tcpdump(capture: &Path, upstream: u16) -> Result<Command, String> {
    let mut command = Command::new(installed("tcpdump")?);
    command.args(["-i", "lo", "-B", "65536", "-Z", "root", "-w"]).arg(capture);
    command.arg(format!("tcp port {upstream}"));
    Ok(command)
}

fn rdpwhy(port: u16, upstream: u16, recording: Option<&Path>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rdpwhy"));
    command.args(["proxy", "--listen", &format!("127.0.0.1:{port}")]);
    command.args(["--upstream", &format!("127.0.0.1:{upstream}")]);
    if let Some(recording) = recording {
        command.arg("-w").arg(recording);
    }
    command
}
