//! MDX-Net models of the user's: they are given the spectrum of a few seconds of stereo sound, and give that of one part of
//! it, the voices or all else (M. Kim et al., "KUIELab-MDX-Net: a two-stream neural network for music demixing", 2021).
//!
//! A stretch is cut into chunks, each is shown to the model, and what comes back is joined.

mod chunks;
mod transform;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use ai::{
    ProviderError,
    separate::{Capability, SAMPLE_RATE, Separated, Separator, Stretch},
};
use kernel::ErrorKind;
use tokio::sync::Semaphore;

use self::{
    chunks::Chunks,
    transform::{HOP, Size, Transform},
};
use crate::{
    blocking::on_thread,
    models::{Lease, Loaded, Model, ModelPool},
    onnx::{Array, Network},
};

const NAME: &str = "mdx";
/// Changes when the same stretch and model give other voices.
const ADAPTER_VERSION: u32 = 1;
/// A second, after which a model has heard enough of what went before.
const CONTEXT_FRAMES: usize = SAMPLE_RATE as usize;
/// A minute and a half: 32 MB of sound.
const MAX_FRAMES: usize = 90 * SAMPLE_RATE as usize;
/// Windows of a chunk where a model takes any number.
const USUAL_FRAMES: usize = 256;
/// Real and imaginary parts of left and right.
const PLANES: usize = 4;
/// Full scale is 1; what is all softer is silence.
const SILENCE: f32 = 1e-6;

/// The engine of one model.
#[derive(Debug)]
pub struct Mdx {
    model: Arc<Model>,
    pool: ModelPool,
    version: String,
    /// One stretch at a time has the model; others wait without a thread.
    places: Arc<Semaphore>,
}

impl Mdx {
    /// An engine that takes `model` out of `pool` when it is asked to separate.
    pub fn new(model: Model, pool: &ModelPool) -> Self {
        let version = format!("mdx, model {}, adapter {ADAPTER_VERSION}", model.manifest.fingerprint());
        Self { model: Arc::new(model), pool: pool.clone(), version, places: Arc::new(Semaphore::new(1)) }
    }

    async fn lease(&self) -> Result<Arc<Lease<MdxModel>>, ProviderError> {
        let (pool, model) = (self.pool.clone(), Arc::clone(&self.model));
        on_thread(NAME, &self.places, move || Ok(Arc::new(pool.lease(&model)?))).await
    }
}

#[async_trait::async_trait]
impl Separator for Mdx {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn capability(&self) -> Capability {
        Capability { context_frames: CONTEXT_FRAMES, max_frames: MAX_FRAMES }
    }

    async fn check(&self) -> Result<(), ProviderError> {
        self.lease().await.map(drop)
    }

    async fn separate(&self, stretch: &Stretch) -> Result<Separated, ProviderError> {
        let length = stretch.frames.len();
        if length > MAX_FRAMES {
            let seconds = MAX_FRAMES / SAMPLE_RATE as usize;
            let message = format!("the stretch has {length} frames; send at most {MAX_FRAMES}, {seconds} s, at a time");
            return Err(ProviderError::new(NAME, ErrorKind::Invalid, message));
        }
        let model = self.lease().await?;
        let chunks = model.chunks();
        let mut voice = vec![[0.0; 2]; length];
        // Chunk by chunk, so that whoever no longer wants the voices does not wait for all of them.
        for index in 0..chunks.count(length) {
            let chunk = chunks.cut(&stretch.frames, index);
            let model = Arc::clone(&model);
            let made = on_thread(NAME, &self.places, move || model.voice(&chunk)).await?;
            chunks.add(&made, index, &mut voice);
        }
        Ok(Separated { voice })
    }
}

/// A loaded model.
#[derive(Debug)]
struct MdxModel {
    network: Network,
    transform: Mutex<Transform>,
    size: Size,
    options: Options,
}

/// What the files of a model do not say.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Options {
    stem: Stem,
    window: Option<usize>,
    compensate: f32,
}

/// What a model gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stem {
    Vocals,
    Instrumental,
}

/// Loads a model of this family.
pub(crate) fn load(model: &Model) -> Result<Loaded, String> {
    let options = Options::of(&model.manifest.options)?;
    let network = Network::load(model)?;
    let size = size(network.input(), network.output(), options)?;
    let transform = Mutex::new(Transform::new(size));
    let model = MdxModel { network, transform, size, options };
    // One chunk of next to nothing: whether the model runs at all is known now.
    model.run(&vec![[1e-3, -1e-3]; size.samples()])?;
    Ok(Arc::new(model))
}

impl MdxModel {
    fn chunks(&self) -> Chunks {
        Chunks::new(self.size.samples(), self.size.window / 2)
    }

    /// The voices of a chunk.
    fn voice(&self, chunk: &[[f32; 2]]) -> Result<Vec<[f32; 2]>, ProviderError> {
        if chunk.as_flattened().iter().all(|sample| sample.abs() < SILENCE) {
            return Ok(vec![[0.0; 2]; chunk.len()]);
        }
        let failed = |reason| ProviderError::new(NAME, ErrorKind::Internal, format!("the model failed: {reason}"));
        let mut found = self.run(chunk).map_err(failed)?;
        for (found, sum) in found.iter_mut().zip(chunk) {
            let scaled = found.map(|sample| sample * self.options.compensate);
            *found = match self.options.stem {
                Stem::Vocals => scaled,
                Stem::Instrumental => [sum[0] - scaled[0], sum[1] - scaled[1]],
            };
        }
        Ok(found)
    }

