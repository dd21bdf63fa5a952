//! `pressroom doctor`.

use std::{
    collections::BTreeSet,
    process::ExitCode,
    time::{Duration, Instant},
};

use ai::translate::Pair;
use kernel::{ErrorKind, Lang};
use media::fonts;
use platform::{
    db::{Db, ServerFacts},
    resources,
};
use serde::Serialize;

use crate::{
    cli::{
        Global,
        console::{Console, print, print_json},
    },
    server,
    settings::Settings,
    wiring,
};

/// Filters that a video cannot do without.
const FILTERS: [&str; 6] = ["ass", "xfade", "scale", "crop", "fps", "ebur128"];
/// Encoders a video of the usual kind cannot do without.
const ENCODERS: [&str; 2] = ["libx264", "aac"];
/// Encoders for those who ask for other codecs.
const OTHER_ENCODERS: [&str; 4] = ["libx265", "libsvtav1", "libvpx-vp9", "libopus"];
/// Families that captions and cards are set in, by script.
const FAMILIES: [&str; 3] = ["Noto Sans", "Noto Serif", "Noto Sans CJK SC"];
/// Less room than this is soon used up.
const LITTLE_DISK_BYTES: u64 = 2_000_000_000;
/// How long a replica has to show that it follows.
const REPLICA_PATIENCE: Duration = Duration::from_secs(3);
/// Nobody reads the names of more.
const MANY_PAIRS: usize = 100;

/// What was looked at and found.
#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    state: State,
    detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Good,
    /// Something works less well than it could.
    Note,
    /// Something will fail.
    Fault,
}

impl Finding {
    fn new(what: impl Into<String>, state: State, detail: impl Into<String>) -> Self {
        Self { what: what.into(), state, detail: detail.into() }
    }

    fn of<T, E: std::fmt::Display>(what: &str, result: Result<T, E>, good: impl FnOnce(T) -> String) -> Self {
        match result {
            Ok(value) => Self::new(what, State::Good, good(value)),
            Err(error) => Self::new(what, State::Fault, error.to_string()),
        }
    }
}

pub(crate) async fn run(global: &Global, console: &Console) -> anyhow::Result<ExitCode> {
    let settings = wiring::settings(global.data.as_deref())?;
    let mut findings = Vec::new();
    findings.extend(data_folder(&settings.data));
    findings.extend(ffmpeg(&settings).await);
    for engine in wiring::speech_engines(&settings) {
        let voices = engine.voices().await;
        findings
            .push(Finding::of(&format!("voices of {}", engine.name()), voices, |voices| format!("{}", voices.len())));
    }
    findings.extend(dubbing_engines(&settings).await?);
    findings.extend(onnx_runtime(&settings));
    findings.extend(models(&settings)?);
    findings.extend(families());
    findings.extend(database(&settings).await);
    let (memory, processors) = (resources::memory_limit_bytes() >> 20, resources::cpu_count());
    findings.push(Finding::new("machine", State::Good, format!("{processors} processors, {memory} MiB of memory")));
    show(&findings, console)?;
    let failed = findings.iter().any(|finding| finding.state == State::Fault);
    Ok(if failed { super::exit::of_kind(ErrorKind::Missing) } else { ExitCode::SUCCESS })
}

