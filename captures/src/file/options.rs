//! Byte order and options of pcapng blocks. draft-ietf-opsawg-pcapng 3.5.

/// Longest text kept of an option, in bytes.
const MAX_TEXT: usize = 4096;

/// Byte order of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Big,
    Little,
}

impl Order {
    /// Four bytes as a number.
    pub(super) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Order::Big => u32::from_be_bytes(bytes),
            Order::Little => u32::from_le_bytes(bytes),
        }
    }

    /// The number at `position`; none behind the end.
    pub(super) fn u32_at(self, bytes: &[u8], position: usize) -> Option<u32> {
        bytes.get(position..)?.first_chunk().map(|&bytes| self.u32(bytes))
    }

    /// The number at `position`; none behind the end.
    pub(super) fn u16_at(self, bytes: &[u8], position: usize) -> Option<u16> {
        let bytes = *bytes.get(position..)?.first_chunk()?;
        Some(match self {
            Order::Big => u16::from_be_bytes(bytes),
            Order::Little => u16::from_le_bytes(bytes),
        })
    }

    /// The number at `position`; none behind the end.
    pub(super) fn i64_at(self, bytes: &[u8], position: usize) -> Option<i64> {
        let bytes = *bytes.get(position..)?.first_chunk()?;
        Some(match self {
            Order::Big => i64::from_be_bytes(bytes),
            Order::Little => i64::from_le_bytes(bytes),
        })
    }
}

/// Codes and values of a list of options; ends at its end mark, or where the bytes end.
pub(super) struct Options<'a> {
    order: Order,
    rest: &'a [u8],
}

impl<'a> Options<'a> {
    /// Takes the bytes behind a block's fields.
    pub(super) fn new(order: Order, bytes: &'a [u8]) -> Self {
        Options { order, rest: bytes }
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let code = self.order.u16_at(self.rest, 0)?;
        let len = usize::from(self.order.u16_at(self.rest, 2)?);
        let value = self.rest.get(4..4 + len)?;
        // Some writers leave the padding of the last option away.
        self.rest = self.rest.get(4 + len.next_multiple_of(4)..).unwrap_or_default();
        (code != 0).then_some((code, value))
    }
}

/// An option's text: UTF-8 where it is, without the zero that some writers add, cut when long.
pub(super) fn text(value: &[u8]) -> String {
    let value = value.get(..MAX_TEXT).unwrap_or(value);
    String::from_utf8_lossy(value).trim_end_matches('\0').to_owned()
}
