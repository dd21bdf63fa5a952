//! Measures dubs: how good they are, by Pressroom's own report and by listening to them again, and what they cost.

mod case;

use super::measure::{self, Cost};
use super::report::{self, Row};
use super::{MEGABYTE, process, say};
use anyhow::{Context, Result};
use case::Talk;
use serde_json::Value;
use std::cmp::Reverse;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const MAX_PROCESSOR_S_PER_MINUTE: f64 = 6.0;
const MAX_LISTENING_S_PER_MINUTE: f64 = 30.0;
const MAX_EDIT_RATIO: f64 = 0.05;
const MAX_MEMORY_MB: f64 = 500.0;
const MAX_MEMORY_RATIO: f64 = 1.2;
const MAX_WORD_ERRORS: f64 = 0.1;
/// How far the original is turned down under lines that are written down again: it says the same words in the same language,
/// and what is measured is the new voice.
const DUCK_DB: &str = "40";
/// How often the short talk is dubbed for the memory that it needs.
const SHORT_RUNS: usize = 4;
/// A woman's voice and a man's.
const FLITE_VOICES: [&str; 2] = ["flite-slt", "flite-rms"];
const MEAN_OFFSET_MS: f64 = 100.0;
const MAX_OFFSET_MS: f64 = 250.0;
const SHORT_MINUTES: u64 = 10;
const LONG_MINUTES: u64 = 120;
/// Lines all over the ten minutes, and what a person makes of them.
const EDITS: [(u32, &str); 5] = [
    (12, "Los peces viven en todas las partes del mar."),
    (31, "El invierno trae días cortos y tormentas fuertes."),
    (50, "Cuando el viento quiere, el barco puede salir del puerto."),
    (69, "No volvieron a casa todos los barcos."),
    (88, "Muchos meses duraron los primeros viajes largos."),
];

/// How much to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchDubOptions {
    /// Leave out the two hours, which take longer than all the rest
    #[arg(long)]
    skip_two_hours: bool,
}

/// Measures everything and writes the table.
pub(crate) fn run(root: &Path, options: &BenchDubOptions) -> Result<()> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let target = root.join(target);
    let machine = report::describe_machine();
    say("talks")?;
    let minutes: &[u64] = if options.skip_two_hours { &[SHORT_MINUTES] } else { &[SHORT_MINUTES, LONG_MINUTES] };
    let folder = target.join("bench-dub");
    let talks = case::prepare(&folder.join("case"), minutes)?;
    let [talk, longer @ ..] = &talks[..] else { anyhow::bail!("there is no talk to dub") };
    let bench = Bench { pressroom: target.join("release/pressroom"), folder };

    say("a dub with its transcript")?;
    let (mut rows, whole) = bench.measure_dub(talk)?;
    say("lines edited")?;
    rows.push(bench.measure_edits(talk, &whole)?);
    say("a dub without a transcript")?;
    rows.extend(bench.measure_listening(talk)?);
    say("a dub heard again")?;
    rows.push(bench.hear_again(talk)?);
    for longer in longer {
        say("two hours")?;
        rows.extend(bench.compare_memory(talk, longer)?);
    }
    let text = report::write_dub_page(&rows, &machine, talk.minutes);
    std::fs::write(root.join("docs/benchmarks-dubbing.md"), &text).context("the page could not be written")?;
    write!(std::io::stdout(), "{text}")?;
    Ok(())
}

struct Bench {
    pressroom: PathBuf,
    folder: PathBuf,
}

impl Bench {
    /// English to Spanish with the transcript: the report's own figures, and the cost.
    fn measure_dub(&self, talk: &Talk) -> Result<(Vec<Row>, Cost)> {
        let output = self.empty("dub")?;
        let cost = measure::measure(self.dub(talk, "es", "dub").arg("--transcript").arg(&talk.transcript))?;
        let mut rows = self.figures(&output.join("talk-10.dub.json"))?;
        let memory = cost.peak_memory_bytes as f64 / MEGABYTE;
        rows.push(Row::at_most(
            "processor seconds for a minute, transcript given",
            cost.processor_s / talk.minutes,
            MAX_PROCESSOR_S_PER_MINUTE,
            "s",
        ));
        rows.push(Row::at_most("peak memory of all processes, ten minutes", memory, MAX_MEMORY_MB, "MB"));
        Ok((rows, cost))
    }

