//! `pressroom dub`: dubs a video, goes on with an edited dub, and says how good one is.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand, ValueHint};
use dubbing::{
    Dubbing, Finished, document,
    edit::Edit,
    report::Report,
    request::{DubRequest, Output, OutputKind, Track, Tracks},
};
use kernel::Lang;
use media::remux::OriginalSound;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{
        Global,
        console::{Console, clock, print, print_json},
        dub_settings::DubSettingFlags,
        sources,
    },
    wiring,
};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct DubArgs {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    new: NewDub,
}

/// A dub from its beginning.
#[derive(Debug, Args)]
struct NewDub {
    /// Videos or sounds to dub, anything FFmpeg reads, or their web addresses (https://…)
    #[arg(value_name = "SOURCE", required = true, value_hint = ValueHint::FilePath)]
    sources: Vec<String>,
    /// Languages to dub into, such as `es` or `es,fr`
    #[arg(long, value_name = "LANG", value_delimiter = ',', required = true)]
    to: Vec<Lang>,
    #[command(flatten)]
    listening: Listening,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    settings: DubSettingFlags,
}

/// What is known of a source.
#[derive(Debug, Clone, Args)]
pub(crate) struct Listening {
    /// The language of the source [default: told from its transcript, its tags, or by listening]
    #[arg(long, value_name = "LANG")]
    pub(crate) from: Option<Lang>,
    /// Which sound of the source, counted from 1 [default: the one players choose]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) track: Option<u16>,
    /// Take voice and background apart, by a model of yours [default: where there is one]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pub(crate) separate: Option<bool>,
}

impl Listening {
    pub(crate) fn track(&self) -> Track {
        self.track.map_or(Track::Usual, |number| Track::Number(usize::from(number)))
    }
}

/// What is written and where.
#[derive(Debug, Clone, Args)]
struct OutputFlags {
    /// Folder of the results [default: beside the source]
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    output: Option<PathBuf>,
    /// A file for each language, or one with a sound and subtitles of each
    #[arg(long, value_name = "WAY", value_parser = ["file-each", "one-file"], default_value = "file-each")]
    tracks: String,
    /// Keep the original sound behind the new ones
    #[arg(long)]
    keep_original: bool,
    /// Make subtitles and the document of the dub, and no sound
    #[arg(long)]
    only_subtitles: bool,
}

impl OutputFlags {
    fn output(&self) -> Output {
        Output {
            folder: self.output.clone(),
            tracks: if self.tracks == "one-file" { Tracks::OneFile } else { Tracks::FileEach },
            kind: if self.only_subtitles { OutputKind::Subtitles } else { OutputKind::Dub },
            original: if self.keep_original { OriginalSound::Keep } else { OriginalSound::Drop },
        }
    }
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Change lines of a dub: what is said, how, and when
    Edit(EditArgs),
    /// Make what an edited dub asks for, and nothing else
    Resume(ResumeArgs),
    /// Show how good a dub is, and which lines need a person
    Report {
        /// The document of the dub, such as talk.dub.json
        #[arg(value_name = "DOCUMENT", value_hint = ValueHint::FilePath)]
        document: PathBuf,
    },
}

/// Changes are made in the order of these options, all or none.
#[derive(Debug, Args)]
struct EditArgs {
    /// The document of the dub, such as talk.dub.json
    #[arg(value_name = "DOCUMENT", value_hint = ValueHint::FilePath)]
    document: PathBuf,
    /// Set a field, such as `12.translation=…`, `es:12.voice=es+f3`, `12.dubbed=false`, `speaker.S1.voice=es`,
    /// `settings.duck_db=0`
    #[arg(long, value_name = "ADDRESS=VALUE")]
    set: Vec<String>,
    /// Let Pressroom decide again, such as 12.translation
    #[arg(long, value_name = "ADDRESS")]
    unset: Vec<String>,
    /// Delete a line
    #[arg(long, value_name = "ID")]
    delete: Vec<String>,
    /// Split a line, such as 12@3400 at a time in milliseconds, or 12@word:3 before its third word
    #[arg(long, value_name = "ID@PLACE")]
    split: Vec<String>,
    /// Join a line with the next
    #[arg(long, value_name = "ID")]
    merge: Vec<String>,
    /// Create a line, such as 1000-2500="Hello"
    #[arg(long, value_name = "START-END=TEXT")]
    create: Vec<String>,
}

#[derive(Debug, Args)]
struct ResumeArgs {
    /// Documents of dubs, such as talk.dub.json
    #[arg(value_name = "DOCUMENT", required = true, value_hint = ValueHint::FilePath)]
    documents: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputFlags,
}

pub(crate) async fn run(
    args: DubArgs,
    global: &Global,
    console: &Console,
    cancel: CancellationToken,
) -> anyhow::Result<ExitCode> {
    match args.action {
        Some(Action::Edit(args)) => edit(&args, console).await,
        Some(Action::Report { document }) => {
            show_reports(&dubbing::report(&document).await?, console)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Action::Resume(args)) => {
            let dubbing = service(global, cancel).await?;
            let mut batch = Batch::new(console, args.documents.len(), &dubbing.cancellation);
            for document in &args.documents {
                let mut display = None;
                let watch = |events| display = Some(console.follow(events));
                let finished = dubbing.resume(document, &args.output.output(), watch).await;
                if let Some(display) = display {
                    display.await?;
                }
                batch.add(document, finished.map_err(Into::into))?;
            }
            Ok(batch.code())
        }
        None => dub(args.new, global, console, cancel).await,
    }
}

