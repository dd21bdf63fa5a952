//! A contact sheet and a small draft: what the video will be, before it is made.

use std::path::Path;

use media::{
    cards::{SheetRequest, Thumb, contact_sheet},
    still::to_jpeg,
    thumbnails::{Precision, thumbnails},
};
use pipeline::{Run, publish, publish_bytes};

use crate::{Finished, VideosError, outputs::SceneFacts, production::Rendered, service::Studio};

/// Longest side of a picture of the sheet in pixels: that of the draft.
const THUMBNAIL_SIDE: u32 = 480;
/// The most scenes a sheet shows; of a longer video every second, third, … scene.
const MOST_SCENES: usize = 120;
/// Pictures side by side of landscape and of portrait videos.
const WIDE_COLUMNS: u32 = 4;
const TALL_COLUMNS: u32 = 6;

/// Hands out a draft beside `video`: `NAME.draft.mp4` and `NAME.storyboard.jpg`.
pub(crate) async fn hand_out(
    studio: &Studio,
    draft: &Rendered,
    video: &Path,
    run: &Run,
) -> Result<Finished, VideosError> {
    let (story, script) = (&draft.story, &draft.story.narration.script);
    let scenes = story.scene_facts();
    let step = scenes.len().div_ceil(MOST_SCENES).max(1);
    let shown: Vec<(usize, &SceneFacts)> = scenes.iter().enumerate().step_by(step).collect();
    // By then a card has arrived.
    let times: Vec<u64> = shown.iter().map(|(_, scene)| (scene.start_ms + 2 * scene.end_ms) / 3).collect();
    let file = run.path(&draft.video);
    let pictures = thumbnails(&studio.ffmpeg, &file, &times, THUMBNAIL_SIDE, Precision::Exact).await?;
    let thumbs = pictures.into_iter().zip(&shown).map(|(picture, (index, scene))| Thumb {
        picture,
        heading: format!("{} · {}", index + 1, clock(scene.start_ms)),
        text: scene.text.clone(),
    });
    let thumbs: Vec<Thumb> = thumbs.collect();
    let duration_ms = story.format.grid.ms(story.total_frames());
    let note = format!("{} · {} scenes", clock(duration_ms), scenes.len());
    let columns = if story.format.size.width > story.format.size.height { WIDE_COLUMNS } else { TALL_COLUMNS };
    let (title, lang) = (script.title.clone().unwrap_or_default(), script.lang.clone());
    let sheet = tokio::task::spawn_blocking(move || {
        let request = SheetRequest { title: &title, note: &note, columns, lang: &lang };
        to_jpeg(&contact_sheet(&request, &thumbs)?)
    });
    let sheet = sheet.await.map_err(|error| VideosError::Internal(error.to_string()))??;
    let sheet_path = video.with_extension("storyboard.jpg");
    publish_bytes(sheet, &sheet_path).await?;
    let draft_path = video.with_extension("draft.mp4");
    publish(&file, &draft_path).await?;
    Ok(Finished {
        output: draft_path,
        beside: vec![sheet_path],
        duration_ms,
        size_bytes: draft.video.size_bytes(),
        left_out: script.left_out.clone(),
    })
}

/// Minutes and seconds as `3:07`.
fn clock(ms: u64) -> String {
    let seconds = ms / 1000;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
