//! What the drawn captions must keep, measured in pixels.

use image::RgbImage;
use media::{
    Size,
    captions::{Color, Cue, Line, Mode, Outline, Setting, Style, ass, ass_window},
    fonts,
    speech_text::TimedWord,
};

use super::{
    render::{TALL, WIDE, cues, frame, frame_of, sentence_frame},
    sentences::SENTENCES,
};

const BACKGROUND: &str = "0x405060";

/// The smallest rectangle around everything that is not background: left, top, right, bottom.
fn bounds(frame: &RgbImage) -> Option<(u32, u32, u32, u32)> {
    let pixels = frame.as_raw().as_chunks::<3>().0;
    let (width, background) = (frame.width() as usize, pixels[0]);
    let drawn = |pixel: &[u8; 3]| pixel.iter().zip(background).any(|(a, b)| a.abs_diff(b) > 24);
    let mut bounds: Option<(u32, u32, u32, u32)> = None;
    for (y, row) in (0..).zip(pixels.chunks(width)) {
        let (Some(first), Some(last)) = (row.iter().position(drawn), row.iter().rposition(drawn)) else { continue };
        let (first, last) = (first as u32, last as u32);
        let (left, top, right, _) = bounds.unwrap_or((first, y, last, y));
        bounds = Some((left.min(first), top, right.max(last), y));
    }
    bounds
}

/// Letters alone: no outline, one colour.
fn bare_style() -> Style {
    Style { outline: Outline { width: 0.0, color: Color::BLACK }, highlight: Color::WHITE, ..Style::default() }
}

fn cue(lang: &str, lines: &[&str]) -> Cue {
    let words = |line: &&str| Line {
        words: line
            .split(' ')
            .map(|text| TimedWord { text: text.to_owned(), space_before: true, start_ms: 0, end_ms: 1000 })
            .collect(),
    };
    Cue { start_ms: 0, end_ms: 1000, lines: lines.iter().map(words).collect(), lang: lang.parse().unwrap() }
}

fn draw(cue: &Cue, style: &Style, size: Size) -> RgbImage {
    let setting = Setting { style, mode: Mode::Line, frame: size };
    let file = ass(std::slice::from_ref(cue), &setting).unwrap();
    frame(&file, size, 500, BACKGROUND)
}

#[test]
fn nothing_is_drawn_outside_the_title_safe_area() {
    for (index, (lang, text)) in SENTENCES.iter().enumerate() {
        let style = Style::named(Style::names().nth(index % 5).unwrap()).unwrap();
        for size in [TALL, WIDE] {
            let cues = cues(lang, text, &style, size);
            for cue in [0, cues.len() - 1] {
                let frame = sentence_frame(&cues, (cue, 0), &style, size);
                let (left, top, right, bottom) = bounds(&frame).unwrap();
                let (x, y) = (size.width / 20, size.height / 20);
                let inside = left >= x && right < size.width - x && top >= y && bottom < size.height - y;
                assert!(inside, "{lang} {}: {left} {top} {right} {bottom}", cues[cue].text());
                assert!(
                    size == WIDE || bottom < size.height * 81 / 100,
                    "{lang} is under the buttons of a phone: {bottom}"
                );
            }
        }
    }
}

#[test]
fn words_keep_their_place_while_the_light_moves() {
    for (index, size) in [(0, TALL), (6, TALL), (8, WIDE), (9, TALL), (10, WIDE)] {
        let (lang, text) = SENTENCES[index];
        // Another colour to the renderer, the same to the eye: whatever differs has moved.
        let style = Style { highlight: Color { red: 254, green: 254, blue: 252, opacity: 255 }, ..Style::default() };
        let cues = cues(lang, text, &style, size);
        let first = sentence_frame(&cues, (0, 0), &style, size);
        for word in 1..cues[0].words().count() {
            let frame = sentence_frame(&cues, (0, word), &style, size);
            let moved = frame.pixels().zip(first.pixels()).filter(|(a, b)| a[1].abs_diff(b[1]) > 24).count();
            assert!(moved == 0, "{lang}, word {word}: {moved} pixels moved");
        }
    }
}

#[test]
fn a_cue_cut_by_the_end_of_a_segment_looks_the_same_on_both_sides() {
    let (lang, text) = SENTENCES[0];
    let style = Style::named("karaoke").unwrap();
    let cues = cues(lang, text, &style, TALL);
    let setting = Setting { style: &style, mode: Mode::Word, frame: TALL };
    let whole = ass_window(&cues, &setting, 0..60_000).unwrap().unwrap();
    for cut_ms in [500, 1000, 2330] {
        let after = ass_window(&cues, &setting, cut_ms..cut_ms + 3000).unwrap().unwrap();
        let expected = frame(&whole, TALL, cut_ms + 20, BACKGROUND);
        assert!(frame(&after, TALL, 20, BACKGROUND) == expected, "the right side differs at {cut_ms}");
    }
}

