//! The talk that is dubbed: sentences spoken by FFmpeg's own Flite at known times, over quiet music, with the transcript.

use super::super::process;
use anyhow::{Context, Result, ensure};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// Samples a second of Flite's voices.
const RATE: u64 = 16_000;
/// Silence after the talk.
const TAIL_MS: u64 = 2_000;

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

/// The sentences again and again, each time in another part of the talk, so that no line is another's copy.
fn line(index: usize) -> (String, String) {
    let Sentence { english, spanish } = &SENTENCES[index % SENTENCES.len()];
    match index / SENTENCES.len() {
        0 => ((*english).to_owned(), (*spanish).to_owned()),
        part => {
            let part = part + 1;
            (
                format!("In part {} I say it again. {english}", in_words(part)),
                format!("En la parte {part} lo digo otra vez. {spanish}"),
            )
        }
    }
}

/// A number below a hundred as it is said: what is heard is compared word by word, and nobody hears digits.
fn in_words(number: usize) -> String {
    const SMALL: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    match (number / 10, number % 10) {
        (0 | 1, _) => SMALL[number].to_owned(),
        (tens, 0) => TENS[tens - 2].to_owned(),
        (tens, ones) => format!("{} {}", TENS[tens - 2], SMALL[ones]),
    }
}

/// Talks of `minutes` minutes each; what is there stays.
pub(super) fn prepare(folder: &Path, minutes: &[u64]) -> Result<Vec<Talk>> {
    fs::create_dir_all(folder).with_context(|| format!("{} could not be made", folder.display()))?;
    minutes.iter().map(|minutes| talk(folder, *minutes)).collect()
}

/// The samples of a sentence, from its first sound to its last: Flite is silent for about 200 ms at both ends, and what a talk
/// says begins when it is heard.
fn speak(folder: &Path, index: usize, text: &str) -> Result<Vec<u8>> {
    let (words, sound) = (folder.join(format!("{index}.txt")), folder.join(format!("{index}.pcm")));
    if !sound.exists() {
        fs::write(&words, text)?;
        // Commas and quotes of the text need no escaping in a file; the name is ours.
        let source = format!("flite=textfile={}:voice=slt", words.file_name().context("a name")?.display());
        let mut command = process::command("ffmpeg", folder);
        command.args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", &source]);
        command.args(["-f", "s16le", "-ac", "1", "-ar", &RATE.to_string()]).arg(&sound);
        process::read_output(&mut command)?;
    }
    let samples = fs::read(&sound)?;
    ensure!(samples.len() as u64 > RATE, "`{text}` was not spoken by FFmpeg's Flite");
    Ok(heard(&samples).to_vec())
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
    let (mut english, mut spanish) = (String::new(), String::new());
    let (mut at, mut count) = (RATE, 0_usize);
    sound.write_all(&vec![0; RATE as usize * 2])?;
    loop {
        let said = line(count);
        let samples = speak(folder, count, &said.0)?;
        let length = samples.len() as u64 / 2;
        if at + length + TAIL_MS * RATE / 1000 > total {
            break;
        }
        count += 1;
        let (start, end) = (stamp(at), stamp(at + length));
        write!(english, "{count}\n{start} --> {end}\n{}\n\n", said.0)?;
        write!(spanish, "{count}\n{start} --> {end}\n{}\n\n", said.1)?;
        // Between three quarters of a second and one and a half: a speaker who breathes, and takes a pause now and then.
        let pause = RATE * 3 / 4 + (count as u64 % 4) * RATE / 4;
        sound.write_all(&samples)?;
        sound.write_all(&vec![0; pause as usize * 2])?;
        at += length + pause;
    }
    sound.flush()?;
    fs::write(&talk.transcript, english)?;
    fs::write(&talk.spanish, spanish)?;
    film(folder, &raw, &talk.video, minutes)?;
    fs::remove_file(&raw)?;
    Ok(talk)
}

/// A picture that moves little, and the speech over music that is 20 dB below it.
fn film(folder: &Path, speech: &Path, video: &Path, minutes: u64) -> Result<()> {
    let duration = (minutes * 60).to_string();
    let music = "aevalsrc='0.012*sin(2*PI*220*t)*(0.6+0.4*sin(2*PI*t/4))+0.01*sin(2*PI*329.63*t)|0.012*sin(2*PI*277.18*t)':s=48000";
    let mut command = process::command("ffmpeg", folder);
    command.args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=s=320x180:r=25"]);
    command.args(["-f", "s16le", "-ar", &RATE.to_string(), "-ac", "1", "-i"]).arg(speech);
    command.args(["-f", "lavfi", "-i", music]).args([
        "-filter_complex",
        "[1:a]aresample=48000,apad,pan=stereo|c0=c0|c1=c0[v];[v][2:a]amix=inputs=2:normalize=0[a]",
    ]);
    command.args([
        "-map",
        "0:v",
        "-map",
        "[a]",
        "-t",
        &duration,
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-g",
        "250",
    ]);
    command.args(["-crf", "35", "-c:a", "aac", "-b:a", "160k", "-metadata:s:a:0", "language=eng"]);
    let unfinished = video.with_extension("unfinished.mp4");
    process::read_output(command.arg(&unfinished))?;
    Ok(fs::rename(unfinished, video)?)
}

/// A time of SubRip.
fn stamp(sample: u64) -> String {
    let ms = sample * 1000 / RATE;
    format!("{:02}:{:02}:{:02},{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_around_a_sentence_is_no_part_of_it() {
        let bytes = |samples: &[i16]| samples.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<u8>>();
        assert_eq!(heard(&bytes(&[0, 3, 900, 0, -1000, 5, 0])), bytes(&[900, 0, -1000]));
        assert!(heard(&bytes(&[0; 9])).is_empty());
    }

    #[test]
    fn numbers_are_said_in_words() {
        assert_eq!([2, 13, 40, 99].map(in_words), ["two", "thirteen", "forty", "ninety nine"]);
    }

    #[test]
    fn times_are_those_of_subrip() {
        assert_eq!(stamp(RATE * 3725 + RATE / 4), "01:02:05,250");
    }
}
