//! The programs that read the capture.

use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::measure::{self, Sample};

/// The argument by which the bench starts itself to do nothing but read.
pub const READ: &str = "--read";

/// Who reads, in order of their turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `rdpwhy analyze --format jsonl`.
    Rdpwhy,
    /// TShark, the expert information of RDP and TLS.
    Expert,
    /// TShark, fields of RDP and TLS.
    Fields,
    /// Suricata without rules.
    Suricata,
    /// read(2), and nothing is done with the bytes.
    Read,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] =
        [Kind::Rdpwhy, Kind::Expert, Kind::Fields, Kind::Suricata, Kind::Read];

    /// As the tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Rdpwhy => "rdpwhy analyze --format jsonl",
            Kind::Expert => "tshark -z expert",
            Kind::Fields => "tshark -T fields",
            Kind::Suricata => "suricata --runmode single",
            Kind::Read => "read(2), 1 MiB at a time",
        }
    }

    /// Why it can not take part.
    pub fn obstacle(self) -> Option<String> {
        let program = self.program()?;
        version(program).is_none().then(|| format!("{program} is not installed"))
    }

    /// The program that has to be installed for it.
    pub fn program(self) -> Option<&'static str> {
        match self {
            Kind::Expert | Kind::Fields => Some("tshark"),
            Kind::Suricata => Some("suricata"),
            Kind::Rdpwhy | Kind::Read => None,
        }
    }

    /// Reads the file; what is written goes to `folder`. Fails where not all `connections` are reported.
    pub fn run(self, file: &Path, folder: &Path, connections: u64) -> Result<Sample, String> {
        let (path, result) = (file.display().to_string(), folder.join("result.jsonl"));
        let command = self.command(&path, folder, &result)?;
        // Failed connections have exit codes of their own.
        let sample = measure::run(&command, if self == Kind::Rdpwhy { 4 } else { 0 })?;
        if self == Kind::Rdpwhy {
            let lines = std::fs::read(&result).map_err(|error| error.to_string())?;
            let lines = lines.iter().filter(|byte| **byte == b'\n').count() as u64;
            if lines != connections {
                return Err(format!("{lines} of {connections} connections are reported"));
            }
        }
        Ok(sample)
    }

    fn command(self, file: &str, folder: &Path, result: &Path) -> Result<Vec<String>, String> {
        let (folder, result) = (folder.display().to_string(), result.display().to_string());
        let myself = std::env::current_exe().map_err(|error| error.to_string())?;
        let myself = myself.display().to_string();
        // Without `-d` TShark takes everything behind the negotiation for TPKT and dissects no TLS.
        let tls = ["-d", "tcp.port==3389,tls"];
        let words: Vec<&str> = match self {
            Kind::Rdpwhy => {
                let program = env!("CARGO_BIN_EXE_rdpwhy");
                vec![program, "analyze", "--format", "jsonl", "-o", &result, file]
            }
            Kind::Expert => {
                [&["tshark", "-n", "-q", "-r", file, "-z", "expert"][..], &tls].concat()
            }
            Kind::Fields => [
                &["tshark", "-n", "-r", file, "-Y", "rdp or tls.handshake", "-T", "fields"][..],
                &["-e", "frame.number", "-e", "ip.src", "-e", "rdp.rt_cookie"],
                &["-e", "tls.handshake.type", "-e", "tls.handshake.extensions_server_name"],
                &tls,
            ]
            .concat(),
            Kind::Suricata => {
                let quiet = ["-k", "none", "-S", "/dev/null", "-l", &folder];
                [&["suricata", "-r", file, "--runmode", "single"][..], &quiet].concat()
            }
            Kind::Read => vec![&myself, READ, file],
        };
        Ok(words.into_iter().map(str::to_owned).collect())
    }
}

/// Reads a file to its end.
pub fn read(file: &str) -> ExitCode {
    let mut buffer = vec![0; 1 << 20];
    let Ok(mut file) = std::fs::File::open(file) else { return ExitCode::FAILURE };
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return ExitCode::SUCCESS,
            Ok(_) => {}
            Err(_) => return ExitCode::FAILURE,
        }
    }
}

/// The first line of what a program says of its version; none where it is not installed.
pub fn version(program: &str) -> Option<String> {
    let argument = if program == "suricata" { "-V" } else { "--version" };
    let said = Command::new(program).arg(argument).output().ok()?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    Some(text.lines().next().unwrap_or_default().to_owned())
}