#[test]
fn letters_have_the_size_that_was_asked_for_in_every_script() {
    let style = bare_style();
    let em = style.size_px(TALL);
    // Heights in ems of what is drawn, from the outlines of the fonts.
    for (lang, text, height) in
        [("en", "HHH", 0.714), ("zh", "国", 0.93), ("ja", "国", 0.93), ("he", "ם", 0.61), ("th", "ก", 0.57)]
    {
        let (left, top, right, bottom) = bounds(&draw(&cue(lang, &[text]), &style, TALL)).unwrap();
        let drawn = (bottom - top + 1) as f32 / em;
        assert!((drawn - height).abs() < 0.06, "{lang}: {drawn} em high, {} wide", right - left);
    }
    let text = "Measured and drawn alike";
    let (left, _, right, _) = bounds(&draw(&cue("en", &[text]), &style, WIDE)).unwrap();
    let measured = fonts::measure(text, fonts::DEFAULT_FAMILY, 700, style.size_px(WIDE)).unwrap();
    assert!(((right - left) as f32 - measured).abs() < 8.0, "{} drawn, {measured} measured", right - left);
}

#[test]
fn descenders_are_whole_and_baselines_even() {
    let style = bare_style();
    let lines = |lines: &[&str]| bounds(&draw(&cue("en", lines), &style, TALL)).unwrap();
    let (capitals, descending) = (lines(&["HHH"]), lines(&["Hgjpqy"]));
    assert!(descending.3 >= capitals.3 + (style.size_px(TALL) * 0.2) as u32);
    // The upper line stands one step above the lower, whatever fonts they need.
    let step = style.size_px(TALL) * style.line_height;
    for upper in ["HHH", "H東京"] {
        let (_, top, _, bottom) = lines(&[upper, "HHH"]);
        assert!(bottom == capitals.3);
        let above = (capitals.1 - top) as f32;
        assert!((above - step).abs() < 0.2 * style.size_px(TALL), "{upper}: {above} instead of {step}");
    }
}

#[test]
fn hostile_text_is_drawn_and_commands_nothing() {
    let style = bare_style();
    for text in [r"{\pos(0,0)}X", r"a\Nb\hc\n", r"{\p1}m 0 0 l 900 900", "}{x}", r"\{\an8}", "<b>&amp;", r"C:\temp\{x}"]
    {
        let cue = cue("en", &[text]);
        let (left, top, right, bottom) = bounds(&draw(&cue, &style, WIDE)).unwrap();
        let measured = fonts::measure(text, fonts::DEFAULT_FAMILY, 700, style.size_px(WIDE)).unwrap();
        let drawn = (right - left + 1) as f32;
        assert!((drawn - measured).abs() < 14.0, "{text}: {drawn} drawn, {measured} measured");
        assert!(top > 850 && bottom < 1030 && bottom - top < 90, "{text}: {top} to {bottom}");
    }
    let cue = cue("en", &["evil\r\nDialogue: 0,0:00:00.00,9:00:00.00,Box,,0,0,0,,X\u{0}\u{1b}"]);
    let setting = Setting { style: &style, mode: Mode::Line, frame: WIDE };
    let file = ass(&[cue], &setting).unwrap();
    assert_eq!(file.matches("\nDialogue: ").count(), 1);
    assert!(!file.contains(['\r', '\0', '\u{1b}']));
}

#[test]
fn a_window_has_the_same_bytes_wherever_it_lies() {
    let (lang, text) = SENTENCES[1];
    let style = Style::named("boxed").unwrap();
    let setting = Setting { style: &style, mode: Mode::Word, frame: TALL };
    let early = cues(lang, text, &style, TALL);
    let mut late = early.clone();
    for cue in &mut late {
        (cue.start_ms, cue.end_ms) = (cue.start_ms + 34_567, cue.end_ms + 34_567);
        for word in cue.lines.iter_mut().flat_map(|line| &mut line.words) {
            (word.start_ms, word.end_ms) = (word.start_ms + 34_567, word.end_ms + 34_567);
        }
    }
    let window = ass_window(&early, &setting, 333..2_777).unwrap();
    assert!(window.is_some());
    assert_eq!(window, ass_window(&late, &setting, 34_900..37_344).unwrap());
    assert_eq!(ass_window(&early, &setting, 50_000..60_000).unwrap(), None);
}

#[test]
fn a_word_is_lit_from_its_start_until_the_next_starts() {
    let style = Style::default();
    let mut cue = cue("en", &["one two"]);
    cue.lines[0].words[1].start_ms = 400;
    let setting = Setting { style: &style, mode: Mode::Word, frame: TALL };
    let file = ass(&[cue], &setting).unwrap();
    let events: Vec<&str> = file.lines().filter(|line| line.starts_with("Dialogue")).collect();
    assert_eq!(events.len(), 2);
    assert!(events[0].contains("0:00:00.00,0:00:00.40") && events[0].contains(r"{\1c&H4AD5FF&\1a&H00&}{\fnNoto Sans"));
    assert!(events[1].contains("0:00:00.40,0:00:01.00") && events[1].ends_with(r"{\1c&H4BD5FF&\1a&H00&}two"));
}

#[test]
fn the_filter_takes_files_with_hostile_names() {
    let folder = tempfile::tempdir().unwrap();
    let style = bare_style();
    let setting = Setting { style: &style, mode: Mode::Line, frame: WIDE };
    let file = ass(&[cue("en", &["HHH"])], &setting).unwrap();
    for name in
        ["plain.ass", "a:b.ass", "it's.ass", "[x],y;z.ass", r"back\slash.ass", " space=and %d.ass", "emoji🚀.ass"]
    {
        let path = folder.path().join(name);
        std::fs::write(&path, &file).unwrap();
        assert!(bounds(&frame_of(&path, WIDE, 500, BACKGROUND)).is_some(), "{name}");
    }
}
