//! What an independent reader of captures says about a recording.

use super::{need, text_of};
use std::path::Path;
use std::process::Command;

/// The protocol the payload on the two ports is read as. RDP changes from one to the other in the
/// middle of a connection, so a whole look takes two passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// TPKT, X.224 and the RDP negotiation.
    Rdp,
    /// TLS.
    Tls,
}

/// The values of some fields in the packets that match a filter, one line a packet, in the order
/// of the file. An error message of tshark is a panic: a recording it cannot open is a defect.
pub fn fields(
    file: &Path,
    ports: [u16; 2],
    reading: Reading,
    filter: &str,
    names: &[&str],
) -> Option<Vec<String>> {
    let mut command = Command::new(need("tshark")?);
    command.env("LC_ALL", "C").args(["-n", "-r", &text_of(file), "-Y", filter]);
    command.args(["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]);
    let protocol = if reading == Reading::Rdp { "tpkt" } else { "tls" };
    for port in ports {
        command.args(["-d", &format!("tcp.port=={port},{protocol}")]);
    }
    command.args(["-T", "fields"]);
    for name in names {
        command.args(["-e", name]);
    }
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tshark {filter}: {errors}");
    Some(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}
