//! How deeply a page is nested, seen before anything is built from it: the search for an article takes a time that
//! grows with the square of the depth.

/// Real pages stay below a hundred; browsers stop at 512.
const MAX_DEPTH: usize = 512;

/// Elements that have no end, or one that is often left out and closes by itself.
const NOT_COUNTED: [&str; 30] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr", "p",
    "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "option", "optgroup", "html", "head", "body", "rt",
];

/// Whether a page is nested no deeper than any real one.
pub(super) fn is_reasonable(html: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        let closing = rest.starts_with('/');
        let tag = rest.trim_start_matches('/');
        let name_end = tag.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(tag.len());
        let name = &tag[..name_end];
        let countable = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && !NOT_COUNTED.iter().any(|other| other.eq_ignore_ascii_case(name));
        if !countable {
            continue;
        }
        rest = &tag[name_end..];
        if closing {
            if let Some(opened) = open.iter().rposition(|other| other.eq_ignore_ascii_case(name)) {
                open.truncate(opened);
            }
        } else if let Some(raw) =
            ["script", "style", "textarea", "title"].iter().find(|raw| raw.eq_ignore_ascii_case(name))
        {
            rest = after_raw_text(rest, raw);
        } else {
            open.push(name);
        }
        if open.len() > MAX_DEPTH {
            return false;
        }
    }
    true
}

/// What follows the end of an element whose content is not markup.
fn after_raw_text<'a>(text: &'a str, name: &str) -> &'a str {
    let end = text
        .match_indices("</")
        .find(|(at, _)| text.get(at + 2..at + 2 + name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)));
    end.map_or("", |(at, _)| &text[at + 2..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_pages_are_read_however_carelessly_written() {
        assert!(is_reasonable(&format!("<html><body>{}", "<p>Text <br> and <b>more</b> <li>one".repeat(5000))));
        assert!(is_reasonable(&format!("<script>{}</script><div>x</div>", "'<div>'".repeat(5000))));
        assert!(is_reasonable(&format!("<!-- {} -->", "<div>".repeat(5000))));
    }

    #[test]
    fn a_tower_of_elements_is_refused() {
        assert!(!is_reasonable(&"<div>".repeat(2000)));
        assert!(!is_reasonable(&"<div></span>".repeat(2000)));
        assert!(!is_reasonable(&"<DIV class='a > b'>".repeat(2000)));
    }
}
