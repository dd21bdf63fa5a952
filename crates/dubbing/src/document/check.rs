//! What must hold of a document, whoever wrote it.

use std::collections::BTreeSet;

use super::{Dub, Line, SPEEDS, Settings, Utterance};

/// A week: no source is longer, and sums of times stay far from overflow.
pub(crate) const MAX_DURATION_MS: u64 = 7 * 24 * 3_600_000;
/// More than a hundred hours of speech have.
const MAX_UTTERANCES: usize = 200_000;
/// The longest text of an utterance and of its translation.
pub(crate) const MAX_TEXT_BYTES: usize = 8_000;
const MAX_NAME_BYTES: usize = 200;
const MAX_TARGETS: usize = 50;
const MAX_PHRASES: usize = 10_000;

impl Dub {
    /// Everything that is wrong, each with its place.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Faults::default();
        self.check_source(&mut faults);
        self.check_targets(&mut faults);
        check_settings(&self.settings, &mut faults);
        let mut ids = BTreeSet::new();
        for (index, speaker) in self.speakers.iter().enumerate() {
            let place = format!("speakers[{index}].id");
            faults.name(&place, &speaker.id);
            if !ids.insert(&speaker.id) {
                faults.add(&place, format!("is `{}`, which another speaker is called", speaker.id));
            }
        }
        if self.utterances.len() > MAX_UTTERANCES {
            faults.add("utterances", format!("are {}, more than {MAX_UTTERANCES}", self.utterances.len()));
            return faults.0;
        }
        self.check_utterances(&mut faults);
        faults.0
    }

    fn check_source(&self, faults: &mut Faults) {
        let source = &self.source;
        if source.path.as_os_str().is_empty() {
            faults.add("source.path", "is empty; name the file that is dubbed");
        }
        if source.hash.len() != 64 || !source.hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            faults.add("source.hash", format!("is `{}`, but must have 64 hexadecimal digits", shortened(&source.hash)));
        }
        if !(1..=MAX_DURATION_MS).contains(&source.duration_ms) {
            faults.add(
                "source.duration_ms",
                format!("is {}, but must be from 1 to {MAX_DURATION_MS}", source.duration_ms),
            );
        }
    }

    fn check_targets(&self, faults: &mut Faults) {
        if self.targets.len() > MAX_TARGETS {
            faults.add("targets", format!("are {}, more than {MAX_TARGETS}", self.targets.len()));
        }
        for (index, target) in self.targets.iter().enumerate() {
            let place = format!("targets[{index}]");
            if self.targets[..index].contains(target) {
                faults.add(&place, format!("is `{target}`, which stands there twice"));
            }
            if *target == self.lang {
                faults.add(&place, format!("is `{target}`, the language of the source"));
            }
        }
    }

    fn check_utterances(&self, faults: &mut Faults) {
        let speakers: BTreeSet<&str> = self.speakers.iter().map(|speaker| speaker.id.as_str()).collect();
        let mut ids = BTreeSet::new();
        let mut free_from_ms = 0;
        for (index, utterance) in self.utterances.iter().enumerate() {
            let place = format!("utterances[{index}] (id {})", utterance.id);
            if utterance.id == 0 || !ids.insert(utterance.id) {
                faults.add(&place, "needs an id of its own; ids are numbers from 1");
            }
            if let Some(speaker) = &utterance.speaker
                && !speakers.contains(speaker.as_str())
            {
                faults.add(&place, format!("has the speaker `{speaker}`, who is not among `speakers`"));
            }
            check_times(utterance, &place, faults);
            if utterance.end_ms > self.source.duration_ms {
                let (end, duration) = (utterance.end_ms, self.source.duration_ms);
                faults.add(&place, format!("ends at {end} ms, after the source, which lasts {duration} ms"));
            }
            if utterance.start_ms < free_from_ms {
                let start = utterance.start_ms;
                faults.add(&place, format!("begins at {start} ms, before the one above it ends ({free_from_ms} ms)"));
            }
            free_from_ms = utterance.end_ms.max(free_from_ms);
            faults.text(&format!("{place}.text"), &utterance.text);
            faults.fraction(&format!("{place}.confidence"), utterance.confidence);
            for (lang, line) in &utterance.lines {
                check_line(line, &format!("{place}.lines.{lang}"), faults);
            }
        }
    }
}

