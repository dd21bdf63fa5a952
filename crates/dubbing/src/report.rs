//! How good a dub is: each figure beside what it should reach, and the lines a person should look at.

use std::fmt::Write as _;

use kernel::Lang;
use serde::Serialize;

use crate::{
    document::{Concern, Dub, Measured, Placed, SPEEDS, Utterance},
    subtitles,
};

/// Beginning of a dubbed line against the original: mean and greatest.
const MEAN_OFFSET_MS: f64 = 100.0;
const MAX_OFFSET_MS: f64 = 250.0;
/// The speed that nineteen lines of twenty keep.
const USUAL_SPEED: f64 = 1.15;
/// An AAC frame at 48 kHz; the sound of a result is whole frames.
const AUDIO_FRAME_MS: f64 = 1024.0 / 48.0;
/// Two lengths are rounded to whole milliseconds where one is told by the other.
const ROUNDING_MS: f64 = 2.0;
const LOUDNESS_TOLERANCE_LU: f64 = 1.0;
const MAX_TRUE_PEAK_DBTP: f64 = -1.0;
const MIN_CORRELATION: f64 = 0.98;
const MIN_SNR_DB: f64 = 20.0;

/// A figure beside what it should reach.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    pub name: &'static str,
    pub value: f64,
    pub unit: &'static str,
    /// In words: `≤ 1.15`.
    pub reach: String,
    pub met: bool,
}

/// A line a person should look at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Open {
    pub id: u32,
    pub start_ms: u64,
    pub text: String,
    pub concerns: Vec<Concern>,
}

/// The quality of a dub into one language.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub lang: Lang,
    pub lines: usize,
    pub dubbed: usize,
    pub figures: Vec<Figure>,
    pub open: Vec<Open>,
}

impl Report {
    /// The report of a finished dub into `lang`. Figures of sound and subtitles come from its last run.
    pub fn new(dub: &Dub, lang: &Lang) -> Self {
        let placed: Vec<(usize, &Placed)> = placed(dub, lang).collect();
        let mut figures = timing(dub, &placed);
        if let Some(measured) = dub.results.get(lang) {
            figures.extend(length(dub, measured));
            figures.extend(sound(measured));
            figures.extend(subtitle_figures(measured, lang));
        }
        Self { lang: lang.clone(), lines: dub.utterances.len(), dubbed: placed.len(), figures, open: open(dub, lang) }
    }

    /// A table for people.
    pub fn table(&self) -> String {
        let mut table = format!("{}: {} of {} lines dubbed\n", self.lang, self.dubbed, self.lines);
        let names = self.figures.iter().map(|figure| figure.name.chars().count()).max().unwrap_or(0);
        for figure in &self.figures {
            let mark = if figure.met { "✓" } else { "✗" };
            let value = format!("{} {}", rounded(figure.value), figure.unit);
            // Writing to a string cannot fail.
            let _ = writeln!(table, "{mark} {:<names$}  {:<14} {}", figure.name, value.trim_end(), figure.reach);
        }
        for open in &self.open {
            let concerns: Vec<String> =
                open.concerns.iter().map(|concern| concern.description().replace("ID", &open.id.to_string())).collect();
            let seconds = open.start_ms / 1000;
            let at = format!("{}:{:02}", seconds / 60, seconds % 60);
            let _ = writeln!(table, "• {} at {at}: {}: {}", open.id, concerns.join("; "), shortened(&open.text));
        }
        table
    }
}

