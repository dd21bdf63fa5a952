//! Which font draws which characters of a caption, chosen here and written into the ASS file, because the fallback of
//! libass depends on the machine's configuration and leaves boxes.

use std::{collections::BTreeMap, sync::Arc};

use cosmic_text::{Font, FontSystem, Weight, fontdb};
use icu_segmenter::GraphemeClusterSegmenter;
use kernel::Lang;

use crate::{MediaError, fonts};

/// Looked through, in this order, for characters that neither the style's font nor the language's has.
const SISTERS: [&str; 24] = [
    "Noto Sans",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "Noto Sans Bengali",
    "Noto Sans Tamil",
    "Noto Sans Telugu",
    "Noto Sans Kannada",
    "Noto Sans Malayalam",
    "Noto Sans Gujarati",
    "Noto Sans Gurmukhi",
    "Noto Sans Sinhala",
    "Noto Sans Khmer",
    "Noto Sans Lao",
    "Noto Sans Myanmar",
    "Noto Sans Georgian",
    "Noto Sans Armenian",
    "Noto Sans Ethiopic",
    "Noto Sans Symbols",
    "Noto Sans Symbols2",
];

/// Searching every installed font for a character is slow; a text with more rare characters than this loses the rest.
const MAX_RARE_CHARACTERS: usize = 256;

/// Text that one family draws.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) text: String,
    /// Index for [`Typeface::face`].
    pub(super) face: usize,
}

/// A font of a typeface, with what libass makes of its size.
#[derive(Debug, Clone)]
pub(super) struct Face {
    pub(super) family: String,
    /// The font size of ASS over the em: libass scales a font so that its ascender and descender (those of Windows, from
    /// the OS/2 table, as `VSFilter` did) together have the asked size.
    pub(super) size_factor: f32,
    /// That descender, in ems.
    pub(super) descent: f32,
    font: Arc<Font>,
}

/// The fonts for one style and language.
#[derive(Debug)]
pub(super) struct Typeface {
    weight: u16,
    /// Families still to be looked at, the best last.
    waiting: Vec<String>,
    faces: Vec<Face>,
    /// Characters found, or not found, in some other installed font.
    rare: BTreeMap<char, Option<usize>>,
}

impl Typeface {
    /// The style's font leads, except where it is the default and the language has a family of its own.
    pub(super) fn new(style_font: &str, weight: u16, lang: &Lang) -> Result<Self, MediaError> {
        let own = fonts::sans_family(lang);
        let first = if style_font.eq_ignore_ascii_case(fonts::DEFAULT_FAMILY) { own } else { style_font };
        let mut waiting: Vec<String> = Vec::new();
        for family in [first, own, style_font].into_iter().chain(SISTERS) {
            if !waiting.iter().any(|known| known.eq_ignore_ascii_case(family)) {
                waiting.push(family.to_owned());
            }
        }
        waiting.reverse();
        let mut typeface = Self { weight, waiting, faces: Vec::new(), rare: BTreeMap::new() };
        fonts::with_fonts(|fonts| while typeface.faces.is_empty() && typeface.open_next(fonts) {})?;
        if typeface.faces.is_empty() {
            fonts::require_family(style_font)?;
        }
        Ok(typeface)
    }

    pub(super) fn face(&self, index: usize) -> &Face {
        &self.faces[index]
    }

    /// Splits text by the font that draws it. Emoji, control characters and what no font has are left out; a run of white
    /// space is one space.
    pub(super) fn runs(&mut self, text: &str) -> Result<Vec<Run>, MediaError> {
        fonts::with_fonts(|fonts| {
            let mut runs: Vec<Run> = Vec::new();
            for cluster in clusters(text) {
                let cluster = drawn(cluster);
                let Some(face) = self.find_face(fonts, &cluster) else { continue };
                match runs.last_mut() {
                    Some(run) if run.face == face => run.text.push_str(&cluster),
                    _ => runs.push(Run { text: cluster, face }),
                }
            }
            runs
        })
    }

    fn find_face(&mut self, fonts: &mut FontSystem, cluster: &str) -> Option<usize> {
        if cluster.chars().all(is_ignorable) {
            return None;
        }
        if is_emoji(cluster) {
            return None;
        }
        let mut index = 0;
        while index < self.faces.len() || self.open_next(fonts) {
            if self.faces[index].has(cluster) {
                return Some(index);
            }
            index += 1;
        }
        self.find_rare(fonts, cluster)
    }

    /// Opens the next family that is installed; false when none is left.
    fn open_next(&mut self, fonts: &mut FontSystem) -> bool {
        while let Some(family) = self.waiting.pop() {
            if let Some(face) = open_face(fonts, &family, self.weight) {
                self.faces.push(face);
                return true;
            }
        }
        false
    }

    fn find_rare(&mut self, fonts: &mut FontSystem, cluster: &str) -> Option<usize> {
        let first = cluster.chars().next()?;
        if let Some(known) = self.rare.get(&first) {
            return known.filter(|&face| self.faces[face].has(cluster));
        }
        if self.rare.len() >= MAX_RARE_CHARACTERS {
            return None;
        }
        let found = find_family_with(fonts.db(), cluster).and_then(|family| open_face(fonts, &family, self.weight));
        let index = found.map(|face| {
            self.faces.push(face);
            self.faces.len() - 1
        });
        self.rare.insert(first, index);
        index
    }
}

impl Face {
    fn has(&self, cluster: &str) -> bool {
        let charmap = self.font.as_swash().charmap();
        cluster.chars().filter(|&c| !is_ignorable(c)).all(|c| charmap.map(c) != 0)
    }
}