    /// What `pressroom dub report` says of the first language.
    fn figures(&self, document: &Path) -> Result<Vec<Row>> {
        let mut command = process::command(&self.pressroom, &self.folder);
        command.args(["dub", "report", "--json"]).arg(document);
        let printed = process::read_output(&mut command)?;
        let report: Value = printed.lines().find_map(|line| serde_json::from_str(line).ok()).context("no report")?;
        let figures = report.pointer("/reports/0/figures").or_else(|| report.pointer("/figures"));
        let figures = figures.and_then(Value::as_array).context("a report has figures")?;
        let row = |figure: &Value| {
            let text = |key: &str| figure[key].as_str().unwrap_or_default().to_owned();
            let value = figure["value"].as_f64().unwrap_or(f64::NAN);
            Row::told(text("name"), format!("{value:.3} {}", text("unit")), text("reach"), figure["met"] == true)
        };
        Ok(figures.iter().map(row).collect())
    }

    /// Edits lines one by one, a resume after each: what a line costs depends on where it lies, so it is the mean that counts.
    fn measure_edits(&self, talk: &Talk, whole: &Cost) -> Result<Row> {
        let mut processor_s = Vec::new();
        for (line, text) in EDITS {
            processor_s.push(self.measure_edit(line, text)?.processor_s);
        }
        let mean = processor_s.iter().sum::<f64>() / processor_s.len() as f64;
        let greatest = processor_s.iter().copied().fold(0.0, f64::max);
        let ratio = mean / whole.processor_s;
        Ok(Row::told(
            format!(
                "one line of {:.0} minutes edited: processor seconds over the whole run's, mean of {} lines",
                talk.minutes,
                EDITS.len()
            ),
            format!("{ratio:.3} ({mean:.2} s, at most {greatest:.2} s, over {:.1} s)", whole.processor_s),
            format!("≤ {MAX_EDIT_RATIO}"),
            ratio <= MAX_EDIT_RATIO,
        ))
    }

    fn measure_edit(&self, line: u32, text: &str) -> Result<Cost> {
        let document = self.folder.join("dub").join("talk-10.dub.json");
        let mut edit = process::command(&self.pressroom, &self.folder);
        edit.args(["dub", "edit", "-q", "--set", &format!("{line}.translation={text}")]);
        process::read_output(edit.arg(&document))?;
        let mut resume = process::command(&self.pressroom, &self.folder);
        resume.args(["dub", "resume", "-q", "--data"]).arg(self.folder.join("data-dub")).arg(&document);
        measure::measure(resume.arg("-o").arg(self.folder.join("dub")))
    }

    /// Without a transcript: the cost, and where lines begin against the times that the talk was made with.
    fn measure_listening(&self, talk: &Talk) -> Result<Vec<Row>> {
        let output = self.empty("listening")?;
        let cost = measure::measure(&mut self.dub(talk, "es", "listening"))?;
        let seconds = cost.processor_s / talk.minutes;
        let spoken = spans(&std::fs::read_to_string(&talk.transcript)?)?;
        let offsets = offsets_ms(&read_json(&output.join("talk-10.dub.json"))?, &spoken, "es");
        let mean = offsets.iter().sum::<f64>() / offsets.len().max(1) as f64;
        let greatest = offsets.iter().copied().fold(0.0, f64::max);
        let what = |figure: &str| format!("without a transcript, start against when it was said, {figure}");
        Ok(vec![
            Row::at_most(
                "processor seconds for a minute, without a transcript",
                seconds,
                MAX_LISTENING_S_PER_MINUTE,
                "s",
            ),
            Row::at_most(what(&format!("mean of {} lines", offsets.len())), mean, MEAN_OFFSET_MS, "ms"),
            Row::at_most(what("greatest"), greatest, MAX_OFFSET_MS, "ms"),
        ])
    }

