//! Compressed captures: gzip (RFC 1952) and Zstandard (RFC 8878) undone while reading.

use std::io::{self, BufRead, BufReader, Read};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// A way to compress, as the first bytes tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    /// RFC 1952 2.3.1.
    Gzip,
    /// RFC 8878 3.1.1.
    Zstd,
}

impl Compression {
    /// Tells the compression of a file that begins with `head`.
    pub(super) fn of(head: &[u8]) -> Option<Compression> {
        match head {
            [0x1f, 0x8b, ..] => Some(Compression::Gzip),
            // A frame, or a frame to skip, which some writers put first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                Some(Compression::Zstd)
            }
            _ => None,
        }
    }
}

/// The bytes of the capture, whatever lies around them.
pub(super) enum Source<R: Read> {
    Plain(Rewound<R>),
    Gzip(Box<MultiGzDecoder<Rewound<R>>>),
    Zstd(Box<ZstdFrames<Rewound<R>>>),
}

impl<R: Read> Source<R> {
    /// Wraps a source in the reader for its compression.
    pub(super) fn new(source: Rewound<R>, compression: Option<Compression>) -> Self {
        match compression {
            None => Source::Plain(source),
            Some(Compression::Gzip) => Source::Gzip(Box::new(MultiGzDecoder::new(source))),
            Some(Compression::Zstd) => Source::Zstd(Box::new(ZstdFrames::new(source))),
        }
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Source::Plain(source) => source.read(into),
            Source::Gzip(source) => source.read(into),
            Source::Zstd(source) => source.read(into),
        }
    }
}

/// A source whose first bytes were looked at and are given again: a pipe cannot seek.
pub(super) struct Rewound<R> {
    head: [u8; 4],
    position: usize,
    len: usize,
    source: R,
}

impl<R: Read> Rewound<R> {
    /// Reads the first four bytes, or fewer where the source is shorter.
    pub(super) fn new(mut source: R) -> io::Result<Self> {
        let mut head = [0; 4];
        let mut len = 0;
        while let Some(spare) = head.get_mut(len..).filter(|spare| !spare.is_empty()) {
            match source.read(spare) {
                Ok(0) => break,
                Ok(count) => len += count.min(spare.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Rewound { head, position: 0, len, source })
    }

    /// The first bytes, of those not yet read again.
    pub(super) fn head(&self) -> &[u8] {
        self.head.get(self.position..self.len).unwrap_or_default()
    }
}

impl<R: Read> Read for Rewound<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.head().read(into)?;
        if count == 0 {
            return self.source.read(into);
        }
        self.position += count;
        Ok(count)
    }
}

/// All frames of a Zstandard file, one after the other. The decoder itself stops after one, but
/// parallel compressors write many.
pub(super) struct ZstdFrames<R> {
    source: BufReader<R>,
    decoder: FrameDecoder,
    inside: bool,
}

impl<R: Read> ZstdFrames<R> {
    fn new(source: R) -> Self {
        ZstdFrames { source: BufReader::new(source), decoder: FrameDecoder::new(), inside: false }
    }

    /// Goes to the next frame; gives false at the end of the file.
    fn next_frame(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = (&mut self.source).take(u64::from(length));
                    io::copy(&mut skipped, &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }
}

impl<R: Read> Read for ZstdFrames<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            if self.inside {
                if self.decoder.can_collect() > 0 {
                    return self.decoder.read(into);
                }
                if !self.decoder.is_finished() {
                    self.decoder
                        .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                        .map_err(io::Error::other)?;
                    continue;
                }
            }
            self.inside = self.next_frame()?;
            if !self.inside {
                return Ok(0);
            }
        }
    }
}
