//! Pages of a list: how many items, after which one, and where the next page begins.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How many items a page has when nobody says.
const DEFAULT_ITEMS: u16 = 50;
const MAX_ITEMS: u16 = 200;

/// The most bytes of a cursor that are looked at.
const MAX_CURSOR_BYTES: usize = 512;

/// Some items of a list, and where the next ones begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Absent on the last page.
    pub next_cursor: Option<Cursor>,
}

/// How many items a page may have: 1 to 200, by default 50.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize(u16);

/// Which page is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRequest {
    pub size: PageSize,
    /// The `next_cursor` of the page before; absent for the first.
    pub after: Option<Cursor>,
}

/// The place of an item in a list. Callers hand it back and do not look into it; its parts are what the list is sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cursor(String);

/// Why a page cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    #[error("a page of {0} items is not possible; ask for 1 to {MAX_ITEMS}")]
    Size(u64),
    #[error("`{0}` is no cursor of this list; use the `next_cursor` of a page")]
    Cursor(String),
}

impl<T> Page<T> {
    /// A page from up to `size` + 1 items: one more than asked for tells that there is another page.
    pub fn of_one_more(mut items: Vec<T>, size: PageSize, cursor: impl Fn(&T) -> Cursor) -> Self {
        let has_more = items.len() > size.items();
        items.truncate(size.items());
        let next_cursor = if has_more { items.last().map(cursor) } else { None };
        Self { items, next_cursor }
    }

    /// The same page with each item turned into another.
    pub fn map<U>(self, turn: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(turn).collect(), next_cursor: self.next_cursor }
    }
}

impl PageSize {
    pub fn new(items: u64) -> Result<Self, PageError> {
        u16::try_from(items)
            .ok()
            .filter(|items| (1..=MAX_ITEMS).contains(items))
            .map(Self)
            .ok_or(PageError::Size(items))
    }

    pub fn items(self) -> usize {
        usize::from(self.0)
    }

    /// One more than the page has, which tells whether another follows.
    pub fn and_one_more(self) -> u64 {
        u64::from(self.0) + 1
    }
}

impl Default for PageSize {
    fn default() -> Self {
        Self(DEFAULT_ITEMS)
    }
}

impl Cursor {
    /// The cursor of the item with these sort values. No part may hold a `.`.
    pub fn of_parts(parts: &[&str]) -> Self {
        Self(parts.join("."))
    }

    /// Its sort values, when there are as many as the list sorts by.
    pub fn parts<const N: usize>(&self) -> Result<[&str; N], PageError> {
        let parts: Vec<&str> = self.0.split('.').collect();
        parts.try_into().map_err(|_| PageError::Cursor(self.0.clone()))
    }

    /// Its only sort value, an id or a number.
    pub fn part<T: FromStr>(&self) -> Result<T, PageError> {
        let [part] = self.parts()?;
        part.parse().map_err(|_| PageError::Cursor(self.0.clone()))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Cursor {
    type Err = PageError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_ours = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if text.is_empty() || text.len() > MAX_CURSOR_BYTES || !text.bytes().all(is_ours) {
            return Err(PageError::Cursor(text.chars().take(64).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Cursor {
    type Error = PageError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Cursor> for String {
    fn from(cursor: Cursor) -> Self {
        cursor.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_not_the_last_ends_in_a_cursor() {
        let size = PageSize::new(2).unwrap();
        let cursor = |number: &i32| Cursor::of_parts(&[&number.to_string()]);
        let page = Page::of_one_more(vec![1, 2, 3], size, cursor);
        assert_eq!((page.items, page.next_cursor), (vec![1, 2], Some("2".parse().unwrap())));
        let last = Page::of_one_more(vec![3, 4], size, cursor);
        assert_eq!((last.items, last.next_cursor), (vec![3, 4], None));
    }

    #[test]
    fn a_page_has_one_item_to_two_hundred() {
        assert_eq!(PageSize::new(0), Err(PageError::Size(0)));
        assert_eq!(PageSize::new(201), Err(PageError::Size(201)));
        assert_eq!(PageSize::new(200).unwrap().items(), 200);
        assert_eq!(PageSize::default().and_one_more(), 51);
    }

    #[test]
    fn a_cursor_gives_its_parts_back_and_refuses_what_is_none() {
        let cursor = Cursor::of_parts(&["12", "ab"]);
        assert_eq!(cursor.parts::<2>(), Ok(["12", "ab"]));
        assert!(cursor.parts::<3>().is_err());
        assert!("7".parse::<Cursor>().unwrap().part::<u8>().is_ok_and(|number| number == 7));
        for bad in ["", "a b", "a\n", "ä", &"a".repeat(513)] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }
}
