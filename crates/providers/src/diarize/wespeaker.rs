//! Speaker encoders of the user's as `WeSpeaker` exports them: they are given filter banks of a stretch of speech, and give an
//! embedding of its voice (H. Wang et al., "Wespeaker: a research and production oriented speaker embedding learning
//! toolkit", ICASSP 2023).

mod fbank;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use ai::{
    ProviderError,
    diarize::{Capability, Embedding, SAMPLE_RATE, SpeakerEncoder, Speech},
};
use kernel::ErrorKind;
use tokio::sync::Semaphore;

use self::fbank::{BANDS, FilterBank};
use crate::{
    blocking::on_thread,
    models::{Loaded, Model, ModelPool},
    onnx::{Array, Network},
};

const NAME: &str = "wespeaker";
/// Changes when the same speech and model give another embedding.
const ADAPTER_VERSION: u32 = 1;
/// Less tells nothing: half a second.
const MIN_SAMPLES: usize = SAMPLE_RATE as usize / 2;
/// More tells no more: a minute.
const MAX_SAMPLES: usize = 60 * SAMPLE_RATE as usize;
/// Where the embeddings of two stretches of one speaker are told from those of two, for the usual models.
const SAME_VOICE: f32 = 0.5;

/// The engine of one model.
#[derive(Debug)]
pub struct WeSpeaker {
    model: Arc<Model>,
    pool: ModelPool,
    version: String,
    same_voice: f32,
    places: Arc<Semaphore>,
}

impl WeSpeaker {
    /// An engine that takes `model` out of `pool` when it is asked whose voice it hears.
    pub fn new(model: Model, pool: &ModelPool) -> Self {
        Self {
            version: format!("wespeaker, model {}, adapter {ADAPTER_VERSION}", model.manifest.fingerprint()),
            // An option that is wrong is told of when the model is loaded.
            same_voice: same_voice(&model.manifest.options).unwrap_or(SAME_VOICE),
            model: Arc::new(model),
            pool: pool.clone(),
            places: Arc::new(Semaphore::new(1)),
        }
    }
}

#[async_trait::async_trait]
impl SpeakerEncoder for WeSpeaker {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn capability(&self) -> Capability {
        Capability { min_samples: MIN_SAMPLES, max_samples: MAX_SAMPLES, same_voice: self.same_voice }
    }

    async fn check(&self) -> Result<(), ProviderError> {
        let (pool, model) = (self.pool.clone(), Arc::clone(&self.model));
        on_thread(NAME, &self.places, move || Ok(pool.lease::<WeSpeakerModel>(&model)?)).await.map(drop)
    }

    async fn embed(&self, speech: &Speech) -> Result<Option<Embedding>, ProviderError> {
        let length = speech.samples.len();
        if !(MIN_SAMPLES..=MAX_SAMPLES).contains(&length) {
            let message = format!("the speech has {length} samples; send {MIN_SAMPLES} to {MAX_SAMPLES} at a time");
            return Err(ProviderError::new(NAME, ErrorKind::Invalid, message));
        }
        let (pool, model, samples) = (self.pool.clone(), Arc::clone(&self.model), Arc::clone(&speech.samples));
        on_thread(NAME, &self.places, move || {
            let model = pool.lease::<WeSpeakerModel>(&model)?;
            let failed = |reason| ProviderError::new(NAME, ErrorKind::Internal, format!("the model failed: {reason}"));
            model.embed(&samples).map_err(failed)
        })
        .await
    }
}

/// A loaded model.
#[derive(Debug)]
struct WeSpeakerModel {
    network: Network,
    bank: Mutex<FilterBank>,
}

/// Loads a model of this family.
pub(crate) fn load(model: &Model) -> Result<Loaded, String> {
    same_voice(&model.manifest.options)?;
    let network = Network::load(model)?;
    if !matches!(network.input(), [_, _, bands] if usize::try_from(*bands) == Ok(BANDS)) {
        let shape = network.input();
        return Err(format!("it takes an array of {shape:?} (−1 is any length) instead of any × times × {BANDS}"));
    }
    let model = WeSpeakerModel { network, bank: Mutex::new(FilterBank::new()) };
    // A second of noise: whether the model runs at all is known now.
    let noise: Vec<i16> = (0..SAMPLE_RATE).map(|n| (n.wrapping_mul(2_654_435_761) >> 20) as i16).collect();
    model.embed(&noise)?.ok_or("it gave no numbers, or nothing but zeros")?;
    Ok(Arc::new(model))
}

impl WeSpeakerModel {
    /// None where what the model gives has no direction.
    fn embed(&self, samples: &[i16]) -> Result<Option<Embedding>, String> {
        let frames = self.bank.lock().unwrap_or_else(PoisonError::into_inner).frames(samples);
        let array = Array { shape: vec![1, frames.len(), BANDS], numbers: frames.into_flattened() };
        let made = self.network.run(&array)?;
        if made.shape.iter().product::<usize>() < 2 || made.shape.first() != Some(&1) {
            return Err(format!("it gave an array of {:?} instead of 1 × numbers", made.shape));
        }
        Ok(Embedding::of(&made.numbers))
    }
}

fn same_voice(options: &BTreeMap<String, String>) -> Result<f32, String> {
    match options.get("same_voice").map_or(Ok(SAME_VOICE), |text| text.parse::<f32>()) {
        Ok(likeness) if (-1.0..1.0).contains(&likeness) => Ok(likeness),
        _ => Err("its option `same_voice` is no number from −1 to 1".to_owned()),
    }
}
