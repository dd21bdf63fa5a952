//! Many videos at once: a row of a CSV file for each, and variants of one request.

use std::{
    collections::HashMap,
    io::Read,
    path::{Path, PathBuf},
};

use media::cards::Theme;

use crate::{
    VideosError,
    request::{Choice, KEYS, Order, RequestPatch, ScriptPlace, Transition, parse_url, unknown_name},
    source::{Loaded, load_place, read_text},
};

/// The most rows of one file.
const MAX_ROWS: usize = 10_000;
/// What variants take turns with.
const TRANSITIONS: [Transition; 4] = [Transition::Fade, Transition::Slide, Transition::Wipe, Transition::Zoom];
/// Columns beside the settings.
const OWN_COLUMNS: [&str; 5] = ["script", "text", "url", "output", "priority"];

/// A video that a row asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Fit for a file name, and no other row's.
    pub name: String,
    /// Where the video is to be written.
    pub output: Option<PathBuf>,
    pub priority: Priority,
    /// The script, and what the row and the script's front matter say; the row is the stronger.
    pub loaded: Loaded,
}

/// Which rows come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    Urgent,
    High,
    Medium,
    Low,
}

impl Choice for Priority {
    const WHAT: &'static str = "priority";
    const NAMES: &'static [(&'static str, Self)] =
        &[("urgent", Self::Urgent), ("high", Self::High), ("medium", Self::Medium), ("low", Self::Low)];
}

/// Reads a CSV file: the header names settings as front matter does, and `script`, `text` or `url`, `output` and
/// `priority`. Rows come back by priority, then in their order; every fault is named with its row and column.
pub fn read_file(path: &Path) -> Result<Vec<Row>, VideosError> {
    let text = read_text(path)?;
    let base = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    read(text.as_bytes(), base, &format!("`{}`", path.display()))
}

/// Reads rows; paths in them are relative to `base`, and `place` names the file in messages.
pub fn read(mut reader: impl Read, base: &Path, place: &str) -> Result<Vec<Row>, VideosError> {
    let mut text = String::new();
    let fail = |faults: Vec<String>| VideosError::Settings { place: place.to_owned(), faults };
    reader.read_to_string(&mut text).map_err(|error| fail(vec![format!("cannot be read: {error}")]))?;
    let text = text.trim_start_matches('\u{feff}');
    let mut table =
        csv::ReaderBuilder::new().delimiter(delimiter(text)).trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = table.headers().map_err(|error| fail(vec![csv_fault(&error)]))?.clone();
    let columns: Vec<String> = header.iter().map(|name| name.to_lowercase().replace(['_', ' '], "-")).collect();
    let mut faults = header_faults(&columns);
    if !faults.is_empty() {
        return Err(fail(faults));
    }
    let mut rows = Vec::new();
    for (number, record) in table.records().enumerate() {
        // The header is row 1, as spreadsheets count.
        let number = number + 2;
        if number > MAX_ROWS + 1 {
            faults.push(format!("has more than {MAX_ROWS} rows; split it"));
            break;
        }
        match record {
            Ok(record) if record.iter().all(str::is_empty) => {}
            Ok(record) => match read_row(number, &columns, &record, base) {
                Ok(row) => rows.push((number, row)),
                Err(more) => faults.extend(more),
            },
            Err(error) => faults.push(csv_fault(&error)),
        }
    }
    faults.extend(clashes(&rows));
    if faults.is_empty() && rows.is_empty() {
        faults.push("has no rows; write one for each video below the header".to_owned());
    }
    if !faults.is_empty() {
        return Err(fail(faults));
    }
    rows.sort_by_key(|(number, row)| (row.priority, *number));
    Ok(with_own_names(rows.into_iter().map(|(_, row)| row).collect()))
}

/// Another look of the same request. Variant 0 is the request itself; each further one has the next seed and, where
/// nothing was said of them, another theme, another transition, and footage in another order.
#[must_use]
pub fn variant(patch: &RequestPatch, number: u32) -> RequestPatch {
    if number == 0 {
        return patch.clone();
    }
    let turn = number as usize;
    let themes = Theme::all();
    let own = RequestPatch {
        seed: Some(patch.seed.unwrap_or(0).wrapping_add(u64::from(number))),
        theme: Some(themes[turn % themes.len()].name.to_owned()),
        transition: Some(TRANSITIONS[turn % TRANSITIONS.len()]),
        order: Some(Order::Random),
        ..RequestPatch::default()
    };
    let seed = own.seed;
    RequestPatch { seed, ..patch.clone().over(own) }
}

