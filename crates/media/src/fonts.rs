//! The installed fonts: read once per process, and only when something is drawn or measured.
//!
//! Captions and cards share one font database, because reading it again would cost every card its start.

use std::sync::{Mutex, OnceLock, PoisonError};

use cosmic_text::{Attrs, Buffer, Family, FontSystem, Metrics, Shaping, Weight, Wrap, fontdb};
use kernel::Lang;

use crate::MediaError;

/// What is set where no font was asked for: it covers Latin, Greek and Cyrillic, and Noto has a sister for most scripts.
pub const DEFAULT_FAMILY: &str = "Noto Sans";

/// How many names the error about an unknown font offers.
const SUGGESTIONS: usize = 5;

/// Fallback between fonts depends on the locale, and the same text must be drawn the same on every machine.
const LOCALE: &str = "en-US";

static FONTS: OnceLock<Mutex<FontSystem>> = OnceLock::new();

/// Runs `work` with the shared font system, which is read from the installed fonts by the first call (some 15 ms).
///
/// The lock is held while `work` runs: do not call this module from inside. Fails when no font is installed at all.
pub fn with_fonts<T>(work: impl FnOnce(&mut FontSystem) -> T) -> Result<T, MediaError> {
    let fonts = FONTS.get_or_init(|| Mutex::new(read_system_fonts()));
    // A panic while drawing leaves at worst a cache half filled; the database itself is never changed.
    let mut fonts = fonts.lock().unwrap_or_else(PoisonError::into_inner);
    if fonts.db().is_empty() {
        return Err(no_fonts());
    }
    Ok(work(&mut fonts))
}

/// The names of all installed families, sorted, each once.
pub fn families() -> Result<Vec<String>, MediaError> {
    with_fonts(|fonts| {
        let mut names: Vec<String> =
            fonts.db().faces().flat_map(|face| face.families.iter().map(|(name, _)| name.clone())).collect();
        names.sort_unstable();
        names.dedup();
        names
    })
}

/// Whether a family is installed; upper and lower case are the same.
pub fn family_exists(family: &str) -> Result<bool, MediaError> {
    with_fonts(|fonts| has_family(fonts.db(), family))
}

/// Fails with the closest names when a family is not installed.
pub fn require_family(family: &str) -> Result<(), MediaError> {
    if family_exists(family)? {
        return Ok(());
    }
    let offers = closest(family, families()?).join("`, `");
    Err(MediaError::Invalid(format!("font `{family}` is not installed; the closest installed ones are `{offers}`")))
}

/// Tells the fonts of one machine from those of another: names, styles and sizes of files. Reads them on the first call.
pub fn fingerprint() -> &'static str {
    static FINGERPRINT: OnceLock<String> = OnceLock::new();
    FINGERPRINT.get_or_init(|| {
        let mut faces = with_fonts(|fonts| fonts.db().faces().map(describe).collect::<Vec<_>>()).unwrap_or_default();
        faces.sort_unstable();
        blake3::hash(faces.concat().as_bytes()).to_hex()[..16].to_owned()
    })
}

fn describe(face: &fontdb::FaceInfo) -> String {
    let size_bytes = match &face.source {
        fontdb::Source::File(path) | fontdb::Source::SharedFile(path, _) => {
            std::fs::metadata(path).map_or(0, |found| found.len())
        }
        fontdb::Source::Binary(_) => 0,
    };
    format!("{} {:?} {} {size_bytes}\n", face.post_script_name, face.style, face.weight.0)
}

/// The width of one line of text in pixels, shaped, with other fonts standing in where the family lacks a character.
///
/// `weight` is that of CSS and OpenType (400 regular, 700 bold); `size_px` is the em in pixels. Line breaks count as
/// spaces.
pub fn measure(text: &str, family: &str, weight: u16, size_px: f32) -> Result<f32, MediaError> {
    if text.is_empty() || !size_px.is_finite() || size_px <= 0.0 {
        return Ok(0.0);
    }
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    with_fonts(|fonts| {
        let attrs = Attrs::new().family(Family::Name(family)).weight(Weight(weight));
        let mut buffer = Buffer::new(fonts, Metrics::new(size_px, size_px));
        buffer.set_wrap(Wrap::None);
        buffer.set_text(&line, &attrs, Shaping::Advanced, None);
        buffer.shape_until_scroll(fonts, false);
        buffer.layout_runs().map(|run| run.line_w).fold(0.0, f32::max)
    })
}

