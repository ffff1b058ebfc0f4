//! What a file is, from its first bytes, and what to do with one that is no capture.

use std::io;

use super::compression::Compression;

/// Bytes that [`tell`] wants to see, where the file has them.
pub(super) const HEAD: usize = 76;
const SHOWN: usize = 8;

/// Why a file is not read as a capture.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The source gave an error, or its compression is broken from the start.
    #[error("cannot read the file: {0}")]
    Read(#[from] io::Error),
    /// No byte at all.
    #[error("the file is empty")]
    Empty,
    /// A capture that ends within its first header.
    #[error("a {format} file cut after {len} bytes, within its header")]
    CutShort {
        /// Name of the format.
        format: &'static str,
        /// Length of the file.
        len: usize,
    },
    /// Event Tracing for Windows, as `pktmon` and `netsh trace` write it.
    #[error("a Windows event trace; convert it with `etl2pcapng in.etl out.pcapng`")]
    EventTrace,
    /// Microsoft Network Monitor 1 (RTSS) or 2 (GMBU).
    #[error(
        "a Microsoft Network Monitor capture; convert it with `editcap -F pcapng in.cap out.pcapng`"
    )]
    NetworkMonitor,
    /// RFC 1761.
    #[error("a snoop capture; convert it with `editcap -F pcapng in.snoop out.pcapng`")]
    Snoop,
    /// Printed packets, or another text.
    #[error("text, not a capture; save the packets themselves as pcapng (File, Save As)")]
    Text,
    /// A file of files, or a compression that is not undone here.
    #[error("a {kind} file; unpack it first")]
    Archive {
        /// Name of the format.
        kind: &'static str,
    },
    /// Compressed again inside its compression.
    #[error("a capture compressed twice; undo one compression first")]
    CompressedTwice,
    /// None of the known beginnings.
    #[error("no known capture format: the file begins with {first_bytes}; save it as pcapng")]
    Unknown {
        /// The first bytes in hex.
        first_bytes: String,
    },
}

/// A capture format that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// draft-ietf-opsawg-pcap; the magic tells its variants.
    Pcap,
    /// draft-ietf-opsawg-pcapng.
    Pcapng,
}

/// Tells the format of a file that begins with `head`: [`HEAD`] bytes, or all if it has fewer.
pub(super) fn tell(head: &[u8]) -> Result<Format, OpenError> {
    match head {
        [] => return Err(OpenError::Empty),
        [0xa1, 0xb2, 0xc3, 0xd4, ..]
        | [0xd4, 0xc3, 0xb2, 0xa1, ..]
        | [0xa1, 0xb2, 0x3c, 0x4d, ..]
        | [0x4d, 0x3c, 0xb2, 0xa1, ..]
        | [0xa1, 0xb2, 0xcd, 0x34, ..]
        | [0x34, 0xcd, 0xb2, 0xa1, ..] => {
            return whole(Format::Pcap, "pcap", head, 24);
        }
        [0x0a, 0x0d, 0x0d, 0x0a, rest @ ..] => match rest.get(4..8) {
            Some([0x1a, 0x2b, 0x3c, 0x4d] | [0x4d, 0x3c, 0x2b, 0x1a]) => {
                return Ok(Format::Pcapng);
            }
            Some(_) => {}
            None => return whole(Format::Pcapng, "pcapng", head, 12),
        },
        _ => {}
    }
    Err(foreign(head))
}

fn whole(
    format: Format,
    name: &'static str,
    head: &[u8],
    needed: usize,
) -> Result<Format, OpenError> {
    if head.len() < needed {
        return Err(OpenError::CutShort { format: name, len: head.len() });
    }
    Ok(format)
}

fn foreign(head: &[u8]) -> OpenError {
    let archive = |kind| OpenError::Archive { kind };
    match head {
        _ if Compression::of(head).is_some() => OpenError::CompressedTwice,
        [b'G', b'M', b'B', b'U', ..] | [b'R', b'T', b'S', b'S', ..] => OpenError::NetworkMonitor,
        [b's', b'n', b'o', b'o', b'p', 0, 0, 0, ..] => OpenError::Snoop,
        [b'P', b'K', 3, 4, ..] => archive("zip"),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => archive("bzip2"),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => archive("xz"),
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => archive("7z"),
        [0x04, 0x22, 0x4d, 0x18, ..] => archive("lz4"),
        _ if event_trace(head) => OpenError::EventTrace,
        _ if head
            .iter()
            .all(|&byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..) && byte != 0x7f)
            && std::str::from_utf8(head.get(..SHOWN).unwrap_or(head)).is_ok() =>
        {
            OpenError::Text
        }
        _ => OpenError::Unknown { first_bytes: hex(head) },
    }
}

/// An event trace has no magic: its first buffer begins with a WMI_BUFFER_HEADER of 72 bytes
/// (buffer size and filled size first), and then the log file header, whose marker is version 2,
/// type 1 or 2 (a 32-bit or a 64-bit system) and flags C0.
fn event_trace(head: &[u8]) -> bool {
    let Some(&[s0, s1, s2, s3, f0, f1, f2, f3]) = head.first_chunk() else { return false };
    let size = u32::from_le_bytes([s0, s1, s2, s3]);
    let filled = u32::from_le_bytes([f0, f1, f2, f3]);
    size >= 1024
        && size.is_multiple_of(1024)
        && filled <= size
        && matches!(head.get(74..76), Some([1 | 2, 0xc0]))
}

fn hex(head: &[u8]) -> String {
    let shown: Vec<String> = head.iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect();
    shown.join(" ")
}