/// The database that the environment names, its replica, and whether it has room for this process.
async fn database(settings: &Settings) -> Vec<Finding> {
    let db = match server::find_database(settings).await {
        Ok(None) => return Vec::new(),
        Ok(Some(db)) => db,
        Err(error) => return vec![Finding::new("database", State::Fault, error.to_string())],
    };
    let mut findings = vec![match db.server_facts().await {
        Ok(None) => Finding::new("database", State::Good, db.target().to_string()),
        Ok(Some(facts)) => of_server(&db, &facts, settings.database.max_connections),
        Err(error) => Finding::new("database", State::Fault, error.to_string()),
    }];
    if db.has_replica() {
        let started = Instant::now();
        while db.replica_fault().is_some() && started.elapsed() < REPLICA_PATIENCE {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        findings.push(match db.replica_fault() {
            None => Finding::new("replica", State::Good, "it is read from"),
            Some(reason) => Finding::new("replica", State::Note, format!("reads go to the primary: {reason}")),
        });
    }
    if let Err(error) = db.close().await {
        findings.push(Finding::new("database", State::Fault, error.to_string()));
    }
    findings
}

fn of_server(db: &Db, facts: &ServerFacts, per_process: u32) -> Finding {
    // One more watches the server.
    let (room, needed) = (facts.max_connections - facts.used_connections, i64::from(per_process) + 1);
    let ServerFacts { version, max_connections, used_connections } = facts;
    let detail = format!(
        "{}, PostgreSQL {version}; {used_connections} of {max_connections} connections are used, a process takes up to {needed}",
        db.target()
    );
    if room < needed {
        let remedy = "raise its `max_connections`, lower `database.max_connections`, or put PgBouncer in front";
        return Finding::new("database", State::Note, format!("{detail}: {remedy}"));
    }
    Finding::new("database", State::Good, detail)
}

fn data_folder(data: &std::path::Path) -> Vec<Finding> {
    let made = std::fs::create_dir_all(data).and_then(|()| resources::free_disk_bytes(data));
    let free = match made {
        Ok(free) => free,
        Err(error) => {
            let detail = format!("{}: {error}; choose another folder with --data", data.display());
            return vec![Finding::new("data folder", State::Fault, detail)];
        }
    };
    let state = if free < LITTLE_DISK_BYTES { State::Note } else { State::Good };
    vec![Finding::new("data folder", state, format!("{}, {} MB free", data.display(), free / 1_000_000))]
}

async fn ffmpeg(settings: &Settings) -> Vec<Finding> {
    let ffmpeg = match wiring::ffmpeg(settings).await {
        Ok(ffmpeg) => ffmpeg,
        Err(error) => return vec![Finding::new("FFmpeg", State::Fault, error.to_string())],
    };
    let mut findings =
        vec![Finding::new("FFmpeg", State::Good, format!("{} at {}", ffmpeg.version(), ffmpeg.path().display()))];
    let filters = FILTERS.iter().map(|name| (name, ffmpeg.require_filter(name)));
    let encoders = ENCODERS.iter().map(|name| (name, ffmpeg.require_encoder(name)));
    for (name, result) in filters.chain(encoders) {
        if let Err(error) = result {
            findings.push(Finding::new(format!("FFmpeg's {name}"), State::Fault, error.to_string()));
        }
    }
    let missing: Vec<&str> = OTHER_ENCODERS.into_iter().filter(|name| !ffmpeg.has_encoder(name)).collect();
    if !missing.is_empty() {
        findings.push(Finding::new("other encoders", State::Note, format!("not there: {}", missing.join(", "))));
    }
    findings
}

/// What is there to dub with. A dub can be given a transcript, so that nothing here is a fault.
async fn dubbing_engines(settings: &Settings) -> anyhow::Result<Vec<Finding>> {
    let (models, pool) = (wiring::models(settings), wiring::pool(settings));
    let mut findings = Vec::new();
    for engine in wiring::listeners(&models, &pool)? {
        let langs = engine.langs().await.map(|langs| langs.iter().map(Lang::to_string).collect::<Vec<_>>());
        findings.push(optional(&format!("{} hears", engine.name()), langs));
    }
    for engine in wiring::translators(&models, &pool)? {
        findings
            .push(optional(&format!("{} translates", engine.name()), engine.pairs().await.map(|pairs| name(&pairs))));
    }
    Ok(findings)
}

/// Pairs by their names; of very many, how many languages they are of.
fn name(pairs: &[Pair]) -> Vec<String> {
    if pairs.len() <= MANY_PAIRS {
        return pairs.iter().map(|pair| format!("{}-{}", pair.from, pair.to)).collect();
    }
    let langs: BTreeSet<&Lang> = pairs.iter().map(|pair| &pair.to).collect();
    vec![format!("{} languages into each other", langs.len())]
}

/// What runs models; nothing else needs it.
#[cfg(feature = "local-models")]
fn onnx_runtime(settings: &Settings) -> Vec<Finding> {
    vec![match wiring::onnx_runtime(settings) {
        Ok(library) => Finding::new("ONNX Runtime", State::Good, library.display().to_string()),
        Err(reason) => Finding::new("ONNX Runtime", State::Note, reason),
    }]
}

#[cfg(not(feature = "local-models"))]
fn onnx_runtime(_: &Settings) -> Vec<Finding> {
    Vec::new()
}

/// The user's models.
fn models(settings: &Settings) -> anyhow::Result<Vec<Finding>> {
    let catalogue = wiring::models(settings);
    let mut findings = Vec::new();
    for listed in catalogue.list()? {
        let what = format!("model {}", listed.name);
        findings.push(match &listed.model {
            Ok(model) if catalogue.can_load(&model.manifest) => {
                Finding::new(what, State::Good, format!("for {}", model.manifest.kind.used_for()))
            }
            Ok(_) => Finding::new(what, State::Note, "this build cannot run it; docs/models.md says which can"),
            Err(reason) => Finding::new(what, State::Note, format!("damaged: {reason}")),
        });
    }
    Ok(findings)
}

fn optional(what: &str, found: Result<Vec<String>, ai::ProviderError>) -> Finding {
    match found {
        Ok(found) if found.is_empty() => Finding::new(what, State::Note, "nothing installed; `make setup` installs it"),
        Ok(found) => Finding::new(what, State::Good, found.join(", ")),
        Err(error) => Finding::new(what, State::Note, error.to_string()),
    }
}

fn families() -> Vec<Finding> {
    let find = |family: &str| match fonts::family_exists(family) {
        Ok(true) => Finding::new(format!("font {family}"), State::Good, "installed"),
        Ok(false) => Finding::new(format!("font {family}"), State::Note, "not installed; `make setup` installs it"),
        Err(error) => Finding::new(format!("font {family}"), State::Fault, error.to_string()),
    };
    FAMILIES.into_iter().map(find).collect()
}

fn show(findings: &[Finding], console: &Console) -> anyhow::Result<()> {
    if console.is_json() {
        return findings.iter().try_for_each(print_json);
    }
    let width = findings.iter().map(|finding| finding.what.chars().count()).max().unwrap_or(0);
    for finding in findings {
        let mark = match finding.state {
            State::Good => "✓",
            State::Note => "•",
            State::Fault => "✗",
        };
        print(&format!("{mark} {:<width$}  {}\n", finding.what, finding.detail))?;
    }
    Ok(())
}
