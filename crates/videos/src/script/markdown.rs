//! Markdown to blocks of plain text.

use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::clean;

/// A block before its text is cut into sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Raw {
    Heading { level: u8, text: String },
    Paragraph(String),
    List { ordered: bool, items: Vec<String> },
    Quote { text: String, by: Option<String> },
    Media { path: PathBuf, alt: String },
    Break,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) blocks: Vec<Raw>,
    pub(super) left_out: Vec<String>,
}

/// All words of the blocks, for finding their language.
pub(super) fn words_of(blocks: &[Raw]) -> String {
    let mut words = String::new();
    for block in blocks {
        match block {
            Raw::Heading { text, .. } | Raw::Paragraph(text) | Raw::Quote { text, .. } => words.push_str(text),
            Raw::List { items, .. } => words.push_str(&items.join(" ")),
            Raw::Media { .. } | Raw::Break => {}
        }
        words.push('\n');
    }
    words
}

/// Reads Markdown; references to files are joined to `base`.
///
/// Code, HTML, footnotes and struck text are left out: they are not for telling. Text that is only indented is text,
/// because plain text is indented for looks. A table is read row by row.
pub(super) fn read(text: &str, base: &Path) -> Read {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_WIKILINKS
        | Options::ENABLE_GFM;
    let mut reader = Reader {
        base,
        read: Read::default(),
        text: String::new(),
        list: None,
        list_depth: 0,
        quote: None,
        quote_depth: 0,
        table: None,
        image: None,
        silent: 0,
    };
    for event in Parser::new_ext(text, options) {
        reader.event(event);
    }
    reader.flush();
    reader.read
}

/// Where text is going while the parser walks through the document.
struct Reader<'a> {
    base: &'a Path,
    read: Read,
    /// The text of the innermost open block, with its line breaks.
    text: String,
    /// The outermost open list; inner lists are flattened into it.
    list: Option<OpenList>,
    list_depth: usize,
    /// The paragraphs of the outermost open quote.
    quote: Option<Vec<String>>,
    quote_depth: usize,
    table: Option<OpenTable>,
    image: Option<OpenImage>,
    /// How many open elements are not for telling.
    silent: usize,
}

struct OpenList {
    ordered: bool,
    /// Each item in its order: text, and the media that stands in it.
    items: Vec<Vec<Raw>>,
}

#[derive(Default)]
struct OpenTable {
    head: Vec<String>,
    row: Vec<String>,
    rows: Vec<String>,
}

struct OpenImage {
    target: String,
    alt: String,
}

