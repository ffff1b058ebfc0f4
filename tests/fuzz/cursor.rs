//! Arbitrary bytes taken apart by hand: every read succeeds, with zeros behind the end, so that a
//! mutated input still means something.

/// What is left of the input.
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Begins at the first byte.
    pub fn new(rest: &'a [u8]) -> Cursor<'a> {
        Cursor { rest }
    }

    /// Nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte.
    pub fn u8(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    /// The next four bytes.
    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    /// A number that is mostly small and can be any: one byte, or up to eight behind it.
    pub fn number(&mut self) -> u64 {
        match self.u8() {
            253 => u64::from(self.u16()),
            254 => u64::from(self.u32()),
            255 => u64::from_be_bytes(self.array()),
            small => u64::from(small),
        }
    }

    /// As many of the next `count` bytes as there are.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// A run of bytes behind its length.
    pub fn run(&mut self) -> &'a [u8] {
        let count = self.number().min(65_536) as usize;
        self.take(count)
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let taken = self.take(N);
        array[..taken.len()].copy_from_slice(taken);
        array
    }
}
