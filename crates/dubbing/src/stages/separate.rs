//! The voices of a source, found piece by piece and joined.

use std::sync::Arc;

use ai::separate::{SAMPLE_RATE, Separator, Stretch};
use media::audio::{self, Piece, Span};
use pipeline::{FileRef, Stage, StageContext, StageError};
use serde::{Deserialize, Serialize};

use super::{computing, provider_failure};

/// A frame of the programme, at both rates, before it is separated and after it.
const BYTES_PER_FRAME: u64 = 40;

/// Finds the voices of pieces with one engine.
#[derive(Debug)]
pub(crate) struct Separate {
    pub engine: Arc<dyn Separator>,
}

/// A piece of a sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SeparateInput {
    /// [`Separator::version`].
    pub engine: String,
    /// 48 kHz, stereo.
    pub programme: FileRef,
    /// Length of the programme.
    pub samples: u64,
    pub span: Span,
}

impl Stage for Separate {
    type Input = SeparateInput;
    /// 48 kHz, stereo, as long as the span.
    type Output = FileRef;

    fn name(&self) -> &'static str {
        "separate"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &SeparateInput, context: &StageContext) -> Result<FileRef, StageError> {
        let context_frames = self.engine.capability().context_frames as u64;
        let at_programme = (context_frames * u64::from(audio::SAMPLE_RATE)).div_ceil(u64::from(SAMPLE_RATE));
        let piece = Piece { span: input.span, context: at_programme, rate: SAMPLE_RATE };
        let frames = input.span.end_sample - input.span.start_sample + 2 * at_programme;
        let _memory = context.memory(frames * BYTES_PER_FRAME).await?;
        let path = context.path(&input.programme);
        let frames = computing(move || audio::read_piece(&path, &piece)).await?;
        let separated = self.engine.separate(&Stretch { frames: frames.into() }).await.map_err(provider_failure)?;
        let file = context.temp_file("wav")?;
        let (path, samples) = (file.path().to_owned(), input.samples);
        computing(move || audio::write_piece(&separated.voice, &piece, samples, &path)).await?;
        context.keep(file).await
    }
}

/// Joins the voices of pieces.
#[derive(Debug)]
pub(crate) struct JoinVoices;

/// Pieces that follow each other without a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct JoinVoicesInput {
    pub pieces: Vec<FileRef>,
}

/// The voices of a source, as long as the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Voices {
    /// 48 kHz, stereo: what the programme has to be less to be its background.
    pub programme: FileRef,
    /// 16 kHz, mono.
    pub speech: FileRef,
}

impl Stage for JoinVoices {
    type Input = JoinVoicesInput;
    type Output = Voices;

    fn name(&self) -> &'static str {
        "join-voices"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &JoinVoicesInput, context: &StageContext) -> Result<Voices, StageError> {
        let pieces: Vec<_> = input.pieces.iter().map(|piece| context.path(piece)).collect();
        let (programme, speech) = (context.temp_file("wav")?, context.temp_file("wav")?);
        let (joined, mono) = (programme.path().to_owned(), speech.path().to_owned());
        let cancellation = context.cancellation().clone();
        computing(move || audio::join_pieces(&pieces, &joined, (&mono, ai::stt::SAMPLE_RATE), &cancellation)).await?;
        Ok(Voices { programme: context.keep(programme).await?, speech: context.keep(speech).await? })
    }
}
