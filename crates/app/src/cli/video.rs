//! `pressroom video`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueHint};
use tokio_util::sync::CancellationToken;
use videos::{
    Videos, batch,
    request::VideoRequest,
    source::{self, Loaded},
};

use crate::{
    cli::{
        Global,
        console::Console,
        order::{self, Target},
        settings::SettingFlags,
    },
    wiring,
};

#[derive(Debug, Args)]
pub(crate) struct VideoArgs {
    /// A script (.md, .txt), a project file (.toml), a web page (https://…), or `-` for a script on standard input
    #[arg(value_name = "SCRIPT", required_unless_present = "batch", value_hint = ValueHint::AnyPath)]
    script: Option<String>,
    /// Where to write the video; a folder, or a file ending in .mp4, .mkv or .webm [default: beside the script]
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    output: Option<PathBuf>,
    /// Only a contact sheet and a small draft, to look at before the full render
    #[arg(long)]
    storyboard: bool,
    /// Make a video of each row of a CSV file
    #[arg(long, value_name = "CSV", conflicts_with = "script", value_hint = ValueHint::FilePath)]
    batch: Option<PathBuf>,
    /// Make several videos of one request, each with another look
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    variants: u32,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(crate) async fn run(
    args: VideoArgs,
    global: &Global,
    console: &Console,
    cancel: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let orders = orders(&args)?;
    let settings = wiring::settings(global.data.as_deref())?;
    let videos = wiring::videos(&settings, cancel).await?;
    let mut failed = None;
    for (number, order) in orders.iter().enumerate() {
        if orders.len() > 1 {
            console.say(&format!("{} of {}: {}", number + 1, orders.len(), order.output.display()));
        }
        match make(&videos, order, args.storyboard, console).await {
            Ok(()) => {}
            Err(error) if orders.len() == 1 || videos.cancellation.is_cancelled() => return Err(error),
            Err(error) => {
                console.error(&error);
                failed.get_or_insert(error);
            }
        }
    }
    match failed {
        None => Ok(ExitCode::SUCCESS),
        Some(error) => Ok(super::exit::code_of(&error)),
    }
}

/// One video to make.
struct Order {
    request: VideoRequest,
    output: PathBuf,
}

async fn make(videos: &Videos, order: &Order, storyboard: bool, console: &Console) -> anyhow::Result<()> {
    let mut display = None;
    let watch = |events| display = Some(console.follow(events));
    let finished = if storyboard {
        videos.storyboard(&order.request, &order.output, watch).await
    } else {
        videos.render(&order.request, &order.output, watch).await
    };
    if let Some(display) = display {
        display.await?;
    }
    order::report(&finished?, console)
}

/// The videos to make, those of higher priority first.
fn orders(args: &VideoArgs) -> anyhow::Result<Vec<Order>> {
    let mut orders = Vec::new();
    if let Some(table) = &args.batch {
        for row in batch::read_file(table)? {
            let name = row.output.as_deref().map_or_else(|| row.name.clone(), |path| path.display().to_string());
            let output = match &row.output {
                Some(path) => path.clone(),
                None => order::output_path(
                    args.output.as_deref(),
                    &table.with_file_name(name).display().to_string(),
                    Target::Video,
                ),
            };
            add(args, row.loaded, &output, &mut orders)?;
        }
    }
    if let Some(script) = &args.script {
        let output = order::output_path(args.output.as_deref(), script, Target::Video);
        add(args, source::open(script)?, &output, &mut orders)?;
    }
    Ok(orders)
}

/// Adds an order, or one for each variant, told apart by a number at the end of the name.
fn add(args: &VideoArgs, loaded: Loaded, output: &Path, orders: &mut Vec<Order>) -> anyhow::Result<()> {
    let patch = args.settings.patch.clone().over(loaded.patch);
    if args.variants == 1 {
        orders.push(Order { request: patch.resolve(loaded.source)?, output: output.to_owned() });
        return Ok(());
    }
    for variant in 0..args.variants {
        let request = batch::variant(&patch, variant).resolve(loaded.source.clone())?;
        orders.push(Order { request, output: numbered(output, variant + 1) });
    }
    Ok(())
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{number}.{extension}"))
}
