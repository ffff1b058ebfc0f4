//! The only door out: the types of schema `rdpwhy/1`, and their rendering as text.

mod schema;

pub use schema::*;
