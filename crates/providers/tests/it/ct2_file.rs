//! CTranslate2 files written from code: version 6 of the format, as its `python/ctranslate2/specs/model_spec.py` writes it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in what it calls too")]

use std::{collections::BTreeMap, fs, path::Path};

const VERSION: u32 = 6;

/// A model: what it is, its arrays and single numbers, and the files beside it.
#[derive(Clone)]
pub(crate) struct Ct2File {
    pub(crate) specification: &'static str,
    pub(crate) revision: u32,
    pub(crate) arrays: BTreeMap<String, Matrix>,
    /// Single whole numbers, of 16 bits, or of 8 where they only say yes or no.
    pub(crate) numbers: BTreeMap<String, i16>,
    /// Other names of arrays.
    pub(crate) aliases: BTreeMap<String, String>,
    /// Texts by the names of their files.
    pub(crate) texts: BTreeMap<&'static str, String>,
}

/// An array of single precision numbers.
#[derive(Clone)]
pub(crate) struct Matrix {
    pub(crate) shape: Vec<u32>,
    pub(crate) numbers: Vec<f32>,
}

impl Matrix {
    pub(crate) fn zeros(shape: &[usize]) -> Self {
        Self { shape: shape.iter().map(|&length| length as u32).collect(), numbers: vec![0.0; shape.iter().product()] }
    }

    /// Sets what stands at `row` and `column` of the first two axes, at its first place.
    pub(crate) fn set(&mut self, row: usize, column: usize, number: f32) {
        let depth = self.shape[2..].iter().product::<u32>() as usize;
        let width = self.shape[1] as usize;
        self.numbers[(row * width + column) * depth] = number;
    }
}

impl Ct2File {
    pub(crate) fn new(specification: &'static str, revision: u32) -> Self {
        Self {
            specification,
            revision,
            arrays: BTreeMap::new(),
            numbers: BTreeMap::new(),
            aliases: BTreeMap::new(),
            texts: BTreeMap::new(),
        }
    }

    /// An array of zeros, to be filled.
    pub(crate) fn array(&mut self, name: &str, shape: &[usize]) -> &mut Matrix {
        self.arrays.entry(name.to_owned()).or_insert_with(|| Matrix::zeros(shape))
    }

    pub(crate) fn number(&mut self, name: &str, number: i16) {
        self.numbers.insert(name.to_owned(), number);
    }

    /// A layer that changes nothing; what it is to do is set in its arrays.
    pub(crate) fn layer(&mut self, scope: &str, width: usize) {
        let is_decoder = scope.starts_with("decoder");
        let mut linear = |name: &str, rows, columns| {
            self.array(&format!("{scope}/{name}/weight"), &[rows, columns]);
            self.array(&format!("{scope}/{name}/bias"), &[rows]);
        };
        linear("self_attention/linear_0", 3 * width, width);
        linear("self_attention/linear_1", width, width);
        if is_decoder {
            linear("attention/linear_0", width, width);
            linear("attention/linear_1", 2 * width, width);
            linear("attention/linear_2", width, width);
        }
        linear("ffn/linear_0", 2 * width, width);
        linear("ffn/linear_1", width, 2 * width);
        let mut norms = vec!["self_attention", "ffn"];
        norms.extend(is_decoder.then_some("attention"));
        for part in norms {
            self.norm(&format!("{scope}/{part}/layer_norm"), width);
        }
    }

    pub(crate) fn norm(&mut self, scope: &str, width: usize) {
        self.array(&format!("{scope}/gamma"), &[width]).numbers.fill(1.0);
        self.array(&format!("{scope}/beta"), &[width]);
    }

    /// Writes the model into a folder of its own.
    pub(crate) fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("model.bin"), self.bytes()).unwrap();
        for (name, text) in &self.texts {
            fs::write(folder.join(name), text).unwrap();
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(string(self.specification));
        bytes.extend(self.revision.to_le_bytes());
        bytes.extend(((self.arrays.len() + self.numbers.len()) as u32).to_le_bytes());
        for (name, Matrix { shape, numbers }) in &self.arrays {
            bytes.extend(string(name));
            bytes.push(shape.len() as u8);
            bytes.extend(shape.iter().flat_map(|length| length.to_le_bytes()));
            // Single precision is the type 0.
            bytes.push(0);
            bytes.extend((numbers.len() as u32 * 4).to_le_bytes());
            bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        }
        for (name, number) in &self.numbers {
            bytes.extend(string(name));
            // No axes; whole numbers of 8 bits are the type 1, those of 16 the type 2.
            let number = number.to_le_bytes();
            let number = if name.ends_with("scale_embeddings") { &number[..1] } else { &number[..] };
            bytes.extend([0, number.len() as u8]);
            bytes.extend((number.len() as u32).to_le_bytes());
            bytes.extend(number);
        }
        bytes.extend((self.aliases.len() as u32).to_le_bytes());
        for (alias, name) in &self.aliases {
            bytes.extend([string(alias), string(name)].concat());
        }
        bytes
    }
}

/// The length counts the zero at the end.
fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u16 + 1).to_le_bytes()[..], text.as_bytes(), &[0]].concat()
}
