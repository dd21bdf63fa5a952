//! Captions burnt into the pictures of a dub, where its document asks for them.

use std::path::Path;

use media::{
    MediaInfo,
    burn::burnt_size,
    captions::{self, Mode, Rules, Setting, Style},
    encoder::{Codec, EncoderSettings, choose_encoder},
    probe,
    source::Source,
};
use pipeline::{FileRef, Run};

use crate::{
    DubbingError,
    document::Settings,
    production::{MadeLang, Work, grid},
    request::{Output, OutputKind, Tracks},
    service::Booth,
    stages::burn::{Burn, BurnInput},
    subtitles,
};

/// Refuses, before anything is made, captions that cannot be burnt in.
pub(crate) fn check(settings: &Settings, source: &Source, output: &Output, langs: usize) -> Result<(), DubbingError> {
    let Some(style) = &settings.burn else { return Ok(()) };
    if output.kind == OutputKind::Subtitles {
        return Ok(());
    }
    Style::named(style)?;
    let refused = |reason: &str| Err(DubbingError::Request(reason.to_owned()));
    if source.video.is_none() {
        return refused("there are no pictures to burn captions into; leave --burn out");
    }
    if output.tracks == Tracks::OneFile && langs > 1 {
        return refused(
            "a picture shows the captions of one language; leave --burn out, or write a file for each language",
        );
    }
    Ok(())
}

/// The source as its pictures will be in `output`: burnt ones are encoded anew.
pub(crate) fn source_for(work: &Work, extension: &str) -> Source {
    let source = &work.open.source;
    match work.dub.settings.burn {
        Some(_) if source.video.is_some() => source.with_pictures_in(match codec_for(extension) {
            Codec::Vp9 => "vp9",
            _ => "h264",
        }),
        _ => source.clone(),
    }
}

/// What every container of that ending holds.
fn codec_for(extension: &str) -> Codec {
    if extension == "webm" { Codec::Vp9 } else { Codec::H264 }
}

/// The pictures of the source with the captions of a language, where those are asked for.
pub(crate) async fn burn(
    booth: &Booth,
    work: &Work,
    made: &MadeLang,
    output: &Path,
    run: &Run,
) -> Result<Option<FileRef>, DubbingError> {
    let (Some(style), Some(_)) = (&work.dub.settings.burn, &work.open.source.video) else { return Ok(None) };
    let info = probe::probe(&booth.ffmpeg, work.open.file.path()).await?;
    let extension = output.extension().unwrap_or_default().to_string_lossy();
    let settings = EncoderSettings { codec: codec_for(&extension), ..EncoderSettings::default() };
    let encoder = choose_encoder(&booth.ffmpeg, settings, burnt_size(&info), info.fps).await?;
    let input = BurnInput {
        source: work.open.file.clone(),
        captions: drawn(work, made, &Style::named(style)?, &info)?,
        encoder,
        ffmpeg: booth.ffmpeg.fingerprint().to_owned(),
    };
    let stage = Burn {
        ffmpeg: booth.ffmpeg.clone(),
        source: work.open.source.clone(),
        info,
        threads: u32::try_from(booth.jobs).unwrap_or(1),
    };
    Ok(Some(run.make(&stage, &input).await?.output))
}

/// The captions as they are drawn: in lines that fit the frame.
fn drawn(work: &Work, made: &MadeLang, style: &Style, info: &MediaInfo) -> Result<String, DubbingError> {
    let frame = burnt_size(info);
    let cues = subtitles::cues_within(&made.said, grid(work), &Rules::for_frame(style, frame))?;
    Ok(captions::ass(&cues, &Setting { style, mode: Mode::Line, frame })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(with_pictures: bool) -> Source {
        let video = serde_json::json!({
            "stream": 0, "codec": "h264", "size": { "width": 64, "height": 48 }, "fps": null, "variable_rate": false,
            "start_us": 0
        });
        serde_json::from_value(serde_json::json!({
            "container": "mov,mp4", "duration_us": 1_000_000, "first_track_us": 0,
            "video": if with_pictures { video } else { serde_json::Value::Null },
            "audio": [], "subtitles": [], "attachments": [], "pictures": [], "chapters": [], "title": null
        }))
        .unwrap()
    }

    fn refusal(burn: &str, with_pictures: bool, tracks: Tracks) -> String {
        let settings = Settings { burn: Some(burn.to_owned()), ..Settings::default() };
        let output = Output { tracks, ..Output::default() };
        check(&settings, &source(with_pictures), &output, 2).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_burnt_in_is_refused_with_the_way_out() {
        assert!(refusal("neon", true, Tracks::FileEach).contains("there are `clean`"));
        assert!(refusal("clean", false, Tracks::FileEach).contains("no pictures to burn captions into"));
        assert!(refusal("clean", true, Tracks::OneFile).contains("write a file for each language"));
        let settings = Settings { burn: Some("clean".to_owned()), ..Settings::default() };
        check(&settings, &source(true), &Output::default(), 2).unwrap();
        let subtitles = Output { kind: OutputKind::Subtitles, ..Output::default() };
        check(&settings, &source(false), &subtitles, 2).unwrap();
    }
}
