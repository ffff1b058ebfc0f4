//! A cursor over received bytes. It never panics and never reads past the end;
//! every failure says what was being read and at which offset.

/// Why bytes could not be read as the thing they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The bytes so far are fine, but more are needed.
    #[error("{what} at byte {offset} needs {need} more bytes")]
    Incomplete {
        /// The field being read.
        what: &'static str,
        /// Offset of that field from the start of the outermost buffer.
        offset: usize,
        /// How many bytes are missing at least.
        need: usize,
    },
    /// The bytes can not be this, however many follow.
    #[error("{what} at byte {offset} is malformed")]
    Malformed {
        /// The field being read.
        what: &'static str,
        /// Offset of that field from the start of the outermost buffer.
        offset: usize,
    },
}

impl ParseError {
    /// True when more bytes could still turn this into a success.
    pub fn is_incomplete(&self) -> bool {
        matches!(self, ParseError::Incomplete { .. })
    }
}

/// The result of every parser in `wire`.
pub type Parsed<T> = Result<T, ParseError>;

/// A cursor over a byte slice. Offsets in errors count from the start of the outermost reader.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    base: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0, base: 0 }
    }

    /// Offset of the next byte from the start of the outermost reader.
    pub fn offset(&self) -> usize {
        self.base + self.at
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// True when nothing is left.
    pub fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize, what: &'static str) -> Parsed<&'a [u8]> {
        if self.left() < n {
            return Err(ParseError::Incomplete {
                what,
                offset: self.offset(),
                need: n - self.left(),
            });
        }
        let taken = &self.bytes[self.at..self.at + n];
        self.at += n;
        Ok(taken)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Parsed<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, what)?);
        Ok(array)
    }

    /// One byte.
    pub fn u8(&mut self, what: &'static str) -> Parsed<u8> {
        Ok(self.array::<1>(what)?[0])
    }

    /// A big-endian 16-bit number.
    pub fn u16_be(&mut self, what: &'static str) -> Parsed<u16> {
        self.array(what).map(u16::from_be_bytes)
    }

    /// A little-endian 16-bit number.
    pub fn u16_le(&mut self, what: &'static str) -> Parsed<u16> {
        self.array(what).map(u16::from_le_bytes)
    }

    /// A big-endian 24-bit number.
    pub fn u24_be(&mut self, what: &'static str) -> Parsed<u32> {
        let [a, b, c] = self.array(what)?;
        Ok(u32::from_be_bytes([0, a, b, c]))
    }

    /// A little-endian 32-bit number.
    pub fn u32_le(&mut self, what: &'static str) -> Parsed<u32> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// A child reader over the next `n` bytes; its errors count from the same start.
    pub fn sub(&mut self, n: usize, what: &'static str) -> Parsed<Reader<'a>> {
        let base = self.offset();
        Ok(Reader { bytes: self.take(n, what)?, at: 0, base })
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        self.at = self.bytes.len();
        rest
    }

    /// The next byte without taking it.
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// A [`ParseError::Malformed`] at the current offset.
    pub fn malformed(&self, what: &'static str) -> ParseError {
        ParseError::Malformed { what, offset: self.offset() }
    }
}

/// Within a structure whose length is already known to be complete, running out of bytes is damage,
/// not a reason to wait.
pub fn complete<T>(parsed: Parsed<T>) -> Parsed<T> {
    parsed.map_err(|error| match error {
        ParseError::Incomplete { what, offset, .. } => ParseError::Malformed { what, offset },
        malformed => malformed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_reports_offsets_from_the_outermost_start() {
        let mut reader = Reader::new(&[1, 2, 3, 4]);
        assert_eq!(reader.u8("first"), Ok(1));
        let mut child = reader.sub(2, "child").unwrap();
        assert_eq!(child.u16_be("pair"), Ok(0x0203));
        assert_eq!(
            child.u8("beyond"),
            Err(ParseError::Incomplete { what: "beyond", offset: 3, need: 1 })
        );
        assert_eq!(reader.rest(), &[4]);
    }

    #[test]
    fn running_out_inside_a_complete_structure_is_damage() {
        let parsed = complete(Reader::new(&[1]).u16_be("length"));
        assert_eq!(parsed, Err(ParseError::Malformed { what: "length", offset: 0 }));
    }
}
