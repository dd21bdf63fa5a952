//! What this process knows to be invalid: by a count that goes up with each invalidation, and the count at which each tag was
//! last named. A value that began to be computed before a tag of its was named is not to be given out.

use std::{
    collections::HashMap,
    sync::{
        PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use super::Tag;

/// How many tags are remembered one by one. With more, everything from before is forgotten at once.
const MAX_TAGS: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Ledger {
    count: AtomicU64,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What began before this count is invalid, whatever it hangs on.
    floor: u64,
    /// The count at which each tag was last named.
    named: HashMap<Tag, u64>,
    /// What the others have still to be told, with the count at which it was named.
    untold: HashMap<Tag, u64>,
    /// That there is more to be told than can be remembered, with the count since when.
    all_untold: Option<u64>,
}

/// What the others have still to be told, as it was at some time.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Untold {
    Nothing,
    Tags(Vec<(Tag, u64)>),
    /// Everything that was ever kept is invalid.
    All(u64),
}

impl Ledger {
    /// The count now: a computation notes it before it begins.
    pub(super) fn now(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Whether one of `tags` was named since the count was `begun`.
    pub(super) fn was_named(&self, tags: &[Tag], begun: u64) -> bool {
        if self.now() == begun {
            return false;
        }
        let state = self.read();
        state.floor > begun || tags.iter().any(|tag| state.named.get(tag).is_some_and(|named| *named > begun))
    }

    /// From now on what hangs on these tags is invalid.
    pub(super) fn name(&self, tags: &[Tag]) {
        let mut state = self.write();
        self.name_in(&mut state, tags);
    }

    /// The same, and the others are to be told.
    pub(super) fn name_and_tell(&self, tags: &[Tag]) {
        let mut state = self.write();
        let count = self.name_in(&mut state, tags);
        state.untold.extend(tags.iter().map(|tag| (*tag, count)));
        if state.untold.len() > MAX_TAGS {
            state.untold.clear();
            state.all_untold = Some(count);
        }
    }

    /// From now on all from before is invalid.
    pub(super) fn name_all(&self) {
        let mut state = self.write();
        state.floor = self.count.fetch_add(1, Ordering::AcqRel) + 1;
        state.named.clear();
    }

    fn name_in(&self, state: &mut State, tags: &[Tag]) -> u64 {
        let count = self.count.fetch_add(1, Ordering::AcqRel) + 1;
        state.named.extend(tags.iter().map(|tag| (*tag, count)));
        if state.named.len() > MAX_TAGS {
            state.floor = count;
            state.named.clear();
        }
        count
    }

    /// Whether there is anything that the others have still to be told.
    pub(super) fn has_untold(&self) -> bool {
        let state = self.read();
        state.all_untold.is_some() || !state.untold.is_empty()
    }

    /// What is to be told next, at most so many tags.
    pub(super) fn untold(&self, at_most: usize) -> Untold {
        let state = self.read();
        match state.all_untold {
            Some(count) => Untold::All(count),
            None if state.untold.is_empty() => Untold::Nothing,
            None => Untold::Tags(state.untold.iter().take(at_most).map(|(tag, count)| (*tag, *count)).collect()),
        }
    }

    /// Notes that the others know it. What was named again meanwhile is to be told again.
    pub(super) fn told(&self, told: &Untold) {
        let mut state = self.write();
        match told {
            Untold::Tags(tags) => {
                for (tag, count) in tags {
                    if state.untold.get(tag) == Some(count) {
                        state.untold.remove(tag);
                    }
                }
            }
            Untold::All(count) if state.all_untold == Some(*count) => state.all_untold = None,
            Untold::Nothing | Untold::All(_) => {}
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(id: usize) -> Tag {
        Tag::new("thing", id)
    }

    #[test]
    fn what_began_before_its_tag_was_named_is_invalid() {
        let ledger = Ledger::default();
        let before = ledger.now();
        assert!(!ledger.was_named(&[tag(1)], before));
        ledger.name(&[tag(1)]);
        assert!(ledger.was_named(&[tag(2), tag(1)], before));
        assert!(!ledger.was_named(&[tag(2)], before));
        assert!(!ledger.was_named(&[tag(1)], ledger.now()), "what began after it is as new as can be");
    }

    #[test]
    fn more_tags_than_can_be_remembered_take_all_with_them() {
        let ledger = Ledger::default();
        let before = ledger.now();
        for id in 0..=MAX_TAGS {
            ledger.name(&[tag(id)]);
        }
        assert!(ledger.was_named(&[tag(usize::MAX)], before));
        assert!(!ledger.was_named(&[tag(0)], ledger.now()));
        assert!(ledger.read().named.len() <= MAX_TAGS);
    }

    #[test]
    fn a_tag_that_is_named_while_it_is_told_is_told_again() {
        let ledger = Ledger::default();
        ledger.name_and_tell(&[tag(1), tag(2)]);
        let telling = ledger.untold(10);
        ledger.name_and_tell(&[tag(1)]);
        ledger.told(&telling);
        assert!(matches!(ledger.untold(10), Untold::Tags(left) if left.len() == 1 && left[0].0 == tag(1)));
        ledger.told(&ledger.untold(10));
        assert_eq!(ledger.untold(10), Untold::Nothing);
    }

    #[test]
    fn more_to_tell_than_can_be_remembered_is_told_as_everything() {
        let ledger = Ledger::default();
        for id in 0..=MAX_TAGS {
            ledger.name_and_tell(&[tag(id)]);
        }
        let telling = ledger.untold(10);
        assert!(matches!(telling, Untold::All(_)) && ledger.has_untold());
        ledger.told(&telling);
        assert_eq!(ledger.untold(10), Untold::Nothing);
    }
}
