//! What the program says of itself while it works: lines for people, or JSON for machines, on standard error.

use std::io;

use serde::{Deserialize, Serialize};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    fmt::{self, MakeWriter, writer::BoxMakeWriter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// The environment variable that names levels by module, such as `info,pipeline=debug`.
pub const FILTER_VARIABLE: &str = "PRESSROOM_LOG";

/// How a line is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// How much is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// Errors only: `-q`.
    Quiet,
    /// Errors and warnings.
    #[default]
    Normal,
    /// What is being done: `-v`.
    Verbose,
    /// How it is being done: `-vv`.
    Debug,
    /// Everything, that of other crates too: `-vvv`.
    Trace,
}

impl Verbosity {
    /// The verbosity after so many `-v`.
    pub fn of_count(count: u8) -> Self {
        match count {
            0 => Self::Normal,
            1 => Self::Verbose,
            2 => Self::Debug,
            _ => Self::Trace,
        }
    }

    /// Other crates say little of use below a warning, except where everything is asked for.
    fn directives(self) -> &'static str {
        match self {
            Self::Quiet => "error",
            Self::Normal => "warn",
            Self::Verbose => {
                "warn,pressroom=info,identity=info,videos=info,pipeline=info,media=info,platform=info,providers=info,gateway=info"
            }
            Self::Debug => {
                "warn,pressroom=debug,identity=debug,videos=debug,pipeline=debug,media=debug,platform=debug,providers=debug,gateway=debug"
            }
            Self::Trace => "trace",
        }
    }
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("`{FILTER_VARIABLE}` is `{value}`: {source}; write levels such as `info` or `info,pipeline=debug`")]
    Filter { value: String, source: tracing_subscriber::filter::ParseError },
    #[error("the log is set up already")]
    AlreadySet,
}

/// How the log is set up.
#[derive(Debug, Default)]
pub struct Telemetry {
    format: LogFormat,
    verbosity: Verbosity,
    filter: Option<String>,
    writer: Option<BoxMakeWriter>,
}

impl Telemetry {
    /// A log of this form and amount to standard error.
    pub fn new(format: LogFormat, verbosity: Verbosity) -> Self {
        Self { format, verbosity, filter: None, writer: None }
    }

    /// Levels by module, instead of those of the verbosity: the value of [`FILTER_VARIABLE`].
    #[must_use]
    pub fn filter(mut self, filter: Option<String>) -> Self {
        self.filter = filter.filter(|filter| !filter.trim().is_empty());
        self
    }

    /// Writes through `writer`, which may put progress bars aside for each line.
    #[must_use]
    pub fn writer<W>(mut self, writer: W) -> Self
    where
        W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        self.writer = Some(BoxMakeWriter::new(writer));
        self
    }

    /// Sets the log of the whole process. Can be done once.
    pub fn init(self) -> Result<(), TelemetryError> {
        let (filter, layer) = self.layer()?;
        tracing_subscriber::registry()
            .with(layer.with_filter(filter))
            .try_init()
            .map_err(|_| TelemetryError::AlreadySet)
    }

    fn layer(self) -> Result<(EnvFilter, Box<dyn Layer<Registry> + Send + Sync>), TelemetryError> {
        let filter = match self.filter {
            Some(value) => EnvFilter::try_new(&value).map_err(|source| TelemetryError::Filter { value, source })?,
            None => EnvFilter::new(self.verbosity.directives()),
        };
        let is_stderr = self.writer.is_none();
        let writer = self.writer.unwrap_or_else(|| BoxMakeWriter::new(io::stderr));
        let colour = is_stderr && io::IsTerminal::is_terminal(&io::stderr());
        let layer = fmt::layer().with_writer(writer).with_ansi(colour);
        let layer: Box<dyn Layer<Registry> + Send + Sync> = match self.format {
            LogFormat::Human if self.verbosity == Verbosity::Trace => Box::new(layer),
            LogFormat::Human => Box::new(layer.without_time().with_target(false)),
            LogFormat::Json => Box::new(layer.json().flatten_event(true)),
        };
        Ok((filter, layer))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Debug, Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn said(telemetry: Telemetry) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let (filter, layer) = telemetry.writer(move || writer.clone()).layer().unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer.with_filter(filter)), || {
            tracing::error!(target: "pipeline::run", number = 3, "an error");
            tracing::warn!(target: "pipeline::run", "a warning");
            tracing::info!(target: "pipeline::run", "a note");
            tracing::info!(target: "elsewhere", "a note of others");
        });
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn verbosity_says_how_much_is_told() {
        let lines = |verbosity| said(Telemetry::new(LogFormat::Human, verbosity)).lines().count();
        let counts = [Verbosity::Quiet, Verbosity::Normal, Verbosity::Verbose, Verbosity::Trace].map(lines);
        assert_eq!(counts, [1, 2, 3, 4]);
        assert_eq!([0, 1, 2, 9].map(Verbosity::of_count).map(lines), [2, 3, 3, 4]);
    }

    #[test]
    fn json_lines_are_objects_with_their_fields() {
        let text = said(Telemetry::new(LogFormat::Json, Verbosity::Quiet));
        assert!(text.starts_with('{') && text.trim_end().ends_with('}'), "{text}");
        assert!(text.contains(r#""level":"ERROR""#) && text.contains(r#""number":3"#), "{text}");
    }

    #[test]
    fn a_filter_outweighs_the_verbosity() {
        let quiet = Telemetry::new(LogFormat::Human, Verbosity::Quiet);
        assert_eq!(said(quiet.filter(Some("elsewhere=info".to_owned()))).lines().count(), 1);
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let telemetry = Telemetry::default().filter(Some("pipeline=loud".to_owned()));
        let error = telemetry.layer().err().unwrap();
        assert!(error.to_string().contains("`pipeline=loud`"), "{error}");
    }
}
