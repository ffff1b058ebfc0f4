//! Segments and ICMP errors from bytes written by hand.
