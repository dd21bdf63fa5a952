use super::*;
use crate::request::Source;

fn rows(text: &str) -> Result<Vec<Row>, String> {
    read(text.as_bytes(), Path::new("/batch"), "`requests.csv`").map_err(|error| error.to_string())
}

#[test]
fn rows_come_by_priority_and_then_in_their_order() {
    let text = "text,priority,title\nOne.,low,a\nTwo.,,b\nThree.,urgent,c\nFour.,HIGH,d\nFive.,medium,e\n";
    let names: Vec<String> = rows(text).unwrap().into_iter().map(|row| row.name).collect();
    assert_eq!(names, ["c", "d", "b", "e", "a"]);
}

#[test]
fn a_row_is_stronger_than_the_front_matter_of_its_script() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.md"), "---\ntheme: paper\nseed: 4\n---\nHello.").unwrap();
    std::fs::write(folder.path().join("all.csv"), "script;theme;aspect;output\na.md;ink;16:9;out/a.mp4\n").unwrap();
    let rows = read_file(&folder.path().join("all.csv")).unwrap();
    let patch = &rows[0].loaded.patch;
    assert_eq!((patch.theme.as_deref(), patch.seed), (Some("ink"), Some(4)));
    assert_eq!(rows[0].output, Some(folder.path().join("out/a.mp4")));
    assert_eq!(rows[0].loaded.source, Source::Text { text: "Hello.".to_owned(), base: folder.path().to_owned() });
}

#[test]
fn every_fault_is_named_with_its_row_and_column() {
    let error = rows("text,fps,priority\nOne.,many,low\nTwo.,30,soon\n,30,low\nscript,only\n").unwrap_err();
    for part in [
        "row 2, column `fps`: `fps` is `many`",
        "row 3, column `priority`: no priority is called `soon`; choose one of urgent, high, medium, low",
        "row 4: needs exactly one of",
        "row 5: has 2 cells, but the header has 3",
    ] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
}

#[test]
fn an_unknown_column_is_answered_with_the_nearest() {
    let error = rows("text,voise\nOne.,en\n").unwrap_err();
    assert!(error.contains("there is no column `voise`; did you mean `voice`?"), "{error}");
    assert!(rows("title\nx\n").unwrap_err().contains("needs a column `script`, `text` or `url`"));
}

#[test]
fn two_rows_cannot_write_one_file() {
    let error = rows("text,output\nOne.,a.mp4\nTwo.,a.mp4\n").unwrap_err();
    assert!(error.contains("row 3, column `output`: is `/batch/a.mp4`, which row 2 writes as well"), "{error}");
}

#[test]
fn names_are_fit_for_files_and_each_row_has_its_own() {
    let text = "text,title\nOne.,Why? Because/of: this\nTwo.,Why? Because/of: this\nThree.,\nFour.,Море\n";
    let names: Vec<String> = rows(text).unwrap().into_iter().map(|row| row.name).collect();
    assert_eq!(names, ["Why--Because-of--this", "Why--Because-of--this-2", "row-4", "Море"]);
}

#[test]
fn quoted_cells_keep_commas_and_lines() {
    let rows = rows("\u{feff}text\n\"One, two.\n\nThree.\"\n").unwrap();
    assert_eq!(rows[0].loaded.source, Source::Text { text: "One, two.\n\nThree.".to_owned(), base: "/batch".into() });
}

#[test]
fn variants_differ_where_nothing_was_said_and_keep_what_was() {
    let patch = RequestPatch { transition: Some(Transition::None), seed: Some(10), ..RequestPatch::default() };
    assert_eq!(variant(&patch, 0), patch);
    let (first, second) = (variant(&patch, 1), variant(&patch, 2));
    assert_eq!((first.seed, second.seed), (Some(11), Some(12)));
    assert_ne!(first.theme, second.theme);
    assert_eq!(first.transition, Some(Transition::None));
    assert_eq!(first, variant(&patch, 1));
}
