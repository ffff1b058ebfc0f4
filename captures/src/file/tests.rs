//! Files byte by byte, as their formats say, and what is read from them.
