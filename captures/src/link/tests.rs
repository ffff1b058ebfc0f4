//! Packets of each link type and tunnel, from bytes written by hand.
