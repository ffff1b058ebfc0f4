//! The rules of the verdict: what may be named, when it abstains, and what every report carries.

mod naming;
mod outcomes;
mod packets;
