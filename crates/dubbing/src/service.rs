//! What the command line and the server ask of this context.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use ai::{diarize::SpeakerEncoder, separate::Separator, stt::Stt, translate::Translator, tts::Tts};
use kernel::{ErrorKind, Lang};
use media::{Ffmpeg, source};
use pipeline::{Limits, Outcome, ProgressPlan, ProgressReceiver, Run, RunOptions, Store};
use platform::resources::MemoryBudget;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::{
    DubbingError,
    document::{Dub, Settings},
    edit::{self, Edit},
    outputs::{self, Names},
    production,
    report::Report,
    request::{DubRequest, Output},
    separation, translation,
};

/// Bytes a second of the sound that is taken out of a source: 48 kHz stereo, and 16 kHz mono beside it.
const EXTRACTED_BYTES_PER_SECOND: u64 = 4 * 48_000 + 2 * 16_000;
/// Bytes a second of the sound of one language: mixed and encoded in parts, then in one file on its way to the result.
const MIXED_BYTES_PER_SECOND: u64 = 2 * 4 * 48_000 + 40_000;
/// Lines and everything small.
const SMALL_BYTES: u64 = 100_000_000;

/// What dubs are made with.
#[derive(Debug, Clone)]
pub struct Booth {
    pub ffmpeg: Ffmpeg,
    /// Engines that write down what is said, the preferred first.
    pub listeners: Vec<Arc<dyn Stt>>,
    pub translators: Vec<Arc<dyn Translator>>,
    pub voices: Vec<Arc<dyn Tts>>,
    /// Takes voice and background apart, where there is a model for it.
    pub separator: Option<Arc<dyn Separator>>,
    /// Hears whose voice it is, where there is a model for it.
    pub speaker_encoder: Option<Arc<dyn SpeakerEncoder>>,
    /// Utterances listened to at once.
    pub jobs: usize,
}

/// Makes dubs, transcripts and translations.
#[derive(Debug, Clone)]
pub struct Dubbing {
    pub booth: Booth,
    pub store: Store,
    pub memory: MemoryBudget,
    /// What of the kept results stays after a run.
    pub limits: Limits,
    /// Stops whatever is under way.
    pub cancellation: CancellationToken,
}

/// What a user got.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finished {
    /// The dubbed files, the first language's first.
    pub outputs: Vec<PathBuf>,
    /// The files beside them: subtitles and the document.
    pub beside: Vec<PathBuf>,
    pub duration_ms: u64,
    /// How good each language is.
    pub reports: Vec<Report>,
    /// What could not be kept of the source.
    pub left_out: Vec<String>,
}

/// A translated file of subtitles.
#[derive(Debug, Clone, PartialEq)]
pub struct TranslateRequest {
    pub transcript: PathBuf,
    /// Told from the file where absent.
    pub from: Option<Lang>,
    pub to: Lang,
    pub settings: Settings,
    /// `talk.es.srt` beside `talk.en.srt` where absent.
    pub output: Option<PathBuf>,
}

impl Dubbing {
    /// Dubs a source. A document of it that is there already is gone on with: what a person decided in it stays, and
    /// languages are added. `watch` is given the run's events.
    pub async fn dub(
        &self,
        request: &DubRequest,
        watch: impl FnOnce(ProgressReceiver),
    ) -> Result<Finished, DubbingError> {
        if request.targets.is_empty() {
            return Err(DubbingError::Request(
                "no language to dub into; name one with --to, such as --to es".to_owned(),
            ));
        }
        let names = Names::of(request);
        if let Some(mut dub) = outputs::find_document(&names.document).await? {
            outputs::adopt(&mut dub, request, &names.document)?;
            return self.go_on(dub, &names, &request.output, watch).await;
        }
        let source = source::probe_source(&self.booth.ffmpeg, &request.source).await?;
        let plan = production::plan(&self.booth, &request.settings);
        let run = self.start(source.duration_us / 1000, request.targets.len() as u64, plan, watch).await?;
        let made = async {
            let mut work = production::begin(&self.booth, request, source, &run).await?;
            let made = production::produce(&self.booth, &mut work, request.output.kind, &run).await?;
            outputs::hand_out(&self.booth, &mut work, &made, (&names, &request.output), &run).await
        };
        end(run.clone(), made.await).await
    }

    /// Makes what an edited document asks for; what it does not touch is not made again.
    pub async fn resume(
        &self,
        document: &Path,
        output: &Output,
        watch: impl FnOnce(ProgressReceiver),
    ) -> Result<Finished, DubbingError> {
        let dub = outputs::read_document(document).await?;
        let names = Names::of_document(document, &dub, output);
        self.go_on(dub, &names, output, watch).await
    }