/// Comma, semicolon or tab: whichever the header has most of.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().next().unwrap_or_default();
    let count = |delimiter: u8| header.bytes().filter(|byte| *byte == delimiter).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

fn header_faults(columns: &[String]) -> Vec<String> {
    let known = KEYS.iter().map(|key| key.name).chain(OWN_COLUMNS);
    let mut faults: Vec<String> = columns
        .iter()
        .filter(|column| !known.clone().any(|known| known == *column))
        .map(|column| unknown_name("column", column, known.clone()))
        .collect();
    for (at, column) in columns.iter().enumerate() {
        if columns[..at].contains(column) {
            faults.push(format!("has the column `{column}` twice"));
        }
    }
    if !columns.iter().any(|column| matches!(column.as_str(), "script" | "text" | "url")) {
        faults.push("needs a column `script`, `text` or `url`".to_owned());
    }
    faults
}

fn read_row(number: usize, columns: &[String], record: &csv::StringRecord, base: &Path) -> Result<Row, Vec<String>> {
    let mut faults = Vec::new();
    let mut patch = RequestPatch::default();
    let mut places = Vec::new();
    let mut output = None;
    let mut priority = Priority::Medium;
    for (column, cell) in columns.iter().zip(record).filter(|(_, cell)| !cell.is_empty()) {
        let mut fault = |fault: String| faults.push(format!("row {number}, column `{column}`: {fault}"));
        match column.as_str() {
            "script" => places.push(ScriptPlace::File(base.join(cell))),
            "text" => places.push(ScriptPlace::Text(cell.to_owned())),
            "url" => match parse_url(cell) {
                Ok(url) => places.push(ScriptPlace::Url(url)),
                Err(error) => fault(error),
            },
            "output" => output = Some(base.join(cell)),
            "priority" => match Priority::from_name(cell) {
                Ok(named) => priority = named,
                Err(error) => fault(error.to_string()),
            },
            name => {
                if let Err(error) = patch.set_text(name, cell, base) {
                    fault(error);
                }
            }
        }
    }
    if places.len() != 1 && faults.is_empty() {
        faults.push(format!("row {number}: needs exactly one of `script`, `text` and `url`"));
    }
    let place = match places.pop() {
        Some(place) if faults.is_empty() => place,
        _ => return Err(faults),
    };
    let name = name_of(output.as_deref(), patch.title.as_deref(), &place, number);
    let loaded = load_place(place, base).map_err(|error| vec![format!("row {number}: {error}")])?;
    Ok(Row { name, output, priority, loaded: Loaded { patch: patch.over(loaded.patch), ..loaded } })
}

/// A name for the files of a row: its output, its script, or its title, without what file names cannot have.
fn name_of(output: Option<&Path>, title: Option<&str>, place: &ScriptPlace, number: usize) -> String {
    let script = match place {
        ScriptPlace::File(path) => Some(path.as_path()),
        ScriptPlace::Text(_) | ScriptPlace::Url(_) => None,
    };
    let stem = output.or(script).and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    let words = stem.or_else(|| title.map(str::to_owned)).unwrap_or_default();
    let fit: String =
        words.chars().map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' }).take(60).collect();
    let fit = fit.trim_matches('-');
    if fit.is_empty() { format!("row-{number}") } else { fit.to_owned() }
}

/// Rows that would overwrite each other's video.
fn clashes(rows: &[(usize, Row)]) -> Vec<String> {
    let mut first: HashMap<&Path, usize> = HashMap::new();
    let mut faults = Vec::new();
    for (number, output) in rows.iter().filter_map(|(number, row)| Some((number, row.output.as_deref()?))) {
        match first.get(output) {
            Some(other) => faults.push(format!(
                "row {number}, column `output`: is `{}`, which row {other} writes as well",
                output.display()
            )),
            None => {
                first.insert(output, *number);
            }
        }
    }
    faults
}

/// Numbers names that several rows share.
fn with_own_names(mut rows: Vec<Row>) -> Vec<Row> {
    let mut taken: HashMap<String, usize> = HashMap::new();
    for row in &mut rows {
        let wanted = row.name.clone();
        while taken.contains_key(&row.name) {
            let times = taken.entry(wanted.clone()).or_insert(1);
            *times += 1;
            row.name = format!("{wanted}-{times}");
        }
        taken.insert(row.name.clone(), 1);
    }
    rows
}

/// A fault of the CSV itself, with its row.
fn csv_fault(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let row = pos.as_ref().map_or(0, |pos| pos.record() + 1);
            format!("row {row}: has {len} cells, but the header has {expected_len}; put cells with commas in quotes")
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
