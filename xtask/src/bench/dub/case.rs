//! The talk that is dubbed: sentences spoken by FFmpeg's own Flite at known times, over quiet music, with the transcript.

use super::super::process;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Samples a second of Flite's voices.
const RATE: u64 = 16_000;
/// Silence after the talk.
const TAIL_MS: u64 = 2_000;
/// Between the sentences of a line.
const BETWEEN_SENTENCES_MS: u64 = 500;

/// An English sentence, and what a person would make of it in Spanish.
struct Sentence {
    english: &'static str,
    spanish: &'static str,
}

/// What is said: plain sentences of a talk, some short, some long.
const SENTENCES: [Sentence; 20] = [
    Sentence {
        english: "Good morning, and thank you all for coming.",
        spanish: "Buenos días, y gracias a todos por venir.",
    },
    Sentence { english: "Today I want to talk about the sea.", spanish: "Hoy quiero hablar del mar." },
    Sentence { english: "The water covers most of the earth.", spanish: "El agua cubre la mayor parte de la tierra." },
    Sentence {
        english: "For many years people were afraid of it.",
        spanish: "Durante muchos años la gente tuvo miedo de él.",
    },
    Sentence {
        english: "They built small boats and stayed near the coast.",
        spanish: "Construyeron barcos pequeños y se quedaron cerca de la costa.",
    },
    Sentence {
        english: "Later they learned to follow the stars.",
        spanish: "Después aprendieron a seguir las estrellas.",
    },
    Sentence { english: "A good map was worth more than gold.", spanish: "Un buen mapa valía más que el oro." },
    Sentence {
        english: "The first long journeys took many months.",
        spanish: "Los primeros viajes largos duraron muchos meses.",
    },
    Sentence { english: "Not every ship came home again.", spanish: "No todos los barcos volvieron a casa." },
    Sentence {
        english: "The wind decides when a ship can leave.",
        spanish: "El viento decide cuándo puede salir un barco.",
    },
    Sentence {
        english: "In winter the storms are strong and the days are short.",
        spanish: "En invierno las tormentas son fuertes y los días son cortos.",
    },
    Sentence {
        english: "Fish live in every part of the ocean.", spanish: "Los peces viven en cada parte del océano."
    },
    Sentence {
        english: "Some of them have never seen the light.",
        spanish: "Algunos de ellos nunca han visto la luz.",
    },
    Sentence {
        english: "We still know very little about the deep water.",
        spanish: "Todavía sabemos muy poco del agua profunda.",
    },
    Sentence {
        english: "Children ask the best questions about it.",
        spanish: "Los niños hacen las mejores preguntas sobre ello.",
    },
    Sentence {
        english: "Why is the water blue, and why is it full of salt?",
        spanish: "¿Por qué es azul el agua, y por qué está llena de sal?",
    },
    Sentence {
        english: "The rivers bring the salt from the mountains.",
        spanish: "Los ríos traen la sal de las montañas.",
    },
    Sentence {
        english: "The sun takes the water and leaves the salt behind.",
        spanish: "El sol toma el agua y deja atrás la sal.",
    },
    Sentence { english: "Everything in the sea is connected.", spanish: "Todo en el mar está conectado." },
    Sentence { english: "If you remember one thing, remember that.", spanish: "Si recuerdan una cosa, recuerden eso." },
];

/// A talk of some length.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) video: PathBuf,
    /// What is said, in English, at its times.
    pub(super) transcript: PathBuf,
    /// The same in Spanish.
    pub(super) spanish: PathBuf,
    pub(super) minutes: f64,
}

/// From whom it was heard, in English and Spanish.
const PEOPLE: [[&str; 2]; 12] = [
    ["mother", "madre"],
    ["father", "padre"],
    ["brother", "hermano"],
    ["sister", "hermana"],
    ["teacher", "maestro"],
    ["doctor", "médico"],
    ["uncle", "tío"],
    ["daughter", "hija"],
    ["neighbor", "vecino"],
    ["captain", "capitán"],
    ["grandmother", "abuela"],
    ["friend", "amigo"],
];

/// When that was.
const MONTHS: [[&str; 2]; 12] = [
    ["January", "enero"],
    ["February", "febrero"],
    ["March", "marzo"],
    ["April", "abril"],
    ["May", "mayo"],
    ["June", "junio"],
    ["July", "julio"],
    ["August", "agosto"],
    ["September", "septiembre"],
    ["October", "octubre"],
    ["November", "noviembre"],
    ["December", "diciembre"],
];

/// The sentences of a line, each in English and Spanish: the talk's own again and again, introduced each time in other words,
/// so that no line is another's copy. The introductions are words that a recogniser hears well, so they say nothing of how
/// well it hears: only the talk's own sentences are counted, see [`own_english`].
fn line(index: usize) -> Vec<[String; 2]> {
    let Sentence { english, spanish } = &SENTENCES[index % SENTENCES.len()];
    let said = [(*english).to_owned(), (*spanish).to_owned()];
    match (index / SENTENCES.len()).checked_sub(1) {
        None => vec![said],
        Some(time) => vec![introduction(time), said],
    }
}

