//! eSpeak NG through its program.

use std::{collections::HashSet, ffi::OsString, path::PathBuf, time::Duration};

use ai::tts::{SpeechRequest, Tts as _, voice_for};
use kernel::ErrorKind;
use providers::tts::espeak::{Espeak, Settings};

use crate::speech_program::{self, espeak};

fn request(voice: &str, text: &str) -> SpeechRequest {
    SpeechRequest { text: text.to_owned(), voice: voice.to_owned(), rate: 1.0, pitch: 1.0 }
}

#[tokio::test]
async fn the_port_is_kept() {
    ai::tts::conformance::run(&espeak()).await;
}

#[tokio::test]
async fn ten_languages_have_a_voice_that_speaks_them() {
    let tts = espeak();
    let voices = tts.voices().await.unwrap();
    for (lang, text, least_words) in [
        ("en", "The quick brown fox.", 4),
        ("es", "El veloz zorro marrón.", 4),
        ("fr", "Le renard brun et rapide.", 4),
        ("de", "Der schnelle braune Fuchs.", 4),
        ("it", "La veloce volpe marrone.", 4),
        ("pt-br", "A rápida raposa marrom.", 4),
        ("zh", "今天天气很好。", 6),
        ("ja", "きょうは いい てんき です。", 4),
        ("ar", "الطقس جميل اليوم.", 3),
        ("he", "מזג האוויר יפה היום.", 4),
        ("hi", "आज मौसम अच्छा है।", 4),
        ("th", "วันนี้ อากาศ ดี", 3),
    ] {
        let voice = voice_for(&lang.parse().unwrap(), &voices).unwrap();
        let speech = tts.speak(&request(&voice.id, text)).await.unwrap();
        let words: HashSet<_> = speech.words.iter().map(|w| w.bytes.clone()).collect();
        assert!(words.len() >= least_words, "{lang}: {:?}", speech.words);
        assert!(speech.duration_ms() > 800, "{lang}: {} ms", speech.duration_ms());
    }
}

/// The gaps of the sound, where nothing is heard for at least 60 ms, as (start, end) in milliseconds.
fn gaps(samples: &[i16], sample_rate: u32) -> Vec<(u64, u64)> {
    let ms = |index: usize| index as u64 * 1000 / u64::from(sample_rate);
    let mut gaps = Vec::new();
    let mut last_audible = 0;
    for (index, sample) in samples.iter().enumerate() {
        if sample.unsigned_abs() > 200 {
            if ms(index) - ms(last_audible) >= 60 {
                gaps.push((ms(last_audible), ms(index)));
            }
            last_audible = index;
        }
    }
    gaps
}

#[tokio::test]
async fn a_word_after_a_pause_begins_with_its_sound() {
    let tts = espeak();
    for (voice, text) in [
        ("en-us", "Hello, world. This is a test: of sound; fine, no? Yes, all right."),
        ("en-gb+f3", "“Quoted,” she said. Then: quiet. A very short one. More."),
        ("es", "¿Qué tal, señor? Muy bien. Gracias, amigo; hasta mañana."),
        ("de", "Nein, danke. Ja: bitte. Um neun, morgen."),
        ("fr-fr", "Bonjour, madame. Non, merci; un autre jour."),
    ] {
        let speech = tts.speak(&request(voice, text)).await.unwrap();
        // Pauses of clauses; shorter gaps are stop consonants within words.
        let pauses: Vec<_> =
            gaps(&speech.samples, speech.sample_rate).into_iter().filter(|(a, b)| b - a >= 110).collect();
        assert!(pauses.len() >= 3, "{voice}: {pauses:?}");
        for (_, onset) in pauses {
            let nearest = speech.words.iter().map(|w| u64::from(w.start_ms).abs_diff(onset)).min().unwrap();
            assert!(nearest <= 25, "{voice}: sound at {onset} ms, nearest word {nearest} ms away: {:?}", speech.words);
        }
    }
}

#[tokio::test]
async fn silence_at_both_ends_is_cut() {
    let speech = espeak().speak(&request("en-us", "“Perhaps.” ")).await.unwrap();
    let audible = |s: &i16| s.unsigned_abs() > 200;
    let first = speech.samples.iter().position(audible).unwrap();
    let last = speech.samples.iter().rposition(audible).unwrap();
    assert!(first < 22_050 / 50, "{first} samples of silence at the start");
    assert!(speech.samples.len() - last < 22_050 / 20, "{} at the end", speech.samples.len() - last);
    assert_eq!(speech.words[0].start_ms, 0);
}

