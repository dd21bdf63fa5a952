//! Ids: UUIDs of version 7, which sort by the time of their making, in a type of their own for each thing they name.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

use uuid::Uuid;

use crate::{Clock, Rng};

/// Where new ids come from.
pub trait IdSource: Debug + Send + Sync {
    /// An id that was never given before.
    fn next_id(&self) -> Uuid;
}

/// UUIDs of version 7 (RFC 9562, section 5.7), each greater than the one before, also when the clock goes back.
#[derive(Debug)]
pub struct TimeOrderedIds {
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    last: Mutex<Last>,
}

/// The millisecond of the last id, and how many were made in it (the 12 bits of `rand_a` count: section 6.2, method 1).
#[derive(Debug, Default)]
struct Last {
    at_ms: u64,
    count: u16,
}

/// What 12 bits hold.
const MAX_COUNT: u16 = 0x0FFF;

impl TimeOrderedIds {
    pub fn new(clock: Arc<dyn Clock>, rng: Arc<dyn Rng>) -> Self {
        Self { clock, rng, last: Mutex::new(Last::default()) }
    }

    fn next_place(&self) -> (u64, u16) {
        let now_ms = u64::try_from(self.clock.now_ms()).unwrap_or(0);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if now_ms > last.at_ms {
            *last = Last { at_ms: now_ms, count: 0 };
        } else if last.count < MAX_COUNT {
            last.count += 1;
        } else {
            *last = Last { at_ms: last.at_ms + 1, count: 0 };
        }
        (last.at_ms, last.count)
    }
}

impl IdSource for TimeOrderedIds {
    fn next_id(&self) -> Uuid {
        let (at_ms, count) = self.next_place();
        let mut bytes = [0; 10];
        self.rng.fill(&mut bytes);
        bytes[..2].copy_from_slice(&count.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(at_ms, &bytes).into_uuid()
    }
}

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the id of {thing}; ids look like `0193a5c4-7b1e-7c3a-9f00-2b6d1e8a4c55`")]
pub struct IdError {
    pub text: String,
    /// What it should have named, with its article.
    pub thing: &'static str,
}

/// Makes a type for the ids of one sort of thing, so that no other id can stand in its place.
///
/// `id_type!(VideoId, "a video")` makes `VideoId` with `new(&dyn IdSource)`, conversions from and to [`Uuid`], and the usual
/// text form.
#[macro_export]
macro_rules! id_type {
    ($name:ident, $thing:literal) => {
        #[doc = concat!("The id of ", $thing, ".")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name($crate::Uuid);

        impl $name {
            /// An id that was never given before.
            pub fn new(ids: &dyn $crate::IdSource) -> Self {
                Self(ids.next_id())
            }

            pub const fn from_uuid(id: $crate::Uuid) -> Self {
                Self(id)
            }

            pub const fn as_uuid(self) -> $crate::Uuid {
                self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::IdError;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                let wrong = |_| $crate::IdError { text: text.to_owned(), thing: $thing };
                text.parse().map(Self).map_err(wrong)
            }
        }

        impl $crate::serde::Serialize for $name {
            fn serialize<S: $crate::serde::Serializer>(&self, to: S) -> ::std::result::Result<S::Ok, S::Error> {
                $crate::serde::Serialize::serialize(&self.0, to)
            }
        }

        impl<'de> $crate::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::serde::Deserializer<'de>>(from: D) -> ::std::result::Result<Self, D::Error> {
                <$crate::Uuid as $crate::serde::Deserialize>::deserialize(from).map(Self)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use self::letter::LetterId;
    use super::*;
    use crate::{FixedClock, SeededRng};

    #[expect(unreachable_pub, reason = "an id is public wherever its module is")]
    mod letter {
        id_type!(LetterId, "a letter");
    }

    fn ids(at_ms: i64) -> TimeOrderedIds {
        TimeOrderedIds::new(Arc::new(FixedClock(at_ms)), Arc::new(SeededRng::new(1)))
    }

    #[test]
    fn ids_of_one_moment_differ_and_rise() {
        let ids = ids(1_700_000_000_000);
        let made: Vec<_> = (0..10_000).map(|_| ids.next_id()).collect();
        assert!(made.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(made.iter().all(|id| id.get_version_num() == 7));
    }

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        assert!(ids(1_700_000_000_000).next_id() < ids(1_700_000_000_001).next_id());
    }

    #[test]
    fn an_id_reads_back_from_its_text_and_from_json() {
        let id = LetterId::new(&ids(1));
        assert_eq!(LetterId::from_uuid(id.as_uuid()), id);
        assert_eq!(id.to_string().parse::<LetterId>(), Ok(id));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<LetterId>(&json).unwrap(), id);
    }

    #[test]
    fn a_text_that_is_no_id_is_named_with_what_it_should_be() {
        let error = "letter-1".parse::<LetterId>().unwrap_err();
        assert!(error.to_string().starts_with("`letter-1` is not the id of a letter"), "{error}");
    }
}
