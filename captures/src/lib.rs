#![forbid(unsafe_code)]
//! Capture files.
