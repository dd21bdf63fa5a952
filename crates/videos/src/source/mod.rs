//! Where the words come from: a file, a project file, or a page of the web.

mod file;
mod nesting;
pub mod web;

pub(crate) use file::read_text;
pub use file::{Loaded, load, load_place, open};
