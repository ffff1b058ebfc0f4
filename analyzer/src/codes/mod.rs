//! The tables behind `rdpwhy explain`.
