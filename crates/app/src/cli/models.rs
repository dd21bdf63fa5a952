//! `pressroom models`.

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use clap::{Args, Subcommand, ValueHint, builder::PossibleValuesParser};
use indicatif::ProgressBar;
use platform::http::{AddressPolicy, HttpClient};
use providers::models::{
    Addition, Catalogue, FAMILIES, Kind, Listed, Model, ModelError, ModelName, Phase, Progress, Watch,
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{
        Global,
        console::{Console, print, print_json},
    },
    wiring,
};

/// Where nobody looks on, progress is told each time so many more bytes are done.
const NEWS_BYTES: u64 = 64 << 20;

#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the models
    List,
    /// Add a model; it counts once it could be loaded
    Add(AddArgs),
    /// Remove models
    Remove {
        /// Names of models, as `pressroom models list` shows them
        #[arg(value_name = "NAME", required = true)]
        names: Vec<ModelName>,
    },
    /// Check that models are what was added, and load them
    Verify {
        /// Names of models [default: all]
        #[arg(value_name = "NAME")]
        names: Vec<ModelName>,
    },
}

#[derive(Debug, Args)]
struct AddArgs {
    /// A folder, a file or an archive (tar, tar.gz, zip), or the web address (https://…) of a file or an archive
    #[arg(value_name = "PATH_OR_URL", value_hint = ValueHint::AnyPath)]
    source: String,
    /// What to call it [default: the name of the source]
    #[arg(long, value_name = "NAME")]
    name: Option<ModelName>,
    /// What it is for [default: told from its files]
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(Kind::ALL.map(Kind::name)))]
    kind: Option<String>,
    /// Which family it is of [default: told from its files]
    #[arg(long, value_name = "FAMILY", value_parser = PossibleValuesParser::new(FAMILIES.iter().map(|family| family.name)))]
    family: Option<String>,
    /// The SHA-256 that the file or archive has to have
    #[arg(long, value_name = "HEX")]
    sha256: Option<String>,
    /// Its licence [default: that of its model card]
    #[arg(long, value_name = "NAME")]
    licence: Option<String>,
    /// What its family cannot tell from its files, such as stem=vocals
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = parse_option)]
    options: Vec<(String, String)>,
}

fn parse_option(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as name=value")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// A model as it is listed.
#[derive(Debug, Serialize)]
struct Row<'a> {
    name: &'a str,
    kind: Option<Kind>,
    family: Option<&'a str>,
    size_bytes: Option<u64>,
    licence: Option<&'a str>,
    state: State,
    used_for: Option<&'static str>,
    verified_ms: Option<i64>,
    fault: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Verified,
    /// This build of Pressroom has not its engine.
    Unsupported,
    Damaged,
}

