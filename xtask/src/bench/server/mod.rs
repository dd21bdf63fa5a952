//! Measures the server: requests against a bare handler and a rival, a list under many clients, memory, the queue, the start,
//! and large files.

mod files;
mod load;
mod pressroom;
mod queue;
mod requests;
mod rival;

use super::report::{self, Row};
use super::{MEGABYTE, process, say};
use crate::process::program::Program;
use anyhow::{Context, Result};
use load::{Generator, Pressure};
use pressroom::{Installation, Server};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

const STARTS: usize = 5;
const MAX_START_S: f64 = 0.5;
const MAX_IDLE_MB: f64 = 60.0;
const MAX_MEMORY_RATIO: f64 = 1.2;
const REQUESTS_BEFORE_MEMORY: u64 = 100_000;
/// In which a server does what it does after its start, and lets go of what it needed for requests.
const REST: Duration = Duration::from_secs(5);
/// Tasks of the one who asks, so that a list is a page of many.
const TASKS: &str = "10000";

/// How much to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchServerOptions {
    /// How often servers that are compared are asked in turn; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=50))]
    rounds: u32,
    /// Seconds of a round
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,
    /// Measure this alone, and print the rows without writing the page
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
}

/// What can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The GET of a task, against a bare handler and the rival.
    Task,
    /// The list of tasks for a thousand clients.
    List,
    /// Memory of an idle server, and after many requests.
    Memory,
    /// Enqueueing and running empty jobs.
    Queue,
    /// The start of the server.
    Start,
    /// A large file.
    Files,
}

/// Measures everything and writes the table.
pub(crate) fn run(root: &Path, options: &BenchServerOptions) -> Result<()> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let machine = report::describe_machine();
    let bench = Bench::new(&root.join(target), options)?;
    let rows = bench.measure()?;
    let text = report::write_server_page(&rows, &machine, options.rounds, options.seconds);
    if options.only.is_empty() {
        std::fs::write(root.join("docs/benchmarks-server.md"), &text).context("the page could not be written")?;
    }
    write!(std::io::stdout(), "{text}")?;
    Ok(())
}

struct Bench<'a> {
    options: &'a BenchServerOptions,
    /// Where the examples of platform are.
    examples: PathBuf,
    folder: PathBuf,
    generator: Generator,
    /// Ends PostgreSQL when it is dropped.
    postgres: Program,
    /// One on each database.
    installations: [Installation; 2],
}

impl<'a> Bench<'a> {
    fn new(target: &Path, options: &'a BenchServerOptions) -> Result<Self> {
        let (folder, examples) = (target.join("bench-server"), target.join("release/examples"));
        std::fs::create_dir_all(&folder).with_context(|| format!("{} could not be made", folder.display()))?;
        let generator = Generator::new(&folder)?;
        say("a PostgreSQL, and an account on each database")?;
        let mut keeper = process::command(examples.join("bench_parts"), &folder);
        let (postgres, address) =
            Program::start_and_read_line(keeper.arg("postgres"), &folder.join("postgres-keeper.log"))?;
        let pressroom = target.join("release/pressroom");
        let installations =
            [Installation::make(&pressroom, &folder, None)?, Installation::make(&pressroom, &folder, Some(&address))?];
        Ok(Self { options, examples, folder, generator, postgres, installations })
    }

    fn measure(&self) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        if self.wants(Part::Start) {
            say("the start")?;
            for installation in &self.installations {
                rows.push(measure_start(installation)?);
            }
        }
        let wants_tasks = [Part::Task, Part::List, Part::Memory].into_iter().any(|part| self.wants(part));
        let tasks = if wants_tasks { self.make_tasks()? } else { Vec::new() };
        if self.wants(Part::Task) {
            rows.extend(self.measure_task(&tasks)?);
        }
        if self.wants(Part::List) {
            say("the list of tasks for a thousand clients")?;
            for installation in &self.installations {
                rows.push(self.measure_list(installation)?);
            }
        }
        if self.wants(Part::Memory) {
            say("memory, idle and after many requests")?;
            for (installation, task) in self.installations.iter().zip(&tasks) {
                rows.extend(self.measure_memory(installation, task)?);
            }
        }
        if self.wants(Part::Queue) {
            say("the queue, which takes minutes")?;
            rows.extend(queue::measure(&self.examples.join("queue_speed"), &self.folder)?);
        }
        if self.wants(Part::Files) {
            say("a gibibyte there and back")?;
            let (server, _) = self.installations[0].start()?;
            rows.extend(files::measure(&server, &self.folder)?);
            server.program.stop()?;
        }
        Ok(rows)
    }

    fn wants(&self, part: Part) -> bool {
        self.options.only.is_empty() || self.options.only.contains(&part)
    }

    /// A task that has ended and many copies of it, in each database; returns the addresses of the first ones.
    fn make_tasks(&self) -> Result<Vec<String>> {
        say("tasks")?;
        let make = |installation: &Installation| {
            let (server, _) = installation.start()?;
            let task = server.make_task()?;
            server.program.stop()?;
            let mut copy = process::command(self.examples.join("bench_parts"), &self.folder);
            process::read_output(copy.args(["copy", &installation.database, &task, TASKS]))?;
            Ok(format!("/api/v1/tasks/{task}"))
        };
        self.installations.iter().map(make).collect()
    }

    /// A thousand clients who read their lists again and again.
    fn measure_list(&self, installation: &Installation) -> Result<Row> {
        let (server, _) = installation.start()?;
        let target = server.target("/api/v1/tasks?limit=50")?;
        let figures =
            self.generator.press(&target, Pressure { connections: 1000, seconds: 3 * self.options.seconds })?;
        server.program.stop()?;
        Ok(requests::judge_list(installation.backend, &figures))
    }

    fn measure_memory(&self, installation: &Installation, task: &str) -> Result<[Row; 2]> {
        let (server, _) = installation.start()?;
        thread::sleep(REST);
        let idle = server.program.memory_bytes() as f64;
        let mut count = 0;
        while count < REQUESTS_BEFORE_MEMORY {
            for path in [task, "/api/v1/tasks?limit=50"] {
                let pressure = Pressure { connections: 256, seconds: self.options.seconds };
                count += self.generator.press(&server.target(path)?, pressure)?.requests;
            }
        }
        thread::sleep(REST);
        let after = server.program.memory_bytes() as f64;
        server.program.stop()?;
        let (name, ratio) = (installation.backend.name(), after / idle);
        Ok([
            Row::at_most(format!("memory of an idle server, {name}"), idle / MEGABYTE, MAX_IDLE_MB, "MB"),
            Row::told(
                format!("memory after 100,000 requests over that, {name}"),
                format!("{ratio:.2} ({:.0} MB after {count})", after / MEGABYTE),
                format!("≤ {MAX_MEMORY_RATIO}"),
                ratio <= MAX_MEMORY_RATIO,
            ),
        ])
    }
}

/// From the start of the program until it is ready, on a database that is migrated.
fn measure_start(installation: &Installation) -> Result<Row> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let (server, ready_s) = installation.start()?;
        // What else the machine does makes a start longer, but hardly dearer.
        times.push((ready_s, server.program.processor_s()));
        server.program.stop()?;
    }
    times.sort_by(|left, right| left.0.total_cmp(&right.0));
    let (ready_s, processor_s) = times[times.len() / 2];
    Ok(Row::told(
        format!("start to ready on a migrated database, {}", installation.backend.name()),
        format!("{ready_s:.2} s ({processor_s:.2} s of processor)"),
        format!("≤ {MAX_START_S} s"),
        ready_s <= MAX_START_S,
    ))
}
