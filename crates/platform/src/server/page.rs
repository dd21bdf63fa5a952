//! Pages of lists at the edge: `{items, next_cursor}`, where a cursor belongs to its list with its filters and is opaque.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kernel::{Cursor, Page, PageRequest, PageSize};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;

/// Longer cursors are none of ours.
const MAX_CURSOR_LENGTH: usize = 1024;

/// What to show of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// How many items at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u16>,
    /// The `next_cursor` of the page before; absent for the first page. Filters stay what they were.
    #[param(max_length = 1024)]
    pub cursor: Option<String>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PageBody<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A list that has pages: its cursors work in it, with the same filters, and nowhere else.
#[derive(Debug, Clone)]
pub struct List {
    name: String,
}

impl List {
    /// The list `name` under `filters`.
    pub fn new(name: &str, filters: &impl Serialize) -> Self {
        let filters = serde_json::to_string(filters).unwrap_or_default();
        let digest = ring::digest::digest(&ring::digest::SHA256, filters.as_bytes());
        Self { name: format!("{name}:{}", URL_SAFE_NO_PAD.encode(&digest.as_ref()[..6])) }
    }

    /// Which page is asked for.
    pub fn request(&self, limit: Option<u16>, cursor: Option<&str>) -> Result<PageRequest, Problem> {
        let size = limit.map(|limit| PageSize::new(limit.into())).transpose();
        let size = size.map_err(|error| Problem::parameter("limit", error.to_string()))?.unwrap_or_default();
        let after = cursor.map(|cursor| self.open(cursor)).transpose()?;
        Ok(PageRequest { size, after })
    }

    /// The page as it is sent.
    pub fn body<T, U>(&self, page: Page<T>, show: impl FnMut(T) -> U) -> PageBody<U> {
        let next_cursor = page.next_cursor.map(|cursor| URL_SAFE_NO_PAD.encode(format!("{} {cursor}", self.name)));
        PageBody { items: page.items.into_iter().map(show).collect(), next_cursor }
    }

    fn open(&self, text: &str) -> Result<Cursor, Problem> {
        let bytes = if text.len() > MAX_CURSOR_LENGTH { None } else { URL_SAFE_NO_PAD.decode(text).ok() };
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let cursor = text.as_deref().and_then(|text| text.strip_prefix(&self.name)?.strip_prefix(' ')?.parse().ok());
        cursor.ok_or_else(|| Problem::parameter("cursor", "it is no cursor of this list with these filters"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_of(list: &List) -> String {
        let page = Page { items: vec![1], next_cursor: Some(Cursor::of_parts(&["7", "x"])) };
        list.body(page, |number| number).next_cursor.unwrap()
    }

    #[test]
    fn a_cursor_leads_on_in_its_list() {
        let list = List::new("numbers", &"even");
        let request = list.request(Some(2), Some(&page_of(&list))).unwrap();
        assert_eq!(request.after.unwrap().parts(), Ok(["7", "x"]));
        assert_eq!(request.size.items(), 2);
    }

    #[test]
    fn a_cursor_of_another_list_or_other_filters_or_none_at_all_is_refused() {
        let cursor = page_of(&List::new("numbers", &"even"));
        for other in [List::new("numbers", &"odd"), List::new("letters", &"even")] {
            assert!(other.request(None, Some(&cursor)).is_err());
        }
        let list = List::new("numbers", &"even");
        for odd in [String::new(), "%%".to_owned(), URL_SAFE_NO_PAD.encode("x"), "A".repeat(2000)] {
            assert!(list.request(None, Some(&odd)).is_err(), "{odd}");
        }
    }

    #[test]
    fn pages_have_bounds() {
        let list = List::new("numbers", &());
        for limit in [0, 201] {
            let problem = list.request(Some(limit), None).unwrap_err();
            assert_eq!(problem.faults()[0].parameter.as_deref(), Some("limit"));
        }
    }
}
