//! What the command line and the server ask of this context.

use std::{path::Path, sync::Arc};

use ai::tts::{Tts, Voice};
use kernel::{ErrorKind, Lang};
use media::{Ffmpeg, assemble::Container, audio};
use pipeline::{Helping, Limits, Outcome, ProgressPlan, ProgressReceiver, Run, RunOptions, Store, Team};
use platform::resources::MemoryBudget;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    VideosError,
    outputs::{self, Finished},
    production::{self, Purpose},
    request::VideoRequest,
    source::web::Fetch,
    stages::segment::Segment,
    storyboard,
};

/// Space that must be free before a run begins: a few minutes of video with its segments.
const NEEDED_DISK_BYTES: u64 = 300_000_000;

/// What videos are made with.
#[derive(Debug, Clone)]
pub struct Studio {
    pub ffmpeg: Ffmpeg,
    /// Speech engines, the preferred first.
    pub engines: Vec<Arc<dyn Tts>>,
    pub fetch: Arc<dyn Fetch>,
    /// Segments made at once.
    pub jobs: usize,
    /// A place for each of them: whatever this process makes, it has no more in work.
    pub places: Arc<Semaphore>,
}

impl Studio {
    pub(crate) fn segments(&self) -> Segment {
        Segment { ffmpeg: self.ffmpeg.clone(), places: Arc::clone(&self.places) }
    }
}

/// Makes videos and narrations.
#[derive(Debug, Clone)]
pub struct Videos {
    pub studio: Studio,
    pub store: Store,
    pub memory: MemoryBudget,
    /// What of the kept results stays after a run.
    pub limits: Limits,
    /// Stops whatever is under way.
    pub cancellation: CancellationToken,
    /// With whom segments are made.
    pub team: Option<Team>,
}

impl Videos {
    /// Makes a video and hands it out as `output`, with its files beside it. `watch` is given the run's events.
    pub async fn render(
        &self,
        request: &VideoRequest,
        output: &Path,
        watch: impl FnOnce(ProgressReceiver),
    ) -> Result<Finished, VideosError> {
        let container = Container::of(output)?;
        let run = self.start(production::plan(), watch).await?;
        let made = async {
            let production = production::produce(&self.studio, request, container, &run).await;
            match production {
                Ok(production) => outputs::hand_out(&production, output, &run).await,
                Err(VideosError::CheckFailed { video: Some(video), failures, .. }) => {
                    let aside = outputs::set_aside(&video, output, &run).await?;
                    Err(VideosError::CheckFailed { video: None, failures, aside: Some(aside) })
                }
                Err(error) => Err(error),
            }
        };
        end(run.clone(), made.await).await
    }

    /// Makes a contact sheet and a small draft beside `output`.
    pub async fn storyboard(
        &self,
        request: &VideoRequest,
        output: &Path,
        watch: impl FnOnce(ProgressReceiver),
    ) -> Result<Finished, VideosError> {
        let run = self.start(production::draft_plan(), watch).await?;
        let made = async {
            let draft = production::render(&self.studio, request, Purpose::Draft, Container::Mp4, &run).await?;
            storyboard::hand_out(&self.studio, &draft, output, &run).await
        };
        end(run.clone(), made.await).await
    }

    /// Reads a script aloud into `output`, in the format its ending names.
    pub async fn narrate(
        &self,
        request: &VideoRequest,
        output: &Path,
        watch: impl FnOnce(ProgressReceiver),
    ) -> Result<Finished, VideosError> {
        audio::check_format(output)?;
        let run = self.start(production::narration_plan(), watch).await?;
        let made = async {
            let narrated = production::narrate_only(&self.studio, request, &run).await?;
            outputs::hand_out_sound(&self.studio.ffmpeg, &narrated, output, &run).await
        };
        end(run.clone(), made.await).await
    }

    /// Makes the subtitles of a script as it is read aloud: `output`, which ends in `.srt`, and other forms beside it.
    pub async fn subtitle(
        &self,
        request: &VideoRequest,
        output: &Path,
        watch: impl FnOnce(ProgressReceiver),
    ) -> Result<Finished, VideosError> {
        let run = self.start(production::subtitles_plan(), watch).await?;
        let made = async {
            let captioned = production::caption_only(&self.studio, request, &run).await?;
            outputs::hand_out_captions(&captioned, output).await
        };
        end(run.clone(), made.await).await
    }

    /// The same service, whose work `token` stops.
    #[must_use]
    pub fn cancelled_by(&self, token: CancellationToken) -> Self {
        let studio = Studio { ffmpeg: self.studio.ffmpeg.cancelled_by(token.clone()), ..self.studio.clone() };
        Self { studio, cancellation: token, ..self.clone() }
    }

    /// The same service, which makes segments together with a team.
    #[must_use]
    pub fn with_team(&self, team: Team) -> Self {
        Self { team: Some(team), ..self.clone() }
    }

    /// Makes segments of another's video, and returns how many.
    pub async fn help(&self, helping: &Helping<'_>) -> Result<usize, VideosError> {
        let run = self.start(production::helping_plan(), drop).await?;
        let made = helping.work(&run, &self.studio.segments(), self.studio.jobs).await;
        end(run, made.map_err(VideosError::from)).await
    }

    async fn start(&self, plan: ProgressPlan, watch: impl FnOnce(ProgressReceiver)) -> Result<Run, VideosError> {
        let options = RunOptions {
            plan,
            cancellation: self.cancellation.clone(),
            memory: self.memory.clone(),
            needed_disk_bytes: NEEDED_DISK_BYTES,
            limits: self.limits,
        };
        let (run, events) = Run::start(&self.store, options).await?;
        watch(events);
        Ok(run.with_team(self.team.clone()))
    }
}

/// Ends the run with the outcome of what was made.
async fn end<T>(run: Run, made: Result<T, VideosError>) -> Result<T, VideosError> {
    let outcome = match &made {
        Ok(_) => Outcome::Succeeded,
        Err(error) if error.kind() == ErrorKind::Cancelled => Outcome::Cancelled,
        Err(error) => Outcome::Failed { kind: error.kind(), message: error.to_string() },
    };
    run.finish(outcome).await;
    made
}

/// The voice of an id, and the engine that has it.
pub async fn find_voice(engines: &[Arc<dyn Tts>], id: &str) -> Result<(Arc<dyn Tts>, Voice), VideosError> {
    for engine in engines {
        if let Some(voice) = engine.voices().await?.into_iter().find(|voice| voice.id == id) {
            return Ok((engine.clone(), voice));
        }
    }
    Err(VideosError::UnknownVoice { voice: id.to_owned() })
}

/// Every voice of the engines, or those of one language.
///
/// # Errors
/// When no voice speaks the language; the message says which languages have voices.
pub async fn voices(engines: &[Arc<dyn Tts>], lang: Option<&Lang>) -> Result<Vec<Voice>, VideosError> {
    let mut voices = Vec::new();
    for engine in engines {
        voices.extend(engine.voices().await?);
    }
    let Some(lang) = lang else { return Ok(voices) };
    let usual = ai::tts::voice_for(lang, &voices)?;
    let spoken = usual.lang.primary().to_owned();
    voices.retain(|voice| voice.lang.primary() == spoken);
    Ok(voices)
}