    /// What the model gives for a chunk.
    fn run(&self, chunk: &[[f32; 2]]) -> Result<Vec<[f32; 2]>, String> {
        let Size { bins, frames, .. } = self.size;
        let plane = self.size.plane();
        let mut transform = self.transform.lock().unwrap_or_else(PoisonError::into_inner);
        let mut spectrum = Array { shape: vec![1, PLANES, bins, frames], numbers: vec![0.0; PLANES * plane] };
        for (channel, planes) in spectrum.numbers.chunks_exact_mut(2 * plane).enumerate() {
            let (real, imaginary) = planes.split_at_mut(plane);
            transform.analyse(chunk.iter().map(|frame| frame[channel]), real, imaginary);
        }
        let made = self.network.run(&spectrum)?;
        if made.shape != spectrum.shape {
            return Err(format!("it gave an array of {:?} for one of {:?}", made.shape, spectrum.shape));
        }
        if made.numbers.iter().any(|number| !number.is_finite()) {
            return Err("it gave what are no numbers".to_owned());
        }
        let mut sides = made.numbers.chunks_exact(2 * plane).map(|planes| {
            let (real, imaginary) = planes.split_at(plane);
            transform.synthesise(real, imaginary)
        });
        let (left, right) = (sides.next().unwrap_or_default(), sides.next().unwrap_or_default());
        Ok(left.into_iter().zip(right).map(<[f32; 2]>::from).collect())
    }
}

impl Options {
    fn of(said: &BTreeMap<String, String>) -> Result<Self, String> {
        let find = |name: &str| said.get(name).map(String::as_str);
        let stem = match find("stem") {
            None | Some("vocals") => Stem::Vocals,
            Some("instrumental") => Stem::Instrumental,
            Some(other) => return Err(format!("its option `stem` is `{other}`; give `vocals` or `instrumental`")),
        };
        let window = match find("window") {
            None => None,
            Some(text) => match text.parse() {
                Ok(window) if (2 * HOP..=32_768).contains(&window) && window % 2 == 0 => Some(window),
                _ => return Err(format!("its option `window` is `{text}`; give an even number from 2048 to 32768")),
            },
        };
        let compensate = match find("compensate").map_or(Ok(1.0), str::parse::<f32>) {
            Ok(factor) if (0.5..=2.0).contains(&factor) => factor,
            _ => return Err("its option `compensate` is no number from 0.5 to 2".to_owned()),
        };
        Ok(Self { stem, window, compensate })
    }
}

/// The size of the spectrum that a model takes; what it gives has to be as large.
fn size(input: &[i64], output: &[i64], options: Options) -> Result<Size, String> {
    let fixed = |length: i64| usize::try_from(length).ok().filter(|length| *length > 0);
    let shape = |shape: &[i64]| format!("an array of {shape:?} (−1 is any length)");
    let [_, 4, bins, frames] = *input else {
        return Err(format!("it takes {} instead of any × 4 × frequencies × times", shape(input)));
    };
    let same = output.len() == 4 && output.iter().zip(input).skip(1).all(|(a, b)| a == b || *a < 0 || *b < 0);
    if !same {
        return Err(format!("it takes {} and gives {}", shape(input), shape(output)));
    }
    let bins = fixed(bins).ok_or("it does not say how many frequencies it takes")?;
    let frames = fixed(frames).unwrap_or(USUAL_FRAMES);
    let window = options.window.unwrap_or(2 * bins);
    if bins > window / 2 + 1 || !(2 * HOP..=32_768).contains(&window) {
        return Err(format!(
            "a window of {window} has not {bins} frequencies; give its option `window`, twice that or more"
        ));
    }
    let size = Size { window, bins, frames };
    if !(8..=4096).contains(&frames) || size.samples() < 2 * window {
        return Err(format!("{frames} times of {HOP} samples are too few or too many for windows of {window}"));
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(said: &[(&str, &str)]) -> Result<Options, String> {
        Options::of(&said.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn options_are_what_the_user_says_or_the_usual() {
        let usual = Options { stem: Stem::Vocals, window: None, compensate: 1.0 };
        assert_eq!(options(&[]), Ok(usual));
        let said = options(&[("stem", "instrumental"), ("window", "7680"), ("compensate", "1.035")]);
        assert_eq!(said, Ok(Options { stem: Stem::Instrumental, window: Some(7680), compensate: 1.035 }));
        for (name, value) in [("stem", "drums"), ("window", "1000"), ("window", "2049"), ("compensate", "NaN")] {
            let message = options(&[(name, value)]).unwrap_err();
            assert!(message.contains(name), "{message}");
        }
    }

    #[test]
    fn the_size_comes_from_the_shape_and_a_window_that_fits_it() {
        let usual = options(&[]).unwrap();
        let shape = [-1, 4, 3072, 256];
        assert_eq!(size(&shape, &shape, usual), Ok(Size { window: 6144, bins: 3072, frames: 256 }));
        let wide = options(&[("window", "7680")]).unwrap();
        assert_eq!(size(&[1, 4, 3072, -1], &shape, wide), Ok(Size { window: 7680, bins: 3072, frames: 256 }));
        let narrow = options(&[("window", "4096")]).unwrap();
        assert!(size(&shape, &shape, narrow).unwrap_err().contains("window"));
        for (input, output) in [
            (&[1, 2, 3072, 256][..], &[1, 2, 3072, 256][..]),
            (&shape, &[-1, 4, 2048, 256]),
            (&[-1, 4, -1, 256], &[-1, 4, -1, 256]),
            (&[-1, 4, 3072, 4], &[-1, 4, 3072, 4]),
            (&[1, 160_000], &[1, 4]),
        ] {
            assert!(size(input, output, usual).is_err(), "{input:?} {output:?}");
        }
    }
}