fn check_times(utterance: &Utterance, place: &str, faults: &mut Faults) {
    let (start, end) = (utterance.start_ms, utterance.end_ms);
    if start >= end {
        faults.add(place, format!("begins at {start} ms and ends at {end} ms; it must end after it begins"));
    }
    let mut earliest = start;
    for (index, word) in utterance.words.iter().enumerate() {
        if word.start_ms < earliest || word.end_ms < word.start_ms || word.end_ms > end {
            let (word_start, word_end) = (word.start_ms, word.end_ms);
            faults.add(
                &format!("{place}.words[{index}]"),
                format!("is from {word_start} to {word_end} ms; words follow one another between {start} and {end} ms"),
            );
            return;
        }
        earliest = word.start_ms;
        faults.fraction(&format!("{place}.words[{index}].confidence"), word.confidence);
        faults.text(&format!("{place}.words[{index}].text"), &word.text);
    }
}

fn check_line(line: &Line, place: &str, faults: &mut Faults) {
    if let Some(translation) = &line.translation {
        faults.text(&format!("{place}.translation"), translation);
    }
    if let Some(voice) = &line.voice {
        faults.name(&format!("{place}.voice"), voice);
    }
    faults.number(&format!("{place}.speed"), line.speed, *SPEEDS.start()..=*SPEEDS.end());
    if let Some(placed) = &line.placed
        && placed.start_ms > placed.end_ms
    {
        faults.add(&format!("{place}.placed"), "ends before it begins");
    }
}

impl Settings {
    /// What is wrong with them.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Faults::default();
        check_settings(self, &mut faults);
        faults.0
    }
}

fn check_settings(settings: &Settings, faults: &mut Faults) {
    faults.number("settings.loudness_lufs", settings.loudness_lufs, -50.0..=-5.0);
    faults.number("settings.duck_db", settings.duck_db, 0.0..=60.0);
    faults.fraction("settings.min_confidence", settings.min_confidence);
    let terms: usize = settings.glossary.values().map(std::collections::BTreeMap::len).sum();
    for (name, count) in [
        ("glossary", terms),
        ("keep", settings.keep.len()),
        ("no_dub", settings.no_dub.len()),
        ("voices", settings.voices.len()),
    ] {
        if count > MAX_PHRASES {
            faults.add(&format!("settings.{name}"), format!("has {count} entries, more than {MAX_PHRASES}"));
        }
    }
    for (lang, terms) in &settings.glossary {
        for (source, target) in terms {
            faults.name(&format!("settings.glossary.{lang}"), source);
            faults.text(&format!("settings.glossary.{lang}.{source}"), target);
        }
    }
    for (name, phrases) in [("keep", &settings.keep), ("no_dub", &settings.no_dub)] {
        for (index, phrase) in phrases.iter().enumerate() {
            faults.name(&format!("settings.{name}[{index}]"), phrase);
        }
    }
    for (speaker, voices) in &settings.voices {
        for (lang, voice) in voices {
            faults.name(&format!("settings.voices.{speaker}.{lang}"), voice);
        }
    }
}

/// Faults with their places.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, place: &str, fault: impl AsRef<str>) {
        self.0.push(format!("{place} {}", fault.as_ref()));
    }

    fn text(&mut self, place: &str, text: &str) {
        if text.len() > MAX_TEXT_BYTES {
            self.add(place, format!("has {} bytes, more than {MAX_TEXT_BYTES}", text.len()));
        }
        if text.contains('\0') {
            self.add(place, "has a character of the value zero");
        }
    }

    /// A name or phrase: something to read, on one line, and not endless.
    fn name(&mut self, place: &str, name: &str) {
        if name.trim().is_empty() || name.len() > MAX_NAME_BYTES || name.contains(char::is_control) {
            let shown = shortened(name);
            self.add(place, format!("is `{shown}`; write 1 to {MAX_NAME_BYTES} bytes on one line"));
        }
    }

    fn number(&mut self, place: &str, value: Option<f64>, allowed: std::ops::RangeInclusive<f64>) {
        if let Some(value) = value.filter(|value| !allowed.contains(value)) {
            self.add(place, format!("is {value}, but must be from {} to {}", allowed.start(), allowed.end()));
        }
    }

    fn fraction(&mut self, place: &str, value: Option<f32>) {
        self.number(place, value.map(f64::from), 0.0..=1.0);
    }
}

fn shortened(text: &str) -> String {
    text.escape_debug().to_string().chars().take(40).collect()
}