impl Reader<'_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Code(text) => self.push(&text),
            Event::SoftBreak | Event::HardBreak => self.push("\n"),
            Event::InlineHtml(html) if html.to_ascii_lowercase().starts_with("<br") => self.push("\n"),
            Event::Rule => {
                self.flush();
                self.read.blocks.push(Raw::Break);
            }
            Event::Html(_)
            | Event::InlineHtml(_)
            | Event::FootnoteReference(_)
            | Event::TaskListMarker(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { .. } | Tag::Paragraph => self.flush(),
            Tag::BlockQuote(None) => {
                self.flush();
                self.quote_depth += 1;
                self.quote.get_or_insert_default();
            }
            Tag::CodeBlock(CodeBlockKind::Fenced(name)) => {
                self.flush();
                self.silent += 1;
                self.read.left_out.push(if name.is_empty() { "code".to_owned() } else { format!("{name} code") });
            }
            Tag::FootnoteDefinition(name) => {
                self.flush();
                self.silent += 1;
                self.read.left_out.push(format!("footnote {name}"));
            }
            Tag::Strikethrough => self.silent += 1,
            Tag::List(first) => {
                self.flush();
                self.list_depth += 1;
                self.list.get_or_insert_with(|| OpenList { ordered: first.is_some(), items: Vec::new() });
            }
            Tag::Item => {
                self.flush();
                if let Some(list) = &mut self.list {
                    list.items.push(Vec::new());
                }
            }
            Tag::Table(_) => {
                self.flush();
                self.table = Some(OpenTable::default());
            }
            Tag::Image { dest_url, .. } => {
                self.image = Some(OpenImage { target: dest_url.into_string(), alt: String::new() });
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => {
                let text = self.take_text();
                if self.list.is_some() || self.quote.is_some() {
                    self.place(text);
                } else if !text.is_empty() {
                    self.read.blocks.push(Raw::Heading { level: level as u8, text });
                }
            }
            TagEnd::BlockQuote(None) => {
                self.flush();
                self.quote_depth -= 1;
                if self.quote_depth == 0 {
                    self.close_quote();
                }
            }
            TagEnd::CodeBlock if self.silent == 0 => self.flush(),
            TagEnd::CodeBlock | TagEnd::FootnoteDefinition | TagEnd::Strikethrough => {
                self.silent = self.silent.saturating_sub(1);
            }
            TagEnd::List(_) => {
                self.flush();
                self.list_depth -= 1;
                if self.list_depth == 0 {
                    self.close_list();
                }
            }
            TagEnd::Paragraph | TagEnd::Item => self.flush(),
            TagEnd::Image => self.close_image(),
            TagEnd::TableCell | TagEnd::TableHead | TagEnd::TableRow | TagEnd::Table => self.end_of_table(tag),
            _ => {}
        }
    }

    fn push(&mut self, text: &str) {
        if self.silent > 0 {
            return;
        }
        match &mut self.image {
            Some(image) => image.alt.push_str(text),
            None => self.text.push_str(text),
        }
    }

    fn take_text(&mut self) -> String {
        plain(&std::mem::take(&mut self.text))
    }

    /// Ends the text that is being read and puts it where it belongs.
    fn flush(&mut self) {
        if self.quote.is_some() && self.list.is_none() {
            // The lines of a quote are kept until it closes: the last may name who said it.
            let text = std::mem::take(&mut self.text);
            self.place(text);
        } else {
            let text = self.take_text();
            self.place(text);
        }
    }

    fn place(&mut self, text: String) {
        if text.trim().is_empty() {
            return;
        }
        if let Some(item) = self.list.as_mut().and_then(|list| list.items.last_mut()) {
            item.push(Raw::Paragraph(text));
        } else if let Some(quote) = &mut self.quote {
            quote.push(text);
        } else {
            self.read.blocks.push(Raw::Paragraph(text));
        }
    }

    fn close_image(&mut self) {
        let Some(image) = self.image.take() else { return };
        if self.silent > 0 {
            return;
        }
        let target = image.target.trim();
        let of_the_web = target.contains("://") || target.starts_with("//") || target.starts_with("data:");
        if of_the_web || target.is_empty() {
            let short: String = target.chars().take(120).collect();
            self.read.left_out.push(format!("picture {short} (only files beside the script are shown)"));
            return;
        }
        let media = Raw::Media { path: self.base.join(percent_decoded(target)), alt: plain(&image.alt) };
        self.flush();
        match self.list.as_mut().and_then(|list| list.items.last_mut()) {
            Some(item) => item.push(media),
            None => self.read.blocks.push(media),
        }
    }

    /// A list whose items have pictures is told item by item, each with its picture.
    fn close_list(&mut self) {
        let Some(list) = self.list.take() else { return };
        let is_media = |part: &Raw| matches!(part, Raw::Media { .. });
        if let Some(quote) = &mut self.quote {
            quote.extend(list.items.into_iter().filter_map(|item| text_of(&item)));
        } else if list.items.iter().flatten().any(is_media) {
            for item in list.items {
                let text = text_of(&item);
                self.read.blocks.extend(item.into_iter().filter(is_media));
                self.read.blocks.extend(text.map(Raw::Paragraph));
            }
        } else {
            let items = list.items.iter().filter_map(|item| text_of(item)).collect();
            self.read.blocks.push(Raw::List { ordered: list.ordered, items });
        }
    }

    fn close_quote(&mut self) {
        let Some(mut paragraphs) = self.quote.take() else { return };
        let mut by = None;
        if let Some(last) = paragraphs.last_mut() {
            let from = last.trim_end().rfind('\n').map_or(0, |at| at + 1);
            let line = last[from..].trim();
            let name = line.strip_prefix(['—', '–', '―']).or_else(|| line.strip_prefix("--"));
            if let Some(name) = name.map(plain).filter(|name| !name.is_empty()) {
                by = Some(name);
                last.truncate(from);
            }
        }
        let text = plain(&paragraphs.join("\n"));
        if !text.is_empty() {
            self.read.blocks.push(Raw::Quote { text, by });
        }
    }

    fn end_of_table(&mut self, tag: TagEnd) {
        let text = self.take_text();
        let Some(table) = &mut self.table else { return };
        match tag {
            TagEnd::TableCell => table.row.push(text),
            TagEnd::TableHead => table.head = std::mem::take(&mut table.row),
            TagEnd::TableRow => {
                let row = std::mem::take(&mut table.row);
                table.rows.push(spoken_row(&table.head, &row));
            }
            _ => {
                let rows = std::mem::take(&mut table.rows);
                self.table = None;
                self.read.blocks.push(Raw::List { ordered: false, items: rows });
            }
        }
    }
}