    async fn go_on(
        &self,
        dub: Dub,
        names: &Names,
        output: &Output,
        watch: impl FnOnce(ProgressReceiver),
    ) -> Result<Finished, DubbingError> {
        let path = names.source.clone();
        let plan = production::plan(&self.booth, &dub.settings);
        let run = self.start(dub.source.duration_ms, dub.targets.len() as u64, plan, watch).await?;
        let made = async {
            let mut work = production::reopen(&self.booth, dub, (&path, output), &run).await?;
            let made = production::produce(&self.booth, &mut work, output.kind, &run).await?;
            outputs::hand_out(&self.booth, &mut work, &made, (names, output), &run).await
        };
        end(run.clone(), made.await).await
    }

    /// Writes down what is said in a source: `talk.en.srt`, and a document without languages to dub into.
    pub async fn transcribe(
        &self,
        request: &DubRequest,
        watch: impl FnOnce(ProgressReceiver),
    ) -> Result<Finished, DubbingError> {
        let source = source::probe_source(&self.booth.ffmpeg, &request.source).await?;
        let names = Names::of(request);
        let run =
            self.start(source.duration_us / 1000, 0, production::plan(&self.booth, &request.settings), watch).await?;
        let made = async {
            let request = DubRequest { targets: Vec::new(), track: request.track.clone(), ..request.clone() };
            let work = production::begin(&self.booth, &request, source, &run).await?;
            outputs::hand_out_transcript(&work, &names).await
        };
        end(run.clone(), made.await).await
    }

    /// Translates a file of subtitles into another.
    pub async fn translate(
        &self,
        request: &TranslateRequest,
        watch: impl FnOnce(ProgressReceiver),
    ) -> Result<PathBuf, DubbingError> {
        let mut dub = outputs::read_subtitles(request)?;
        translation::find_way(&self.booth.translators, &dub, &request.to).await?;
        let run = self.start_with(SMALL_BYTES, ProgressPlan::new([("translate", 1.0)]), watch).await?;
        let made = async {
            translation::translate(&self.booth.translators, &mut dub, &request.to, &run).await?;
            outputs::hand_out_subtitles(&dub, request).await
        };
        end(run.clone(), made.await).await
    }

    /// The same service, whose work `token` stops.
    #[must_use]
    pub fn cancelled_by(&self, token: CancellationToken) -> Self {
        let booth = Booth { ffmpeg: self.booth.ffmpeg.cancelled_by(token.clone()), ..self.booth.clone() };
        Self { booth, cancellation: token, ..self.clone() }
    }

    async fn start(
        &self,
        duration_ms: u64,
        languages: u64,
        plan: ProgressPlan,
        watch: impl FnOnce(ProgressReceiver),
    ) -> Result<Run, DubbingError> {
        let seconds = duration_ms / 1000 + 1;
        let separated = if self.booth.separator.is_some() { separation::BYTES_PER_SECOND } else { 0 };
        let each = EXTRACTED_BYTES_PER_SECOND + separated + languages * MIXED_BYTES_PER_SECOND;
        self.start_with(seconds * each + SMALL_BYTES, plan, watch).await
    }

    async fn start_with(
        &self,
        needed_disk_bytes: u64,
        plan: ProgressPlan,
        watch: impl FnOnce(ProgressReceiver),
    ) -> Result<Run, DubbingError> {
        let options = RunOptions {
            plan,
            cancellation: self.cancellation.clone(),
            memory: self.memory.clone(),
            needed_disk_bytes,
            limits: self.limits,
        };
        let (run, events) = Run::start(&self.store, options).await?;
        watch(events);
        Ok(run)
    }
}

/// Changes a document, all changes or none; needs nothing but the document. Returns the ids of the utterances touched.
pub async fn edit_document(document: &Path, edits: &[Edit]) -> Result<Vec<u32>, DubbingError> {
    let mut dub = outputs::read_document(document).await?;
    let touched = edit::apply(&mut dub, edits)?;
    outputs::write_document(&dub, document).await?;
    Ok(touched)
}

/// How good a dub is, in each of its languages; needs nothing but the document.
pub async fn report(document: &Path) -> Result<Vec<Report>, DubbingError> {
    let dub = outputs::read_document(document).await?;
    Ok(dub.targets.iter().map(|lang| Report::new(&dub, lang)).collect())
}

/// Ends the run with the outcome of what was made.
async fn end<T>(run: Run, made: Result<T, DubbingError>) -> Result<T, DubbingError> {
    let outcome = match &made {
        Ok(_) => Outcome::Succeeded,
        Err(error) if error.kind() == ErrorKind::Cancelled => Outcome::Cancelled,
        Err(error) => Outcome::Failed { kind: error.kind(), message: error.to_string() },
    };
    run.finish(outcome).await;
    made
}
