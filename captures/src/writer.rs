//! Writes a recording as pcapng (draft-ietf-opsawg-pcapng): one section, two interfaces, times in nanoseconds.
//! What a packet shows beyond its bytes travels in comments.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::interface_statistics::{
    InterfaceStatisticsBlock, InterfaceStatisticsOption,
};
use pcap_file::pcapng::blocks::opt_common::CommonOption;
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::{PcapNgBlock, PcapNgWriteError, PcapNgWriter};
use pcap_file::{DataLink, Endianness};
use rdpwhy_analyzer::input::{Leg, Timestamp};

/// Most bytes of one comment; an option's length has 16 bits.
pub const MAX_COMMENT: usize = 60_000;
/// Most bytes of all comments of one packet together.
pub const MAX_COMMENTS: usize = 1 << 20;
/// Most bytes of one packet: the longest Wireshark takes.
pub const MAX_PACKET: usize = 262_144;
/// Name of interface 0.
pub const CLIENT_INTERFACE: &str = "client-leg";
/// Name of interface 1.
pub const SERVER_INTERFACE: &str = "server-leg";
/// Description of both interfaces.
pub const INTERFACE_DESCRIPTION: &str = "synthesised from a relay's byte stream";

/// A recording being written to `sink`.
///
/// A block goes to the sink in one `write_all`. When the sink refuses, that error comes back and every later
/// call fails too: behind half a block nothing could be read. What stands before
/// [`PcapngWriter::bytes_written`] is whole, so a caller may cut the file there.
pub struct PcapngWriter<W: Write> {
    sink: W,
    /// Makes the blocks, one at a time, in memory.
    encoder: PcapNgWriter<Vec<u8>>,
    written: u64,
    failed: Option<io::ErrorKind>,
}

/// Bytes of the link header: link type NULL (0), an address family of four bytes. libpcap before 1.10.5
/// refuses a file with two interfaces of link type raw IP, which it knows by two numbers.
const LINK_HEADER: usize = 4;

/// The address family of a packet as BSD numbers it; readers take IPv6 by any of its three numbers.
fn address_family(packet: &[u8]) -> [u8; LINK_HEADER] {
    const INET: u32 = 2;
    const INET6: u32 = 30;
    let v6 = packet.first().is_some_and(|first| first >> 4 == 6);
    if v6 { INET6.to_le_bytes() } else { INET.to_le_bytes() }
}

impl<W: Write> PcapngWriter<W> {
    /// Writes the section header and both interfaces. `application` and `section_comment` are left out where
    /// empty, and shortened to [`MAX_COMMENT`] bytes.
    pub fn new(sink: W, application: &str, section_comment: &str) -> io::Result<PcapngWriter<W>> {
        let mut options: Vec<_> =
            comment(section_comment).map(SectionHeaderOption::Common).into_iter().collect();
        if !application.is_empty() {
            options.push(SectionHeaderOption::UserApplication(text(application)));
        }
        let section =
            SectionHeaderBlock { endianness: Endianness::Little, options, ..Default::default() };
        let encoder = PcapNgWriter::with_section_header(Vec::new(), section).map_err(into_io)?;
        let mut writer = PcapngWriter { sink, encoder, written: 0, failed: None };
        writer.pass_on()?;
        for name in [CLIENT_INTERFACE, SERVER_INTERFACE] {
            let options = vec![
                InterfaceDescriptionOption::IfName(name.into()),
                InterfaceDescriptionOption::IfDescription(INTERFACE_DESCRIPTION.into()),
                InterfaceDescriptionOption::IfTsResol(InterfaceTsResolution::NANO),
            ];
            writer.block(InterfaceDescriptionBlock {
                linktype: DataLink::NULL,
                snaplen: 0,
                options,
            })?;
        }
        Ok(writer)
    }

