//! The pipeline as its users see it: on real folders, databases and processes.

mod artifacts;
mod fixture;
