//! Models of the user's, kept by the command line.

use crate::desk::Desk;

#[test]
fn what_is_no_model_is_refused_and_no_model_is_there() {
    let desk = Desk::new();
    desk.write("talk.txt", "a talk");
    let refused = desk.run(["models", "add", "talk.txt"]);
    assert_eq!(refused.code, Some(3), "{}", refused.complaint);
    assert!(refused.complaint.contains("the file `talk.txt`") && refused.complaint.contains("wespeaker"));
    assert!(desk.succeed(["models", "list"]).events.is_empty());
    let unknown = desk.run(["models", "remove", "nobody"]);
    assert_eq!(unknown.code, Some(4), "{}", unknown.complaint);
    assert_eq!(desk.run(["models", "remove", "../etc"]).code, Some(2));
}

#[test]
fn a_model_that_cannot_be_loaded_leaves_nothing() {
    let desk = Desk::new();
    desk.write("voices.onnx", "no model at all");
    let refused = desk.run(["models", "add", "voices.onnx", "--kind", "separation", "--family", "mdx"]);
    // Without the engine a part is missing, with it the model is at fault.
    let expected = if cfg!(feature = "local-models") { 3 } else { 5 };
    assert_eq!(refused.code, Some(expected), "{}", refused.complaint);
    let said = if cfg!(feature = "local-models") { "voices" } else { "--features local-models" };
    assert!(refused.complaint.contains(said), "{}", refused.complaint);
    assert!(desk.succeed(["models", "list"]).events.is_empty());
}
