//! The tokens of a model, each at its number.

use std::{collections::HashMap, path::Path};

use super::text;

/// The tokens of a model.
#[derive(Debug, Clone)]
pub(crate) struct Vocabulary {
    tokens: Vec<String>,
    ids: HashMap<String, usize>,
}

impl Vocabulary {
    /// Reads `stem.json`, or `stem.txt` where that is not there, as CTranslate2 does.
    pub(crate) fn read(folder: &Path, stem: &str) -> Result<Self, String> {
        let (json, lines) = (folder.join(format!("{stem}.json")), folder.join(format!("{stem}.txt")));
        let tokens: Vec<String> = if json.is_file() {
            let text = text(&json)?;
            serde_json::from_str(&text).map_err(|error| format!("its `{stem}.json` is no list of tokens ({error})"))?
        } else if lines.is_file() {
            // A token may be empty, or end in a carriage return; only line feeds part them.
            let text = text(&lines)?;
            text.strip_suffix('\n').unwrap_or(&text).split('\n').map(str::to_owned).collect()
        } else {
            return Err(format!("it has neither `{stem}.json` nor `{stem}.txt`"));
        };
        Ok(Self::new(tokens))
    }

    pub(crate) fn new(tokens: Vec<String>) -> Self {
        let mut ids = HashMap::with_capacity(tokens.len());
        for (id, token) in tokens.iter().enumerate() {
            // Of a token that is there twice the first counts.
            ids.entry(token.clone()).or_insert(id);
        }
        Self { tokens, ids }
    }

    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(crate) fn find(&self, token: &str) -> Option<usize> {
        self.ids.get(token).copied()
    }

    /// The number of a token that a model of this family has to have.
    pub(crate) fn get(&self, token: &str) -> Result<usize, String> {
        self.find(token).ok_or_else(|| format!("`{token}` is not among its tokens"))
    }

    pub(crate) fn token(&self, id: usize) -> Option<&str> {
        self.tokens.get(id).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn tokens_stand_in_a_list_or_on_lines_and_keep_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Vocabulary::read(folder.path(), "vocabulary").unwrap_err().contains("`vocabulary.json`"));
        fs::write(folder.path().join("vocabulary.txt"), "a\n\nb\r\na\n").unwrap();
        let lines = Vocabulary::read(folder.path(), "vocabulary").unwrap();
        assert_eq!((lines.len(), lines.find("a"), lines.find(""), lines.find("b\r")), (4, Some(0), Some(1), Some(2)));
        fs::write(folder.path().join("vocabulary.json"), r#"["x", "y\n"]"#).unwrap();
        let listed = Vocabulary::read(folder.path(), "vocabulary").unwrap();
        assert_eq!((listed.len(), listed.token(1), listed.token(2)), (2, Some("y\n"), None));
        assert_eq!(listed.get("z").unwrap_err(), "`z` is not among its tokens");
        fs::write(folder.path().join("vocabulary.json"), r#"{"x": 1}"#).unwrap();
        assert!(Vocabulary::read(folder.path(), "vocabulary").unwrap_err().contains("no list of tokens"));
    }
}
