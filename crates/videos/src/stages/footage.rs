//! What a file of the user's is, and where the subject of a clip is.

use media::{
    Ffmpeg, MediaInfo, Size, StillLimits, motion, still,
    thumbnails::{Precision, thumbnails},
};
use pipeline::{SourceRef, Stage, StageContext, StageError};
use serde::{Deserialize, Serialize};

use super::{computing, media_failure};
use crate::library::AssetKind;

/// Thumbnails looked at for the subject of a clip, spread over its length.
const LOOKS: u64 = 3;
/// Longest side of such a thumbnail in pixels.
const THUMBNAIL_SIDE: u32 = 192;

/// Looks at clips and stills.
#[derive(Debug)]
pub(crate) struct LookAt {
    pub ffmpeg: Ffmpeg,
}

/// What is known of a file, by its content and not by its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Footage {
    Clip { info: MediaInfo },
    Still { size: Size },
}

impl Footage {
    pub(crate) fn kind(&self) -> AssetKind {
        match self {
            Self::Clip { .. } => AssetKind::Clip,
            Self::Still { .. } => AssetKind::Still,
        }
    }

    pub(crate) fn size(&self) -> Size {
        match self {
            Self::Clip { info } => info.size,
            Self::Still { size } => *size,
        }
    }

    /// 0 for a still.
    pub(crate) fn duration_ms(&self) -> u64 {
        match self {
            Self::Clip { info } => info.duration_ms,
            Self::Still { .. } => 0,
        }
    }
}

impl Stage for LookAt {
    type Input = SourceRef;
    type Output = Footage;

    fn name(&self) -> &'static str {
        "footage"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &SourceRef, context: &StageContext) -> Result<Footage, StageError> {
        let path = context.source_path(input).await?;
        let looked_at = path.clone();
        let limits = StillLimits::default();
        if let Some(size) = computing(move || still::size_of(&looked_at, &limits)).await? {
            return Ok(Footage::Still { size });
        }
        let ffmpeg = self.ffmpeg.cancelled_by(context.cancellation().clone());
        let info = media::probe::probe(&ffmpeg, &path).await.map_err(media_failure)?;
        Ok(Footage::Clip { info })
    }
}

/// Finds the subject of clips that will be cropped.
#[derive(Debug)]
pub(crate) struct FindSubject {
    pub ffmpeg: Ffmpeg,
}

/// A clip that will be cropped.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Croppable {
    pub source: SourceRef,
    pub duration_ms: u64,
}

impl Stage for FindSubject {
    type Input = Croppable;
    /// Where the eye goes, as fractions of width and height from the top left corner.
    type Output = (f32, f32);

    fn name(&self) -> &'static str {
        "subjects"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &Croppable, context: &StageContext) -> Result<(f32, f32), StageError> {
        let path = context.source_path(&input.source).await?;
        let ffmpeg = self.ffmpeg.cancelled_by(context.cancellation().clone());
        let times: Vec<u64> = (0..LOOKS).map(|look| input.duration_ms * (2 * look + 1) / (2 * LOOKS)).collect();
        let looks = thumbnails(&ffmpeg, &path, &times, THUMBNAIL_SIDE, Precision::KeyFrame).await;
        let looks = looks.map_err(media_failure)?;
        let count = looks.len().max(1) as f32;
        let sum = looks.iter().map(motion::focus).fold((0.0, 0.0), |sum, place| (sum.0 + place.0, sum.1 + place.1));
        Ok(if looks.is_empty() { (0.5, 0.5) } else { (sum.0 / count, sum.1 / count) })
    }
}