/// The sans-serif Noto family that covers the usual script of a language.
///
/// Named and not left to fallback, because fallback does not know that Japanese draws its Han characters otherwise than
/// Chinese does.
pub fn sans_family(lang: &Lang) -> &'static str {
    match lang.primary() {
        "zh" | "cmn" if is_traditional(lang) => "Noto Sans CJK TC",
        "zh" | "cmn" => "Noto Sans CJK SC",
        "yue" => "Noto Sans CJK HK",
        "ja" => "Noto Sans CJK JP",
        "ko" => "Noto Sans CJK KR",
        "ar" | "fa" | "ur" | "ps" | "sd" | "ug" => "Noto Sans Arabic",
        "he" | "yi" => "Noto Sans Hebrew",
        "hi" | "mr" | "ne" | "sa" => "Noto Sans Devanagari",
        "th" => "Noto Sans Thai",
        "bn" | "as" => "Noto Sans Bengali",
        "ta" => "Noto Sans Tamil",
        "te" => "Noto Sans Telugu",
        "kn" => "Noto Sans Kannada",
        "ml" => "Noto Sans Malayalam",
        "gu" => "Noto Sans Gujarati",
        "pa" => "Noto Sans Gurmukhi",
        "si" => "Noto Sans Sinhala",
        "km" => "Noto Sans Khmer",
        "lo" => "Noto Sans Lao",
        "my" => "Noto Sans Myanmar",
        "ka" => "Noto Sans Georgian",
        "hy" => "Noto Sans Armenian",
        "am" | "ti" => "Noto Sans Ethiopic",
        _ => DEFAULT_FAMILY,
    }
}

fn is_traditional(lang: &Lang) -> bool {
    lang.as_str().split('-').any(|subtag| matches!(subtag, "hant" | "tw" | "hk" | "mo"))
}

fn read_system_fonts() -> FontSystem {
    let mut db = fontdb::Database::new();
    db.load_system_fonts();
    db.set_sans_serif_family(DEFAULT_FAMILY);
    db.set_serif_family("Noto Serif");
    db.set_monospace_family("Noto Sans Mono");
    FontSystem::new_with_locale_and_db(LOCALE.to_owned(), db)
}

fn has_family(db: &fontdb::Database, family: &str) -> bool {
    db.faces().any(|face| face.families.iter().any(|(name, _)| name.eq_ignore_ascii_case(family)))
}

fn no_fonts() -> MediaError {
    MediaError::MissingProgram {
        program: "fonts".to_owned(),
        remedy: "install some, such as fonts-noto-core and fonts-noto-cjk on Debian".to_owned(),
    }
}

fn closest(wanted: &str, mut names: Vec<String>) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    names.sort_by_cached_key(|name| distance(&wanted, &name.to_lowercase()));
    names.truncate(SUGGESTIONS);
    names
}

/// Levenshtein distance in characters, for names of ordinary length.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_font_is_refused_with_the_closest_names() {
        let message = require_family("Noto Sanz").unwrap_err().to_string();
        assert!(
            message.starts_with("font `Noto Sanz` is not installed; the closest installed ones are `Noto Sans`"),
            "{message}"
        );
    }

    #[test]
    fn families_are_found_in_any_case() {
        assert!(family_exists("noto sans").unwrap());
        assert!(!family_exists("Nowhere Grotesk").unwrap());
        let families = families().unwrap();
        assert!(families.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn every_language_of_the_product_has_its_family_installed() {
        for tag in ["en", "es", "de", "zh", "zh-tw", "ja", "ko", "ar", "he", "hi", "th"] {
            require_family(sans_family(&tag.parse().unwrap())).unwrap();
        }
    }

    #[test]
    fn width_grows_with_size_and_text_and_covers_every_script() {
        let hello = measure("Hello", DEFAULT_FAMILY, 400, 40.0).unwrap();
        assert!((measure("Hello", DEFAULT_FAMILY, 400, 80.0).unwrap() - 2.0 * hello).abs() < 0.5);
        assert!(measure("Hello", DEFAULT_FAMILY, 700, 40.0).unwrap() > hello);
        // Full-width characters are one em wide, whichever font was asked for.
        assert!((measure("你好世界", DEFAULT_FAMILY, 400, 40.0).unwrap() - 160.0).abs() < 1.0);
        assert!(measure("नमस्ते", DEFAULT_FAMILY, 400, 40.0).unwrap() > 40.0);
        assert!(measure("", DEFAULT_FAMILY, 400, 40.0).unwrap() == 0.0);
        assert!(
            measure("a\nb", DEFAULT_FAMILY, 400, 40.0).unwrap() > measure("ab", DEFAULT_FAMILY, 400, 40.0).unwrap()
        );
    }

    #[test]
    fn distance_counts_changed_characters() {
        assert_eq!(distance("noto", "noto"), 0);
        assert_eq!(distance("noto", "nto"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
