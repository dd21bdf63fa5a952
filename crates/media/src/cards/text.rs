//! Setting text: the largest size that fits, even lines, in any script, drawn with its ink measured.

use cosmic_text::{
    Attrs, Buffer, CacheKeyFlags, Family, FontSystem, Metrics, Shaping, SwashCache, SwashContent, Weight, Wrap,
};
use kernel::Lang;
use tiny_skia::{Pixmap, PremultipliedColorU8};

use super::{
    breaking::{Piece, balance, fewest_lines, graphemes, pieces},
    layer::PAD,
    script::{direction, family, joins_letters},
    theme::{Face, Rgb},
};

/// Characters a text on a card may have; what is longer ends in an ellipsis.
const LONGEST: usize = 420;
/// Size at which pieces are measured; widths grow in proportion, as nothing is hinted.
const MEASURED: f32 = 100.0;
/// Below this share of the largest size, words too long for a line are broken rather than made smaller still.
const BREAK_WORDS_BELOW: f32 = 0.55;
/// One size to the next when looking for one that fits.
const STEP: f32 = 0.95;

/// What to set, and the room there is. Lengths in pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) text: &'a str,
    pub(super) face: &'a Face,
    pub(super) colour: Rgb,
    pub(super) lang: &'a Lang,
    pub(super) width: f32,
    pub(super) height: f32,
    pub(super) largest: f32,
    pub(super) smallest: f32,
    pub(super) lines: usize,
}

/// A text in lines.
#[derive(Debug)]
pub(super) struct SetText {
    pub(super) lines: Vec<SetLine>,
    /// From the top of the block to the baseline of each line.
    pub(super) baselines: Vec<f32>,
    /// Width of the widest line's ink.
    pub(super) width: f32,
    pub(super) height: f32,
    pub(super) size: f32,
}

/// A line as a drawing, cropped to its ink with [`PAD`] around.
#[derive(Debug)]
pub(super) struct SetLine {
    pub(super) drawing: Pixmap,
    pub(super) width: f32,
    /// Of the ink over and under the baseline.
    pub(super) ascent: f32,
    pub(super) descent: f32,
}

/// Sets texts with the shared fonts.
pub(super) struct Typesetter<'a> {
    fonts: &'a mut FontSystem,
    glyphs: SwashCache,
}

impl<'a> Typesetter<'a> {
    pub(super) fn new(fonts: &'a mut FontSystem) -> Self {
        Self { fonts, glyphs: SwashCache::new() }
    }

    /// Sets a text in the largest size that fits; nothing when it has no ink.
    pub(super) fn set(&mut self, request: &Request<'_>) -> Option<SetText> {
        let text = tidy(request.text);
        let measured = self.measure(&text, request);
        if measured.is_empty() {
            return None;
        }
        let mut size = request.largest;
        while size > request.smallest {
            if let Some(set) = self.try_size(&measured, size, request) {
                return Some(set);
            }
            size *= STEP;
        }
        self.at_smallest(&measured, request)
    }

    fn try_size(&mut self, measured: &[Piece], size: f32, request: &Request<'_>) -> Option<SetText> {
        let width = request.width / size * MEASURED;
        let split;
        let pieces = if size <= request.largest * BREAK_WORDS_BELOW {
            split = self.split_long(measured, width, request);
            &split
        } else {
            measured
        };
        let count = fewest_lines(pieces, width)?;
        let estimate = size * (request.face.leading * (count as f32 - 1.0) + 0.7);
        if count > request.lines || estimate > request.height {
            return None;
        }
        let set = self.draw(&lines(pieces, &balance(pieces, width, count)), size, request)?;
        (set.width <= request.width + 0.5 && set.height <= request.height + 0.5).then_some(set)
    }

    /// What fits of a text too long for any size, with an ellipsis.
    fn at_smallest(&mut self, measured: &[Piece], request: &Request<'_>) -> Option<SetText> {
        let size = request.smallest.min(request.largest);
        let mut pieces = self.split_long(measured, request.width * 0.97 / size * MEASURED, request);
        loop {
            if let Some(set) = self.try_size(&pieces, size, request) {
                return Some(set);
            }
            let keep = (pieces.len() * 7 / 8).min(pieces.len().saturating_sub(1));
            if keep == 0 {
                return self.squeezed(&pieces, request);
            }
            pieces.truncate(keep);
            if let Some(last) = pieces.last_mut() {
                let word = last.text.trim_end().trim_end_matches('…').to_owned();
                last.text = format!("{word}…");
                last.width = self.advance(&last.text, request);
                last.space = 0.0;
            }
        }
    }

