//! How many items of a stage are made at once, and in which order.

use std::fmt;

type Weight<'a, I> = Box<dyn Fn(&I) -> f64 + Send + Sync + 'a>;

/// How a stage's items are spread out. Results come back in the order of the inputs whatever the order of the work.
pub struct FanOut<'a, I> {
    pub(crate) concurrency: usize,
    pub(crate) weight: Option<Weight<'a, I>>,
}

impl<'a, I> FanOut<'a, I> {
    /// At most `concurrency` items at once, at least one.
    pub fn new(concurrency: usize) -> Self {
        Self { concurrency: concurrency.max(1), weight: None }
    }

    /// The longest items first, so that none is left to run alone at the end. `weight` is the length of an item's work
    /// in any unit; it also gives each item its share of the progress.
    #[must_use]
    pub fn longest_first(mut self, weight: impl Fn(&I) -> f64 + Send + Sync + 'a) -> Self {
        self.weight = Some(Box::new(weight));
        self
    }

    /// The weight of each input; all alike where none was given.
    pub(crate) fn weights(&self, inputs: &[I]) -> Vec<f64> {
        let weight = |input: &I| self.weight.as_ref().map_or(1.0, |weight| weight(input));
        inputs.iter().map(weight).collect()
    }
}

impl<I> fmt::Debug for FanOut<'_, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FanOut").field("concurrency", &self.concurrency).finish_non_exhaustive()
    }
}
