//! What an ONNX file says of itself: shapes of what goes in and comes out, and its metadata. Weights are not read.
//!
//! Numbers of fields are those of `onnx.proto` (<https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>).

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{self, BufReader},
    path::Path,
};

use super::protobuf::{Field, Value, bytes, fields, text};

type Input = BufReader<File>;

/// A graph's surface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    pub inputs: Vec<Tensor>,
    pub outputs: Vec<Tensor>,
    /// What its makers wrote down.
    pub metadata: BTreeMap<String, String>,
    /// The program that wrote it.
    pub producer: String,
    ir_version: u64,
}

/// An array that goes in or comes out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tensor {
    pub name: String,
    pub shape: Vec<Dimension>,
}

/// A length of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dimension {
    Fixed(u64),
    /// Any length, by the name it has.
    Free(String),
}

impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |dimension: &Dimension| match dimension {
            Dimension::Fixed(length) => length.to_string(),
            Dimension::Free(name) if name.is_empty() => "?".to_owned(),
            Dimension::Free(name) => name.clone(),
        };
        let shape: Vec<String> = self.shape.iter().map(length).collect();
        write!(f, "`{}` [{}]", self.name, shape.join(", "))
    }
}

impl Graph {
    /// Reads the surface of a file; `InvalidData` where it is no ONNX.
    pub fn read(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut graph = Self::default();
        fields(&mut BufReader::new(file), length, &mut |input, field| {
            match field {
                Field { number: 1, value: Value::Number(version) } => graph.ir_version = version,
                Field { number: 2, value: Value::Bytes(length) } => graph.producer = text(input, length)?,
                Field { number: 7, value: Value::Bytes(length) } => graph.read_surface(input, length)?,
                Field { number: 14, value: Value::Bytes(length) } => {
                    let (key, value) = pair(input, length)?;
                    graph.metadata.insert(key, value);
                }
                _ => {}
            }
            Ok(())
        })?;
        if graph.ir_version == 0 || graph.outputs.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no graph of ONNX"));
        }
        Ok(graph)
    }

    fn read_surface(&mut self, input: &mut Input, length: u64) -> io::Result<()> {
        fields(input, length, &mut |input, field| {
            match field {
                Field { number: 11, value: Value::Bytes(length) } => self.inputs.push(tensor(input, length)?),
                Field { number: 12, value: Value::Bytes(length) } => self.outputs.push(tensor(input, length)?),
                _ => {}
            }
            Ok(())
        })
    }
}

/// A `StringStringEntryProto`.
fn pair(input: &mut Input, length: u64) -> io::Result<(String, String)> {
    let (mut key, mut value) = (String::new(), String::new());
    fields(input, length, &mut |input, field| {
        match field {
            Field { number: 1, value: Value::Bytes(length) } => key = text(input, length)?,
            Field { number: 2, value: Value::Bytes(length) } => value = text(input, length)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok((key, value))
}

/// A `ValueInfoProto`: its name, and inside of its type, of that type's tensor, the shape.
fn tensor(input: &mut Input, length: u64) -> io::Result<Tensor> {
    let mut tensor = Tensor::default();
    fields(input, length, &mut |input, field| {
        match field {
            Field { number: 1, value: Value::Bytes(length) } => tensor.name = text(input, length)?,
            Field { number: 2, value: Value::Bytes(length) } => {
                inside(input, (1, length), &mut |input, length| {
                    inside(input, (2, length), &mut |input, length| {
                        inside(input, (1, length), &mut |input, length| {
                            tensor.shape.push(dimension(input, length)?);
                            Ok(())
                        })
                    })
                })?;
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(tensor)
}

/// Shows `visit` each message that field `number` of a message holds.
fn inside(
    input: &mut Input,
    (number, length): (u64, u64),
    visit: &mut dyn FnMut(&mut Input, u64) -> io::Result<()>,
) -> io::Result<()> {
    fields(input, length, &mut |input, field| match field.value {
        Value::Bytes(length) if field.number == number => visit(input, length),
        _ => Ok(()),
    })
}

fn dimension(input: &mut Input, length: u64) -> io::Result<Dimension> {
    let mut dimension = Dimension::Free(String::new());
    fields(input, length, &mut |input, field| {
        match field {
            Field { number: 1, value: Value::Number(length) } => dimension = Dimension::Fixed(length),
            Field { number: 2, value: Value::Bytes(length) } => {
                dimension = Dimension::Free(String::from_utf8_lossy(&bytes(input, length)?).into_owned());
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(dimension)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, content.len() as u8], content].concat()
    }

    fn value_info(name: &str, shape: &[&[u8]]) -> Vec<u8> {
        let shape: Vec<u8> = shape.iter().flat_map(|dimension| field(1, dimension)).collect();
        let tensor = [vec![0x08, 1], field(2, &shape)].concat();
        [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
    }

    #[test]
    fn shapes_and_metadata_are_read_and_weights_are_not() {
        let surface = [
            field(5, &[0xff; 40]),
            field(11, &value_info("input", &[&field(2, b"batch"), &[0x08, 4], &[]])),
            field(12, &value_info("output", &[&[0x08, 4]])),
        ];
        let metadata = [field(1, b"stem"), field(2, b"vocals")].concat();
        let model = [vec![0x08, 8], field(2, b"a test"), field(7, &surface.concat()), field(14, &metadata)].concat();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &model).unwrap();
        let graph = Graph::read(file.path()).unwrap();
        let shape = vec![Dimension::Free("batch".to_owned()), Dimension::Fixed(4), Dimension::Free(String::new())];
        assert_eq!(graph.inputs, [Tensor { name: "input".to_owned(), shape }]);
        assert_eq!(graph.outputs.len(), 1);
        assert_eq!((graph.metadata["stem"].as_str(), graph.producer.as_str()), ("vocals", "a test"));
        for damaged in [&model[..model.len() - 3], b"", b"a text that is none", &[0; 64]] {
            std::fs::write(file.path(), damaged).unwrap();
            assert!(Graph::read(file.path()).is_err());
        }
    }
}
