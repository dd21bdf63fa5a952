use super::*;

fn parse(text: &str) -> Script {
    Script::parse(text, Reading { base: Path::new("/s"), lang: None, title: None }).unwrap()
}

fn paragraph(sentences: &[&str]) -> Block {
    Block::Paragraph { sentences: sentences.iter().map(|s| (*s).to_owned()).collect() }
}

fn media(path: &str, alt: &str) -> Block {
    Block::Media { path: path.into(), alt: alt.to_owned() }
}

#[test]
fn a_script_keeps_its_words_and_loses_its_marks() {
    let script = parse(
        "# Salt\n\nThe **sea** is [salty](https://example.org), `really`. It ~~never~~ was[^1].\n\n[^1]: A note.\n",
    );
    assert_eq!(script.title.as_deref(), Some("Salt"));
    assert_eq!(script.blocks, [paragraph(&["The sea is salty, really.", "It was."])]);
    assert_eq!(script.left_out, ["footnote 1"]);
}

#[test]
fn pictures_split_the_paragraph_they_stand_in() {
    let script =
        parse("One. ![a wave](my%20wave.mp4) Two.\n\n![[clips/reef.mp4]]\n\nThree. ![](https://example.org/a.png)\n");
    assert_eq!(
        script.blocks,
        [
            paragraph(&["One."]),
            media("/s/my wave.mp4", "a wave"),
            paragraph(&["Two."]),
            media("/s/clips/reef.mp4", "clips/reef.mp4"),
            paragraph(&["Three."]),
        ]
    );
    assert!(script.left_out[0].contains("https://example.org/a.png"));
}

#[test]
fn nested_lists_are_one_list() {
    let script = parse("- one\n- two\n  - inner\n- [x] three\n");
    let Block::List { ordered: false, items } = &script.blocks[0] else { panic!("{:?}", script.blocks) };
    assert_eq!(items, &["one", "two", "inner", "three"]);
}

#[test]
fn a_list_with_pictures_is_told_item_by_item() {
    let script = parse("1. ![](a.jpg) First thing.\n2. Second thing. ![](b.jpg)\n");
    assert_eq!(
        script.blocks,
        [media("/s/a.jpg", ""), paragraph(&["First thing."]), media("/s/b.jpg", ""), paragraph(&["Second thing."])]
    );
}

#[test]
fn a_quote_knows_who_said_it() {
    let script = parse("> The sea, once it casts its spell,\n> holds one in its net.\n> — Jacques Cousteau\n");
    let Block::Quote { sentences, by } = &script.blocks[0] else { panic!("{:?}", script.blocks) };
    assert_eq!(sentences, &["The sea, once it casts its spell, holds one in its net."]);
    assert_eq!(by.as_deref(), Some("Jacques Cousteau"));
}

#[test]
fn a_table_is_read_row_by_row() {
    let script =
        parse("| Sea | Salt | Depth |\n|---|---|---|\n| Baltic | 0.8 % | 55 m |\n| Dead Sea | 34 % | 304 m |\n");
    let Block::List { items, .. } = &script.blocks[0] else { panic!("{:?}", script.blocks) };
    assert_eq!(items, &["Baltic: Salt 0.8 %, Depth 55 m", "Dead Sea: Salt 34 %, Depth 304 m"]);
}

#[test]
fn code_and_html_are_left_out_and_comments_are_notes_to_self() {
    let script = parse(
        "Say this.\n\n```rust\nfn main() {}\n```\n\n<!-- not this -->\n<div>nor this</div>\n\nAnd <b>this</b>.<br>End.\n",
    );
    assert_eq!(script.blocks, [paragraph(&["Say this."]), paragraph(&["And this.", "End."])]);
    assert_eq!(script.left_out, ["rust code"]);
}

#[test]
fn plain_text_is_paragraphs_between_blank_lines() {
    let script = parse("  The first line\nruns on.\n\n    An indented paragraph.\n\n\nThe last.");
    assert_eq!(
        script.blocks,
        [paragraph(&["The first line runs on."]), paragraph(&["An indented paragraph."]), paragraph(&["The last."])]
    );
}

#[test]
fn emoji_shortcodes_become_emoji() {
    assert_eq!(parse("To the moon :rocket: at 10:30:45.").blocks, [paragraph(&["To the moon 🚀 at 10:30:45."])]);
}

#[test]
fn chinese_lines_join_without_a_space() {
    let script = parse("海水是咸的，\n因为河流带来矿物质。");
    assert_eq!(script.lang.as_str(), "zh");
    assert_eq!(script.blocks, [paragraph(&["海水是咸的，因为河流带来矿物质。"])]);
}

#[test]
fn a_given_title_replaces_the_same_heading_and_keeps_another() {
    let read =
        |title| Script::parse("# Salt\n\nText.", Reading { base: Path::new(""), lang: None, title: Some(title) });
    assert_eq!(read("SALT").unwrap().blocks.len(), 1);
    let other = read("Why the sea is salty").unwrap();
    assert_eq!(other.title.as_deref(), Some("Why the sea is salty"));
    assert_eq!(other.blocks[0], Block::Heading { level: 1, text: "Salt".to_owned() });
}

#[test]
fn a_title_that_the_first_sentence_says_is_not_said_twice() {
    assert!(parse("# Salt\n\nThe sea is salty.").speaks_title());
    assert!(!parse("# The sea is salty\n\nThe sea is salty! Why?").speaks_title());
}

#[test]
fn a_script_with_nothing_to_say_is_refused() {
    for text in ["", "\n\n", "<!-- only a note -->", "```\ncode\n```", "![](a.png)", "🎉", "---"] {
        let error = Script::parse(text, Reading { base: Path::new(""), lang: None, title: None }).unwrap_err();
        assert!(error.to_string().contains("nothing to say"), "{text}: {error}");
    }
}

#[test]
fn hidden_characters_do_not_reach_the_voice() {
    assert_eq!(parse("Hel\u{202e}lo\u{0} there.").blocks, [paragraph(&["Hello there."])]);
}

#[test]
fn sections_and_paragraphs_are_counted_through_the_narration() {
    let script = parse("# Title\n\nIntro.\n\n## Part\n\nOne. Two.\n\n- a\n- b\n");
    let narration: Vec<(String, usize, usize)> =
        script.narration().into_iter().map(|s| (s.text, s.section, s.paragraph)).collect();
    let expected =
        [("Title", 0, 0), ("Intro.", 0, 1), ("Part", 1, 2), ("One.", 1, 3), ("Two.", 1, 3), ("a", 1, 4), ("b", 1, 4)];
    assert_eq!(narration, expected.map(|(text, section, paragraph)| (text.to_owned(), section, paragraph)));
}
