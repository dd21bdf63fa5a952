//! Has nothing to build: it is here so that its dependency counts (see Cargo.toml).

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