/// The English of a line without its introduction, the end of what the line says.
pub(super) fn own_english(index: usize) -> &'static str {
    SENTENCES[index % SENTENCES.len()].english
}

/// How the sentences begin the first time they are repeated, the second and so on: twelve people in twelve months each.
fn introduction(time: usize) -> [String; 2] {
    let [person, persona] = PEOPLE[time % PEOPLE.len()];
    // Five and twelve have no common divisor: every person comes in every month.
    let [month, mes] = MONTHS[(time * 5 + time / PEOPLE.len()) % MONTHS.len()];
    [format!("I heard it from my {person} in {month}."), format!("Se lo oí a mi {persona} en {mes}.")]
}

/// Talks of `minutes` minutes each; what is there stays.
pub(super) fn prepare(folder: &Path, minutes: &[u64]) -> Result<Vec<Talk>> {
    fs::create_dir_all(folder).with_context(|| format!("{} could not be made", folder.display()))?;
    minutes.iter().map(|minutes| talk(folder, *minutes)).collect()
}

/// Sentences as they are spoken, each once.
struct Speaker<'a> {
    folder: &'a Path,
    spoken: BTreeMap<String, Vec<u8>>,
}

impl Speaker<'_> {
    /// The samples of a line, from its first sound to its last, with a pause between its sentences.
    fn say(&mut self, sentences: &[[String; 2]]) -> Result<Vec<u8>> {
        let mut samples = Vec::new();
        for [english, _] in sentences {
            if !samples.is_empty() {
                samples.resize(samples.len() + bytes_of(BETWEEN_SENTENCES_MS), 0);
            }
            let spoken = match self.spoken.entry(english.clone()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(speak(self.folder, english)?),
            };
            samples.extend_from_slice(spoken);
        }
        Ok(samples)
    }
}

/// The samples of a sentence, from its first sound to its last: Flite is silent for about 200 ms at both ends, and what a talk
/// says begins when it is heard.
fn speak(folder: &Path, text: &str) -> Result<Vec<u8>> {
    // A name of letters and dashes needs no escaping as a part of FFmpeg's filter, the text in the file none at all.
    let name: String = text.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let (words, sound) = (folder.join(format!("{name}.txt")), folder.join(format!("{name}.pcm")));
    if !sound.exists() {
        fs::write(&words, text)?;
        let source = format!("flite=textfile={name}.txt:voice=slt");
        let unfinished = folder.join("unfinished.pcm");
        let mut command = ffmpeg(folder);
        command.args(["-f", "lavfi", "-i", &source]);
        command.args(["-f", "s16le", "-ac", "1", "-ar", &RATE.to_string()]).arg(&unfinished);
        process::read_output(&mut command)?;
        fs::rename(unfinished, &sound)?;
    }
    let samples = fs::read(&sound)?;
    ensure!(samples.len() as u64 > RATE, "`{text}` was not spoken by FFmpeg's Flite");
    Ok(heard(&samples).to_vec())
}

/// FFmpeg in a folder, where it says nothing but errors.
fn ffmpeg(folder: &Path) -> Command {
    let mut command = process::command("ffmpeg", folder);
    command.args(["-nostdin", "-v", "error", "-y"]);
    command
}

/// Bytes of silence of a length.
fn bytes_of(ms: u64) -> usize {
    (RATE * ms / 1000) as usize * 2
}

/// Samples of 16 bits without the silence around them: what stays 40 dB below the loudest.
fn heard(samples: &[u8]) -> &[u8] {
    let level = |sample: &[u8]| i16::from_le_bytes([sample[0], sample[1]]).unsigned_abs();
    let loudest = samples.chunks_exact(2).map(level).max().unwrap_or_default();
    let is_heard = |sample: &[u8]| level(sample) > loudest / 100;
    let first = samples.chunks_exact(2).position(is_heard).unwrap_or_default();
    let end = samples.chunks_exact(2).rposition(is_heard).map_or(first, |last| last + 1);
    &samples[first * 2..end * 2]
}