    /// Writes a packet of `leg` that was `original_len` bytes long on the wire and of which `bytes`, from the
    /// IP header on, are kept. Each comment is shortened to [`MAX_COMMENT`] bytes; empty ones are left out.
    ///
    /// `InvalidInput`, with nothing written, where `bytes` are more than `original_len` or [`MAX_PACKET`], or
    /// the comments more than [`MAX_COMMENTS`].
    pub fn packet(
        &mut self,
        leg: Leg,
        time: Timestamp,
        bytes: &[u8],
        original_len: u32,
        comments: &[String],
    ) -> io::Result<()> {
        let options: Vec<_> = comments.iter().filter_map(|c| comment(c)).collect();
        let comment_bytes: usize = options.iter().map(comment_len).sum();
        if bytes.len() > MAX_PACKET || comment_bytes > MAX_COMMENTS {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "packet or comments too long for a recording",
            ));
        }
        let mut data = Vec::with_capacity(LINK_HEADER + bytes.len());
        data.extend_from_slice(&address_family(bytes));
        data.extend_from_slice(bytes);
        self.block(EnhancedPacketBlock {
            interface_id: interface(leg),
            timestamp: since_epoch(time),
            original_len: original_len.saturating_add(LINK_HEADER as u32),
            data: Cow::Owned(data),
            options: options.into_iter().map(EnhancedPacketOption::Common).collect(),
        })
    }

    /// Writes the interface statistics of `leg` as of `time`: packets `received` and `dropped` since the
    /// recording began, and a comment where there is one.
    pub fn interface_statistics(
        &mut self,
        leg: Leg,
        time: Timestamp,
        received: u64,
        dropped: u64,
        comment_text: &str,
    ) -> io::Result<()> {
        let mut options = vec![
            InterfaceStatisticsOption::IsbIfRecv(received),
            InterfaceStatisticsOption::IsbIfDrop(dropped),
        ];
        options.extend(comment(comment_text).map(InterfaceStatisticsOption::Common));
        self.block(InterfaceStatisticsBlock {
            interface_id: interface(leg),
            timestamp: since_epoch(time),
            options,
        })
    }

    /// Flushes the sink. Where the sink buffers, only this tells whether the disk took everything.
    pub fn flush(&mut self) -> io::Result<()> {
        self.check()?;
        let result = self.sink.flush();
        self.note(result)
    }

    /// Bytes of whole blocks the sink took so far.
    pub fn bytes_written(&self) -> u64 {
        self.written
    }

    /// Gives the sink back, not flushed.
    pub fn into_inner(self) -> W {
        self.sink
    }

    fn block<'a>(&mut self, block: impl PcapNgBlock<'a>) -> io::Result<()> {
        self.check()?;
        // The encoder checks a block before it writes any of it, so after its error the buffer is empty.
        self.encoder.write_pcapng_block(block).map_err(into_io)?;
        self.pass_on()
    }

    /// Hands the encoded block to the sink.
    fn pass_on(&mut self) -> io::Result<()> {
        let result = self.sink.write_all(self.encoder.get_ref());
        let len = self.encoder.get_ref().len() as u64;
        self.encoder.get_mut().clear();
        self.note(result)?;
        self.written += len;
        Ok(())
    }

    fn check(&self) -> io::Result<()> {
        match self.failed {
            None => Ok(()),
            Some(kind) => {
                Err(io::Error::new(kind, "the recording ended at an earlier write error"))
            }
        }
    }

    fn note(&mut self, result: io::Result<()>) -> io::Result<()> {
        if let Err(error) = &result {
            self.failed = Some(error.kind());
        }
        result
    }
}

fn interface(leg: Leg) -> u32 {
    match leg {
        Leg::Client => 0,
        Leg::Server | Leg::Single => 1,
    }
}

fn since_epoch(time: Timestamp) -> Duration {
    Duration::from_nanos(time.0)
}

fn comment(comment: &str) -> Option<CommonOption<'_>> {
    (!comment.is_empty()).then(|| CommonOption::Comment(text(comment)))
}

fn comment_len(option: &CommonOption<'_>) -> usize {
    match option {
        CommonOption::Comment(text) => text.len(),
        _ => 0,
    }
}

/// At most [`MAX_COMMENT`] bytes of `text`, cut between characters. Readers end a string at NUL, so it is replaced.
fn text(text: &str) -> Cow<'_, str> {
    let cut = &text[..text.floor_char_boundary(MAX_COMMENT)];
    match cut.contains('\0') {
        true => Cow::Owned(cut.replace('\0', " ")),
        false => Cow::Borrowed(cut),
    }
}

fn into_io(error: PcapNgWriteError) -> io::Error {
    match error {
        PcapNgWriteError::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidInput, other),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tshark;
