//! How a cache is to behave, what is put into it, and the tags by which it is taken out.

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Bytes of a tag: none is taken for another.
const TAG_BYTES: usize = 16;

/// How long what is computed is good for, and how far it is kept.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Names it in keys and numbers.
    pub name: &'static str,
    /// Counts the shapes that its values had: what another release wrote in another shape is never read.
    pub version: u32,
    /// How far values are kept.
    pub reach: Reach,
    /// How long a value is given out without asking again; up to a tenth less, so that those computed at once do not end
    /// at once.
    pub ttl: Duration,
    /// How long it is known that there is nothing, in memory alone. Zero where that is not kept.
    pub absent_ttl: Duration,
    /// How long after that a value is still given out where computing it anew fails. Never one that was invalidated.
    pub grace: Duration,
    /// How long one server waits for another that computes the same.
    pub patience: Duration,
    /// Its part of the memory for all caches of the process, in percent.
    pub memory_percent: u8,
}

/// How far the values of a cache are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// In the memory of this process and in Redis.
    Team,
    /// On the disk as well: for what is long good and outlasts a restart.
    TeamAndDisk,
}

/// What was computed: a value, or that there is none, and what it hangs on.
#[derive(Debug)]
pub struct Computed<V> {
    pub(super) value: Option<V>,
    pub(super) tags: Vec<Tag>,
}

impl<V> Computed<V> {
    /// A value.
    pub fn found(value: V) -> Self {
        Self { value: Some(value), tags: Vec::new() }
    }

    /// That there is none.
    pub fn absent() -> Self {
        Self { value: None, tags: Vec::new() }
    }

    /// Hangs it on `tag`: whoever invalidates that takes it out.
    #[must_use]
    pub fn tagged(mut self, tag: Tag) -> Self {
        self.tags.push(tag);
        self
    }
}

/// What values hang on, such as a user; known by the hash of its name, so that nobody reads names in Redis.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag([u8; TAG_BYTES]);

impl Tag {
    /// The tag of a thing of some kind, such as a `user` with this id.
    pub fn new(kind: &str, id: impl fmt::Display) -> Self {
        let mut bytes = [0; TAG_BYTES];
        let hash = blake3::hash(format!("{kind}:{id}").as_bytes());
        bytes.copy_from_slice(&hash.as_bytes()[..TAG_BYTES]);
        Self(bytes)
    }

    /// Tags as they are sent: words with spaces between.
    pub(super) fn join(tags: &[Self]) -> String {
        tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    /// Tags as they were sent; nothing where one of them is none.
    pub(super) fn split(text: &str) -> Option<Vec<Self>> {
        let read = |word: &str| Some(Self(URL_SAFE_NO_PAD.decode(word).ok()?.try_into().ok()?));
        text.split_ascii_whitespace().map(read).collect()
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_they_were_sent() {
        let tags = [Tag::new("user", 1), Tag::new("user", 2)];
        assert_ne!(tags[0], tags[1]);
        assert_eq!(Tag::split(&Tag::join(&tags)), Some(tags.to_vec()));
        assert_eq!(Tag::split(""), Some(Vec::new()));
        assert_eq!(Tag::split("short"), None);
    }
}
