//! ONNX files written from code: as much of the format as models of a node or two need.
//!
//! Numbers of fields are those of `onnx.proto` (<https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in what it calls too")]

use std::path::{Path, PathBuf};

/// The version of the format, and of the set of operators.
const IR_VERSION: u64 = 8;
const OPERATORS: u64 = 13;
const FLOAT: u64 = 1;

/// The length of an axis.
#[derive(Clone, Copy)]
pub(crate) enum Axis {
    Fixed(u64),
    Any(&'static str),
}

/// A model that takes one array and gives one, of the same number of axes or not.
pub(crate) struct OnnxFile {
    pub(crate) input: Vec<Axis>,
    pub(crate) output: Vec<Axis>,
    pub(crate) nodes: Vec<Node>,
    /// Arrays by their names: their lengths and numbers.
    pub(crate) constants: Vec<(&'static str, Vec<u64>, Vec<f32>)>,
}

/// An operation.
pub(crate) struct Node {
    pub(crate) operator: &'static str,
    pub(crate) inputs: Vec<&'static str>,
    pub(crate) output: &'static str,
    /// Whole numbers, or lists of them.
    pub(crate) attributes: Vec<(&'static str, Vec<i64>)>,
}

impl OnnxFile {
    /// `output` is `input` times an array.
    pub(crate) fn product(axes: &[Axis], lengths: &[u64], factors: Vec<f32>) -> Self {
        let node = Node { operator: "Mul", inputs: vec!["input", "factors"], output: "output", attributes: Vec::new() };
        Self {
            input: axes.to_vec(),
            output: axes.to_vec(),
            nodes: vec![node],
            constants: vec![("factors", lengths.to_vec(), factors)],
        }
    }

    pub(crate) fn write(&self, path: &Path) -> PathBuf {
        let graph: Vec<u8> = [
            self.nodes.iter().flat_map(|node| message(1, &node.bytes())).collect::<Vec<_>>(),
            message(2, b"graph"),
            self.constants.iter().flat_map(|constant| message(5, &tensor(constant))).collect(),
            message(11, &value_info("input", &self.input)),
            message(12, &value_info("output", &self.output)),
        ]
        .concat();
        let operators = [message(1, b""), number(2, OPERATORS)].concat();
        let model = [number(1, IR_VERSION), message(2, b"a test"), message(7, &graph), message(8, &operators)].concat();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, model).unwrap();
        path.to_owned()
    }
}

impl Node {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.inputs.iter().flat_map(|input| message(1, input.as_bytes())).collect();
        bytes.extend(message(2, self.output.as_bytes()));
        bytes.extend(message(4, self.operator.as_bytes()));
        for (name, values) in &self.attributes {
            // One whole number is of the type 2, a list of them of the type 7.
            let value: Vec<u8> = match values.as_slice() {
                [value] if *name != "axes" => [number(3, value.cast_unsigned()), number(20, 2)].concat(),
                values => {
                    let list = values.iter().flat_map(|value| number(8, value.cast_unsigned()));
                    list.chain(number(20, 7)).collect()
                }
            };
            bytes.extend(message(5, &[message(1, name.as_bytes()), value].concat()));
        }
        bytes
    }
}

fn value_info(name: &str, axes: &[Axis]) -> Vec<u8> {
    let dimension = |axis: &Axis| match axis {
        Axis::Fixed(length) => message(1, &number(1, *length)),
        Axis::Any(name) => message(1, &message(2, name.as_bytes())),
    };
    let shape: Vec<u8> = axes.iter().flat_map(dimension).collect();
    let tensor = [number(1, FLOAT), message(2, &shape)].concat();
    [message(1, name.as_bytes()), message(2, &message(1, &tensor))].concat()
}

fn tensor((name, lengths, numbers): &(&'static str, Vec<u64>, Vec<f32>)) -> Vec<u8> {
    assert_eq!(lengths.iter().product::<u64>() as usize, numbers.len());
    let raw: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    let lengths: Vec<u8> = lengths.iter().flat_map(|length| number(1, *length)).collect();
    [lengths, number(2, FLOAT), message(8, name.as_bytes()), message(9, &raw)].concat()
}

/// A field that holds a whole number.
fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// A field that holds bytes: a text, or a message in itself.
fn message(field: u64, content: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
