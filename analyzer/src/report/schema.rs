//! The output contract, schema `rdpwhy/1`. Fields may be added, never renamed; unknown is `null`.

use serde::{Deserialize, Serialize};

use crate::input::{SegmentCounts, TcpSample};

/// The schema's name, in every object.
pub const SCHEMA: &str = "rdpwhy/1";

/// One connection: a pair of legs of a relay, or one TCP connection of a capture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Capture file, or the relay's listening address.
    pub source: String,
    /// From where it was seen.
    pub vantage: Vantage,
    /// Number of the connection in its source, from 1.
    pub index: u64,
    /// Number of the case it belongs to: connections of one attempt of one user.
    pub case: u64,
    /// False when a sibling may still revise the verdict.
    pub r#final: bool,
    /// The index of the provisional object that this one replaces.
    pub supersedes: Option<u64>,
    /// The client's address and port.
    pub client: String,
    /// The server's address and port; the name dialled where no address was reached.
    pub server: Option<String>,
    /// RFC 3339, UTC, milliseconds.
    pub started: String,
    /// From first to last observation.
    pub duration_ms: f64,
    /// What became of it.
    pub outcome: Outcome,
    /// The furthest step; `null` where the capture starts in the middle.
    pub reached: Option<String>,
    /// `seen` or `inferred`.
    pub reached_basis: Option<String>,
    /// False when input was lost or a bound was reached.
    pub complete: bool,
    /// The confidences were held against what the laboratory measured.
    pub calibrated: bool,
    /// How it ended.
    pub ended: Ended,
    /// What mstsc would have shown.
    pub mstsc: Mstsc,
    /// What, who, why.
    pub verdict: Verdict,
    /// Candidate causes, best first.
    pub causes: Vec<Candidate>,
    /// What the facts rule out.
    pub ruled_out: Vec<RuledOut>,
    /// True things that explain nothing by themselves.
    pub findings: Vec<Finding>,
    /// What was measured.
    pub evidence: Vec<EvidenceItem>,
    /// Read-only checks that would decide, cheapest first.
    pub next: Vec<NextStep>,
    /// The TCP connections.
    pub legs: Legs,
    /// X.224 and negotiation.
    pub rdp: Rdp,
    /// TLS.
    pub tls: Option<Tls>,
    /// Durations of steps.
    pub timings_ms: Timings,
}

/// From where a connection was seen: which classes of evidence there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Vantage {
    /// Packets of one leg, captured somewhere on it.
    V1,
    /// A relay's byte streams and socket facts.
    V2,
    /// A relay's, with the packets of its legs.
    V3,
    /// Captures from both ends.
    V6,
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The session was up.
    Established,
    /// The client left for a prompt, or because it was sent on, and came back.
    Rehearsal,
    /// It failed.
    Failed,
    /// The input does not show it.
    Unknown,
    /// It was no RDP connection.
    NotRdp,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// client, server, both, single.
    pub leg: Option<String>,
    /// client, server, relay: the direction of the closing segment, not its author.
    pub from: Option<String>,
    /// fin, rst, icmp, timeout, error, relay_deadline, capture_end, open, never_opened.
    pub how: String,
    /// The error's name.
    pub errno: Option<String>,
    /// Bytes that had passed by then.
    pub after_bytes: Option<AfterBytes>,
    /// Milliseconds from the start.
    pub at_ms: Option<f64>,
}

/// Bytes per direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AfterBytes {
    /// From the client.
    pub to_server: u64,
    /// From the server.
    pub to_client: u64,
}

/// mstsc's error code for this end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mstsc {
    /// `0x904`, or `null` where mstsc would show none.
    pub code: Option<String>,
    /// Extended code.
    pub extended: Option<String>,
    /// How the code is known: `inferred`.
    pub basis: Option<String>,
    /// What mstsc would have shown without the relay, where that differs.
    pub direct: Option<String>,
}

