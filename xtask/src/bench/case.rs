//! What is measured: ten generated clips, a bed of music and scripts, the same bytes on every machine with the same FFmpeg.

use crate::process;
use anyhow::{Context, Result, bail};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Frames a second of clips and videos.
pub(super) const FPS: u32 = 30;

/// Clips of the case.
pub(super) const CLIPS: u32 = TOPICS.len() as u32;

/// How a clip was held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Orientation {
    Portrait,
    Landscape,
}

impl Orientation {
    fn size(self) -> &'static str {
        match self {
            Self::Portrait => "1080x1920",
            Self::Landscape => "1920x1080",
        }
    }
}

/// A clip, and what the script says where it fits.
struct Topic {
    /// Its words are those of the sentences, so that the clip is found.
    file: &'static str,
    orientation: Orientation,
    duration_s: u32,
    /// A filter graph that draws it; `SIZE` stands for its frame.
    graph: &'static str,
    sentences: [&'static str; 2],
}

/// Motion and texture of several kinds, between 15 and 60 ms of encoding a frame: neither trivial nor plain noise.
const TOPICS: [Topic; 10] = [
    Topic {
        file: "harbour-boats",
        orientation: Orientation::Portrait,
        duration_s: 8,
        graph: "mandelbrot=s=540x960:rate=30:maxiter=200:end_scale=0.05:end_pts=400,scale=1080:1920:flags=bicubic,gblur=sigma=1.5,noise=alls=2:allf=t",
        sentences: ["the boats come back into the harbour.", "Gulls follow the nets all the way in."],
    },
    Topic {
        file: "market-stalls",
        orientation: Orientation::Portrait,
        duration_s: 7,
        graph: "gradients=s=SIZE:r=30:n=8:speed=0.03:seed=7,format=yuv420p[a];life=s=108x192:r=30:seed=11:mold=40:ratio=0.3:life_color=#d8c8a0:death_color=#703820:mold_color=#202838,scale=1080:1920:flags=bicubic,gblur=sigma=8,format=yuv420p[b];[a][b]blend=all_mode=average,noise=alls=2:allf=t",
        sentences: ["the market fills before sunrise.", "Every stall has its own morning song."],
    },
    Topic {
        file: "river-bridge",
        orientation: Orientation::Landscape,
        duration_s: 6,
        graph: "cellauto=s=480x270:r=30:seed=5:rule=110,scale=1920:1080:flags=bicubic,gblur=sigma=4,format=yuv420p[a];gradients=s=SIZE:r=30:n=4:speed=0.02:seed=3,format=yuv420p[b];[a][b]blend=all_mode=softlight,noise=alls=2:allf=t",
        sentences: ["the river runs high under the bridge.", "Nobody remembers it so loud, or so brown."],
    },
    Topic {
        file: "forest-path",
        orientation: Orientation::Portrait,
        duration_s: 9,
        graph: "cellauto=s=270x480:r=30:seed=9:rule=30,scale=1350:2400:flags=bicubic,gblur=sigma=3,crop=1080:1920:x='135+130*sin(t/2)':y='200+n',noise=alls=2:allf=t",
        sentences: ["the forest path smells of rain.", "Light falls through the leaves in coins."],
    },
    Topic {
        file: "city-trams",
        orientation: Orientation::Landscape,
        duration_s: 7,
        graph: "testsrc2=s=SIZE:r=30,scroll=h=0.002:v=0.001,gblur=sigma=1.2,noise=alls=2:allf=t",
        sentences: ["the first trams cross the city.", "Their bells are older than the streets."],
    },
    Topic {
        file: "bakery-oven",
        orientation: Orientation::Portrait,
        duration_s: 5,
        graph: "gradients=s=SIZE:r=30:n=6:speed=0.05:seed=21:type=radial,format=yuv420p[a];life=s=135x240:r=30:seed=4:mold=20:ratio=0.2:life_color=#ffcf80:death_color=#803010:mold_color=#301008,scale=1080:1920:flags=bicubic,gblur=sigma=6,format=yuv420p[b];[a][b]blend=all_mode=screen,noise=alls=2:allf=t",
        sentences: ["the oven of the bakery is lit.", "Bread is ready when the windows turn gold."],
    },
    Topic {
        file: "mountain-snow",
        orientation: Orientation::Landscape,
        duration_s: 8,
        graph: "mandelbrot=s=960x540:rate=30:maxiter=200:start_x=-0.7435:start_y=0.1314:end_scale=0.1:end_pts=300,scale=1920:1080:flags=bicubic,gblur=sigma=1.5,noise=alls=2:allf=t",
        sentences: ["fresh snow covers the mountain.", "The last house closes its shutters early."],
    },
    Topic {
        file: "garden-bees",
        orientation: Orientation::Portrait,
        duration_s: 6,
        graph: "life=s=180x320:r=30:seed=31:mold=60:ratio=0.15:life_color=#f0e060:death_color=#508030:mold_color=#183018,scale=1080:1920:flags=bicubic,gblur=sigma=5,scroll=h=0.001,noise=alls=2:allf=t",
        sentences: ["the bees wake up in the garden.", "They visit the lavender, then the beans."],
    },
    Topic {
        file: "workshop-clock",
        orientation: Orientation::Portrait,
        duration_s: 10,
        graph: "testsrc2=s=SIZE:r=30,rotate=a='0.3*sin(t)':fillcolor=gray,gblur=sigma=1.5,noise=alls=2:allf=t",
        sentences: ["a clock is mended in the workshop.", "Two hundred parts lie on a white cloth."],
    },
    Topic {
        file: "desert-road",
        orientation: Orientation::Landscape,
        duration_s: 9,
        graph: "gradients=s=SIZE:r=30:n=5:speed=0.04:seed=13:type=spiral,format=yuv420p[a];cellauto=s=320x180:r=30:seed=2:rule=90,scale=1920:1080:flags=bicubic,gblur=sigma=5,format=yuv420p[b];[a][b]blend=all_mode=overlay,noise=alls=2:allf=t",
        sentences: ["the road through the desert is empty.", "Heat makes a lake of it by noon."],
    },
];

const DAYS: [&str; 10] =
    ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];

