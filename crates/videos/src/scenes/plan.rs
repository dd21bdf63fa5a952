//! The cutting itself.

use std::path::PathBuf;

use super::{Scene, Shot, numbers, topics};
use crate::script::{Block, Script, estimate_ms};

/// A sentence shorter than this shares its scene with a neighbour, when it can.
const MIN_SCENE_MS: u64 = 3000;
/// A scene is not made longer than this by taking sentences in.
const MAX_SCENE_MS: u64 = 8000;
/// The most items on one card.
const MAX_ITEMS: usize = 6;
/// How many scenes one picture of the script is shown for.
const SCENES_PER_PICTURE: usize = 4;

/// Cuts a script into scenes of about 3 to 8 seconds. Their sentences, one after the other, are the narration.
///
/// A picture the script names is shown for what follows it, up to the next one or the end of the section, or for what
/// stands before it when nothing follows. `credits` and the source of the
/// text become the last card.
pub fn plan(script: &Script, credits: &[String]) -> Vec<Scene> {
    let mut planner = Planner::new(script);
    for block in &script.blocks {
        planner.block(block);
    }
    let Planner { mut scenes, groups, of_group, headings, .. } = planner;
    show_pictures(&mut scenes, &of_group, groups);
    open_with_title(&mut scenes, script);
    topics::fill_keywords(&mut scenes, &headings, script.title.as_deref(), &script.lang);
    let credits: Vec<String> = credits.iter().chain(&script.source).cloned().collect();
    if !credits.is_empty() {
        let (section, paragraph) = scenes.last().map_or((0, 0), |scene| (scene.section, scene.paragraph + 1));
        let shot = Shot::End { title: script.title.clone().unwrap_or_default(), credits };
        scenes.push(Scene { section, paragraph, sentences: Vec::new(), shot, keywords: Vec::new() });
    }
    scenes
}

/// Text with the pictures that were named right before it.
#[derive(Debug, Default)]
struct Group {
    section: usize,
    pictures: Vec<PathBuf>,
}

struct Planner<'a> {
    script: &'a Script,
    scenes: Vec<Scene>,
    groups: Vec<Group>,
    /// The group of each scene.
    of_group: Vec<usize>,
    /// The heading of each section; empty for the part before the first.
    headings: Vec<String>,
    section: usize,
    paragraph: usize,
    top_level: u8,
    numbered: bool,
    sections_numbered: u32,
}

impl<'a> Planner<'a> {
    fn new(script: &'a Script) -> Self {
        let levels = script.blocks.iter().filter_map(|block| match block {
            Block::Heading { level, .. } => Some(*level),
            _ => None,
        });
        let top_level = levels.clone().min().unwrap_or(1);
        let mut planner = Self {
            script,
            scenes: Vec::new(),
            groups: vec![Group::default()],
            of_group: Vec::new(),
            headings: vec![String::new()],
            section: 0,
            paragraph: 0,
            top_level,
            numbered: levels.filter(|level| *level == top_level).count() > 1,
            sections_numbered: 0,
        };
        if let Some(title) = script.title.clone().filter(|_| script.speaks_title()) {
            planner.push(vec![title], Shot::Open);
            planner.paragraph += 1;
        }
        planner
    }

