//! What a person or a program sees: results on standard output, progress and errors on standard error.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pipeline::{Item, Progress, ProgressReceiver};
use serde::Serialize;
use tokio::task::JoinHandle;

use crate::cli::Global;

/// How the command talks.
#[derive(Debug, Clone)]
pub(crate) struct Console {
    format: Format,
    quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    Json,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Notice<'a> {
    Error { message: &'a str },
    Warning { message: &'a str },
}

impl Console {
    pub(crate) fn new(global: &Global) -> Self {
        Self { format: if global.json { Format::Json } else { Format::Text }, quiet: global.quiet }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// A bar of bytes, where somebody looks on.
    pub(crate) fn bytes_bar(&self) -> ProgressBar {
        let seen = !self.quiet && self.format == Format::Text && io::stderr().is_terminal();
        let target = if seen { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        let template = "{spinner:.cyan} {prefix:<11} {bar:28.cyan/dim} {bytes} of {total_bytes}  {bytes_per_sec}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        bar
    }

    /// A line of news; not with `--quiet`, and not among JSON.
    pub(crate) fn say(&self, line: &str) {
        if !self.quiet && self.format == Format::Text {
            let _ = writeln!(io::stderr(), "{line}");
        }
    }

    /// Something worth knowing that stops nothing.
    pub(crate) fn warn(&self, message: &str) {
        match self.format {
            Format::Json => drop(print_json(&Notice::Warning { message })),
            Format::Text if self.quiet => {}
            Format::Text => drop(writeln!(io::stderr(), "pressroom: note: {message}")),
        }
    }

    /// The error that ends the command: one line with its causes.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let message = one_line(error);
        if self.is_json() {
            drop(print_json(&Notice::Error { message: &message }));
        }
        let _ = writeln!(io::stderr(), "pressroom: {message}");
    }

    /// Shows a run's events until it ends.
    pub(crate) fn follow(&self, mut events: ProgressReceiver) -> JoinHandle<()> {
        let console = self.clone();
        tokio::spawn(async move {
            let mut display = Display::new(&console);
            while let Some(event) = events.next().await {
                if console.is_json() {
                    drop(print_json(&event));
                } else {
                    display.show(&event);
                }
            }
            display.bar.finish_and_clear();
        })
    }
}

/// A result for whoever reads standard output. A closed pipe ends it quietly.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// A result as a line of JSON.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(print(&format!("{}\n", serde_json::to_string(value)?))?)
}

/// An error and its causes in one line, nothing said twice.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if text.is_empty() || line.contains(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&text);
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The one progress display: a bar on a terminal, a line a stage elsewhere.
struct Display {
    bar: ProgressBar,
    on_terminal: bool,
    quiet: bool,
}

/// Steps of the bar; fractions are finer than percent so that the bar moves evenly.
const BAR_STEPS: u64 = 1000;

impl Display {
    fn new(console: &Console) -> Self {
        let on_terminal = io::stderr().is_terminal();
        let hidden = console.quiet || console.is_json() || !on_terminal;
        let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(10) };
        let bar = ProgressBar::with_draw_target(Some(BAR_STEPS), target);
        if let Ok(style) =
            ProgressStyle::with_template("{spinner:.cyan} {prefix:<9} {bar:28.cyan/dim} {percent:>3} %  {msg}")
        {
            bar.set_style(style.progress_chars("━╸─"));
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar, on_terminal, quiet: console.quiet || console.is_json() }
    }

    fn show(&mut self, event: &Progress) {
        match event {
            Progress::StageStarted { stage, .. } => self.bar.set_prefix(stage.clone()),
            Progress::Advanced { stage, item, fraction, eta_ms, speed, message, .. } => {
                self.bar.set_prefix(stage.clone());
                self.bar.set_position((fraction * BAR_STEPS as f64) as u64);
                self.bar.set_message(describe(*item, message.as_deref(), *speed, *eta_ms));
            }
            Progress::ItemFinished { fraction, .. } => self.bar.set_position((fraction * BAR_STEPS as f64) as u64),
            Progress::StageFinished { stage, items, reused, elapsed_ms, fraction } => {
                self.bar.set_position((fraction * BAR_STEPS as f64) as u64);
                if !self.on_terminal && !self.quiet {
                    let _ = writeln!(io::stderr(), "{stage}: {}", summary(*items, *reused, *elapsed_ms));
                }
            }
            Progress::RunStarted { .. } | Progress::RunFinished { .. } => {}
        }
    }
}

fn describe(item: Item, message: Option<&str>, speed: Option<f64>, eta_ms: Option<u64>) -> String {
    let mut parts = Vec::new();
    if item.count > 1 {
        parts.push(format!("{} of {}", item.number, item.count));
    }
    parts.extend(message.map(str::to_owned));
    parts.extend(speed.filter(|speed| *speed > 0.0).map(|speed| format!("{speed:.1}×")));
    parts.extend(eta_ms.map(|ms| format!("{} left", clock(ms))));
    parts.join(" · ")
}

fn summary(items: usize, reused: usize, elapsed_ms: u64) -> String {
    let made = items - reused.min(items);
    format!("{made} made, {reused} kept from before, {:.1} s", elapsed_ms as f64 / 1000.0)
}

/// Minutes and seconds as `3:07`.
pub(crate) fn clock(ms: u64) -> String {
    let seconds = ms.div_ceil(1000);
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_and_says_each_cause_once() {
        let error =
            anyhow::anyhow!("disk is full").context("writing `a.mp4`\nfailed: disk is full").context("no video");
        assert_eq!(one_line(&error), "no video: writing `a.mp4` failed: disk is full");
    }

    #[test]
    fn time_left_is_shown_in_minutes_and_seconds() {
        assert_eq!(clock(187_000), "3:07");
        assert_eq!(
            describe(Item { number: 3, count: 10 }, None, Some(4.25), Some(12_000)),
            "3 of 10 · 4.2× · 0:12 left"
        );
    }
}
