//! eSpeak NG as a program of its own: reads requests as lines of JSON, answers with samples and word times.
//!
//! The protocol is described in the README. Each sentence is spoken in a fork of the freshly started engine, which keeps
//! sentences from hearing each other and turns a crash of the engine into an answer.

mod ffi;
mod protocol;
mod sound;
mod voices;

use std::{
    fs,
    io::{self, BufRead, Read, Write},
    process::ExitCode,
};

use serde::Serialize;

use crate::{
    ffi::{ChildEnd, Engine, Manner},
    protocol::{Failure, FailureKind, Hello, PROTOCOL, Refusal, Request, Speak, Spoken},
    voices::{Variant, Voices},
};

/// The longest line read. A request over it is refused, and the rest of its line is skipped.
const MAX_LINE_BYTES: u64 = 256 * 1024;
/// The longest text spoken.
const MAX_TEXT_BYTES: usize = 16 * 1024;
/// Time for one sentence. The engine needs about a thousandth of the sound's length.
const LIMIT_SECONDS: u32 = 30;
/// Words a minute at rate 1.
const USUAL_WORDS_PER_MINUTE: f32 = 175.0;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        // The other side is gone: nothing is left to tell it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "pressroom-speech: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let mut engine = Engine::start().map_err(io::Error::other)?;
    if std::env::args().nth(1).as_deref() == Some("--version") {
        let (program, espeak) = (env!("CARGO_PKG_VERSION"), engine.version());
        return writeln!(io::stdout(), "pressroom-speech {program} (eSpeak NG {espeak})");
    }
    let voices = Voices::new(engine.voices(), read_variants(&engine));
    let mut input = io::stdin().lock();
    loop {
        let mut line = Vec::new();
        if (&mut input).take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') && line.len() as u64 == MAX_LINE_BYTES {
            input.skip_until(b'\n')?;
            refuse(Failure::new(FailureKind::Invalid, format!("a request is longer than {MAX_LINE_BYTES} bytes")))?;
            continue;
        }
        match serde_json::from_slice(&line) {
            Ok(Request::Hello) => say(&hello(&engine, &voices))?,
            Ok(Request::Speak(request)) => speak_apart(&mut engine, &voices, &request)?,
            Err(error) => refuse(Failure::new(FailureKind::Invalid, format!("not a request: {error}")))?,
        }
    }
}

fn hello(engine: &Engine, voices: &Voices) -> Hello {
    Hello {
        protocol: PROTOCOL,
        engine: engine.version(),
        sample_rate: engine.sample_rate,
        voices: voices.infos(),
        variants: voices.variants(),
    }
}

/// Answers one request from a fork of this process.
fn speak_apart(engine: &mut Engine, voices: &Voices, request: &Speak) -> io::Result<()> {
    let answer = || match speak(engine, voices, request) {
        Ok((spoken, samples)) => {
            ffi::stop_alarm();
            let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
            say(&spoken)?;
            let mut output = io::stdout().lock();
            output.write_all(&bytes)?;
            output.flush()
        }
        Err(failure) => {
            ffi::stop_alarm();
            refuse(failure)
        }
    };
    match ffi::in_child(LIMIT_SECONDS, answer)? {
        ChildEnd::Done => Ok(()),
        ChildEnd::Killed => {
            let message = "eSpeak NG crashed or hung on this text; shorten it or choose another voice";
            refuse(Failure::new(FailureKind::Internal, message))
        }
    }
}

fn speak(engine: &mut Engine, voices: &Voices, request: &Speak) -> Result<(Spoken, Vec<i16>), Failure> {
    let invalid = |message: String| Failure::new(FailureKind::Invalid, message);
    if request.text.len() > MAX_TEXT_BYTES {
        let length = request.text.len();
        return Err(invalid(format!("the text has {length} bytes; speak at most {MAX_TEXT_BYTES} at a time")));
    }
    for (name, value) in [("rate", request.rate), ("pitch", request.pitch)] {
        if !(0.5..=2.0).contains(&value) {
            return Err(invalid(format!("{name} {value} is out of range; choose 0.5 to 2.0")));
        }
    }
    let voice = voices.resolve(&request.voice)?;
    // Control characters are commands to the engine. One character for one keeps the positions.
    let text: String = request.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let manner = Manner {
        voice: &voice,
        words_per_minute: (USUAL_WORDS_PER_MINUTE * request.rate).round() as i32,
        // The engine's scale is logarithmic: 50 is the voice's own, 0 an octave below, 100 an octave above.
        pitch: (50.0 + 50.0 * request.pitch.log2()).round() as i32,
    };
    let internal = |message| Failure::new(FailureKind::Internal, message);
    let utterance = engine.speak(&text, manner).map_err(internal)?.ok_or_else(|| {
        internal(format!("the file of voice `{}` is missing; install the package espeak-ng-data again", request.voice))
    })?;
    let (samples, words) = sound::finish(&request.text, utterance, engine.sample_rate);
    Ok((Spoken { sample_rate: engine.sample_rate, samples: samples.len(), words }, samples))
}

/// The variants are files of a folder; the engine's own list leaves some of their names out.
fn read_variants(engine: &Engine) -> Vec<Variant> {
    let Ok(folder) = fs::read_dir(engine.data_folder().join("voices/!v")) else { return Vec::new() };
    let read = |entry: fs::DirEntry| {
        let id = entry.file_name().into_string().ok()?;
        let plain = id.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        plain.then(|| Variant::parse(id, &fs::read_to_string(entry.path()).unwrap_or_default()))
    };
    folder.flatten().filter_map(read).collect()
}

fn refuse(failure: Failure) -> io::Result<()> {
    say(&Refusal { error: failure })
}

fn say(answer: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    let mut output = io::stdout().lock();
    output.write_all(&line)?;
    output.flush()
}
