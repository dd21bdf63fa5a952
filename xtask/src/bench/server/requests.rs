//! Requests: the GET of a task against a bare handler and the rival, and the list for a thousand clients.

use super::load::{Figures, Pressure, Target};
use super::pressroom::Backend;
use super::rival::Rival;
use super::{Bench, Row, Server, process, say};
use crate::http;
use crate::process::program::Program;
use anyhow::{Context, Result, ensure};

const MIN_BARE_RATIO: f64 = 0.35;
const MIN_RIVAL_RATIO: f64 = 8.0;
const MAX_TAIL_RATIO: f64 = 5.0;
const CONNECTIONS: u32 = 256;

/// What a server did in a round.
#[derive(Debug, Clone, Copy)]
struct Round {
    per_second: f64,
    /// Of the server and its database, for one request.
    processor_us: f64,
    /// Of the generator, for one request.
    generator_us: f64,
}

/// Who is asked, and whose processor time counts.
struct Asked<'a> {
    target: &'a Target,
    programs: &'a [&'a Program],
}

impl Bench<'_> {
    /// Our server on both databases, the bare handler and the rival, in turn.
    pub(super) fn measure_task(&self, tasks: &[String]) -> Result<Vec<Row>> {
        let rival = Rival::prepare(&self.folder.join("rival"))?;
        say("the GET of a task, against a bare handler and the rival")?;
        let [on_sqlite, on_postgres] = &self.installations;
        let [sqlite_task, postgres_task] = tasks else { anyhow::bail!("there is a task in each database") };
        let ((sqlite, _), (postgres, _)) = (on_sqlite.start()?, on_postgres.start()?);
        let (bare, bare_target) = self.start_bare(&postgres, postgres_task)?;
        let token = postgres.sign_in()?;
        let (rival, rival_target) = rival.start(&on_postgres.database, postgres_task, &token)?;
        // A round of warming up, which does not count.
        let mut rounds = Vec::new();
        for number in 0..=self.options.rounds {
            // Tokens are good for a quarter of an hour, rounds may take longer together.
            let (sqlite_target, postgres_target) = (sqlite.target(sqlite_task)?, postgres.target(postgres_task)?);
            let asked = [
                Asked { target: &sqlite_target, programs: &[&sqlite.program] },
                Asked { target: &postgres_target, programs: &[&postgres.program, &self.postgres] },
                Asked { target: &bare_target, programs: &[&bare] },
                Asked { target: &rival_target, programs: &[&rival, &self.postgres] },
            ];
            let round: Vec<Round> =
                asked.iter().map(|asked| self.ask(asked, self.options.seconds)).collect::<Result<_>>()?;
            if number > 0 {
                rounds.push(round);
            }
        }
        let pairs = |ours: usize, other: usize| rounds.iter().map(|round| (round[ours], round[other])).collect();
        Ok(vec![
            compare("a bare handler", Backend::Sqlite, pairs(0, 2), MIN_BARE_RATIO)?,
            compare("a bare handler", Backend::Postgres, pairs(1, 2), MIN_BARE_RATIO)?,
            compare("FastAPI and SQLAlchemy", Backend::Postgres, pairs(1, 3), MIN_RIVAL_RATIO)?,
        ])
    }

    /// The bare handler, with the bytes that `server` answers for `path`.
    fn start_bare(&self, server: &Server, path: &str) -> Result<(Program, Target)> {
        let body = http::ask(server.address, http::Request::get(path, &server.sign_in()?))?.read(200)?;
        let file = self.folder.join("task.json");
        std::fs::write(&file, body)?;
        let mut command = process::command(self.examples.join("bench_parts"), &self.folder);
        let log = self.folder.join("bare.log");
        let (program, address) = Program::start_and_read_line(command.arg("bare").arg(&file), &log)?;
        Ok((program, Target { url: format!("http://{address}{path}"), token: None }))
    }

    fn ask(&self, asked: &Asked<'_>, seconds: u32) -> Result<Round> {
        let spent = || asked.programs.iter().map(|program| program.processor_s()).sum::<f64>();
        let (before, generator_before) = (spent(), process::times::read_waited_processor_s()?);
        let figures = self.generator.press(asked.target, Pressure { connections: CONNECTIONS, seconds })?;
        let (after, generator_after) = (spent(), process::times::read_waited_processor_s()?);
        ensure!(figures.errors() == 0, "{} requests to {} failed", figures.errors(), asked.target.url);
        let of_one = |seconds: f64| seconds * 1e6 / figures.requests.max(1) as f64;
        Ok(Round {
            per_second: figures.per_second(),
            processor_us: of_one(after - before),
            generator_us: of_one(generator_after - generator_before),
        })
    }
}