    /// Dubs the Spanish talk into English as a person translates it, in each of Flite's voices, writes down what is heard, and
    /// counts the words that are wrong in the talk's own sentences: what is measured are the voices, the mix and the ear, not
    /// the translation.
    fn hear_again(&self, talk: &Talk) -> Result<Row> {
        let (mut wrong, mut own, mut told) = (0, 0, Vec::new());
        for voice in FLITE_VOICES {
            let (said, heard) = self.hear_voice(talk, voice)?;
            let errors = own_errors(&said, &heard);
            let words = said.iter().filter(|word| word.is_own).count();
            told.push(format!("{voice} {:.3}", errors as f64 / words.max(1) as f64));
            (wrong, own) = (wrong + errors, own + words);
        }
        let rate = wrong as f64 / own.max(1) as f64;
        Ok(Row::told(
            "dubbed English of Flite's voices written down again, with `--duck 40`: word errors in the talk's own sentences",
            format!("{rate:.3} ({})", told.join(", ")),
            format!("≤ {MAX_WORD_ERRORS}"),
            rate <= MAX_WORD_ERRORS,
        ))
    }

    /// What is said in the talk, and what is heard in it when it is dubbed by `voice`.
    fn hear_voice(&self, talk: &Talk, voice: &str) -> Result<(Vec<Said>, Vec<String>)> {
        let output = self.empty("again")?;
        let voices = self.folder.join("voices.toml");
        std::fs::write(&voices, format!("[low]\nen = \"{voice}\"\n\n[high]\nen = \"{voice}\"\n"))?;
        let mut dub = self.dub(talk, "en", "again");
        dub.args(["--from", "es", "--duck", DUCK_DB, "--voices"]).arg(&voices).arg("--transcript").arg(&talk.spanish);
        process::read_output(&mut dub)?;
        let document = output.join("talk-10.dub.json");
        translate_by_hand(&document, &talk.transcript)?;
        let mut resume = process::command(&self.pressroom, &self.folder);
        resume.args(["dub", "resume", "-q", "--data"]).arg(self.folder.join("data-again")).arg(&document);
        process::read_output(resume.arg("-o").arg(&output))?;
        let mut transcribe = process::command(&self.pressroom, &self.folder);
        // As every transcript it is named by its source and language.
        let (folder, heard) = (output.join("heard"), output.join("heard/talk-10.en.en.srt"));
        transcribe.args(["transcribe", "-q", "--from", "en", "--data"]).arg(self.folder.join("data-again"));
        process::read_output(transcribe.arg(output.join("talk-10.en.mp4")).arg("-o").arg(&folder))?;
        Ok((said(&read(&talk.transcript)?), heard_words(&read(&heard)?)))
    }

    /// The short talk is dubbed several times: most memory is used while two translators have their data loaded, moments that a
    /// long talk has many of, while a sample of one short run may well miss the only one.
    fn compare_memory(&self, talk: &Talk, longer: &Talk) -> Result<Vec<Row>> {
        let peak = |talk: &Talk, name: &str| -> Result<f64> {
            self.empty(name)?;
            let cost = measure::measure(self.dub(talk, "es", name).arg("--transcript").arg(&talk.transcript))?;
            Ok(cost.peak_memory_bytes as f64 / MEGABYTE)
        };
        let short = (0..SHORT_RUNS).map(|_| peak(talk, "shorter")).collect::<Result<Vec<_>>>()?;
        let short = short.into_iter().fold(0.0, f64::max);
        let memory = peak(longer, "longer")?;
        let ratio = memory / short;
        Ok(vec![
            Row::at_most("peak memory of all processes, two hours", memory, MAX_MEMORY_MB, "MB"),
            Row::told(
                "two hours over ten minutes: peak memory",
                format!("{ratio:.2} times (over {short:.0} MB, the greatest of {SHORT_RUNS} runs)"),
                format!("≤ {MAX_MEMORY_RATIO} times"),
                ratio <= MAX_MEMORY_RATIO,
            ),
        ])
    }

