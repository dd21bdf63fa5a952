//! What `cargo xtask bench-server` needs beside the server that it measures: a handler to compare with, a PostgreSQL of its
//! own, and many copies of a task.
//!
//! `bench_parts bare FILE`, `bench_parts postgres` and `bench_parts copy ADDRESS TASK COUNT`

mod bare;
mod copies;

use std::io::{Read as _, Write as _};

use anyhow::{Result, bail};
use platform::testing::{PostgresServer, TestDb};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match words[..] {
        ["bare", file] => runtime.block_on(bare::serve(std::fs::read(file)?)),
        ["postgres"] => keep_postgres(&runtime),
        ["copy", address, task, count] => runtime.block_on(copies::make(address, task.parse()?, count.parse()?)),
        _ => bail!("usage: bench_parts bare FILE | postgres | copy ADDRESS TASK COUNT"),
    }
}

/// Starts a server that keeps what it has promised, prints the address of an empty database, and ends with its input.
fn keep_postgres(runtime: &tokio::runtime::Runtime) -> Result<()> {
    let server = PostgresServer::own(&["max_connections=200"]);
    let database = runtime.block_on(TestDb::on(&server));
    writeln!(std::io::stdout(), "{}", database.address())?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
