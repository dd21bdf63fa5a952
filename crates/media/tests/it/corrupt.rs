//! Broken media, made by mutation: always an answer in bounded time, never a half-made result.

use std::time::{Duration, Instant};

use media::probe::probe;
use media::segment::{self, Framing, Visual};

use crate::fixtures::Workbench;
use crate::segment::plan;

/// Longer than any of the files may keep a run busy, on a machine that is busy itself.
const PATIENCE: Duration = Duration::from_mins(1);

/// Numbers that look random and are the same in each run (Knuth's linear congruential generator, MMIX).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit
    }
}

/// A copy with flipped bits, a hole of zeros, the end or the beginning missing, a part moved, or bytes doubled.
fn mutated(whole: &[u8], seed: u64) -> Vec<u8> {
    let mut numbers = Numbers(seed);
    let mut bytes = whole.to_vec();
    let (place, length) = (numbers.below(bytes.len() - 64), 1 + numbers.below(bytes.len() / 3));
    let end = (place + length).min(bytes.len());
    match seed % 6 {
        0 => (0..40).for_each(|_| {
            let place = numbers.below(whole.len());
            bytes[place] ^= 1 << numbers.below(8);
        }),
        1 => bytes[place..end].fill(0),
        2 => bytes.truncate(place + 1),
        3 => drop(bytes.drain(..place)),
        4 => bytes[place..end].reverse(),
        _ => {
            let part = bytes[place..end].to_vec();
            bytes.splice(place..place, part);
        }
    }
    bytes
}

#[tokio::test]
async fn every_broken_file_gets_an_answer_in_time_and_no_half_made_result() {
    let bench = Workbench::new().await;
    let formats = [
        ("clip.mp4", "-c:v libx264 -preset ultrafast -c:a aac"),
        ("clip.mkv", "-c:v libx264 -preset ultrafast -c:a libmp3lame"),
        ("clip.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus"),
        ("clip.avi", "-c:v mpeg4 -c:a pcm_s16le"),
        ("clip.ts", "-c:v mpeg2video -c:a mp2"),
    ];
    let (mut usable, mut refused) = (0, 0);
    for (format, (name, codecs)) in formats.iter().enumerate() {
        let source = "-f lavfi -i testsrc2=s=64x48:r=30:d=1 -f lavfi -i sine=d=1 -pix_fmt yuv420p";
        let whole = std::fs::read(bench.generate(&format!("{source} {codecs}"), name).await).unwrap();
        for round in 0..6 {
            let seed = (format * 6 + round) as u64;
            // A wrong ending on top, for every other one.
            let ending = if round % 2 == 0 { name.rsplit('.').next().unwrap() } else { "mov" };
            let path = bench.path(&format!("broken-{seed}.{ending}"));
            std::fs::write(&path, mutated(&whole, seed)).unwrap();
            let started = Instant::now();
            let made = attempt(&bench, &path, seed).await;
            assert!(started.elapsed() < PATIENCE, "{} took {:?}", path.display(), started.elapsed());
            assert_eq!(made, bench.path(&format!("made-{seed}.mp4")).exists());
            if made { usable += 1 } else { refused += 1 }
        }
    }
    // A corpus of which all or nothing is refused would show nothing.
    assert!(usable >= 3 && refused >= 10, "{usable} usable, {refused} refused");
    let left: Vec<_> =
        std::fs::read_dir(bench.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("partial")), "{left:?}");
}

/// Whether a segment could be made from the file; errors must name the file or what went wrong with it.
async fn attempt(bench: &Workbench, path: &std::path::Path, seed: u64) -> bool {
    let info = match probe(&bench.ffmpeg, path).await {
        Ok(info) => info,
        Err(error) => {
            assert!(error.to_string().contains(&format!("broken-{seed}.")), "{error}");
            return false;
        }
    };
    let visual = Visual::Clip { path: path.to_owned(), info, start_ms: 100, framing: Framing::Blur, speed: 1.0 };
    let plan = plan(bench, visual, 12, &format!("made-{seed}.mp4")).await;
    segment::encode(&bench.ffmpeg, plan, &|_| {}).await.is_ok()
}
