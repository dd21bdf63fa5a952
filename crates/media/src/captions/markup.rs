//! What subtitles say once their markup is taken off: plain text, and who says it.

/// The longest name of a speaker, in characters and in words; what is longer is text.
const LONGEST_NAME: usize = 40;
const MOST_NAME_WORDS: usize = 4;

/// What one person says within a cue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spoken {
    pub(super) speaker: Option<String>,
    /// Never empty.
    pub(super) text: String,
}

/// The lines of a cue without markup; a new entry wherever the speaker changes.
pub(super) fn read(lines: &[&str]) -> Vec<Spoken> {
    let mut spoken: Vec<Spoken> = Vec::new();
    for part in voices(&lines.join("\n")) {
        for line in part.text.lines() {
            let (named, text) = name_before(line.trim());
            let speaker = named.map(str::to_owned).or_else(|| part.speaker.clone());
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            match spoken.last_mut() {
                _ if text.is_empty() => {}
                Some(last) if speaker.is_none() || last.speaker == speaker => {
                    last.text.push('\n');
                    last.text.push_str(&text);
                }
                _ => spoken.push(Spoken { speaker, text }),
            }
        }
    }
    spoken
}

/// Text between `<v Name>` tags, every other tag taken out and the entities of HTML resolved.
fn voices(text: &str) -> Vec<Spoken> {
    let mut parts = vec![Spoken { speaker: None, text: String::new() }];
    let mut rest = text;
    while let Some(position) = rest.find(['<', '{', '&']) {
        push(&mut parts, &rest[..position]);
        let found = &rest[position..];
        let (taken, plain) = match found.as_bytes()[0] {
            b'<' => match tag(found) {
                Some((length, name)) => {
                    if let Some(name) = name {
                        parts.push(Spoken { speaker: Some(name), text: String::new() });
                    }
                    (length, String::new())
                }
                None => (1, "<".to_owned()),
            },
            // Commands of SubStation Alpha that some SubRip files keep: `{\an8}`.
            b'{' => match found.find('}').filter(|_| found.starts_with("{\\")) {
                Some(end) => (end + 1, String::new()),
                None => (1, "{".to_owned()),
            },
            _ => entity(found),
        };
        push(&mut parts, &plain);
        rest = &found[taken..];
    }
    push(&mut parts, rest);
    parts
}

fn push(parts: &mut [Spoken], text: &str) {
    if let Some(last) = parts.last_mut() {
        last.text.push_str(text);
    }
}

/// The length of a tag, and the name in a voice tag (`<v.loud Mary Ann>`). `<` before anything but a letter, a slash or
/// a time is text.
fn tag(text: &str) -> Option<(usize, Option<String>)> {
    let end = text.find('>')?;
    let inner = &text[1..end];
    if inner.contains('<') || !inner.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/') {
        return None;
    }
    let (kind, annotation) = inner.split_once(char::is_whitespace).unwrap_or((inner, ""));
    let is_voice = kind == "v" || kind.starts_with("v.");
    let name: String = annotation.split_whitespace().collect::<Vec<_>>().join(" ");
    let name: String = name.chars().take(LONGEST_NAME).collect();
    Some((end + 1, (is_voice && !name.is_empty()).then_some(name)))
}

/// The length of an entity at the start of `text` and the character it stands for; an `&` alone stands for itself.
fn entity(text: &str) -> (usize, String) {
    const NAMED: [(&str, &str); 8] = [
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&nbsp;", " "),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&lrm;", ""),
    ];
    let named = NAMED.iter().find(|(name, _)| text.starts_with(name));
    named.map_or((1, "&".to_owned()), |(name, character)| (name.len(), (*character).to_owned()))
}

/// A name that a line begins with, and the rest: `MARY: hello`, `[Mary] hello`, `- Mary Ann: hello`.
fn name_before(line: &str) -> (Option<&str>, &str) {
    let plain = line.strip_prefix(['-', '–', '—']).map_or(line, str::trim_start);
    if let Some((name, rest)) = plain.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let rest = rest.trim_start().strip_prefix(':').unwrap_or(rest).trim();
        // `[door closes]` alone is a sound, not somebody.
        if is_name(name) && !rest.is_empty() {
            return (Some(name.trim()), rest);
        }
    }
    if let Some((name, rest)) = plain.split_once(':') {
        let spaced = rest.starts_with(char::is_whitespace);
        // In lower case it is the beginning of a sentence: `one thing is sure: it works`.
        if spaced && is_name(name) && name.split_whitespace().all(begins_as_a_name) && !rest.trim().is_empty() {
            return (Some(name.trim()), rest.trim());
        }
    }
    (None, plain)
}

fn is_name(name: &str) -> bool {
    let name = name.trim();
    let sane = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '.' | '\'' | '’' | '-' | '#' | '_');
    !name.is_empty()
        && name.chars().count() <= LONGEST_NAME
        && name.split_whitespace().count() <= MOST_NAME_WORDS
        && name.chars().any(char::is_alphabetic)
        && name.chars().all(sane)
}

/// Scripts without capitals have no lower case either.
fn begins_as_a_name(word: &str) -> bool {
    word.starts_with(|c: char| !c.is_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(text: &str) -> Vec<(Option<String>, String)> {
        read(&text.lines().collect::<Vec<_>>()).into_iter().map(|part| (part.speaker, part.text)).collect()
    }

    fn by(speaker: &str, text: &str) -> (Option<String>, String) {
        (Some(speaker.to_owned()), text.to_owned())
    }

    #[test]
    fn every_way_of_naming_a_speaker_is_understood() {
        assert_eq!(spoken("<v Mary Ann>Hello <i>you</i></v>"), [by("Mary Ann", "Hello you")]);
        assert_eq!(spoken("<v.loud Bob>No"), [by("Bob", "No")]);
        assert_eq!(spoken("MARY: hello"), [by("MARY", "hello")]);
        assert_eq!(spoken("[Speaker 2] hello"), [by("Speaker 2", "hello")]);
        assert_eq!(spoken("- Mary: hello\n- Bob: yes"), [by("Mary", "hello"), by("Bob", "yes")]);
    }

    #[test]
    fn what_only_looks_like_a_speaker_is_text() {
        for text in ["one thing is sure: it works", "at 12:30 sharp", "see http://x.org", "[door closes]", "Note:"] {
            assert_eq!(spoken(text), [(None, text.to_owned())]);
        }
    }

    #[test]
    fn a_speaker_goes_on_in_the_next_line() {
        assert_eq!(spoken("MARY: one\ntwo"), [by("MARY", "one\ntwo")]);
    }

    #[test]
    fn markup_and_entities_are_taken_off_and_comparisons_are_kept() {
        assert_eq!(spoken("{\\an8}<font color=\"red\">a &lt; b</font> &amp; c"), [(None, "a < b & c".to_owned())]);
        assert_eq!(spoken("1 < 2 and 3 > 2 {so}"), [(None, "1 < 2 and 3 > 2 {so}".to_owned())]);
        assert_eq!(spoken("<00:00:01.000>one<c> two</c>"), [(None, "one two".to_owned())]);
    }
}
