//! A value in the forms in which the levels hold it: in memory as it is, elsewhere as sealed JSON.
//!
//! What stands beside a sealed value is part of what it is sealed for, so none of it can be exchanged.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Core, Policy, Tag,
    team::{Kept, Stamp},
};

/// The release that wrote a value: another may have changed what it means.
const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// What a value is known by.
#[derive(Debug)]
pub(super) struct Key {
    /// In memory.
    pub(super) hash: [u8; 32],
    /// Elsewhere.
    pub(super) text: String,
    /// The tag that it hangs on by itself.
    pub(super) tag: Tag,
}

impl Key {
    pub(super) fn new(policy: &Policy, key: &str) -> Self {
        let hash = blake3::hash(key.as_bytes());
        // Keys may be secret, or long: nobody sees more of them than their hash.
        let text = format!("{}:{RELEASE}:{}:{}", policy.name, policy.version, hash.to_hex());
        Self { hash: *hash.as_bytes(), text, tag: Tag::new(policy.name, key) }
    }

    /// The name of its file.
    pub(super) fn file_name(&self) -> String {
        blake3::hash(self.text.as_bytes()).to_hex().to_string()
    }
}

/// When a computation began, by all who count.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    /// By the steady clock of this process.
    pub(super) at_ms: u64,
    /// By the ledger of this process.
    pub(super) count: u64,
    /// By the team; absent where it was not asked, or did not answer.
    pub(super) stamp: Option<Stamp>,
}

impl Begun {
    pub(super) fn now(core: &Core) -> Self {
        Self { at_ms: core.hearing.now_ms(), count: core.ledger.now(), stamp: None }
    }
}

/// For how long a value is new, and for how long after that it serves where there is no newer one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetime {
    pub(super) fresh: Duration,
    pub(super) grace: Duration,
}

/// A value in memory; `None` says that there is nothing.
#[derive(Debug)]
pub(super) struct Held<V> {
    pub(super) value: Option<Arc<V>>,
    pub(super) tags: Vec<Tag>,
    pub(super) begun: Begun,
    /// When it was last known that nobody had invalidated it.
    checked_ms: AtomicU64,
    fresh_until_ms: u64,
    pub(super) size_bytes: u32,
}

impl<V> Held<V> {
    /// A value that was just computed. What is not to be kept anywhere needs no text.
    pub(super) fn new(
        core: &Core,
        value: Option<Arc<V>>,
        plain: Option<&Plain>,
        begun: Begun,
        fresh: Duration,
    ) -> Self {
        let (tags, json_bytes) = plain.map_or((Vec::new(), 0), |plain| (plain.tags.clone(), plain.json.len()));
        let fresh_ms = u64::try_from(fresh.as_millis()).unwrap_or(u64::MAX);
        Self {
            value,
            checked_ms: AtomicU64::new(begun.at_ms),
            fresh_until_ms: core.hearing.now_ms().saturating_add(fresh_ms),
            // What the value itself takes is about as long as its text.
            size_bytes: u32::try_from(json_bytes + 64 * tags.len() + 256).unwrap_or(u32::MAX),
            tags,
            begun,
        }
    }

    pub(super) fn is_fresh(&self, core: &Core) -> bool {
        core.hearing.now_ms() < self.fresh_until_ms
    }

    /// Whether it is known, without asking anybody, that nobody invalidated it.
    pub(super) fn is_believed(&self, core: &Core) -> bool {
        core.hearing.believes(self.checked_ms.load(Ordering::Relaxed)) && !self.was_named(core)
    }

    /// Whether this process knows that it is invalid.
    pub(super) fn was_named(&self, core: &Core) -> bool {
        core.ledger.was_named(&self.tags, self.begun.count)
    }

    pub(super) fn note_checked(&self, at_ms: u64) {
        self.checked_ms.fetch_max(at_ms, Ordering::Relaxed);
    }
}

