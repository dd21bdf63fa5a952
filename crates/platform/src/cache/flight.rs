//! Computations that are under way in this process: whoever comes meanwhile waits for the one that is.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// What became of a computation: its result, or nothing where it failed.
type Ended<T> = Option<T>;

/// Computations by their keys.
#[derive(Debug)]
pub(super) struct Flights<T>(Mutex<HashMap<String, watch::Receiver<Option<Ended<T>>>>>);

/// What the caller is to do.
pub(super) enum Part<'a, T> {
    /// It computes, for all.
    Lead(Lead<'a, T>),
    /// It waits for who computes.
    Follow(watch::Receiver<Option<Ended<T>>>),
}

/// What the one that was waited for came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Landed<T> {
    With(T),
    Failed,
    /// Whoever computed went away before the end.
    Lost,
}

/// The one that computes. Dropped without a result, it lets another begin.
pub(super) struct Lead<'a, T> {
    flights: &'a Flights<T>,
    key: String,
    sender: watch::Sender<Option<Ended<T>>>,
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Flights<T> {
    pub(super) fn join(&self, key: &str) -> Part<'_, T> {
        let mut flights = self.flights();
        if let Some(flight) = flights.get(key) {
            return Part::Follow(flight.clone());
        }
        let (sender, receiver) = watch::channel(None);
        flights.insert(key.to_owned(), receiver);
        Part::Lead(Lead { flights: self, key: key.to_owned(), sender })
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<String, watch::Receiver<Option<Ended<T>>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Lead<'_, T> {
    /// Ends it for all who wait.
    pub(super) fn land(self, result: Option<T>) {
        self.sender.send_replace(Some(result));
    }
}

impl<T> Drop for Lead<'_, T> {
    fn drop(&mut self) {
        self.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Waits for the end of a computation.
pub(super) async fn wait<T: Clone>(mut flight: watch::Receiver<Option<Ended<T>>>) -> Landed<T> {
    match flight.wait_for(Option::is_some).await {
        Ok(ended) => ended.clone().flatten().map_or(Landed::Failed, Landed::With),
        Err(_) => Landed::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow<T: Clone>(flights: &Flights<T>) -> watch::Receiver<Option<Ended<T>>> {
        match flights.join("key") {
            Part::Follow(flight) => flight,
            Part::Lead(_) => panic!("nobody computes"),
        }
    }

    fn lead<T: Clone>(flights: &Flights<T>) -> Lead<'_, T> {
        match flights.join("key") {
            Part::Lead(lead) => lead,
            Part::Follow(_) => panic!("somebody computes"),
        }
    }

    #[tokio::test]
    async fn who_comes_meanwhile_waits_and_gets_the_same() {
        let flights = Flights::default();
        let first = lead(&flights);
        let second = follow(&flights);
        first.land(Some(7));
        assert_eq!(wait(second).await, Landed::With(7));
        lead(&flights).land(None);
        let third = lead(&flights);
        let fourth = follow(&flights);
        third.land(None);
        assert_eq!(wait(fourth).await, Landed::Failed);
    }

    #[tokio::test]
    async fn who_goes_away_leaves_it_to_another() {
        let flights = Flights::<u8>::default();
        let first = lead(&flights);
        let second = follow(&flights);
        drop(first);
        assert_eq!(wait(second).await, Landed::Lost);
        drop(lead(&flights));
        assert!(flights.flights().is_empty());
    }
}