    fn dub(&self, talk: &Talk, to: &str, name: &str) -> Command {
        let mut command = process::command(&self.pressroom, &self.folder);
        command.args(["dub", "-q", "--to", to]).arg(&talk.video).arg("--data");
        command.arg(self.folder.join(format!("data-{name}"))).arg("-o").arg(self.folder.join(name));
        command
    }

    /// A folder for results, and the data folder beside it, both empty.
    fn empty(&self, name: &str) -> Result<PathBuf> {
        let output = self.folder.join(name);
        for folder in [&output, &self.folder.join(format!("data-{name}"))] {
            if folder.exists() {
                std::fs::remove_dir_all(folder).with_context(|| format!("{} stays", folder.display()))?;
            }
        }
        std::fs::create_dir_all(&output)?;
        Ok(output)
    }
}

/// Puts the lines of `subtitles` into the document as the English of its lines, one by one.
fn translate_by_hand(document: &Path, subtitles: &Path) -> Result<()> {
    let subtitles = read(subtitles)?;
    let mut texts = texts(&subtitles);
    let mut dub = read_json(document)?;
    let utterances = dub["utterances"].as_array_mut().context("a dub has utterances")?;
    for utterance in utterances {
        let text = texts.next().context("the transcripts have as many lines")?;
        utterance["lines"]["en"]["translation"] = text.into();
    }
    Ok(std::fs::write(document, serde_json::to_string_pretty(&dub)?)?)
}

/// What the lines of the case's subtitles say, in their order.
fn texts(subtitles: &str) -> impl Iterator<Item = &str> {
    subtitles.split("\n\n").filter_map(|cue| cue.lines().nth(2))
}

/// A word that was said.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    word: String,
    /// Of the talk's own sentences, not of an introduction.
    is_own: bool,
}

/// The words of the case's subtitles.
fn said(subtitles: &str) -> Vec<Said> {
    let line = |(index, text): (usize, &str)| {
        let introduction = words(text).count().saturating_sub(words(case::own_english(index)).count());
        words(text).enumerate().map(|(at, word)| Said { word, is_own: at >= introduction }).collect::<Vec<_>>()
    };
    texts(subtitles).enumerate().flat_map(line).collect()
}

/// The words of subtitles, whatever their lines.
fn heard_words(subtitles: &str) -> Vec<String> {
    subtitles.lines().filter(|line| !line.contains("-->") && line.parse::<u32>().is_err()).flat_map(words).collect()
}

/// The words of a text, in small letters.
fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|letter: char| !(letter.is_alphanumeric() || letter == '\''));
    words.filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// Of the fewest errors (words that are wrong, missing or too many) that make what was heard of what was said, those in the
/// talk's own words. A word too many counts where one beside it is the talk's own, and where there are several ways, the one
/// with the most.
fn own_errors(said: &[Said], heard: &[String]) -> usize {
    // Errors in all, the fewer the better; those in own words, the more the better.
    type Errors = (usize, Reverse<usize>);
    let add = |(all, Reverse(own)): Errors, is_own: bool| (all + 1, Reverse(own + usize::from(is_own)));
    let is_own = |at: usize| said.get(at).is_some_and(|word| word.is_own);
    let mut row: Vec<Errors> = vec![(0, Reverse(0))];
    for _ in heard {
        row.push(add(row[row.len() - 1], is_own(0)));
    }
    for (at, Said { word, is_own: own }) in said.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = add(diagonal, *own);
        for (index, other) in heard.iter().enumerate() {
            let same = if word == other { diagonal } else { add(diagonal, *own) };
            let (missing, more) = (add(row[index + 1], *own), add(row[index], *own || is_own(at + 1)));
            diagonal = std::mem::replace(&mut row[index + 1], same.min(missing).min(more));
        }
    }
    row[heard.len()].1.0
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn read_json(path: &Path) -> Result<Value> {
    Ok(serde_json::from_str(&read(path)?)?)
}

