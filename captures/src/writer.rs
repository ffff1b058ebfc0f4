//! Writes a recording as pcapng (draft-ietf-opsawg-pcapng): one section, two interfaces, times in nanoseconds.
//! What a packet shows beyond its bytes travels in comments.

use std::borrow::Cow;
use std::io::{self, IoSlice, Write};
use std::time::Duration;

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
/// Blocks are gathered and go to the sink many at once, so the sink needs no buffer of its own. When it refuses,
/// that error comes back and every later call fails too: behind half a block nothing could be read. What stands
/// before [`PcapngWriter::bytes_written`] is whole, so a caller may cut the file there.
pub struct PcapngWriter<W: Write> {
    sink: W,
    /// Makes the seldom blocks; its buffer holds all blocks that the sink did not get yet.
    encoder: PcapNgWriter<Vec<u8>>,
    /// Bytes of whole blocks that the sink took.
    taken: u64,
    failed: Option<io::ErrorKind>,
}

/// A packet to be written.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Whose packet.
    pub leg: Leg,
    /// When it was captured.
    pub time: Timestamp,
    /// What is kept of it, in two parts and from the IP header on.
    pub bytes: [&'a [u8]; 2],
    /// Bytes that it had on the wire.
    pub original_len: u32,
    /// Shortened to [`MAX_COMMENT`] bytes each; empty ones are left out.
    pub comments: &'a [String],
}

/// So many bytes of blocks are gathered.
const BUFFER: usize = 256 << 10;
/// Records with so many bytes together go to the sink from where they are.
const MANY: usize = BUFFER / 2;
/// Bytes of an enhanced packet block around data and options. Draft, 4.3.
const AROUND: usize = 32;
/// Block type of an enhanced packet block.
const ENHANCED_PACKET: u32 = 6;
/// Option code of a comment. Draft, 3.5.
const COMMENT: u16 = 1;

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
        let encoder = PcapNgWriter::with_section_header(Vec::with_capacity(BUFFER), section)
            .map_err(into_io)?;
        let mut writer = PcapngWriter { sink, encoder, taken: 0, failed: None };
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
        writer.pass_on(&[])?;
        Ok(writer)
    }

    /// Writes packets. `InvalidInput`, with nothing written, where the `bytes` of one are more than its
    /// `original_len` or [`MAX_PACKET`], or its comments more than [`MAX_COMMENTS`].
    pub fn packets(&mut self, records: &[Record<'_>]) -> io::Result<()> {
        self.check()?;
        if records.iter().any(|record| !record.fits()) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "packet or comments too long for a recording",
            ));
        }
        let many = records.iter().map(|record| record.bytes[1].len()).sum::<usize>() >= MANY;
        // Where in the buffer the bytes belong that were not copied there.
        let mut aside = Vec::with_capacity(if many { records.len() } else { 0 });
        for record in records {
            let block = self.encoder.get_mut();
            let sizes = record.put_head(block);
            let [_, payload] = record.bytes;
            if many {
                aside.push((block.len(), payload));
            } else {
                block.extend_from_slice(payload);
            }
            record.put_tail(block, sizes);
        }
        if many || self.encoder.get_ref().len() >= BUFFER { self.pass_on(&aside) } else { Ok(()) }
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

    /// Hands the sink what was gathered, and flushes it. Only this tells whether the disk took everything.
    pub fn flush(&mut self) -> io::Result<()> {
        self.check()?;
        self.pass_on(&[])?;
        let result = self.sink.flush();
        self.note(result)
    }

    /// Bytes of whole blocks so far, those included that the sink gets with the next flush; behind an error, of
    /// those that it took before.
    pub fn bytes_written(&self) -> u64 {
        let waiting = if self.failed.is_none() { self.encoder.get_ref().len() } else { 0 };
        self.taken + waiting as u64
    }

    /// Flushes the sink and gives it back.
    pub fn into_inner(mut self) -> io::Result<W> {
        self.flush()?;
        Ok(self.sink)
    }

    fn block<'a>(&mut self, block: impl PcapNgBlock<'a>) -> io::Result<()> {
        self.check()?;
        // The encoder checks a block before it writes any of it: after its error nothing of it is in the buffer.
        self.encoder.write_pcapng_block(block).map_err(into_io)?;
        Ok(())
    }

    /// Hands what was gathered to the sink, with these bytes at their places in it.
    fn pass_on(&mut self, aside: &[(usize, &[u8])]) -> io::Result<()> {
        let gathered = self.encoder.get_ref();
        if gathered.is_empty() && aside.is_empty() {
            return Ok(());
        }
        let (mut slices, mut from) = (Vec::with_capacity(2 * aside.len() + 1), 0);
        for (place, bytes) in aside {
            slices.extend([IoSlice::new(&gathered[from..*place]), IoSlice::new(bytes)]);
            from = *place;
        }
        slices.push(IoSlice::new(&gathered[from..]));
        let len: usize = slices.iter().map(|slice| slice.len()).sum();
        let result = write_all(&mut self.sink, &mut slices);
        self.encoder.get_mut().clear();
        self.note(result)?;
        self.taken += len as u64;
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

/// Lengths within a block.
struct Sizes {
    padding: usize,
    total: u32,
}

impl Record<'_> {
    fn fits(&self) -> bool {
        let kept = self.bytes[0].len().saturating_add(self.bytes[1].len());
        let comments: usize = self.texts().map(|text| text.len()).sum();
        kept <= MAX_PACKET && kept <= self.original_len as usize && comments <= MAX_COMMENTS
    }

    fn texts(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.comments.iter().filter(|text| !text.is_empty()).map(|comment| text(comment))
    }

    /// The block up to the second part of the bytes. Draft, 4.3.
    fn put_head(&self, block: &mut Vec<u8>) -> Sizes {
        let [head, payload] = self.bytes;
        let captured = LINK_HEADER + head.len() + payload.len();
        let padding = captured.next_multiple_of(4) - captured;
        // Code and length are four bytes, and so is the end of the options.
        let options: usize = self.texts().map(|text| 4 + text.len().next_multiple_of(4)).sum();
        let options = if options > 0 { options + 4 } else { 0 };
        let total = (AROUND + captured + padding + options) as u32;
        let (high, low) = ((self.time.0 >> 32) as u32, self.time.0 as u32);
        let original = self.original_len.saturating_add(LINK_HEADER as u32);
        let leg = interface(self.leg);
        for word in [ENHANCED_PACKET, total, leg, high, low, captured as u32, original] {
            block.extend_from_slice(&word.to_le_bytes());
        }
        block.extend_from_slice(&address_family(head));
        block.extend_from_slice(head);
        Sizes { padding, total }
    }

    /// The block from there on.
    fn put_tail(&self, block: &mut Vec<u8>, Sizes { padding, total }: Sizes) {
        block.extend_from_slice(&[0; 3][..padding]);
        for text in self.texts() {
            put_option(block, COMMENT, text.as_bytes());
        }
        if self.texts().next().is_some() {
            block.extend_from_slice(&[0; 4]);
        }
        block.extend_from_slice(&total.to_le_bytes());
    }
}

/// All slices, in their order.
fn write_all(sink: &mut impl Write, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0); // leaves out what is empty
    while !slices.is_empty() {
        match sink.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// One option, padded. Draft, 3.5.
fn put_option(block: &mut Vec<u8>, code: u16, value: &[u8]) {
    block.extend_from_slice(&code.to_le_bytes());
    block.extend_from_slice(&(value.len() as u16).to_le_bytes());
    block.extend_from_slice(value);
    block.extend_from_slice(&[0; 3][..value.len().next_multiple_of(4) - value.len()]);
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
