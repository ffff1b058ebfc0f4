//! Numbers out of byte slices, by offset and byte order, with `None` where the slice is too short.

/// Byte order of a capture file's own fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Big,
    Little,
}

impl Order {
    pub(crate) fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let raw = array(bytes, at)?;
        Some(match self {
            Order::Big => u16::from_be_bytes(raw),
            Order::Little => u16::from_le_bytes(raw),
        })
    }

    pub(crate) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let raw = array(bytes, at)?;
        Some(match self {
            Order::Big => u32::from_be_bytes(raw),
            Order::Little => u32::from_le_bytes(raw),
        })
    }

    pub(crate) fn u64(self, bytes: &[u8], at: usize) -> Option<u64> {
        let raw = array(bytes, at)?;
        Some(match self {
            Order::Big => u64::from_be_bytes(raw),
            Order::Little => u64::from_le_bytes(raw),
        })
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