/// The text of an item, its paragraphs one after the other.
fn text_of(item: &[Raw]) -> Option<String> {
    let texts: Vec<&str> = item
        .iter()
        .filter_map(|part| match part {
            Raw::Paragraph(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    (!texts.is_empty()).then(|| texts.join(" "))
}

/// A row as one would read it out: `Baltic: salt 0.8 %, depth 55 m`.
fn spoken_row(head: &[String], row: &[String]) -> String {
    let first = row.first().map_or("", String::as_str);
    let name_columns = row.len() > 2;
    let rest: Vec<String> = row
        .iter()
        .enumerate()
        .skip(1)
        .filter(|(_, cell)| !cell.is_empty())
        .map(|(column, cell)| match head.get(column) {
            Some(name) if name_columns && !name.is_empty() => format!("{name} {cell}"),
            _ => cell.clone(),
        })
        .collect();
    match (first.is_empty(), rest.is_empty()) {
        (_, true) => first.to_owned(),
        (true, false) => rest.join(", "),
        (false, false) => format!("{first}: {}", rest.join(", ")),
    }
}

/// Text as it is said and shown: shortcodes as emoji, lines joined, single spaces.
fn plain(text: &str) -> String {
    clean(&join_lines(&with_emoji(text)))
}

/// Joins the lines of a paragraph: with a space, but without one between characters of scripts that have none.
fn join_lines(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let seam = joined.chars().last().zip(line.chars().next());
        if seam.is_some_and(|(left, right)| !(is_unspaced(left) && is_unspaced(right))) {
            joined.push(' ');
        }
        joined.push_str(line);
    }
    joined
}

/// Chinese and Japanese characters and their punctuation.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ff60}' | '\u{20000}'..='\u{3134f}')
}

/// Writes `:rocket:` as the emoji it names.
fn with_emoji(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(colon) = rest.find(':') {
        let after = &rest[colon + 1..];
        let name_end =
            after.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-'))).unwrap_or(after.len());
        let emoji = after[name_end..].starts_with(':').then(|| emojis::get_by_shortcode(&after[..name_end])).flatten();
        if let Some(emoji) = emoji {
            written.push_str(&rest[..colon]);
            written.push_str(emoji.as_str());
            rest = &after[name_end + 1..];
        } else {
            written.push_str(&rest[..=colon]);
            rest = after;
        }
    }
    written.push_str(rest);
    written
}

/// A file name as a link writes it, with `%20` for a space; text that is not so written stays as it is.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = (first == b'%').then(|| after.get(..2)).flatten().and_then(|hex| std::str::from_utf8(hex).ok());
        let decoded = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(decoded.unwrap_or(first));
        rest = if decoded.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}