/// The verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Id of the phenomenon.
    pub what: Option<String>,
    /// Id of the cause; `null` when the evidence does not decide.
    pub cause: Option<String>,
    /// interference, downgrade, abort, …
    pub class: Option<String>,
    /// What an accusation of the path rests on: baseline, sibling, pair, probe.
    pub control: Option<String>,
    /// client, client_network, relay, server_network, server, network, unknown.
    pub party: String,
    /// How sure of each.
    pub confidence: Confidence,
    /// One sentence for the ticket.
    pub sentence: String,
    /// What to do.
    pub remedy: Option<String>,
    /// The captures between which it happens, the client's side first; only where captures prove it.
    pub between: Option<[String; 2]>,
}

/// Three confidences, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confidence {
    /// Of the phenomenon.
    pub what: f64,
    /// Of the party.
    pub who: f64,
    /// Of the cause.
    pub why: f64,
}

/// A cause that competes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its id.
    pub id: String,
    /// 0 to 1, after caps.
    pub confidence: f64,
    /// What it says.
    pub says: String,
    /// Evidence ids that speak for it.
    pub r#for: Vec<String>,
    /// Evidence ids that speak against it.
    pub against: Vec<String>,
    /// What would decide and is not known.
    pub unknown: Vec<String>,
}

/// A row excluded by a fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuledOut {
    /// Its id.
    pub id: String,
    /// The evidence that excludes it.
    pub by: String,
}

/// A true statement beside the verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Its id.
    pub id: String,
    /// What it says.
    pub says: String,
    /// Its evidence.
    pub evidence: Vec<String>,
}

/// One measured fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceItem {
    /// `E1`, `E2`, …
    pub id: String,
    /// What was measured.
    pub fact: String,
    /// Where; `null` for what was measured by its absence.
    pub origin: Option<EvidenceOrigin>,
    /// When, from the start.
    pub at_ms: Option<f64>,
}

/// Where a fact was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceOrigin {
    /// packet, read, socket, segment.
    pub kind: String,
    /// Packet number in the file, number of the read, or number of the segment in the relay's own capture.
    pub n: Option<u64>,
    /// client, server, single.
    pub leg: String,
    /// The capture file.
    pub file: Option<String>,
}

/// A read-only check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NextStep {
    /// What it tells.
    pub r#do: String,
    /// The command, where there is one.
    pub command: Option<String>,
}

/// The legs: client and server of a relay, or the single one of a capture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Legs {
    /// Client leg.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<LegReport>,
    /// Server leg.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<LegReport>,
    /// The only leg.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single: Option<LegReport>,
}

/// One TCP connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LegReport {
    /// The relay's own end, or the server's in a single capture.
    pub local: Option<String>,
    /// The other end.
    pub peer: Option<String>,
    /// Community ID 1, seed 0.
    pub community_id: Option<String>,
    /// Failed attempts to open it, in words, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<String>,
    /// What the socket or the capture tells.
    pub tcp: TcpReport,
}

/// What the relay's socket or a capture tells of a leg; empty where neither does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TcpReport {
    /// The relay's socket, last asked.
    #[serde(flatten)]
    pub socket: TcpSample,
    /// What a capture shows of the client's segments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_client: Option<SegmentCounts>,
    /// The same of the server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_server: Option<SegmentCounts>,
    /// The first RSTs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resets: Vec<ResetReport>,
}

/// A RST beside what its sender's other segments were like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResetReport {
    /// `client` or `server`.
    pub from: String,
    /// Its TTL or hop limit.
    pub ttl: Option<u8>,
    /// That of its sender's earlier segments.
    pub usual_ttl: Option<u8>,
    /// How many those were.
    pub earlier_segments: u32,
    /// Where it stands behind what its sender had sent, in bytes; negative before what was acknowledged.
    pub offset: Option<i32>,
    /// Segments of its sender behind it.
    pub followed_by: usize,
}