    fn push(&mut self, sentences: Vec<String>, shot: Shot) {
        let (section, paragraph) = (self.section, self.paragraph);
        self.scenes.push(Scene { section, paragraph, sentences, shot, keywords: Vec::new() });
        self.of_group.push(self.groups.len() - 1);
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Heading { level, text } => self.heading(*level, text),
            Block::Paragraph { sentences } => {
                self.paragraph(sentences);
                self.paragraph += 1;
            }
            Block::List { items, .. } => {
                self.list(items);
                self.paragraph += 1;
            }
            Block::Quote { sentences, by } => {
                let separator = if self.is_chinese_or_japanese() { "" } else { " " };
                let shot = Shot::Quote { text: sentences.join(separator), by: by.clone() };
                self.push(sentences.clone(), shot);
                self.paragraph += 1;
            }
            Block::Media { path, .. } => {
                let group = self.groups.len() - 1;
                let is_used = self.of_group.last() == Some(&group);
                if is_used || self.groups[group].pictures.is_empty() {
                    self.groups.push(Group { section: self.section, pictures: Vec::new() });
                }
                if let Some(group) = self.groups.last_mut() {
                    group.pictures.push(path.clone());
                }
            }
            Block::Break => self.groups.push(Group { section: self.section, pictures: Vec::new() }),
        }
    }

    fn heading(&mut self, level: u8, text: &str) {
        self.section += 1;
        self.headings.push(text.to_owned());
        self.groups.push(Group { section: self.section, pictures: Vec::new() });
        let number = (self.numbered && level == self.top_level).then(|| {
            self.sections_numbered += 1;
            self.sections_numbered
        });
        self.push(vec![text.to_owned()], Shot::Section { number, heading: text.to_owned() });
        self.paragraph += 1;
    }

    /// One or two sentences to a scene; a striking number gets its own, once in a paragraph.
    fn paragraph(&mut self, sentences: &[String]) {
        let has_picture = self.groups.last().is_some_and(|group| !group.pictures.is_empty());
        let striking = sentences.iter().position(|sentence| !has_picture && numbers::striking(sentence).is_some());
        let Some(at) = striking else {
            self.open_scenes(sentences);
            return;
        };
        self.open_scenes(&sentences[..at]);
        if let Some(found) = numbers::striking(&sentences[at]) {
            self.push(vec![sentences[at].clone()], Shot::BigNumber { number: found.number, label: found.label });
        }
        self.open_scenes(&sentences[at + 1..]);
    }

    fn open_scenes(&mut self, sentences: &[String]) {
        let mut scenes: Vec<(u64, Vec<String>)> = Vec::new();
        for sentence in sentences {
            let length_ms = estimate_ms(sentence, &self.script.lang);
            match scenes.last_mut() {
                Some((so_far_ms, scene))
                    if *so_far_ms + length_ms <= MAX_SCENE_MS
                        && (*so_far_ms < MIN_SCENE_MS || length_ms < MIN_SCENE_MS) =>
                {
                    *so_far_ms += length_ms;
                    scene.push(sentence.clone());
                }
                _ => scenes.push((length_ms, vec![sentence.clone()])),
            }
        }
        for (_, scene) in scenes {
            self.push(scene, Shot::Open);
        }
    }

    /// A long list fills several cards, evenly.
    fn list(&mut self, items: &[String]) {
        let cards = items.len().div_ceil(MAX_ITEMS);
        let heading = Some(self.headings[self.section].clone()).filter(|heading| !heading.is_empty());
        let mut rest = items;
        for card in 0..cards {
            let (now, later) = rest.split_at(rest.len().div_ceil(cards - card));
            self.push(now.to_vec(), Shot::List { heading: heading.clone(), items: now.to_vec() });
            rest = later;
        }
    }

    fn is_chinese_or_japanese(&self) -> bool {
        matches!(self.script.lang.primary(), "zh" | "cmn" | "yue" | "ja")
    }
}

/// Gives the pictures of each group to its scenes.
fn show_pictures(scenes: &mut [Scene], of_group: &[usize], groups: Vec<Group>) {
    for (number, group) in groups.into_iter().enumerate().filter(|(_, group)| !group.pictures.is_empty()) {
        let is_free = |scene: &Scene| matches!(scene.shot, Shot::Open);
        let mut free: Vec<usize> =
            (0..scenes.len()).filter(|at| of_group[*at] == number && is_free(&scenes[*at])).collect();
        free.truncate(SCENES_PER_PICTURE * group.pictures.len());
        if free.is_empty() {
            // Nothing follows: the picture belongs to what was said just before, else to the heading above it.
            let before = |at: &usize| of_group[*at] < number && scenes[*at].section == group.section;
            let last = (0..scenes.len()).rfind(|at| before(at) && is_free(&scenes[*at]));
            free = match last {
                Some(last) => {
                    let paragraph = scenes[last].paragraph;
                    (0..=last).filter(|at| scenes[*at].paragraph == paragraph && is_free(&scenes[*at])).collect()
                }
                None => (0..scenes.len()).rfind(before).into_iter().collect(),
            };
        }
        let pictures = group.pictures.len();
        for (place, at) in free.iter().enumerate() {
            let path = group.pictures[place * pictures / free.len()].clone();
            scenes[*at].shot = Shot::Media { path };
        }
    }
}

/// The title is seen while it is read, or while the first sentence says it.
fn open_with_title(scenes: &mut [Scene], script: &Script) {
    let (Some(title), Some(first)) = (&script.title, scenes.first_mut()) else { return };
    if matches!(first.shot, Shot::Open | Shot::Section { .. }) {
        first.shot = Shot::Title { title: title.clone(), subtitle: None, byline: script.byline.clone() };
    }
}
