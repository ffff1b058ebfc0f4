//! The tables behind `rdpwhy explain`: what each code officially means, where that is written, and
//! how well the row is known. Nothing here looks at a connection; a code alone is never a cause.
//!
//! **To add a code**: one row, in order of value, in the table it belongs to, with the place where its
//! meaning is written. A meaning that nobody official wrote down is [`Standing::Reported`]; a row that
//! no source explains is [`Standing::Unverified`]. What a code does *not* tell stands in `advice.rs`.

mod advice;
pub mod alert;
pub mod cipher;
pub mod errinfo;
pub mod events;
mod explain;
pub mod extended;
mod item;
pub mod mstsc;
pub mod negotiation;
pub mod ntstatus;
mod query;
mod text;

pub use explain::explain;
pub use item::{Explanation, Item};
pub use query::ExplainError;

/// How well a row of a table is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// A protocol specification or an RFC says so.
    Specified,
    /// The vendor's reference documentation says so.
    Documented,
    /// Users, secondary lists or other implementations say so; no reference of the vendor was found.
    Reported,
    /// Nobody could say where it comes from. Do not build on it.
    Unverified,
}

impl Standing {
    /// The words printed behind a source.
    pub fn words(self) -> &'static str {
        match self {
            Standing::Specified => "specified by the protocol",
            Standing::Documented => "documented by the vendor",
            Standing::Reported => "reported, not confirmed by a specification",
            Standing::Unverified => "unverified, do not rely on it",
        }
    }
}

/// One row of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The number, as it travels or as the program shows it.
    pub value: u32,
    /// Its symbolic name, where it has one.
    pub name: Option<&'static str>,
    /// What it means, in one plain sentence.
    pub meaning: &'static str,
    /// Where that meaning is written.
    pub source: &'static str,
    /// How well it is known.
    pub standing: Standing,
}

impl Code {
    /// A named row of a protocol specification.
    const fn specified(
        value: u32,
        name: &'static str,
        meaning: &'static str,
        source: &'static str,
    ) -> Code {
        Code { value, name: Some(name), meaning, source, standing: Standing::Specified }
    }

    /// A named row of the vendor's documentation.
    const fn documented(
        value: u32,
        name: &'static str,
        meaning: &'static str,
        source: &'static str,
    ) -> Code {
        Code { value, name: Some(name), meaning, source, standing: Standing::Documented }
    }

    /// A row that only secondary sources know, without an official name.
    const fn reported(value: u32, meaning: &'static str, source: &'static str) -> Code {
        Code { value, name: None, meaning, source, standing: Standing::Reported }
    }

    /// A row whose meaning nobody could confirm.
    const fn unverified(value: u32, meaning: &'static str, source: &'static str) -> Code {
        Code { value, name: None, meaning, source, standing: Standing::Unverified }
    }
}

/// The row of a table sorted by value that has this value.
fn find(table: &'static [Code], value: u32) -> Option<&'static Code> {
    let at = table.binary_search_by_key(&value, |code| code.value).ok()?;
    table.get(at)
}

#[cfg(test)]
pub(crate) mod checks {
    use super::{Code, Standing};
    use std::ops::RangeInclusive;

    /// Every value of `ranges` has a row, every row is in `ranges`, sorted and without repetition.
    pub fn covers(table: &[Code], ranges: &[RangeInclusive<u32>]) {
        let wanted: Vec<u32> = ranges.iter().flat_map(|range| range.clone()).collect();
        let have: Vec<u32> = table.iter().map(|code| code.value).collect();
        assert_eq!(have, wanted);
        assert!(have.windows(2).all(|pair| pair[0] < pair[1]), "sorted and unique");
    }

    /// Every row says something, says where, and only unverified ones go without a real source.
    pub fn is_written_out(table: &[Code]) {
        for code in table {
            assert!(code.meaning.ends_with('.'), "{:#x}: {}", code.value, code.meaning);
            assert!(code.source.len() > 5, "{:#x} has no source", code.value);
            assert!(code.name != Some(""), "{:#x} has an empty name", code.value);
            if matches!(code.standing, Standing::Specified | Standing::Documented) {
                assert!(code.name.is_some(), "{:#x} is official and has no name", code.value);
            }
        }
    }
}
