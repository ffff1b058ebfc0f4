//! What is told of TCP segments and of the sockets behind them.

use super::{Direction, Leg};

/// A TCP segment kept whole, because a verdict may rest on it. RFC 9293 3.1.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Segment {
    /// Which leg.
    pub leg: Leg,
    /// Which way it travelled.
    pub dir: Direction,
    /// Why it was kept.
    pub kind: SegmentKind,
    /// Time to live or hop limit.
    pub ttl: Option<u8>,
    /// IPv4 identification.
    pub ip_id: Option<u16>,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// TCP flags, low byte of the field.
    pub flags: u8,
    /// Window as sent, not scaled.
    pub window: u16,
    /// Payload length in bytes.
    pub len: u32,
    /// TCP options as sent.
    pub options: Vec<u8>,
    /// What the sender's earlier segments were like.
    pub baseline: Baseline,
}

impl Segment {
    /// The kind of the Maximum Segment Size option: two bytes. RFC 9293 3.2.
    pub const MSS: u8 = 2;
    /// The kind of the Timestamps option: four bytes of a value, four of the value that it echoes. RFC 7323 3.2.
    pub const TIMESTAMPS: u8 = 8;

    /// The TCP options by kind, without padding; those behind a damaged one are left out. RFC 9293 3.2.
    pub fn options(&self) -> Vec<(u8, &[u8])> {
        let mut found = Vec::new();
        let mut rest = self.options.as_slice();
        while let [kind, after @ ..] = rest {
            match (kind, after) {
                (0, _) => break,
                (1, _) => rest = after,
                (kind, [length, ..]) if (2..=rest.len()).contains(&usize::from(*length)) => {
                    let (option, others) = rest.split_at((*length).into());
                    found.push((*kind, &option[2..]));
                    rest = others;
                }
                _ => break,
            }
        }
        found
    }

    /// The value of its first option of a kind.
    pub fn option(&self, kind: u8) -> Option<&[u8]> {
        self.options().into_iter().find(|(found, _)| *found == kind).map(|(_, value)| value)
    }
}

/// What the earlier segments of one sender were like: what a genuine one would look like now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Baseline {
    /// Median TTL, and of how many segments.
    pub ttl: Option<(u8, u32)>,
    /// All those segments had the same TTL.
    pub ttl_is_steady: bool,
    /// How the sender numbers its IPv4 packets.
    pub ip_id: IpIds,
    /// The sequence number behind everything that it sent.
    pub next_seq: Option<u32>,
    /// The sequence number behind what its receiver acknowledged.
    pub acknowledged_seq: Option<u32>,
    /// The sequence number behind everything that was seen of its receiver, a FIN included.
    #[serde(default)]
    pub peer_next_seq: Option<u32>,
}

/// How a host fills the IPv4 identification field. RFC 6864.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum IpIds {
    /// Too few segments, or IPv6.
    #[default]
    Unknown,
    /// Always zero.
    Zero,
    /// Counts up in small steps; the latest value.
    Counter(u16),
    /// No rule that we know.
    Irregular,
}

impl Segment {
    /// How far the segment begins behind everything sent (positive) or before everything acknowledged
    /// (negative), in bytes; `None` where that is not known. A host may answer with any number in between.
    pub fn offset(&self) -> Option<i32> {
        let ahead = self.seq.wrapping_sub(self.baseline.next_seq?) as i32;
        let acknowledged = self.baseline.acknowledged_seq.or(self.baseline.next_seq)?;
        let behind = self.seq.wrapping_sub(acknowledged) as i32;
        Some(if ahead > 0 { ahead } else { behind.min(0) })
    }
}

/// Why a segment was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum SegmentKind {
    /// SYN without ACK. Retransmitted ones come again.
    Syn,
    /// SYN with ACK.
    SynAck,
    /// FIN.
    Fin,
    /// RST.
    Rst,
    /// RST that its receiver ignored.
    IgnoredRst,
    /// Window went to zero.
    ZeroWindow,
    /// Window opened again after zero.
    WindowOpen,
    /// Bytes that overlap earlier ones and differ from them.
    DifferingOverlap,
    /// A segment of a sender that had sent a RST before, with data or without.
    AfterRst,
    /// Data behind the place of the same sender's FIN.
    DataAfterFin,
}

/// What a relay can ask of its own socket. `None` where the platform does not tell.
/// Linux `struct tcp_info`, Windows `TCP_INFO_v0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[allow(missing_docs)] // the kernel's own names
pub struct TcpSample {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_rtt_us: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retransmits: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_retrans: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unacked: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sacked: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dsack_dups: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reord_seen: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_sent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_acked: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_received: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_retrans: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segs_in: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segs_out: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_segs_in: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rcv_ooopack: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snd_mss: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rcv_mss: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pmtu: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snd_wnd: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rwnd_limited_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_data_recv_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_ack_recv_ms: Option<u32>,
}

/// What a capture shows of one sender of one leg, after mirrored duplicates were removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct SegmentCounts {
    /// Segments of any kind.
    pub segments: u64,
    /// Segments with payload.
    pub data_segments: u64,
    /// Segments with payload that carried nothing new.
    pub retransmitted: u64,
    /// Segments that arrived before an earlier part of the stream.
    pub out_of_order: u64,
    /// Bytes of payload, each counted once.
    pub bytes: u64,
    /// Highest byte count of this sender that its peer acknowledged, where ACKs were seen.
    pub acknowledged: Option<u64>,
    /// Copies of a packet that a mirror port made.
    pub mirrored: u64,
    /// Most payload of one segment, in bytes.
    pub largest: u32,
    /// Most payload of one segment of which the peer acknowledged the last byte.
    pub largest_acknowledged: u32,
    /// Bytes that stand behind a hole which was not filled.
    pub behind_hole: u64,
    /// How often the segment that the peer did not acknowledge was sent again.
    pub repeated: u32,
    /// Segments by which the peer told that it had received the same twice. RFC 2883.
    pub duplicates_reported: u64,
}