#[tokio::test]
async fn what_was_spoken_before_does_not_change_a_sentence() {
    let wanted = espeak().speak(&request("en-us+f3", "A fixed sentence.")).await.unwrap();
    let tts = espeak();
    for (index, voice) in ["de+klatt", "cmn", "en-gb+whisper", "ru"].into_iter().enumerate() {
        tts.speak(&request(voice, &"Something else, 12 things. ".repeat(index * 7 + 1))).await.unwrap();
        assert_eq!(tts.speak(&request("en-us+f3", "A fixed sentence.")).await.unwrap(), wanted, "after {voice}");
    }
}

#[tokio::test]
async fn hostile_text_is_spoken_or_refused_but_never_ends_the_engine() {
    let tts = espeak();
    for text in [
        "\u{1}90P loud \u{1}999A",
        "[[h@loU]] <speak>x</speak>",
        "\u{0}",
        "a\u{0301}\u{200d}\u{202e}b",
        "\u{feff}",
        &"(".repeat(5000),
        &"9".repeat(5000),
        &"ก".repeat(3000),
    ] {
        let _ = tts.speak(&request("en-us", text)).await;
        let after = tts.speak(&request("en-us", "Still here.")).await.unwrap();
        assert!(after.duration_ms() > 300);
    }
}

#[tokio::test]
async fn a_missing_program_is_named_with_the_remedy() {
    let settings = Settings { program: Some(PathBuf::from("/nowhere/pressroom-speech")), ..Settings::default() };
    let error = Espeak::new(&settings).speak(&request("en-us", "Hi.")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Missing);
    assert!(error.message.contains("/nowhere/pressroom-speech"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_that_hangs_or_dies_is_an_error_in_time() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let program = |name: &str, script: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let timeout = Duration::from_millis(300);
        Espeak::new(&Settings { program: Some(path), timeout, processes: 1, ..Settings::default() })
    };
    let hangs = program("hangs", "#!/bin/sh\nexec sleep 60\n").speak(&request("en-us", "Hi.")).await.unwrap_err();
    assert_eq!(hangs.kind, ErrorKind::Unavailable, "{hangs}");
    let dies =
        program("dies", "#!/bin/sh\necho no voice data >&2\n").speak(&request("en-us", "Hi.")).await.unwrap_err();
    assert_eq!(dies.kind, ErrorKind::Missing, "{dies}");
    assert!(dies.message.contains("no voice data"), "{dies}");
}

#[tokio::test]
async fn a_process_killed_between_sentences_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("speech-to-kill");
    std::fs::copy(speech_program::path(), &program).unwrap();
    let tts = Espeak::new(&Settings { program: Some(program), processes: 1, ..Settings::default() });
    tts.speak(&request("en-us", "One.")).await.unwrap();
    assert_eq!(kill_children_named("speech-to-kill"), 1, "one process waits for the next sentence");
    assert!(tts.speak(&request("en-us", "Two.")).await.unwrap().duration_ms() > 100);
}

#[tokio::test]
async fn a_process_without_work_is_ended_and_another_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("speech-to-idle");
    std::fs::copy(speech_program::path(), &program).unwrap();
    let patience = Duration::from_millis(100);
    let tts = Espeak::new(&Settings { program: Some(program), processes: 1, patience, ..Settings::default() });
    tts.speak(&request("en-us", "One.")).await.unwrap();
    let ended = async {
        while !children_named("speech-to-idle").is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the process is ended");
    assert!(tts.speak(&request("en-us", "Two.")).await.unwrap().duration_ms() > 100);
}

/// Kills this test program's own children of that name (at most 15 bytes, as the kernel keeps it).
#[expect(clippy::disallowed_methods, reason = "the test needs a process to die")]
fn kill_children_named(name: &str) -> usize {
    let kill = |pid: &OsString| std::process::Command::new("kill").arg("-9").arg(pid).status().unwrap().success();
    children_named(name).iter().filter(|pid| kill(pid)).count()
}

/// This test program's own children of that name, as numbers.
fn children_named(name: &str) -> Vec<OsString> {
    let own = std::process::id().to_string();
    let mut children = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((head, tail)) = stat.rsplit_once(')') else { continue };
        let parent = tail.split_whitespace().nth(1).unwrap_or_default();
        if head.ends_with(&format!("({name}")) && parent == own {
            children.push(entry.file_name());
        }
    }
    children
}
