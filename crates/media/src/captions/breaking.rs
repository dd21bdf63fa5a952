//! Sentences become cues: the cheapest way, over all ways, to cut a sentence into cues of one or two lines.
//!
//! The costs weigh the rules of subtitling against each other: a line ends where a clause does, lines are of like
//! length, no word is left alone, a cue stays long enough to be read.

use std::ops::Range;

use kernel::Lang;

use super::{
    Cue, Line, Style,
    atoms::{Atom, Limits, Scale},
    clauses::break_cost,
    layout::Setter,
    timing,
};
use crate::{MediaError, Size, speech_text::TimedSentence};

/// What one more cue costs: two short lines in one cue read better than two cues.
const CUE_COST: f64 = 10.0;
/// How much more a bad place hurts at the end of a cue than at the end of a line.
const CUE_END_FACTOR: f64 = 2.0;
/// A cue of one word, where the sentence has more.
const LONELY_CUE_COST: f64 = 40.0;
/// A line of one short word under (or over) a longer one.
const LONELY_LINE_COST: f64 = 16.0;
/// Between the pieces of one word.
const CUT_WORD_COST: f64 = 25.0;
/// A silence inside a cue.
const PAUSE_COST: f64 = 10.0;
const PAUSE_MS: u64 = 700;
/// No cue is shown longer than this while there is a place to break it.
const LONG_CUE_MS: u64 = 6000;

/// How sentences are cut into cues.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Characters a line holds at most; full-width ones count 2.6 times, so that 42 are 16 of them.
    pub chars_per_line: u8,
    /// Lines of a cue, 1 or 2.
    pub lines: u8,
    /// The pace cues are kept on screen for, where the pause after them allows it.
    pub chars_per_second: f32,
    /// The shortest time a cue is shown, where the next one allows it.
    pub min_ms: u64,
    /// Where the sound ends; the last cue is not shown longer.
    pub until_ms: Option<u64>,
    /// What is drawn and where: lines are then no wider than the frame allows. Without it only characters count.
    pub frame: Option<(Style, Size)>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { chars_per_line: 42, lines: 2, chars_per_second: 17.0, min_ms: 800, until_ms: None, frame: None }
    }
}

impl Rules {
    /// Rules for captions that will be drawn in a style and frame: lines fit the style's margins in its font.
    pub fn for_frame(style: &Style, frame: Size) -> Self {
        Self { lines: style.lines, frame: Some((style.clone(), frame)), ..Self::default() }
    }
}

/// Cuts sentences into cues. Every word is kept, in order; no cue spans two sentences; none overlaps another.
///
/// Times need not be clean: what runs backwards is held, and words without a time of their own share their neighbours'.
/// Fails only when fonts are needed and missing.
pub fn break_into_cues(sentences: &[TimedSentence], rules: &Rules) -> Result<Vec<Cue>, MediaError> {
    let lists = timing::repaired(sentences);
    let mut cues = Vec::new();
    let mut setter: Option<(Lang, Setter)> = None;
    for (index, (sentence, words)) in sentences.iter().zip(&lists).enumerate() {
        if let Some((style, frame)) = &rules.frame
            && setter.as_ref().is_none_or(|(lang, _)| *lang != sentence.lang)
        {
            setter = Some((sentence.lang.clone(), Setter::new(style, style.size_px(*frame), &sentence.lang)?));
        }
        let mut scale = Scale { setter: setter.as_mut().map(|(_, setter)| setter), limits: limits(rules) };
        let mut atoms = Vec::with_capacity(words.len());
        for word in words {
            atoms.extend(scale.atoms(word)?);
        }
        let next_start = lists[index + 1..].iter().flatten().next().map(|word| word.start_ms);
        let breaker = Breaker::new(&atoms, scale.space()?, &sentence.lang, rules, next_start);
        cues.extend(breaker.best().into_iter().map(|lines| cue(&atoms, &lines, &sentence.lang)));
    }
    timing::stretch(&mut cues, rules);
    Ok(cues)
}

fn limits(rules: &Rules) -> Limits {
    let width_px = rules.frame.as_ref().map_or(f32::INFINITY, |(style, frame)| style.line_width_px(*frame));
    Limits { units: f32::from(rules.chars_per_line.max(4)), width_px }
}

fn cue(atoms: &[Atom], lines: &[Range<usize>], lang: &Lang) -> Cue {
    let line =
        |range: &Range<usize>| Line { words: atoms[range.clone()].iter().map(|atom| atom.word.clone()).collect() };
    let (first, last) = (lines[0].start, lines[lines.len() - 1].end - 1);
    Cue {
        start_ms: atoms[first].word.start_ms,
        end_ms: atoms[last].word.end_ms,
        lines: lines.iter().map(line).collect(),
        lang: lang.clone(),
    }
}

/// One sentence, with running sums so that the size of any stretch of it is one subtraction.
struct Breaker<'a> {
    atoms: &'a [Atom],
    /// Units and pixels before each atom, spaces included.
    units: Vec<f32>,
    widths: Vec<f32>,
    space_px: f32,
    /// What a line end before each atom costs.
    breaks: Vec<f64>,
    limits: Limits,
    rules: &'a Rules,
    next_start: Option<u64>,
}

/// The cheapest way to cut everything before an atom.
#[derive(Clone)]
struct Best {
    cost: f64,
    /// Where its last cue starts, and where that cue's second line starts.
    from: usize,
    middle: Option<usize>,
}

