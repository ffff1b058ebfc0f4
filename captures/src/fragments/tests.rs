//! Fragments in every order.