/// X.224 and negotiation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rdp {
    /// The cookie's id, hashed unless identities are shown.
    pub cookie: Option<String>,
    /// The routing token, hashed likewise.
    pub routing_token: Option<String>,
    /// Protocols asked for.
    pub requested: Option<Vec<String>>,
    /// RDP_NEG_REQ flags.
    pub flags: Option<u8>,
    /// Protocol selected.
    pub selected: Option<String>,
    /// RDP_NEG_FAILURE by name.
    pub failure: Option<String>,
    /// Reason of an X.224 Disconnect Request or Error that came in place of a Connection Confirm.
    #[serde(default)]
    pub disconnected: Option<u8>,
    /// Correlation id; the broker's event logs carry the same.
    pub correlation_id: Option<String>,
}

/// TLS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tls {
    /// Versions offered, highest first.
    pub offered: Vec<String>,
    /// Version negotiated.
    pub version: Option<String>,
    /// Cipher suite negotiated.
    pub cipher: Option<String>,
    /// JA4 of the ClientHello.
    pub ja4: Option<String>,
    /// Server name indication.
    pub sni: Option<String>,
    /// Alerts, in order.
    pub alerts: Vec<AlertReport>,
    /// The server's certificate; `null` where it was not sent or is hidden.
    pub certificate: Option<CertificateReport>,
    /// Why the certificate is `null`: `not_sent`, `encrypted`, `lost`, `malformed`.
    pub certificate_hidden: Option<String>,
    /// Encrypted records to the server and to the client.
    pub records: [u64; 2],
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertReport {
    /// client or server.
    pub from: String,
    /// warning or fatal; `null` when encrypted.
    pub level: Option<String>,
    /// Description code.
    pub code: Option<u8>,
    /// Its name.
    pub name: Option<String>,
    /// The content can not be read.
    pub encrypted: bool,
}

/// The server's certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CertificateReport {
    /// Subject.
    pub subject: String,
    /// Issuer.
    pub issuer: String,
    /// Serial number, hex.
    pub serial: String,
    /// RFC 3339.
    pub not_before: String,
    /// RFC 3339.
    pub not_after: String,
    /// Names it is valid for.
    pub names: Vec<String>,
    /// Key type and size.
    pub key: String,
    /// Signature algorithm.
    pub signature: String,
    /// Extended key usages.
    pub extended_key_usage: Vec<String>,
    /// SHA-256 of the DER, hex.
    pub sha256: String,
    /// Issuer equals subject.
    pub self_signed: bool,
    /// Certificates in the chain.
    pub chain_length: usize,
}

/// Durations of steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    /// Handshake of the server leg, or of the single one.
    pub tcp: Option<f64>,
    /// Handshake of the client leg, where there is one.
    pub tcp_client: Option<f64>,
    /// Connection Request to Connection Confirm.
    pub x224: Option<f64>,
    /// ClientHello to the client's Finished.
    pub tls: Option<f64>,
}

/// The document of `--format json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Every connection, in order.
    pub connections: Vec<Connection>,
    /// Totals.
    pub summary: Summary,
}

/// Totals of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Connections reported.
    pub connections: u64,
    /// By outcome.
    pub established: u64,
    /// Rehearsals.
    pub rehearsal: u64,
    /// Failures.
    pub failed: u64,
    /// Failures whose cause is named.
    pub explained: u64,
    /// Not shown by the input.
    pub unknown: u64,
    /// Not RDP.
    pub not_rdp: u64,
    /// TCP connections that were counted and not reported.
    pub other_tcp: u64,
    /// Failures by cause (or, where it is undecided, by phenomenon), most frequent first.
    pub causes: Vec<CauseCount>,
    /// Things worth knowing about the input itself: damage, UDP, unknown link types, other formats.
    pub notes: Vec<String>,
}

/// How often a cause was named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseCount {
    /// Its id.
    pub id: String,
    /// How often.
    pub count: u64,
}