impl<'a> Breaker<'a> {
    fn new(atoms: &'a [Atom], space_px: f32, lang: &Lang, rules: &'a Rules, next_start: Option<u64>) -> Self {
        let (mut units, mut widths) = (vec![0.0], vec![0.0]);
        let mut sums = (0.0, 0.0);
        for atom in atoms {
            let space = f32::from(u8::from(atom.word.space_before));
            sums = (sums.0 + atom.units + space, sums.1 + atom.width_px + space * space_px);
            units.push(sums.0);
            widths.push(sums.1);
        }
        let cost = |pair: &[Atom]| {
            if pair[1].continues { CUT_WORD_COST } else { break_cost(&pair[0].word, &pair[1].word, lang) }
        };
        let breaks = std::iter::once(0.0).chain(atoms.windows(2).map(cost)).chain([0.0]).collect();
        Self { atoms, units, widths, space_px, breaks, limits: limits(rules), rules, next_start }
    }

    /// The lines of each cue, as ranges of atoms.
    fn best(&self) -> Vec<Vec<Range<usize>>> {
        let count = self.atoms.len();
        let unreached = Best { cost: f64::INFINITY, from: 0, middle: None };
        let mut best = vec![unreached; count + 1];
        best[0].cost = 0.0;
        for from in 0..count {
            let before = best[from].cost;
            for (to, best) in best.iter_mut().enumerate().skip(from + 1) {
                let Some((cost, middle)) = self.cue_cost(from, to) else { break };
                if before + cost < best.cost {
                    *best = Best { cost: before + cost, from, middle };
                }
            }
        }
        let mut cues = Vec::new();
        let mut to = count;
        while to > 0 {
            let Best { from, middle, .. } = best[to];
            let middle = middle.unwrap_or(from);
            cues.push([from..middle, middle..to].into_iter().filter(|line| !line.is_empty()).collect());
            to = from;
        }
        cues.reverse();
        cues
    }

    /// What a cue of these atoms costs, and where its second line starts; nothing when it does not fit.
    fn cue_cost(&self, from: usize, to: usize) -> Option<(f64, Option<usize>)> {
        let (lines, middle) = if self.fits(from, to) {
            (0.0, None)
        } else if self.rules.lines < 2 {
            return None;
        } else {
            let middles = (from + 1..to).filter(|&middle| self.fits(from, middle) && self.fits(middle, to));
            let costs = middles.map(|middle| (self.lines_cost(from, middle, to), middle));
            let (cost, middle) = costs.min_by(|a, b| a.0.total_cmp(&b.0))?;
            (cost, Some(middle))
        };
        let lonely = to - from == 1 && self.atoms.len() > 1 && !self.fills_a_line(from, to);
        let lonely = if lonely { LONELY_CUE_COST } else { 0.0 };
        Some((CUE_COST + lines + lonely + CUE_END_FACTOR * self.breaks[to] + self.time_cost(from, to), middle))
    }

    fn lines_cost(&self, from: usize, middle: usize, to: usize) -> f64 {
        let (upper, lower) = (self.share(from, middle), self.share(middle, to));
        let lonely = [(from, middle), (middle, to)];
        let lonely = lonely.into_iter().filter(|&(from, to)| to - from == 1 && !self.fills_a_line(from, to)).count();
        // Where both ways are alike the longer line stands below, away from the picture.
        let top_heavy = if upper > lower + 0.1 { 0.5 } else { 0.0 };
        self.breaks[middle] + 14.0 * f64::from(upper - lower).powi(2) + lonely as f64 * LONELY_LINE_COST + top_heavy
    }

    fn time_cost(&self, from: usize, to: usize) -> f64 {
        let start = self.atoms[from].word.start_ms;
        let next = self.atoms.get(to).map(|atom| atom.word.start_ms).or(self.next_start);
        let mut cost = 0.0;
        if let Some(next) = next {
            let shown = next.saturating_sub(start) as f64;
            let short = 1.0 - shown / self.rules.min_ms.max(1) as f64;
            let needed = f64::from(self.units[to] - self.units[from]) / f64::from(self.rules.chars_per_second) * 1000.0;
            cost += 20.0 * short.max(0.0) + 6.0 * (needed / shown.max(1.0) - 1.0).clamp(0.0, 2.0);
        }
        let spoken = self.atoms[to - 1].word.end_ms.saturating_sub(start);
        cost += spoken.saturating_sub(LONG_CUE_MS) as f64 / 100.0;
        let pauses = self.atoms[from..to].windows(2);
        let pauses =
            pauses.filter(|pair| pair[1].word.start_ms.saturating_sub(pair[0].word.end_ms) >= PAUSE_MS).count();
        cost + pauses as f64 * PAUSE_COST
    }

    /// Whether a line holds these atoms. One alone always goes: it was cut as small as it can be.
    fn fits(&self, from: usize, to: usize) -> bool {
        let (units, width) = self.size(from, to);
        // Sums of many small numbers are a hair off.
        to - from == 1 || units <= self.limits.units + 0.01 && width <= self.limits.width_px + 0.1
    }

    fn fills_a_line(&self, from: usize, to: usize) -> bool {
        self.share(from, to) > 0.5
    }

    /// How full a line of these atoms is.
    fn share(&self, from: usize, to: usize) -> f32 {
        let (units, width) = self.size(from, to);
        (units / self.limits.units).max(width / self.limits.width_px)
    }

    /// The size of a line of these atoms: the space before its first word is not drawn.
    fn size(&self, from: usize, to: usize) -> (f32, f32) {
        let space = f32::from(u8::from(self.atoms[from].word.space_before));
        (self.units[to] - self.units[from] - space, self.widths[to] - self.widths[from] - space * self.space_px)
    }
}