/// The round with the median ratio of requests a second.
fn compare(with: &str, backend: Backend, mut rounds: Vec<(Round, Round)>, least: f64) -> Result<Row> {
    let ratio_of = |(ours, other): &(Round, Round)| ours.per_second / other.per_second;
    rounds.sort_by(|left, right| ratio_of(left).total_cmp(&ratio_of(right)));
    let median = rounds.get(rounds.len() / 2).context("nothing was measured")?;
    let (ratio, (ours, other)) = (ratio_of(median), median);
    Ok(Row::told(
        format!(
            "GET of a task by its owner, {}, {CONNECTIONS} connections: requests a second over {with}",
            backend.name()
        ),
        format!(
            "{ratio:.2} ({:.0} over {:.0}; processor {:.0} µs over {:.0} µs, wrk {:.0} µs)",
            ours.per_second, other.per_second, ours.processor_us, other.processor_us, ours.generator_us
        ),
        format!("≥ {least}"),
        ratio >= least,
    ))
}

/// Whether nobody waits much longer than others, and nobody in vain.
pub(super) fn judge_list(backend: Backend, figures: &Figures) -> Row {
    let ratio = figures.p99_us as f64 / figures.p50_us.max(1) as f64;
    let ms = |us: u64| us as f64 / 1000.0;
    let errors = figures.errors();
    Row::told(
        format!("list of tasks, {}, 1,000 connections: p99 over p50", backend.name()),
        format!(
            "{ratio:.2} ({:.0} ms over {:.0} ms; {:.0} a second, {errors} errors)",
            ms(figures.p99_us),
            ms(figures.p50_us),
            figures.per_second()
        ),
        format!("< {MAX_TAIL_RATIO}, no error"),
        ratio < MAX_TAIL_RATIO && errors == 0 && figures.requests > 0,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(per_second: f64) -> Round {
        Round { per_second, processor_us: 40.0, generator_us: 6.0 }
    }

    fn figures(p99_us: u64, timeouts: u64) -> Figures {
        let line = serde_json::json!({
            "requests": 1000, "duration_us": 1_000_000, "p50_us": 100, "p99_us": p99_us,
            "connect": 0, "read": 0, "write": 0, "timeout": timeouts, "status": 0,
        });
        serde_json::from_value(line).unwrap()
    }

    #[test]
    fn the_round_with_the_median_ratio_counts() {
        let rounds = |ours: [f64; 3]| ours.map(|ours| (round(ours), round(100.0))).to_vec();
        let judge = |ours| compare("another", Backend::Sqlite, rounds(ours), 0.35).unwrap().is_reached();
        assert!(judge([90.0, 36.0, 1.0]));
        assert!(!judge([90.0, 34.0, 1.0]));
        assert!(compare("another", Backend::Sqlite, Vec::new(), 0.35).is_err());
    }

    #[test]
    fn a_list_has_neither_a_long_tail_nor_errors() {
        assert!(judge_list(Backend::Postgres, &figures(499, 0)).is_reached());
        assert!(!judge_list(Backend::Postgres, &figures(500, 0)).is_reached());
        assert!(!judge_list(Backend::Postgres, &figures(300, 1)).is_reached());
    }
}