/// When each cue of SubRip begins and ends, in milliseconds.
fn spans(subtitles: &str) -> Result<Vec<(f64, f64)>> {
    let times = subtitles.lines().filter_map(|line| line.split_once(" --> "));
    times.map(|(start, end)| Ok((milliseconds(start)?, milliseconds(end)?))).collect()
}

fn milliseconds(stamp: &str) -> Result<f64> {
    let parts: Result<Vec<f64>, _> = stamp.trim().split([':', ',']).map(str::parse).collect();
    let [hours, minutes, seconds, ms] = parts?[..] else { anyhow::bail!("`{stamp}` is no time of SubRip") };
    Ok(((hours * 60.0 + minutes) * 60.0 + seconds) * 1000.0 + ms)
}

/// By how much the dub of what was said begins earlier or later, for everything said of which the first words are dubbed.
fn offsets_ms(dub: &Value, spoken: &[(f64, f64)], lang: &str) -> Vec<f64> {
    let empty = Vec::new();
    let utterances = dub["utterances"].as_array().unwrap_or(&empty);
    let offset = |&(start, end): &(f64, f64)| {
        let overlaps = |utterance: &&Value| {
            let at = |key: &str| utterance[key].as_f64().unwrap_or(f64::NAN);
            at("start_ms") < end && at("end_ms") > start
        };
        let first = utterances.iter().find(overlaps)?;
        Some((first["lines"][lang]["placed"]["start_ms"].as_f64()? - start).abs())
    };
    spoken.iter().filter_map(offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors in the last of 21 lines, the only one with an introduction, when the others are heard well.
    fn errors(heard: &str) -> usize {
        let cue = |index: usize| {
            let introduction = if index < 20 { "" } else { "From my mother. " };
            format!("{index}\ntime\n{introduction}{}\n\n", case::own_english(index))
        };
        let subtitles: String = (0..21).map(cue).collect::<Vec<_>>().concat();
        let said = said(&subtitles);
        assert_eq!(said.iter().filter(|word| !word.is_own).count(), 3);
        let own: String = (0..20).map(case::own_english).collect::<Vec<_>>().join("\n");
        own_errors(&said, &heard_words(&format!("7\n0 --> 1\n{own}\n\n{heard}")))
    }

    #[test]
    fn words_are_counted_in_the_talks_own_sentences_only() {
        assert_eq!(errors("From my mother. Good morning, and thank you all for coming."), 0);
        assert_eq!(errors("For my. Good morning, and thank you all for coming."), 0);
        assert_eq!(errors("From my mother good mining can thank you all for coming"), 2);
        assert_eq!(errors("From my mother good morning and thank you for coming now"), 2);
        assert_eq!(errors("From the my mother good morning and thank you all for coming"), 0);
        assert_eq!(errors("From my mother they good morning and thank you all for coming"), 1);
        assert_eq!(errors("From my mother."), 8);
    }

    #[test]
    fn lines_are_compared_with_what_was_said_at_their_time() {
        let subtitles = "1\n00:00:01,000 --> 00:00:02,000\nOne.\n\n2\n00:01:03,500 --> 00:01:04,000\nTwo.\n\n3\n01:00:00,000 --> 01:00:01,000\nThree.\n";
        let spoken = spans(subtitles).unwrap();
        assert_eq!(spoken[1..], [(63_500.0, 64_000.0), (3_600_000.0, 3_601_000.0)]);
        let line = |start: u64, end: u64, placed: Value| serde_json::json!({"start_ms": start, "end_ms": end, "lines": {"es": {"placed": placed}}});
        let dubbed = |start: u64, end: u64| line(start, end, serde_json::json!({"start_ms": start}));
        let utterances = [
            dubbed(0, 900),
            dubbed(1040, 1500),
            dubbed(1600, 2000),
            dubbed(63_380, 64_000),
            line(3_600_000, 3_600_900, Value::Null),
        ];
        let dub = serde_json::json!({"utterances": utterances});
        assert_eq!(offsets_ms(&dub, &spoken, "es"), [40.0, 120.0]);
    }
}