async fn service(global: &Global, cancel: CancellationToken) -> anyhow::Result<Dubbing> {
    let settings = wiring::settings(global.data.as_deref())?;
    wiring::dubbing(&settings, cancel).await
}

async fn dub(args: NewDub, global: &Global, console: &Console, cancel: CancellationToken) -> anyhow::Result<ExitCode> {
    let settings = document::Settings { separate: args.listening.separate, ..args.settings.settings()? };
    if args.settings.transcript.is_some() && args.sources.len() > 1 {
        anyhow::bail!(dubbing::DubbingError::Request(
            "a transcript is of one file; dub the files one by one".to_owned()
        ));
    }
    let dubbing = service(global, cancel).await?;
    let mut batch = Batch::new(console, args.sources.len(), &dubbing.cancellation);
    let program = wiring::settings(global.data.as_deref())?;
    for source in &args.sources {
        let source = match sources::local(source, &program, console, &dubbing.cancellation).await {
            Ok(source) => source,
            Err(error) => {
                batch.add(Path::new(source), Err(error))?;
                continue;
            }
        };
        let output = args.output.output();
        let request = DubRequest {
            source: source.path.clone(),
            targets: args.to.clone(),
            lang: args.listening.from.clone(),
            track: args.listening.track(),
            transcript: args.settings.transcript.clone(),
            settings: settings.clone(),
            output: Output { folder: output.folder.or(source.results), ..output },
        };
        let mut display = None;
        let finished = dubbing.dub(&request, |events| display = Some(console.follow(events))).await;
        if let Some(display) = display {
            display.await?;
        }
        batch.add(&source.path, finished.map_err(Into::into))?;
    }
    Ok(batch.code())
}

async fn edit(args: &EditArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let mut edits = Vec::new();
    for (texts, parse) in [
        (&args.set, Edit::parse_set as fn(&str) -> Result<Edit, _>),
        (&args.unset, Edit::parse_unset),
        (&args.delete, Edit::parse_delete),
        (&args.split, Edit::parse_split),
        (&args.merge, Edit::parse_merge),
        (&args.create, Edit::parse_create),
    ] {
        for text in texts {
            edits.push(parse(text).map_err(dubbing::DubbingError::from)?);
        }
    }
    if edits.is_empty() {
        let message = "nothing to change; say what with --set, --unset, --delete, --split, --merge or --create";
        anyhow::bail!(dubbing::DubbingError::Request(message.to_owned()));
    }
    let touched = dubbing::edit_document(&args.document, &edits).await?;
    if console.is_json() {
        print_json(&serde_json::json!({ "event": "edited", "document": args.document, "utterances": touched }))?;
    } else {
        console.say(&format!("changed; make it with `pressroom dub resume {}`", args.document.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Several dubs in a row: one that fails does not stop the others.
struct Batch<'a> {
    console: &'a Console,
    count: usize,
    cancellation: &'a CancellationToken,
    failed: Option<anyhow::Error>,
}

impl<'a> Batch<'a> {
    fn new(console: &'a Console, count: usize, cancellation: &'a CancellationToken) -> Self {
        Self { console, count, cancellation, failed: None }
    }

    fn add(&mut self, of: &Path, finished: anyhow::Result<Finished>) -> anyhow::Result<()> {
        match finished {
            Ok(finished) => show(&finished, self.console),
            Err(error) if self.count == 1 || self.cancellation.is_cancelled() => Err(error),
            Err(error) => {
                let error = error.context(of.display().to_string());
                self.console.error(&error);
                self.failed.get_or_insert(error);
                Ok(())
            }
        }
    }

    /// That of the first failure.
    fn code(&self) -> ExitCode {
        self.failed.as_ref().map_or(ExitCode::SUCCESS, super::exit::code_of)
    }
}

/// Says what was made and what a person should look at.
fn show(finished: &Finished, console: &Console) -> anyhow::Result<()> {
    for left_out in &finished.left_out {
        console.warn(left_out);
    }
    if console.is_json() {
        return print_json(&serde_json::json!({ "event": "written", "files": finished }));
    }
    for path in finished.outputs.iter().chain(&finished.beside) {
        console.say(&format!("{}  {}", path.display(), clock(finished.duration_ms)));
    }
    for report in &finished.reports {
        let open = report.open.len();
        if open > 0 {
            let lines = if open == 1 { "line needs" } else { "lines need" };
            console.warn(&format!("{}: {open} {lines} a person; list them with `pressroom dub report`", report.lang));
        }
    }
    Ok(())
}

fn show_reports(reports: &[Report], console: &Console) -> anyhow::Result<()> {
    for report in reports {
        if console.is_json() {
            print_json(report)?;
        } else {
            print(&report.table())?;
        }
    }
    Ok(())
}