fn placed<'a>(dub: &'a Dub, lang: &'a Lang) -> impl Iterator<Item = (usize, &'a Placed)> {
    let of =
        move |(index, utterance): (usize, &'a Utterance)| Some((index, utterance.lines.get(lang)?.placed.as_ref()?));
    dub.utterances.iter().enumerate().filter_map(of)
}

fn open(dub: &Dub, lang: &Lang) -> Vec<Open> {
    let open = |utterance: &Utterance| {
        let concerns = utterance.lines.get(lang)?.needs_person.clone();
        (!concerns.is_empty()).then(|| Open {
            id: utterance.id,
            start_ms: utterance.start_ms,
            text: utterance.text.clone(),
            concerns,
        })
    };
    dub.utterances.iter().filter_map(open).collect()
}

fn timing(dub: &Dub, placed: &[(usize, &Placed)]) -> Vec<Figure> {
    // What comes next may be a dubbed line or one that keeps its voice: neither may be spoken over.
    let runs_over = |(index, placed): &&(usize, &Placed)| {
        dub.utterances.get(index + 1).is_some_and(|next| next.start_ms < placed.end_ms)
    };
    let overlaps = placed.iter().filter(runs_over).count();
    let cut = placed.iter().filter(|(_, placed)| is_cut(placed, dub.source.duration_ms)).count();
    let mut figures = vec![
        at_most("lines laid over the next", overlaps as f64, "", 0.0),
        at_most("lines cut off", cut as f64, "", 0.0),
    ];
    if placed.is_empty() {
        return figures;
    }
    let offsets: Vec<f64> =
        placed.iter().map(|(index, placed)| placed.start_ms.abs_diff(dub.utterances[*index].start_ms) as f64).collect();
    let mut speeds: Vec<f64> = placed.iter().map(|(_, placed)| placed.speed).collect();
    speeds.sort_by(f64::total_cmp);
    let usual = speeds[(speeds.len() * 95).div_ceil(100) - 1];
    figures.extend([
        at_most(
            "start against the original, mean",
            offsets.iter().sum::<f64>() / offsets.len() as f64,
            "ms",
            MEAN_OFFSET_MS,
        ),
        at_most(
            "start against the original, greatest",
            offsets.iter().copied().fold(0.0, f64::max),
            "ms",
            MAX_OFFSET_MS,
        ),
        at_most("speed of 95 % of the lines", usual, "", USUAL_SPEED),
        at_most("speed, fastest", speeds[speeds.len() - 1], "", *SPEEDS.end()),
        at_least("speed, slowest", speeds[0], "", *SPEEDS.start()),
    ]);
    figures
}

/// Whether the end of a line is not heard: its sound is shorter than its words take at its speed, or the source is over.
fn is_cut(placed: &Placed, duration_ms: u64) -> bool {
    let needed_ms = placed.spoken_ms as f64 / placed.speed;
    let sounds_ms = placed.end_ms.saturating_sub(placed.start_ms) as f64;
    needed_ms > sounds_ms + ROUNDING_MS || placed.end_ms > duration_ms
}

fn length(dub: &Dub, measured: &Measured) -> Vec<Figure> {
    let difference = measured.duration_ms.abs_diff(dub.source.duration_ms) as f64;
    // Both lengths are rounded to whole milliseconds.
    vec![at_most("length against the source", difference, "ms", (measured.frame_ms + AUDIO_FRAME_MS).ceil())]
}

fn sound(measured: &Measured) -> Vec<Figure> {
    let mut figures = Vec::new();
    if let (Some(loudness), Some(target)) = (measured.loudness_lufs, measured.target_lufs) {
        figures.push(at_most("loudness against the target", (loudness - target).abs(), "LU", LOUDNESS_TOLERANCE_LU));
    }
    if let Some(peak) = measured.true_peak_dbtp {
        figures.push(at_most("true peak", peak, "dBTP", MAX_TRUE_PEAK_DBTP));
    }
    if let Some(correlation) = measured.background_correlation {
        figures.push(at_least("background, correlation", correlation, "", MIN_CORRELATION));
    }
    if let Some(snr) = measured.background_snr_db {
        figures.push(at_least("background, SNR", snr, "dB", MIN_SNR_DB));
    }
    figures
}

fn subtitle_figures(measured: &Measured, lang: &Lang) -> Vec<Figure> {
    let found = &measured.subtitles;
    let mut figures = vec![
        at_most(
            "subtitles, characters a line",
            found.longest_line_chars as f64,
            "",
            subtitles::MAX_CHARS_PER_LINE as f64,
        ),
        at_most("subtitles, lines", found.most_lines as f64, "", subtitles::MAX_LINES as f64),
        at_most("subtitles, characters a second", found.most_chars_per_second, "", subtitles::chars_per_second(lang)),
    ];
    if let Some(gap_ms) = found.shortest_gap_ms {
        let least = measured.frame_ms * f64::from(subtitles::GAP_FRAMES);
        figures.push(at_least("subtitles, gap", gap_ms as f64, "ms", least.floor()));
    }
    figures
}

fn at_most(name: &'static str, value: f64, unit: &'static str, most: f64) -> Figure {
    // Sums of many small numbers are a hair off.
    Figure { name, value, unit, reach: format!("≤ {}", rounded(most)), met: value <= most + 1e-9 }
}

fn at_least(name: &'static str, value: f64, unit: &'static str, least: f64) -> Figure {
    Figure { name, value, unit, reach: format!("≥ {}", rounded(least)), met: value >= least - 1e-9 }
}

/// At most three places after the point, and no zeros at their end.
fn rounded(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= 60 { text.to_owned() } else { text.chars().take(59).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{
        Line,
        tests::{dub, lang, utterance},
    };

    fn line(start_ms: u64, end_ms: u64, speed: f64) -> Line {
        let spoken_ms = ((end_ms - start_ms) as f64 * speed) as u64;
        let placed = Placed { start_ms, end_ms, speed, spoken_ms, voice: "es".to_owned() };
        Line { translation: Some("Hola.".to_owned()), placed: Some(placed), ..Line::default() }
    }

    fn finished(lines: Vec<Line>) -> Dub {
        let utterances = lines.into_iter().enumerate().map(|(index, line)| {
            let start_ms = 2000 * index as u64;
            let mut utterance = utterance(index as u32 + 1, start_ms, start_ms + 1500, "Hello.");
            utterance.lines.insert(lang("es"), line);
            utterance
        });
        dub(&["es"], utterances.collect())
    }

    fn figure(report: &Report, name: &str) -> (f64, bool) {
        let found = report.figures.iter().find(|figure| figure.name == name).unwrap();
        (found.value, found.met)
    }

    #[test]
    fn a_line_over_the_next_is_found() {
        let report = Report::new(&finished(vec![line(0, 2001, 1.0), line(2000, 3000, 1.0)]), &lang("es"));
        assert_eq!(figure(&report, "lines laid over the next"), (1.0, false));
        assert_eq!(figure(&report, "lines cut off"), (0.0, true));
    }

    #[test]
    fn a_line_whose_sound_is_shorter_than_its_words_is_cut_off() {
        let mut short = line(0, 900, 1.2);
        let placed = short.placed.as_mut().unwrap();
        placed.spoken_ms += 10;
        assert_eq!(figure(&Report::new(&finished(vec![short.clone()]), &lang("es")), "lines cut off"), (1.0, false));
        short.placed.as_mut().unwrap().spoken_ms -= 10;
        assert_eq!(figure(&Report::new(&finished(vec![short]), &lang("es")), "lines cut off"), (0.0, true));
    }

    #[test]
    fn offsets_and_speeds_are_those_of_the_lines() {
        let mut lines: Vec<Line> = (0..20).map(|index| line(2000 * index, 2000 * index + 900, 1.0)).collect();
        lines[3] = line(6300, 7000, 1.3);
        let report = Report::new(&finished(lines), &lang("es"));
        assert_eq!(figure(&report, "start against the original, mean"), (15.0, true));
        assert_eq!(figure(&report, "start against the original, greatest"), (300.0, false));
        assert_eq!(figure(&report, "speed of 95 % of the lines"), (1.0, true));
        assert_eq!(figure(&report, "speed, fastest"), (1.3, true));
    }

    #[test]
    fn what_was_measured_is_set_beside_what_it_should_be() {
        let mut dub = finished(vec![line(0, 900, 1.0)]);
        let measured = Measured {
            duration_ms: 60_090,
            frame_ms: 40.0,
            loudness_lufs: Some(-22.5),
            target_lufs: Some(-23.0),
            true_peak_dbtp: Some(-0.5),
            background_correlation: Some(0.99),
            background_snr_db: Some(12.0),
            subtitles: subtitles::SubtitleFigures { longest_line_chars: 43, ..Default::default() },
        };
        dub.results.insert(lang("es"), measured);
        let report = Report::new(&dub, &lang("es"));
        let met = |name| figure(&report, name).1;
        assert!(!met("length against the source") && met("loudness against the target") && !met("true peak"));
        assert!(met("background, correlation") && !met("background, SNR") && !met("subtitles, characters a line"));
    }

    #[test]
    fn lines_for_a_person_are_listed_with_what_to_do() {
        let mut dub =
            finished(vec![line(0, 900, 1.0), Line { needs_person: vec![Concern::TooLong], ..Line::default() }]);
        dub.utterances[1].start_ms = 63_000;
        let report = Report::new(&dub, &lang("es"));
        assert_eq!((report.lines, report.dubbed, report.open.len()), (2, 1, 1));
        let table = report.table();
        assert!(table.contains("• 2 at 1:03: too long for its time; shorten `2.translation`: Hello."), "{table}");
        assert!(table.starts_with("es: 1 of 2 lines dubbed\n✓ lines laid over the next"), "{table}");
    }
}
