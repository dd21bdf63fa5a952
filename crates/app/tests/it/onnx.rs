//! ONNX Runtime, which models need, on the command line.

use crate::desk::{Desk, Ended};

#[test]
fn without_onnx_runtime_everything_else_works_and_the_doctor_says_what_to_do() {
    let desk = Desk::new();
    let text = desk.write("library.so", "not a library");
    for (library, complaint) in [("/nowhere/libonnxruntime.so", "is not a file"), (text.to_str().unwrap(), "be opened")]
    {
        let mut command = desk.pressroom(["doctor"]);
        let found = Ended::from(command.env("PRESSROOM_PROGRAMS_ONNXRUNTIME", library).output().unwrap());
        assert_eq!(found.code, Some(0), "nothing else needs it: {}", found.complaint);
        let finding = found.events.iter().find(|finding| finding["what"] == "ONNX Runtime").unwrap();
        assert_eq!(finding["state"], "note");
        let detail = finding["detail"].as_str().unwrap();
        assert!(detail.contains(complaint) && detail.contains("`programs.onnxruntime`"), "{detail}");
    }
}
