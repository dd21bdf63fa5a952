//! The filter that draws an ASS file into the picture.

use std::path::Path;

use crate::MediaError;

/// The FFmpeg filter that burns an ASS file in, for use inside a filtergraph.
///
/// `shaping=complex` is what makes Devanagari right. Fails for a path that is no UTF-8, which no filter can be given.
pub fn burn_filter(ass_path: &Path) -> Result<String, MediaError> {
    let Some(path) = ass_path.to_str().filter(|path| !path.contains('\0')) else {
        return Err(MediaError::BadFile {
            path: ass_path.to_owned(),
            reason: "has a name that is no Unicode text; use another folder".to_owned(),
        });
    };
    Ok(format!("ass=filename={}:shaping=complex", escape_filter_value(path)))
}

/// Escapes a value for an option of a filter in a filtergraph, which FFmpeg unescapes twice: once for the graph, once
/// for the option (FFmpeg filters documentation, "Notes on filtergraph escaping").
fn escape_filter_value(value: &str) -> String {
    let option = escape(value, |c| matches!(c, '\\' | '\'' | ':') || c.is_ascii_whitespace());
    escape(&option, |c| matches!(c, '\\' | '\'' | '[' | ']' | ',' | ';') || c.is_ascii_whitespace())
}

fn escape(value: &str, special: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(value.len() + 8);
    for c in value.chars() {
        if special(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_the_graph_and_of_the_option_are_escaped() {
        assert_eq!(escape_filter_value("/tmp/a.ass"), "/tmp/a.ass");
        assert_eq!(escape_filter_value("a:b"), r"a\\:b");
        assert_eq!(escape_filter_value("a,b[c]"), r"a\,b\[c\]");
        assert_eq!(escape_filter_value("it's"), r"it\\\'s");
        assert_eq!(escape_filter_value(r"a\b"), r"a\\\\b");
    }
}