    /// One piece in whatever size is left: a single character wider than the room.
    fn squeezed(&mut self, pieces: &[Piece], request: &Request<'_>) -> Option<SetText> {
        let line = pieces.first()?.text.clone();
        let mut size = request.smallest;
        while size > 4.0 {
            let set = self.draw(std::slice::from_ref(&line), size, request)?;
            if set.width <= request.width && set.height <= request.height {
                return Some(set);
            }
            size *= STEP;
        }
        None
    }

    fn measure(&mut self, text: &str, request: &Request<'_>) -> Vec<Piece> {
        let space = self.advance("n n", request) - self.advance("nn", request);
        let mut result = Vec::new();
        for piece in pieces(text) {
            let word = piece.trim_end();
            let spaced = word.len() < piece.len();
            let width = self.advance(word, request);
            result.push(Piece { text: piece.to_owned(), width, space: if spaced { space } else { 0.0 } });
        }
        result
    }

    /// Breaks pieces wider than a line, with a hyphen between letters of scripts that have one.
    fn split_long(&mut self, measured: &[Piece], width: f32, request: &Request<'_>) -> Vec<Piece> {
        let mut result = Vec::new();
        for piece in measured {
            let mut rest = piece.clone();
            while rest.width > width {
                let Some((head, tail)) = self.split_once(&rest, width, request) else { break };
                result.push(head);
                rest = tail;
            }
            result.push(rest);
        }
        result
    }

    fn split_once(&mut self, piece: &Piece, width: f32, request: &Request<'_>) -> Option<(Piece, Piece)> {
        let characters = graphemes(&piece.text);
        let mut count = ((characters.len() as f32 * width / piece.width) as usize).min(characters.len() - 1);
        while count >= 1 {
            let (head, tail) = (characters[..count].concat(), characters[count..].concat());
            let letters = [&head, &tail].map(|part| part.chars().all(|c| c.is_alphabetic() && c < '\u{590}'));
            let head = if letters == [true, true] { format!("{head}-") } else { head };
            let head_width = self.advance(head.trim_end(), request);
            if head_width <= width {
                let tail_width = self.advance(tail.trim_end(), request);
                return Some((
                    Piece { text: head, width: head_width, space: 0.0 },
                    Piece { text: tail, width: tail_width, space: piece.space },
                ));
            }
            count -= 1;
        }
        None
    }

    /// Width of a text at [`MEASURED`].
    fn advance(&mut self, text: &str, request: &Request<'_>) -> f32 {
        let buffer = self.shape(text, MEASURED, request);
        buffer.layout_runs().map(|run| run.line_w).sum()
    }

    fn shape(&mut self, text: &str, size: f32, request: &Request<'_>) -> Buffer {
        let mut attrs = Attrs::new()
            .family(Family::Name(family(text, request.face, request.lang)))
            .weight(Weight(request.face.weight))
            .cache_key_flags(CacheKeyFlags::DISABLE_HINTING);
        if request.face.tracking != 0.0 && !joins_letters(text) {
            attrs = attrs.letter_spacing(request.face.tracking);
        }
        let mut buffer = Buffer::new(self.fonts, Metrics::new(size, size * 1.5));
        buffer.set_wrap(Wrap::None);
        buffer.set_text(text, &attrs, Shaping::Advanced, None);
        buffer.shape_until_scroll(self.fonts, false);
        buffer
    }

    fn draw(&mut self, lines: &[String], size: f32, request: &Request<'_>) -> Option<SetText> {
        let direction = direction(lines.concat().as_str(), request.lang);
        let mut drawn = Vec::new();
        for line in lines {
            drawn.push(self.draw_line(&direction.mark(line), size, request)?);
        }
        let mut pitch = size * request.face.leading;
        for pair in drawn.windows(2) {
            pitch = pitch.max(pair[0].descent + pair[1].ascent + size * 0.1);
        }
        let ascent = drawn.first()?.ascent.max(size * 0.7);
        let descent = drawn.last()?.descent.max(0.0);
        let baselines: Vec<f32> = (0..drawn.len()).map(|index| (ascent + pitch * index as f32).round()).collect();
        let height = baselines.last()? + descent;
        let width = drawn.iter().map(|line| line.width).fold(0.0, f32::max);
        Some(SetText { lines: drawn, baselines, width, height, size })
    }