/// The grapheme clusters of a text: what a reader calls characters.
pub(super) fn clusters(text: &str) -> impl Iterator<Item = &str> {
    let ends: Vec<usize> = GraphemeClusterSegmenter::new().segment_str(text).skip(1).collect();
    let mut start = 0;
    ends.into_iter().map(move |end| {
        let cluster = &text[start..end];
        start = end;
        cluster
    })
}

fn open_face(fonts: &mut FontSystem, family: &str, weight: u16) -> Option<Face> {
    let names = [fontdb::Family::Name(family)];
    let query = fontdb::Query { families: &names, weight: Weight(weight), ..fontdb::Query::default() };
    let id = fonts.db().query(&query)?;
    let face_index = fonts.db().face(id)?.index;
    let font = fonts.get_font(id, Weight(weight))?;
    let (ascent, descent) = line_metrics(font.data(), face_index)?;
    Some(Face { family: family.to_owned(), size_factor: ascent + descent, descent, font })
}

/// Ascender and descender in ems, as libass takes them: of Windows, or of the horizontal header where those are zero.
fn line_metrics(data: &[u8], index: u32) -> Option<(f32, f32)> {
    let face = ttf_parser::Face::parse(data, index).ok()?;
    let em = f32::from(face.units_per_em());
    let windows = face.tables().os2.map(|os2| (f32::from(os2.windows_ascender()), -f32::from(os2.windows_descender())));
    let header = (f32::from(face.ascender()), -f32::from(face.descender()));
    let (ascent, descent) = windows.filter(|(ascent, descent)| ascent + descent > 0.0).unwrap_or(header);
    (ascent + descent > 0.0).then_some((ascent / em, descent / em))
}

/// The first installed family, by name, that has every character of a cluster.
fn find_family_with(db: &fontdb::Database, cluster: &str) -> Option<String> {
    let mut faces: Vec<(&str, fontdb::ID)> = db
        .faces()
        .filter(|face| !face.post_script_name.contains("Emoji") && !face.post_script_name.contains("LastResort"))
        .filter_map(|face| Some((face.families.first()?.0.as_str(), face.id)))
        .collect();
    faces.sort_unstable();
    faces.dedup_by_key(|(family, _)| *family);
    let (family, _) = faces.into_iter().find(|(_, id)| {
        let has_all = db.with_face_data(*id, |data, index| {
            let face = ttf_parser::Face::parse(data, index).ok()?;
            cluster.chars().filter(|&c| !is_ignorable(c)).all(|c| face.glyph_index(c).is_some()).then_some(())
        });
        has_all.flatten().is_some()
    })?;
    Some(family.to_owned())
}

/// A cluster as it goes into a picture.
fn drawn(cluster: &str) -> String {
    if cluster.chars().all(|c| c.is_whitespace() || c.is_control()) {
        return " ".to_owned();
    }
    let text_follows = cluster.chars().next().is_some_and(|c| c < '\u{2000}');
    cluster.chars().filter(|&c| !(c.is_control() || is_bidi_control(c) || text_follows && c == '\u{FE0F}')).collect()
}

/// Colour emoji: libass 0.17 draws them as empty space or boxes, so they stay in the files beside the video only.
fn is_emoji(cluster: &str) -> bool {
    let colored = cluster.contains('\u{FE0F}') || cluster.chars().any(|c| c >= '\u{1F000}');
    colored && emojis::get(cluster).is_some()
        || cluster.chars().any(|c| matches!(c, '\u{1F1E6}'..='\u{1F1FF}' | '\u{1F3FB}'..='\u{1F3FF}'))
}

/// Characters that need no glyph: joiners, variation selectors, direction marks.
fn is_ignorable(c: char) -> bool {
    matches!(c, '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{2064}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
        || is_bidi_control(c)
}

/// Embeddings, overrides and isolates, which could turn the rest of a line around.
pub(super) fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn families(text: &str, lang: &str) -> Vec<(String, String)> {
        let mut typeface = Typeface::new(fonts::DEFAULT_FAMILY, 700, &lang.parse().unwrap()).unwrap();
        let runs = typeface.runs(text).unwrap();
        runs.into_iter().map(|run| (run.text, typeface.face(run.face).family.clone())).collect()
    }

    fn pair(text: &str, family: &str) -> (String, String) {
        (text.to_owned(), family.to_owned())
    }

    #[test]
    fn each_script_gets_its_own_family() {
        assert_eq!(families("Hello नमस्ते", "en"), [pair("Hello ", "Noto Sans"), pair("नमस्ते", "Noto Sans Devanagari")]);
        assert_eq!(families("東京", "ja"), [pair("東京", "Noto Sans CJK JP")]);
        assert_eq!(families("北京", "zh"), [pair("北京", "Noto Sans CJK SC")]);
        assert_eq!(families("สวัสดี", "en"), [pair("สวัสดี", "Noto Sans Thai")]);
    }

    #[test]
    fn emoji_and_control_characters_are_left_out_and_symbols_stay() {
        for text in ["go🚀", "go👩‍🚀", "go❤️", "go🇪🇸", "go👍🏽", "go\u{202E}", "go\u{7}🚀".trim_end()]
        {
            let kept: String = families(text, "en").into_iter().map(|(text, _)| text).collect();
            assert_eq!(kept.trim_end(), "go", "{text:?}");
        }
        let kept: String = families("5 € © ✓ ½", "en").into_iter().map(|(text, _)| text).collect();
        assert_eq!(kept, "5 € © ✓ ½");
    }

    #[test]
    fn sizes_follow_the_metrics_libass_reads() {
        let mut typeface = Typeface::new(fonts::DEFAULT_FAMILY, 400, &"zh".parse().unwrap()).unwrap();
        let run = typeface.runs("你好").unwrap().remove(0);
        assert!((typeface.face(run.face).size_factor - 1.448).abs() < 0.001);
    }
}