pub(crate) async fn run(
    args: ModelsArgs,
    global: &Global,
    console: &Console,
    cancel: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let catalogue = wiring::models(&wiring::settings(global.data.as_deref())?);
    match args.action {
        Action::List => show_list(&catalogue, console)?,
        Action::Add(args) => add(args, &catalogue, console, &cancel).await?,
        Action::Remove { names } => {
            for name in &names {
                catalogue.remove(name)?;
                tell(console, "removed", name.as_str())?;
            }
        }
        Action::Verify { names } => verify(names, &catalogue, console, &cancel).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn add(
    args: AddArgs,
    catalogue: &Catalogue,
    console: &Console,
    cancel: &CancellationToken,
) -> anyhow::Result<()> {
    let addition = Addition {
        source: args.source,
        name: args.name,
        kind: Kind::ALL.into_iter().find(|kind| Some(kind.name()) == args.kind.as_deref()),
        family: args.family,
        sha256: args.sha256,
        licence: args.licence,
        options: args.options.into_iter().collect::<BTreeMap<_, _>>(),
    };
    let client = HttpClient::new(AddressPolicy::PublicOnly)?;
    let (bar, watch) = follow(console);
    let added = tokio::select! {
        () = cancel.cancelled() => Err(ModelError::Cancelled),
        added = catalogue.add(addition, &client, watch) => added,
    };
    bar.finish_and_clear();
    let model = added?;
    let manifest = &model.manifest;
    if console.is_json() {
        print_json(
            &serde_json::json!({ "event": "added", "model": row(manifest.name.as_str(), Ok(&model), catalogue) }),
        )?;
    } else {
        let megabytes = manifest.size_bytes() / 1_000_000;
        console.say(&format!(
            "{}: {} of family {}, {megabytes} MB, for {}",
            manifest.name,
            manifest.kind,
            manifest.family,
            manifest.kind.used_for()
        ));
    }
    let note = FAMILIES.iter().find(|family| family.name == manifest.family).and_then(|family| family.licence_note);
    match (note, &manifest.licence) {
        (Some(note), _) => console.warn(note),
        (None, Some(licence)) => console.warn(&format!("its licence is {licence}")),
        (None, None) => console.warn("its card names no licence; look it up before you publish what it makes"),
    }
    Ok(())
}

async fn verify(
    names: Vec<ModelName>,
    catalogue: &Catalogue,
    console: &Console,
    cancel: &CancellationToken,
) -> anyhow::Result<()> {
    let names = if names.is_empty() {
        let listed = catalogue.list()?;
        listed.iter().map(|listed| listed.name.parse()).collect::<Result<Vec<ModelName>, _>>()?
    } else {
        names
    };
    for name in &names {
        let (bar, watch) = follow(console);
        let verified = tokio::select! {
            () = cancel.cancelled() => Err(ModelError::Cancelled),
            verified = catalogue.verify(name, watch) => verified,
        };
        bar.finish_and_clear();
        verified?;
        tell(console, "verified", name.as_str())?;
    }
    Ok(())
}

fn tell(console: &Console, event: &str, name: &str) -> anyhow::Result<()> {
    if console.is_json() {
        return print_json(&serde_json::json!({ "event": event, "model": name }));
    }
    console.say(&format!("{name}: {event}"));
    Ok(())
}

/// A bar on a terminal, events where JSON is asked for, and what shows progress on them.
fn follow(console: &Console) -> (ProgressBar, Watch) {
    let bar = console.bytes_bar();
    let (shown, json, told) = (bar.clone(), console.is_json(), AtomicU64::new(0));
    let watch = move |progress: Progress| {
        shown.set_prefix(word(progress.phase));
        shown.set_length(progress.total_bytes.unwrap_or(progress.bytes));
        shown.set_position(progress.bytes);
        // The phase counts too, so that each is told once at least.
        let news = progress.bytes / NEWS_BYTES * 8 + progress.phase as u64 + 1;
        if json && told.swap(news, Ordering::Relaxed) != news {
            drop(print_json(&serde_json::json!({ "event": "progress", "progress": progress })));
        }
    };
    (bar, Arc::new(watch))
}

fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Downloading => "downloading",
        Phase::Copying => "copying",
        Phase::Unpacking => "unpacking",
        Phase::Checking => "checking",
        Phase::Loading => "loading",
    }
}

fn show_list(catalogue: &Catalogue, console: &Console) -> anyhow::Result<()> {
    let listed = catalogue.list()?;
    let rows: Vec<Row> = listed.iter().map(|Listed { name, model }| row(name, model.as_ref(), catalogue)).collect();
    if console.is_json() {
        return rows.iter().try_for_each(print_json);
    }
    if rows.is_empty() {
        console.say("no models; add one with `pressroom models add`");
        return Ok(());
    }
    print(&table(&rows))?;
    Ok(())
}

fn row<'a>(name: &'a str, model: Result<&'a Model, &'a String>, catalogue: &Catalogue) -> Row<'a> {
    let manifest = model.ok().map(|model| &model.manifest);
    let state = match manifest {
        Some(manifest) if catalogue.can_load(manifest) => State::Verified,
        Some(_) => State::Unsupported,
        None => State::Damaged,
    };
    Row {
        name,
        kind: manifest.map(|manifest| manifest.kind),
        family: manifest.map(|manifest| manifest.family.as_str()),
        size_bytes: manifest.map(providers::models::Manifest::size_bytes),
        licence: manifest.and_then(|manifest| manifest.licence.as_deref()),
        state,
        used_for: manifest.map(|manifest| manifest.kind.used_for()),
        verified_ms: manifest.map(|manifest| manifest.verified_ms),
        fault: model.err().map(String::as_str),
    }
}

fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max(5);
    let mut table = format!(
        "{:<width$}  {:<13}  {:<9}  {:>9}  {:<11}  {:<14}  USED FOR\n",
        "MODEL", "KIND", "FAMILY", "SIZE", "STATE", "LICENCE"
    );
    for row in rows {
        let size = row.size_bytes.map(|bytes| format!("{} MB", bytes.div_ceil(1_000_000))).unwrap_or_default();
        let state = match row.state {
            State::Verified => "verified",
            State::Unsupported => "unsupported",
            State::Damaged => "damaged",
        };
        let note = row.fault.or(row.used_for).unwrap_or_default();
        let (kind, family) = (row.kind.map_or("", Kind::name), row.family.unwrap_or_default());
        let (name, licence) = (row.name, row.licence.unwrap_or("unknown"));
        let line = format!("{name:<width$}  {kind:<13}  {family:<9}  {size:>9}  {state:<11}  {licence:<14}  {note}\n");
        table.push_str(&line);
    }
    table
}