/// The sentence that is edited, and what it becomes.
const EDIT: (&str, &str) = ("Their bells are older than the streets.", "Their bells are younger than the streets.");

/// A generated clip.
#[derive(Debug)]
pub(super) struct Clip {
    pub(super) file: PathBuf,
    pub(super) frames: u32,
}

/// Where everything of the case lies.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) clips: PathBuf,
    pub(super) music: PathBuf,
    pub(super) minute: PathBuf,
    /// The same with one sentence changed.
    pub(super) edited: PathBuf,
    pub(super) ten_minutes: PathBuf,
}

impl Case {
    /// The clips of one orientation, in a fixed order.
    pub(super) fn list_clips(&self, orientation: Orientation) -> Vec<Clip> {
        let topics = TOPICS.iter().filter(|topic| topic.orientation == orientation);
        topics.map(|topic| Clip { file: self.clip(topic), frames: topic.duration_s * FPS }).collect()
    }

    fn clip(&self, topic: &Topic) -> PathBuf {
        self.clips.join(topic.file).with_extension("mp4")
    }
}

/// Writes the case into `folder`; clips that are there stay.
pub(super) fn prepare(folder: &Path) -> Result<Case> {
    let case = Case {
        clips: folder.join("clips"),
        music: folder.join("bed.m4a"),
        minute: folder.join("minute.md"),
        edited: folder.join("edited.md"),
        ten_minutes: folder.join("ten-minutes.md"),
    };
    std::fs::create_dir_all(&case.clips).with_context(|| format!("{} could not be made", case.clips.display()))?;
    for topic in &TOPICS {
        let graph = format!("{},format=yuv420p", topic.graph.replace("SIZE", topic.orientation.size()));
        let duration = topic.duration_s.to_string();
        let encoding = ["-r", "30", "-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-an"];
        generate(&case.clip(topic), &[&["-filter_complex", &graph, "-t", &duration], &encoding[..]].concat())?;
    }
    // A chord with a slow beat: three partials, each swelling at its own pace.
    let chord = "aevalsrc='0.2*sin(2*PI*220*t)*(0.6+0.4*sin(2*PI*t/4))+0.15*sin(2*PI*277.18*t)*(0.6+0.4*sin(2*PI*t/3))+0.15*sin(2*PI*329.63*t)':s=48000:d=24";
    generate(&case.music, &["-filter_complex", chord, "-c:a", "aac", "-b:a", "128k"])?;

    let minute = write_script(1);
    if !minute.contains(EDIT.0) {
        bail!("the script does not have the sentence `{}` that the benchmark edits", EDIT.0);
    }
    std::fs::write(&case.edited, minute.replace(EDIT.0, EDIT.1))?;
    std::fs::write(&case.minute, minute)?;
    std::fs::write(&case.ten_minutes, write_script(10))?;
    Ok(case)
}

fn generate(file: &Path, arguments: &[&str]) -> Result<()> {
    if file.exists() {
        return Ok(());
    }
    let folder = file.parent().context("a generated file lies in a folder")?;
    let unfinished = file.with_file_name(format!("unfinished-{}", file.file_name().unwrap_or_default().display()));
    let mut command = process::command("ffmpeg", folder);
    command.args(["-nostdin", "-v", "error", "-y"]).args(arguments).arg(&unfinished);
    process::read_output(&mut command)?;
    std::fs::rename(&unfinished, file).with_context(|| format!("{} could not be put in place", file.display()))
}

/// A script that is spoken in about `minutes` minutes: the same ten topics each minute, in sentences that differ by the day,
/// so that neither voice nor scene can be taken from the minute before. It has no title and no headings, whose drawn cards
/// the floor has no match for: every frame shows a clip.
fn write_script(minutes: usize) -> String {
    let mut script = String::from("---\nlang: en\n---\n");
    for day in &DAYS[..minutes] {
        for Topic { sentences: [event, detail], .. } in &TOPICS {
            let detail = if *day == DAYS[0] { (*detail).to_owned() } else { format!("For the {day} time: {detail}") };
            let _ = write!(script, "\nOn the {day} day of the year, {event} {detail}\n");
        }
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_script_begins_like_the_shorter_and_repeats_no_sentence() {
        let (minute, ten_minutes) = (write_script(1), write_script(10));
        assert!(ten_minutes.starts_with(&minute));
        let lines: Vec<&str> = ten_minutes.lines().filter(|line| line.starts_with("On the")).collect();
        let distinct: std::collections::BTreeSet<&str> = lines.iter().copied().collect();
        assert_eq!((lines.len(), distinct.len()), (100, 100));
    }

    #[test]
    fn six_clips_are_portrait_and_four_landscape_of_five_to_ten_seconds() {
        assert_eq!(TOPICS.iter().filter(|topic| topic.orientation == Orientation::Portrait).count(), 6);
        assert!(TOPICS.iter().all(|topic| (5..=10).contains(&topic.duration_s)));
    }
}
