//! The only door out: the types of schema `rdpwhy/1`, and their rendering as text.

mod schema;
pub mod text;

pub use schema::*;

/// The JSON Schema (draft 2020-12) of `rdpwhy/1`: of one connection, and of the document.
pub const JSON_SCHEMA: &str = include_str!("rdpwhy-1.schema.json");

#[cfg(test)]
mod samples;
#[cfg(test)]
mod schema_tests;