    fn draw_line(&mut self, text: &str, size: f32, request: &Request<'_>) -> Option<SetLine> {
        let buffer = self.shape(text, size, request);
        let mut stamps = Vec::new();
        for run in buffer.layout_runs() {
            for glyph in run.glyphs {
                let physical = glyph.physical((0.0, 0.0), 1.0);
                if let Some(image) = self.glyphs.get_image_uncached(self.fonts, physical.cache_key) {
                    let (x, y) = (physical.x + image.placement.left, physical.y - image.placement.top);
                    if image.placement.width > 0 && image.placement.height > 0 {
                        stamps.push((x, y, image));
                    }
                }
            }
        }
        let left = stamps.iter().map(|(x, _, _)| *x).min()?;
        let top = stamps.iter().map(|(_, y, _)| *y).min()?;
        let right = stamps.iter().map(|(x, _, image)| x + image.placement.width.cast_signed()).max()?;
        let bottom = stamps.iter().map(|(_, y, image)| y + image.placement.height.cast_signed()).max()?;
        let (width, height) = ((right - left) as usize, (bottom - top) as usize);
        let mut drawing = Pixmap::new((width + 2 * PAD) as u32, (height + 2 * PAD) as u32)?;
        for (x, y, image) in &stamps {
            let origin = ((x - left) as usize + PAD, (y - top) as usize + PAD);
            let is_colour = image.content == SwashContent::Color;
            let stamp = Stamp {
                data: &image.data,
                width: image.placement.width as usize,
                colour: (!is_colour).then_some(request.colour),
            };
            stamp.onto(&mut drawing, origin);
        }
        Some(SetLine { drawing, width: width as f32, ascent: -top as f32, descent: bottom as f32 })
    }
}

/// A glyph's pixels: coverage in a colour, or colours of its own.
struct Stamp<'a> {
    data: &'a [u8],
    width: usize,
    colour: Option<Rgb>,
}

impl Stamp<'_> {
    fn onto(&self, drawing: &mut Pixmap, (left, top): (usize, usize)) {
        let stride = drawing.width() as usize;
        let pixels = drawing.pixels_mut();
        let bytes = if self.colour.is_some() { 1 } else { 4 };
        for (index, chunk) in self.data.chunks_exact(bytes).enumerate() {
            let (colour, alpha) = match (self.colour, chunk) {
                (Some(colour), &[coverage]) => (colour, coverage),
                (None, &[r, g, b, alpha]) => ([r, g, b], alpha),
                _ => continue,
            };
            let at = (top + index / self.width) * stride + left + index % self.width;
            if let Some(pixel) = pixels.get_mut(at).filter(|_| alpha > 0) {
                *pixel = over(*pixel, colour, alpha);
            }
        }
    }
}

fn over(behind: PremultipliedColorU8, colour: Rgb, alpha: u8) -> PremultipliedColorU8 {
    let alpha = u32::from(alpha);
    let blend =
        |value: u8, behind: u8| ((u32::from(value) * alpha + u32::from(behind) * (255 - alpha) + 127) / 255) as u8;
    let result = blend(255, behind.alpha());
    let [r, g, b] = [(colour[0], behind.red()), (colour[1], behind.green()), (colour[2], behind.blue())]
        .map(|(value, behind)| blend(value, behind).min(result));
    PremultipliedColorU8::from_rgba(r, g, b, result).unwrap_or(behind)
}

fn lines(pieces: &[Piece], ends: &[usize]) -> Vec<String> {
    let mut start = 0;
    let mut result = Vec::new();
    for &end in ends {
        let line: String = pieces[start..end].iter().map(|piece| piece.text.as_str()).collect();
        result.push(line.trim().to_owned());
        start = end;
    }
    result.retain(|line| !line.is_empty());
    result
}

/// One space between words, no control characters, a bounded length.
fn tidy(text: &str) -> String {
    let bounded: String = text.chars().take(LONGEST * 8).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let joined = bounded.split_whitespace().collect::<Vec<_>>().join(" ");
    let characters = graphemes(&joined);
    if characters.len() <= LONGEST {
        return joined;
    }
    format!("{}…", characters[..LONGEST].concat().trim_end())
}
