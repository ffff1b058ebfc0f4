//! gzip (RFC 1952) and Zstandard (RFC 8878) around a capture, found by their first bytes.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::BlockDecodingStrategy;
use ruzstd::decoding::FrameDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

use crate::buffer::Buffer;

/// How often compression may be nested: a compressed file that was compressed again.
const NESTING: usize = 2;

/// Puts the decompressors in place that the first bytes ask for.
pub(crate) fn unwrap(source: Box<dyn Read + '_>) -> io::Result<Buffer<'_>> {
    let mut buffer = Buffer::new(source);
    for _ in 0..NESTING {
        buffer.fill(4)?;
        match Compression::of(buffer.data()) {
            Some(Compression::Gzip) => {
                buffer = Buffer::new(Box::new(MultiGzDecoder::new(buffer.into_stream())));
            }
            Some(Compression::Zstd) => {
                buffer = Buffer::new(Box::new(ZstdFrames::new(buffer.into_stream())));
            }
            None => break,
        }
    }
    Ok(buffer)
}

/// A compression that is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    /// What the first bytes of a stream announce.
    pub(crate) fn of(first: &[u8]) -> Option<Self> {
        match first {
            [0x1f, 0x8b, ..] => Some(Compression::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                Some(Compression::Zstd)
            }
            _ => None,
        }
    }
}

/// Zstandard frames one behind the other, skippable ones left out. RFC 8878 3.1.
struct ZstdFrames<'r> {
    source: io::BufReader<Box<dyn Read + 'r>>,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<'r> ZstdFrames<'r> {
    fn new(source: Box<dyn Read + 'r>) -> Self {
        ZstdFrames {
            source: io::BufReader::with_capacity(1 << 16, source),
            decoder: FrameDecoder::new(),
            in_frame: false,
        }
    }

    /// Starts the next frame; `false` at the end of the stream.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            if io::BufRead::fill_buf(&mut self.source)?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let wanted = u64::from(length);
                    let skipped = io::copy(&mut (&mut self.source).take(wanted), &mut io::sink())?;
                    if skipped < wanted {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }
}

impl Read for ZstdFrames<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.in_frame {
                if !self.next_frame()? {
                    return Ok(0);
                }
                self.in_frame = true;
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(io::Error::other)?;
            }
            let count = self.decoder.read(out)?;
            if count > 0 || out.is_empty() {
                return Ok(count);
            }
            self.in_frame = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn all(bytes: &[u8]) -> Vec<u8> {
        let mut buffer = unwrap(Box::new(bytes)).unwrap();
        let mut out = Vec::new();
        while buffer.fill(1).unwrap() {
            out.extend_from_slice(buffer.data());
            buffer.consume(buffer.data().len());
        }
        out
    }

    #[test]
    fn plain_gzip_zstd_and_one_in_the_other() {
        let bytes: Vec<u8> = (0..300_000u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
        assert_eq!(all(&bytes), bytes);
        assert_eq!(all(&gzip(&bytes)), bytes);
        assert_eq!(all(&zstd(&bytes)), bytes);
        assert_eq!(all(&gzip(&zstd(&bytes))), bytes);
        assert_eq!(all(&zstd(&gzip(&bytes))), bytes);
    }

    #[test]
    fn members_and_frames_that_follow_one_another() {
        assert_eq!(all(&[gzip(b"one"), gzip(b"two")].concat()), b"onetwo");
        let skippable = [0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9];
        assert_eq!(
            all(&[&skippable[..], &zstd(b"one"), &skippable, &zstd(b"two")].concat()),
            b"onetwo"
        );
    }

    #[test]
    fn a_third_layer_is_not_opened() {
        assert_eq!(all(&gzip(&gzip(&gzip(b"x")))), gzip(b"x"));
    }
}