fn talk(folder: &Path, minutes: u64) -> Result<Talk> {
    let name = |ending: &str| folder.join(format!("talk-{minutes}.{ending}"));
    let talk =
        Talk { video: name("mp4"), transcript: name("en.srt"), spanish: name("es.srt"), minutes: minutes as f64 };
    if talk.video.exists() {
        return Ok(talk);
    }
    let (raw, total) = (name("pcm"), minutes * 60 * RATE);
    let mut sound = BufWriter::new(File::create(&raw)?);
    let mut speaker = Speaker { folder, spoken: BTreeMap::new() };
    let (mut english, mut spanish) = (String::new(), String::new());
    let (mut at, mut count) = (RATE, 0_usize);
    sound.write_all(&vec![0; bytes_of(1000)])?;
    loop {
        let said = line(count);
        let samples = speaker.say(&said)?;
        let length = samples.len() as u64 / 2;
        if at + length + TAIL_MS * RATE / 1000 > total {
            break;
        }
        count += 1;
        let (start, end) = (stamp(at), stamp(at + length));
        for (transcript, language) in [(&mut english, 0), (&mut spanish, 1)] {
            let texts: Vec<&str> = said.iter().map(|sentence| sentence[language].as_str()).collect();
            write!(transcript, "{count}\n{start} --> {end}\n{}\n\n", texts.join(" "))?;
        }
        // Between three quarters of a second and one and a half: a speaker who breathes, and takes a pause now and then.
        let pause_ms = 750 + (count as u64 % 4) * 250;
        sound.write_all(&samples)?;
        sound.write_all(&vec![0; bytes_of(pause_ms)])?;
        at += length + RATE * pause_ms / 1000;
    }
    sound.flush()?;
    fs::write(&talk.transcript, english)?;
    fs::write(&talk.spanish, spanish)?;
    film(folder, &raw, &talk.video, minutes)?;
    fs::remove_file(&raw)?;
    Ok(talk)
}

/// A picture that moves little, and the speech over music that is 20 dB below it. Picture and music are made once for a short
/// while and repeat, without a seam.
fn film(folder: &Path, speech: &Path, video: &Path, minutes: u64) -> Result<()> {
    let picture = made_once(folder.join("picture.mp4"), |path| {
        let mut command = ffmpeg(folder);
        command.args(["-f", "lavfi", "-i", "testsrc=s=320x180:r=25", "-t", "60"]);
        command.args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "250", "-crf", "35"]).arg(path);
        process::read_output(&mut command).map(drop)
    })?;
    let music = made_once(folder.join("music.wav"), |path| {
        let tones =
            "aevalsrc='0.012*sin(2*PI*220*t)*(0.6+0.4*sin(2*PI*t/4))+0.01*sin(2*PI*329.63*t)|0.012*sin(2*PI*277.18*t)'";
        let mut command = ffmpeg(folder);
        // All of its waves are whole after 100 seconds.
        command.args(["-f", "lavfi", "-i", &format!("{tones}:s=48000"), "-t", "100"]).arg(path);
        process::read_output(&mut command).map(drop)
    })?;
    made_once(video.to_owned(), |path| {
        let mut command = ffmpeg(folder);
        command.args(["-stream_loop", "-1", "-i"]).arg(&picture);
        command.args(["-f", "s16le", "-ar", &RATE.to_string(), "-ac", "1", "-i"]).arg(speech);
        command.args(["-stream_loop", "-1", "-i"]).arg(&music).args([
            "-filter_complex",
            "[1:a]aresample=48000,apad,pan=stereo|c0=c0|c1=c0[v];[v][2:a]amix=inputs=2:normalize=0[a]",
        ]);
        command.args(["-map", "0:v", "-map", "[a]", "-t", &(minutes * 60).to_string(), "-c:v", "copy"]);
        // Of the sounds that films have, FFmpeg encodes this a dozen times as fast as AAC.
        command.args(["-c:a", "ac3", "-b:a", "192k", "-metadata:s:a:0", "language=eng"]);
        process::read_output(command.arg(path)).map(drop)
    })?;
    Ok(())
}

/// A file that `make` writes, unless it is there; it has its name only when it is whole.
fn made_once(file: PathBuf, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    if !file.exists() {
        let mut name = OsString::from("unfinished-");
        name.push(file.file_name().context("a file has a name")?);
        let unfinished = file.with_file_name(name);
        make(&unfinished)?;
        fs::rename(unfinished, &file)?;
    }
    Ok(file)
}

/// A time of SubRip.
fn stamp(sample: u64) -> String {
    let ms = sample * 1000 / RATE;
    format!("{:02}:{:02}:{:02},{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn silence_around_a_sentence_is_no_part_of_it() {
        let bytes = |samples: &[i16]| samples.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<u8>>();
        assert_eq!(heard(&bytes(&[0, 3, 900, 0, -1000, 5, 0])), bytes(&[900, 0, -1000]));
        assert!(heard(&bytes(&[0; 9])).is_empty());
    }

    #[test]
    fn no_line_of_the_longest_talk_is_a_copy() {
        let lines: BTreeSet<Vec<[String; 2]>> = (0..SENTENCES.len() * 145).map(line).collect();
        assert_eq!(lines.len(), SENTENCES.len() * 145);
        assert_eq!(introduction(13)[0], "I heard it from my father in July.");
    }

    #[test]
    fn a_line_ends_with_the_talks_own_sentence() {
        for index in 0..SENTENCES.len() * 3 {
            let last = line(index).pop().unwrap();
            assert_eq!(last[0], own_english(index));
        }
    }

    #[test]
    fn times_are_those_of_subrip() {
        assert_eq!(stamp(RATE * 3725 + RATE / 4), "01:02:05,250");
    }
}
