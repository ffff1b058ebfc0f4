//! The rest of a packet while its layers come off: the captured bytes and how many there were on the wire.

use super::Unreadable;

/// Bytes yet to be read. Never more captured than on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<'a> {
    bytes: &'a [u8],
    wire: u32,
}

impl<'a> Span<'a> {
    /// A span of captured bytes that were `wire` bytes long, or as long as captured if that is more.
    pub(super) fn new(bytes: &'a [u8], wire: u32) -> Span<'a> {
        let captured = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Span { bytes, wire: wire.max(captured) }
    }

    /// The captured bytes.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The length on the wire.
    pub(super) fn wire(&self) -> u32 {
        self.wire
    }

    /// What follows `count` bytes of the header called `name`.
    pub(super) fn skip(&self, count: usize, name: &'static str) -> Result<Span<'a>, Unreadable> {
        let bytes = self.bytes.get(count..).ok_or(Unreadable::Cut(name))?;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Span { bytes, wire: self.wire.saturating_sub(count) })
    }

    /// The same without trailing bytes: at most `wire` long on the wire.
    pub(super) fn limit(&self, wire: u32) -> Span<'a> {
        self.exactly(wire.min(self.wire))
    }

    /// The same with the length on the wire that a header states, be it more than the frame had.
    pub(super) fn exactly(&self, wire: u32) -> Span<'a> {
        let captured =
            usize::try_from(wire).map_or(self.bytes.len(), |wire| wire.min(self.bytes.len()));
        Span { bytes: self.bytes.get(..captured).unwrap_or_default(), wire }
    }

    /// The byte at `at` of the header called `name`.
    pub(super) fn u8(&self, at: usize, name: &'static str) -> Result<u8, Unreadable> {
        self.bytes.get(at).copied().ok_or(Unreadable::Cut(name))
    }

    /// Two bytes, most significant first.
    pub(super) fn u16(&self, at: usize, name: &'static str) -> Result<u16, Unreadable> {
        self.array(at, name).map(u16::from_be_bytes)
    }

    /// Four bytes, most significant first.
    pub(super) fn u32(&self, at: usize, name: &'static str) -> Result<u32, Unreadable> {
        self.array(at, name).map(u32::from_be_bytes)
    }

    fn array<const N: usize>(&self, at: usize, name: &'static str) -> Result<[u8; N], Unreadable> {
        let found = self.bytes.get(at..).and_then(|rest| rest.first_chunk::<N>());
        found.copied().ok_or(Unreadable::Cut(name))
    }
}
