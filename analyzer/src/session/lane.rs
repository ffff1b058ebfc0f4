//! What a session remembers of one direction between two inputs.

use crate::records::{FrameStart, RecordScanner};
use crate::wire::tls::HandshakeBuffer;

/// One direction's unfinished business.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    /// Walks the frames.
    pub scanner: RecordScanner,
    /// The first bytes, until they tell what the peer speaks; `None` afterwards.
    pub first: Option<Vec<u8>>,
    /// Bytes of a preconnection PDU or PROXY header still to pass.
    pub preamble: usize,
    /// What the scanner is in the middle of.
    pub frame: Frame,
}

/// A frame being read.
#[derive(Clone, Debug, Default)]
pub(super) struct Frame {
    /// Its header; `None` between two frames.
    pub start: Option<FrameStart>,
    /// What was kept of its body.
    pub body: Vec<u8>,
    /// How much of it is worth keeping.
    pub wanted: usize,
    /// Part of its body was not in the input.
    pub cut: bool,
    /// Joins handshake messages across records.
    pub handshake: HandshakeBuffer,
    /// Fast-path PDUs may come from the next frame on.
    pub fast_path_begins: bool,
}

impl Lane {
    /// How many first bytes are held back at most: enough for an HTTP status line and its headers.
    pub const FIRST: usize = 2048;

    /// What of the next bytes no longer belongs to a preamble.
    #[inline]
    pub fn behind_preamble<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        if self.preamble == 0 {
            return bytes;
        }
        let (skipped, rest) = bytes.split_at(self.preamble.min(bytes.len()));
        self.preamble -= skipped.len();
        rest
    }
}

impl Frame {
    /// Memory that is kept from frame to frame: long ones are rare and come early.
    pub const KEPT: usize = 512;

    /// Nobody wants more of its body than there is.
    pub fn has_enough(&self) -> bool {
        self.cut || self.body.len() >= self.wanted
    }
}

impl Default for Lane {
    fn default() -> Self {
        Lane {
            scanner: RecordScanner::default(),
            first: Some(Vec::new()),
            preamble: 0,
            frame: Frame::default(),
        }
    }
}
