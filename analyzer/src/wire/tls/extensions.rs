//! The extension block both hellos end with, and the lists inside of it.

use super::ExtensionType;
use crate::wire::{Parsed, Reader, complete};

/// The extensions left in `reader`, which holds the rest of a hello, in their order on the wire
/// (RFC 8446 section 4.2). None at all is legal up to TLS 1.2. Each reader holds one extension's data.
pub(super) fn extensions<'a>(reader: &mut Reader<'a>) -> Parsed<Vec<(ExtensionType, Reader<'a>)>> {
    let mut found = Vec::new();
    if reader.is_empty() {
        return Ok(found);
    }
    let length = reader.u16_be("extensions length")?;
    let mut block = reader.sub(length.into(), "extensions")?;
    if !reader.is_empty() {
        return Err(reader.malformed("bytes after the extensions"));
    }
    while !block.is_empty() {
        let typ = complete(block.u16_be("extension type"))?;
        let length = complete(block.u16_be("extension length"))?;
        let data = complete(block.sub(length.into(), "extension"))?;
        found.push((ExtensionType(typ), data));
    }
    Ok(found)
}

/// All 16-bit numbers left in `reader`; an odd byte at the end is `Malformed`.
pub(super) fn numbers(reader: &mut Reader<'_>, what: &'static str) -> Parsed<Vec<u16>> {
    let mut values = Vec::with_capacity(reader.left() / 2);
    while !reader.is_empty() {
        values.push(complete(reader.u16_be(what))?);
    }
    Ok(values)
}
