//! Not seen, hidden, or seen: three things that a `None` would confuse.

use crate::event::At;

/// A fact and how we know it.
#[derive(Clone, Debug, Default)]
pub enum Known<T> {
    /// It did not occur, as far as the input goes.
    #[default]
    NotSeen,
    /// It may have occurred; this is why it can not be seen.
    Hidden(Why),
    /// It occurred.
    Seen(Seen<T>),
}

/// Why something can not be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// TLS 1.3 encrypts everything behind ServerHello.
    Tls13,
    /// The source lost the bytes that would tell.
    Lost,
    /// The input starts behind it.
    Before,
}

/// A value with its evidence.
#[derive(Clone, Copy, Debug)]
pub struct Seen<T> {
    /// What was seen.
    pub value: T,
    /// When and where.
    pub at: At,
}

impl<T> Known<T> {
    /// The value with its evidence, where it was seen.
    pub fn seen(&self) -> Option<&Seen<T>> {
        match self {
            Known::Seen(seen) => Some(seen),
            _ => None,
        }
    }

    /// The value, where it was seen.
    pub fn value(&self) -> Option<&T> {
        self.seen().map(|seen| &seen.value)
    }

    /// True where it was seen.
    pub fn is_seen(&self) -> bool {
        self.seen().is_some()
    }

    /// True where it certainly did not occur within the input.
    pub fn is_absent(&self) -> bool {
        matches!(self, Known::NotSeen)
    }

    /// Sets the value; the first one stays.
    pub fn set(&mut self, at: At, value: T) {
        if !self.is_seen() {
            *self = Known::Seen(Seen { value, at });
        }
    }

    /// Marks as hidden what has not been seen.
    pub fn hide(&mut self, why: Why) {
        if self.is_absent() {
            *self = Known::Hidden(why);
        }
    }
}
