//! Every recipe.

use crate::recipe::Recipe;

mod cert_key_mismatch;
mod clean_session;
mod tcp_syn_drop;

/// The table. What is cheap and decisive comes first.
pub const RECIPES: &[Recipe] =
    &[clean_session::RECIPE, tcp_syn_drop::RECIPE, cert_key_mismatch::RECIPE];
