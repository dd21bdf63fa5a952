//! What goes with a video when it is published: a description and hashtags, from the script itself.

use std::collections::BTreeMap;

use crate::{
    scenes::Scene,
    script::{Block, Script},
};

/// What video sites show of a description before it is opened.
const DESCRIPTION_CHARACTERS: usize = 300;
const MOST_HASHTAGS: usize = 5;
/// A shorter word says little as a hashtag.
const LEAST_HASHTAG_CHARACTERS: usize = 4;

/// The first sentences of the script, as many as are seen at once.
pub(crate) fn description(script: &Script) -> String {
    let mut description = String::new();
    let sentences = script.blocks.iter().filter_map(|block| match block {
        Block::Paragraph { sentences } => Some(sentences),
        _ => None,
    });
    for sentence in sentences.flatten() {
        let length = description.chars().count() + 1 + sentence.chars().count();
        if !description.is_empty() && length > DESCRIPTION_CHARACTERS {
            break;
        }
        if !description.is_empty() {
            description.push(' ');
        }
        description.push_str(sentence);
    }
    description
}

/// What most scenes are about, as hashtags without their sign.
pub(crate) fn hashtags(scenes: &[Scene]) -> Vec<String> {
    let mut weights: BTreeMap<String, f64> = BTreeMap::new();
    for scene in scenes {
        for (place, keyword) in scene.keywords.iter().take(MOST_HASHTAGS).enumerate() {
            let tag: String = keyword.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
            let has_letters = tag.chars().any(char::is_alphabetic);
            if has_letters && (tag.chars().count() >= LEAST_HASHTAG_CHARACTERS || !tag.is_ascii()) {
                *weights.entry(tag).or_default() += 1.0 / (1.0 + place as f64);
            }
        }
    }
    let mut tags: Vec<(String, f64)> = weights.into_iter().collect();
    tags.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    tags.into_iter().take(MOST_HASHTAGS).map(|(tag, _)| tag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenes::Shot;

    #[test]
    fn hashtags_are_the_words_of_most_scenes() {
        let scene = |keywords: &[&str]| Scene {
            keywords: keywords.iter().map(|&word| word.to_owned()).collect(),
            ..Scene::silent(Shot::Open)
        };
        let scenes = [scene(&["harbour", "boat", "sea"]), scene(&["boat", "wind"]), scene(&["boat", "12"])];
        let tags = hashtags(&scenes);
        assert_eq!(tags[0], "boat");
        assert!(!tags.contains(&"sea".to_owned()) && !tags.contains(&"12".to_owned()), "{tags:?}");
    }
}
