//! What `explain` answers: plain values that the program prints as text or as JSON.

use super::Standing;

/// The answer to one `rdpwhy explain`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Explanation {
    /// One item per code, in the order asked; a pair adds an item for the two together.
    pub items: Vec<Item>,
}

/// What is known of one code.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Item {
    /// The query as it was typed.
    pub query: String,
    /// The value in hexadecimal; two of them with a slash for a pair.
    pub value: String,
    /// Which table it belongs to: `mstsc`, `extended`, `pair`, `errinfo`, `alert`, `ntstatus`,
    /// `negotiation` or `event`.
    pub table: &'static str,
    /// Its symbolic name; `None` when it has none or is not known.
    pub name: Option<String>,
    /// The log and provider of an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// How the number was read, where it could have been meant otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_as: Option<String>,
    /// What it means; for an unknown code, that it is unknown.
    pub meaning: String,
    /// Where that is written; `None` for an unknown code.
    pub source: Option<String>,
    /// How well it is known; `None` for an unknown code.
    pub standing: Option<Standing>,
    /// What it does not tell.
    pub does_not_tell: String,
    /// What to do next, most useful first. Empty in the halves of a pair, whose steps stand with the pair.
    pub next: Vec<String>,
}