/// A value outside of memory, before it is sealed.
#[derive(Debug, Clone)]
pub(super) struct Plain {
    pub(super) tags: Vec<Tag>,
    /// The value, or `null`, as JSON.
    pub(super) json: Vec<u8>,
}

impl Plain {
    pub(super) fn of<V: Serialize>(value: Option<&V>, tags: Vec<Tag>) -> Option<Self> {
        Some(Self { tags, json: serde_json::to_vec(&value).ok()? })
    }

    /// The value as memory holds it.
    pub(super) fn hold<V: DeserializeOwned>(&self, core: &Core, begun: Begun, fresh: Duration) -> Option<Held<V>> {
        let value: Option<V> = serde_json::from_slice(&self.json).ok()?;
        Some(Held::new(core, value.map(Arc::new), Some(self), begun, fresh))
    }

    /// The value as Redis keeps it.
    pub(super) fn seal(&self, core: &Core, key: &Key, stamp: &Stamp, left: Duration) -> Option<Kept> {
        let tags = Tag::join(&self.tags);
        let sealed = core.sealer.seal(&place(key, stamp, &tags), &self.json).ok()?;
        Some(Kept { stamp: stamp.clone(), tags, sealed, left })
    }

    /// A value that Redis kept; nothing where it is none of ours, or was changed.
    pub(super) fn open(core: &Core, key: &Key, kept: &Kept) -> Option<Self> {
        let json = core.sealer.open(&place(key, &kept.stamp, &kept.tags), &kept.sealed).ok()?;
        Some(Self { tags: Tag::split(&kept.tags)?, json })
    }
}

fn place(key: &Key, stamp: &Stamp, tags: &str) -> String {
    format!("cache.{}.{}.{}.{tags}", key.text, stamp.epoch, stamp.count)
}

/// What stands in a file before the sealed value, in one line.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    epoch: String,
    count: u64,
    tags: String,
    /// When it was computed, by the clock of a machine.
    at_ms: i64,
    fresh_ms: u64,
    grace_ms: u64,
}

/// A value from a file.
#[derive(Debug)]
pub(super) struct Filed {
    pub(super) plain: Plain,
    pub(super) stamp: Stamp,
    /// What is left of its time.
    pub(super) lifetime: Lifetime,
}

impl Filed {
    /// The bytes of the file.
    pub(super) fn write(&self, core: &Core, key: &Key) -> Option<Vec<u8>> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let head = serde_json::to_string(&Head {
            epoch: self.stamp.epoch.clone(),
            count: self.stamp.count,
            tags: Tag::join(&self.plain.tags),
            at_ms: core.clock.now_ms(),
            fresh_ms: millis(self.lifetime.fresh),
            grace_ms: millis(self.lifetime.grace),
        });
        let head = head.ok()?;
        let sealed = core.sealer.seal(&file_place(key, &head), &self.plain.json).ok()?;
        Some([head.as_bytes(), b"\n", &sealed].concat())
    }

    /// The value of a file; nothing where it is none of ours, was cut short or changed, or has had its time.
    pub(super) fn read(core: &Core, key: &Key, bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let text = std::str::from_utf8(&bytes[..end]).ok()?;
        let json = core.sealer.open(&file_place(key, text), &bytes[end + 1..]).ok()?;
        let head: Head = serde_json::from_str(text).ok()?;
        // A clock that went back makes it old, not young for ever.
        let age_ms = u64::try_from(core.clock.now_ms().checked_sub(head.at_ms)?).ok()?;
        let past_ms = age_ms.saturating_sub(head.fresh_ms);
        let lifetime = Lifetime {
            fresh: Duration::from_millis(head.fresh_ms.saturating_sub(age_ms)),
            grace: Duration::from_millis(head.grace_ms.checked_sub(past_ms)?),
        };
        let plain = Plain { tags: Tag::split(&head.tags)?, json };
        Some(Self { plain, stamp: Stamp { epoch: head.epoch, count: head.count }, lifetime })
    }
}

fn file_place(key: &Key, head: &str) -> String {
    format!("cache-file.{}.{head}", key.text)
}
