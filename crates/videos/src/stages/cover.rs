//! The picture that stands for the video: its title over one of its frames, or over the theme.

use std::collections::HashMap;

use kernel::Lang;
use media::{
    Ffmpeg, Size, StillLimits,
    cards::{Card, CoverRequest, Theme, cover},
    still::{load_still, to_jpeg},
    thumbnails::{Precision, thumbnails},
};
use pipeline::{FileRef, SourceRef, Stage, StageContext, StageError};
use serde::Serialize;

use super::{computing, media_failure};
use crate::shots::{ClipShot, ShotPicture};

/// Makes covers.
#[derive(Debug)]
pub(crate) struct Cover {
    pub ffmpeg: Ffmpeg,
}

/// What a cover shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct CoverInput {
    pub title: String,
    pub theme: String,
    pub lang: Lang,
    pub size: Size,
    pub backdrop: Option<Backdrop>,
}

/// The picture behind the title.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Backdrop {
    Clip { source: SourceRef, at_ms: u64 },
    Still { file: FileRef },
}

impl Backdrop {
    /// A frame of a shot that shows footage.
    pub(crate) fn of(picture: &ShotPicture, stills: &HashMap<SourceRef, FileRef>) -> Option<Self> {
        match picture {
            ShotPicture::Clip(ClipShot { source, start_ms, .. }) => {
                Some(Self::Clip { source: source.clone(), at_ms: start_ms + 500 })
            }
            ShotPicture::Still { source, .. } => stills.get(source).map(|file| Self::Still { file: file.clone() }),
            ShotPicture::Card { .. } => None,
        }
    }
}

impl Stage for Cover {
    type Input = CoverInput;
    /// A JPEG.
    type Output = FileRef;

    fn name(&self) -> &'static str {
        "cover"
    }

    fn version(&self) -> u32 {
        2
    }

    async fn run(&self, input: &CoverInput, context: &StageContext) -> Result<FileRef, StageError> {
        let theme = Theme::named(&input.theme).map_err(media_failure)?;
        let backdrop = match &input.backdrop {
            None => None,
            Some(Backdrop::Clip { source, at_ms }) => {
                let path = context.source_path(source).await?;
                let side = input.size.width.max(input.size.height);
                let frames = thumbnails(&self.ffmpeg, &path, &[*at_ms], side, Precision::KeyFrame).await;
                frames.map_err(media_failure)?.into_iter().next()
            }
            Some(Backdrop::Still { file }) => {
                let path = context.path(file);
                let load = move || load_still(&path, &StillLimits::default()).map(|still| still.image().clone());
                Some(computing(load).await?)
            }
        };
        let (title, lang, size) = (input.title.clone(), input.lang.clone(), input.size);
        let draw = move || {
            let card = Card::Title { title, subtitle: None, byline: None };
            let request = CoverRequest { card: &card, theme, size, lang: &lang, background: backdrop.as_ref() };
            to_jpeg(&cover(&request)?)
        };
        let jpeg = computing(draw).await?;
        context.keep_bytes(jpeg, "jpg").await
    }
}
