//! Which way leads from a language to another: straight, or by way of a third where that is allowed.

use ai::translate::{Pair, Quality};
use kernel::Lang;

/// Whether a language may be reached by way of another, at the cost of everything lost twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pivots {
    Allowed,
    Refused,
}

/// A step of a way: a pair, and which of the engines knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leg {
    /// The place of the engine in the list it came from.
    pub engine: usize,
    pub pair: Pair,
}

/// A way from one language to another, one leg or two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    pub legs: Vec<Leg>,
}

/// No way leads to a language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nothing translates `{from}` to `{to}`; {}", self.remedy())]
pub struct NoWay {
    pub from: Lang,
    pub to: Lang,
    /// A language that leads there, were it allowed.
    pub pivot: Option<Lang>,
    /// What `from` can be translated to.
    pub possible: Vec<Lang>,
    /// What the engine says of how to install it; empty where it says nothing.
    pub install: String,
}

impl NoWay {
    fn remedy(&self) -> String {
        let mut remedies = Vec::new();
        if let Some(pivot) = &self.pivot {
            remedies.push(format!("allow the way through `{pivot}` with --pivot"));
        }
        if !self.install.is_empty() {
            remedies.push(self.install.clone());
        }
        let possible: Vec<&str> = self.possible.iter().map(Lang::as_str).collect();
        remedies.push(if possible.is_empty() {
            format!("no pair from `{}` is installed", self.from)
        } else {
            format!("`{}` can be translated to {}", self.from, possible.join(", "))
        });
        remedies.join("; ")
    }
}

impl Way {
    /// No better than its worst leg; through another language never better than a draft.
    pub fn quality(&self) -> Quality {
        match self.legs.as_slice() {
            [leg] => leg.pair.quality,
            _ => Quality::Draft,
        }
    }
}

/// The best way from `from` to `to`. `engines` are the pairs of each engine, the preferred first.
///
/// A straight way beats one through another language, a good pair a draft, an earlier engine a later one. Regions count
/// only where no pair of the very tags is there.
pub fn way(from: &Lang, to: &Lang, engines: &[Vec<Pair>], pivots: Pivots) -> Result<Way, NoWay> {
    let legs: Vec<Leg> = engines
        .iter()
        .enumerate()
        .flat_map(|(engine, pairs)| pairs.iter().map(move |pair| Leg { engine, pair: pair.clone() }))
        .collect();
    if let Some(leg) = best(&legs, from, to) {
        return Ok(Way { legs: vec![leg] });
    }
    let through = through_another(&legs, from, to);
    match (through, pivots) {
        (Some(way), Pivots::Allowed) => Ok(way),
        (through, _) => Err(NoWay {
            from: from.clone(),
            to: to.clone(),
            pivot: through.map(|way| way.legs[0].pair.to.clone()),
            possible: possible(&legs, from),
            install: String::new(),
        }),
    }
}

/// The best straight way.
fn best(legs: &[Leg], from: &Lang, to: &Lang) -> Option<Leg> {
    let fits = legs.iter().filter(|leg| is_same(&leg.pair.from, from) && is_same(&leg.pair.to, to));
    let rank = |leg: &&Leg| {
        let exact = usize::from(leg.pair.from != *from) + usize::from(leg.pair.to != *to);
        (std::cmp::Reverse(leg.pair.quality), exact, leg.engine, leg.pair.clone())
    };
    fits.min_by_key(rank).cloned()
}

fn through_another(legs: &[Leg], from: &Lang, to: &Lang) -> Option<Way> {
    let between = |leg: &&Leg| is_same(&leg.pair.from, from) && !is_same(&leg.pair.to, from);
    let ways = legs.iter().filter(between).filter_map(|first| {
        let second = best(legs, &first.pair.to, to)?;
        Some(Way { legs: vec![first.clone(), second] })
    });
    let drafts = |way: &Way| way.legs.iter().filter(|leg| leg.pair.quality == Quality::Draft).count();
    // Most languages have more to do with English than with each other, and its pairs are the best kept.
    let rank = |way: &Way| {
        (drafts(way), way.legs[0].pair.to.primary() != "en", way.legs[0].pair.to.clone(), way.legs[0].engine)
    };
    ways.min_by_key(rank)
}

fn possible(legs: &[Leg], from: &Lang) -> Vec<Lang> {
    let mut found: Vec<Lang> =
        legs.iter().filter(|leg| is_same(&leg.pair.from, from)).map(|leg| leg.pair.to.clone()).collect();
    found.sort();
    found.dedup();
    found
}

/// Whether two tags are one language, whatever the region.
fn is_same(a: &Lang, b: &Lang) -> bool {
    a.primary() == b.primary()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::tests::lang;

    fn pair(from: &str, to: &str, quality: Quality) -> Pair {
        Pair { from: lang(from), to: lang(to), quality }
    }

    fn engines() -> Vec<Vec<Pair>> {
        vec![
            vec![
                pair("en", "es", Quality::Draft),
                pair("en", "eo", Quality::Draft),
                pair("eo", "ca", Quality::Draft),
                pair("es", "ca", Quality::Good),
            ],
            vec![pair("en", "es", Quality::Good), pair("fr", "en", Quality::Draft)],
        ]
    }

    fn find(from: &str, to: &str, pivots: Pivots) -> Result<Way, NoWay> {
        way(&lang(from), &lang(to), &engines(), pivots)
    }

    #[test]
    fn a_straight_way_goes_to_the_better_engine() {
        let way = find("en-us", "es-mx", Pivots::Refused).unwrap();
        assert_eq!((way.legs.len(), way.legs[0].engine, way.quality()), (1, 1, Quality::Good));
    }

    #[test]
    fn a_pivot_is_taken_only_when_allowed_and_the_better_one_first() {
        let way = find("en", "ca", Pivots::Allowed).unwrap();
        let steps: Vec<_> = way.legs.iter().map(|leg| leg.pair.to.as_str()).collect();
        assert_eq!((steps, way.quality()), (vec!["es", "ca"], Quality::Draft));
        let message = find("en", "ca", Pivots::Refused).unwrap_err().to_string();
        assert_eq!(
            message,
            "nothing translates `en` to `ca`; allow the way through `es` with --pivot; `en` can be translated to eo, es"
        );
    }

    #[test]
    fn where_no_way_leads_it_is_said_what_is_possible() {
        let message = find("en", "ja", Pivots::Allowed).unwrap_err().to_string();
        assert_eq!(message, "nothing translates `en` to `ja`; `en` can be translated to eo, es");
        let none = find("de", "fr", Pivots::Allowed).unwrap_err();
        let told = NoWay { install: "install `example`".to_owned(), ..none }.to_string();
        assert_eq!(told, "nothing translates `de` to `fr`; install `example`; no pair from `de` is installed");
    }
}
