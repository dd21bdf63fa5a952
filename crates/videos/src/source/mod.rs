//! Where the words come from: a file, a project file, or a page of the web.

mod file;
mod nesting;
pub mod web;

pub use file::{Loaded, load, load_place, open};
