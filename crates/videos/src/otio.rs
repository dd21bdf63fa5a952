//! The video as an editable timeline, for other editing programs: OpenTimelineIO's JSON, schema versions as of its
//! release 0.15 (Timeline.1, Stack.1, Track.1, Clip.2, Transition.1, Marker.2).
//!
//! Footage is referred to where it lies, so that it can be trimmed anew; what Pressroom drew is referred to in the
//! finished video.

use serde_json::{Value, json};

use crate::{
    shots::{ClipShot, ShotPicture},
    storyline::Storyline,
    timeline::{Grid, ShotSpan},
};

/// The timeline of a story whose finished video is called `video` (a name beside the timeline).
pub(crate) fn timeline(story: &Storyline, video: &str) -> Value {
    let grid = story.format.grid;
    let mut pictures = Vec::new();
    for (index, span) in story.spans.iter().enumerate() {
        pictures.push(clip(story, span, video));
        if span.transition_out > 0 && index + 1 < story.spans.len() {
            pictures.push(transition(span.transition_out, grid));
        }
    }
    let sound = json!({
        "OTIO_SCHEMA": "Clip.2",
        "name": "Mix",
        "source_range": range(0, story.total_frames(), grid),
        "media_references": { "DEFAULT_MEDIA": external(video, 0, story.total_frames(), grid) },
        "active_media_reference_key": "DEFAULT_MEDIA",
    });
    json!({
        "OTIO_SCHEMA": "Timeline.1",
        "name": story.narration.script.title.clone().unwrap_or_default(),
        "global_start_time": null,
        "tracks": {
            "OTIO_SCHEMA": "Stack.1",
            "name": "tracks",
            "markers": markers(story),
            "children": [
                { "OTIO_SCHEMA": "Track.1", "name": "Picture", "kind": "Video", "children": pictures },
                { "OTIO_SCHEMA": "Track.1", "name": "Sound", "kind": "Audio", "children": [sound] },
            ],
        },
    })
}

fn clip(story: &Storyline, span: &ShotSpan, video: &str) -> Value {
    let grid = story.format.grid;
    let at = story.timed[span.scene].first_frame + span.offset;
    // A transition overlaps its neighbours, so a clip's own range begins and ends at its cuts.
    let (name, start, reference) = match &story.shots[span.scene][span.shot].picture {
        ShotPicture::Clip(ClipShot { source, info, start_ms, .. }) => {
            let lead = span.transition_in / 2;
            let start = (start_ms * u64::from(grid.fps) / 1000) as u32 + lead;
            let frames = grid.frames_covering(info.duration_ms);
            let path = source.path().display().to_string();
            (path.clone(), start, external(&path, 0, frames, grid))
        }
        ShotPicture::Still { source, .. } => {
            (source.path().display().to_string(), at, external(video, 0, story.total_frames(), grid))
        }
        ShotPicture::Card { .. } => ("Card".to_owned(), at, external(video, 0, story.total_frames(), grid)),
    };
    json!({
        "OTIO_SCHEMA": "Clip.2",
        "name": name,
        "source_range": range(start, span.frames, grid),
        "media_references": { "DEFAULT_MEDIA": reference },
        "active_media_reference_key": "DEFAULT_MEDIA",
        "metadata": { "pressroom": { "says": story.narration.scenes[span.scene].sentences.join(" ") } },
    })
}

fn transition(frames: u32, grid: Grid) -> Value {
    json!({
        "OTIO_SCHEMA": "Transition.1",
        "name": "transition",
        "transition_type": "SMPTE_Dissolve",
        "in_offset": time(frames / 2, grid),
        "out_offset": time(frames / 2, grid),
    })
}

fn markers(story: &Storyline) -> Vec<Value> {
    let marker = |chapter: &media::assemble::Chapter| {
        let frame = (chapter.start_ms * u64::from(story.format.grid.fps)).div_ceil(1000) as u32;
        json!({
            "OTIO_SCHEMA": "Marker.2",
            "name": chapter.title,
            "color": "GREEN",
            "marked_range": range(frame, 0, story.format.grid),
        })
    };
    story.chapters().iter().map(marker).collect()
}

fn external(target: &str, start: u32, frames: u32, grid: Grid) -> Value {
    json!({
        "OTIO_SCHEMA": "ExternalReference.1",
        "target_url": target,
        "available_range": range(start, frames, grid),
    })
}

fn range(start: u32, frames: u32, grid: Grid) -> Value {
    json!({ "OTIO_SCHEMA": "TimeRange.1", "start_time": time(start, grid), "duration": time(frames, grid) })
}

fn time(frames: u32, grid: Grid) -> Value {
    json!({ "OTIO_SCHEMA": "RationalTime.1", "value": f64::from(frames), "rate": f64::from(grid.fps) })
}
