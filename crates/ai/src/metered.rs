//! Providers whose calls are counted and timed, for whoever runs the place.

use std::{future::Future, sync::Arc, time::Instant};

use async_trait::async_trait;
use kernel::Lang;
use metrics::{counter, describe_counter, describe_histogram, histogram};

use crate::{
    ProviderError,
    diarize::{self, SpeakerEncoder},
    separate::{self, Separator},
    stt::{self, Stt},
    translate::{self, Translator},
    tts::{self, Tts},
};

const CALLS: &str = "provider_calls_total";
const DURATION: &str = "provider_call_duration_seconds";

/// Says in the numbers of the process what these mean.
pub fn describe() {
    describe_counter!(CALLS, "Calls of providers, by provider, what was asked for and what came of it");
    describe_histogram!(DURATION, "Seconds that a provider took to answer, by provider and what was asked for");
}

/// A provider whose work is counted and timed. What it is and offers is asked for freely.
#[derive(Debug)]
pub struct Metered<P: ?Sized>(pub Arc<P>);

/// A call on its way; one that is dropped, because its job was stopped, counts as well.
struct Call<'a> {
    provider: &'a str,
    work: &'static str,
    begun: Instant,
    outcome: &'static str,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let provider = self.provider.to_owned();
        histogram!(DURATION, "provider" => provider.clone(), "work" => self.work).record(self.begun.elapsed());
        counter!(CALLS, "provider" => provider, "work" => self.work, "outcome" => self.outcome).increment(1);
    }
}

async fn measured<T>(
    provider: &str,
    work: &'static str,
    call: impl Future<Output = Result<T, ProviderError>> + Send,
) -> Result<T, ProviderError> {
    let mut measured = Call { provider, work, begun: Instant::now(), outcome: "stopped" };
    let answer = call.await;
    measured.outcome = answer.as_ref().map_or_else(|error| error.kind.name(), |_| "answered");
    answer
}

#[async_trait]
impl Tts for Metered<dyn Tts> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn version(&self) -> &str {
        self.0.version()
    }

    fn capability(&self) -> tts::Capability {
        self.0.capability()
    }

    async fn voices(&self) -> Result<Vec<tts::Voice>, ProviderError> {
        self.0.voices().await
    }

    async fn speak(&self, request: &tts::SpeechRequest) -> Result<tts::Speech, ProviderError> {
        measured(self.name(), "speech", self.0.speak(request)).await
    }
}

#[async_trait]
impl Stt for Metered<dyn Stt> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn version(&self) -> &str {
        self.0.version()
    }

    fn capability(&self) -> stt::Capability {
        self.0.capability()
    }

    async fn langs(&self) -> Result<Vec<Lang>, ProviderError> {
        self.0.langs().await
    }

    async fn transcribe(&self, utterance: &stt::Utterance) -> Result<stt::Transcript, ProviderError> {
        measured(self.name(), "transcription", self.0.transcribe(utterance)).await
    }
}

#[async_trait]
impl Translator for Metered<dyn Translator> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn version(&self) -> &str {
        self.0.version()
    }

    fn capability(&self) -> translate::Capability {
        self.0.capability()
    }

    async fn pairs(&self) -> Result<Vec<translate::Pair>, ProviderError> {
        self.0.pairs().await
    }

    async fn translate(&self, request: &translate::TranslationRequest) -> Result<Vec<String>, ProviderError> {
        measured(self.name(), "translation", self.0.translate(request)).await
    }
}

#[async_trait]
impl Separator for Metered<dyn Separator> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn version(&self) -> &str {
        self.0.version()
    }

    fn capability(&self) -> separate::Capability {
        self.0.capability()
    }

    async fn check(&self) -> Result<(), ProviderError> {
        self.0.check().await
    }

    async fn separate(&self, stretch: &separate::Stretch) -> Result<separate::Separated, ProviderError> {
        measured(self.name(), "separation", self.0.separate(stretch)).await
    }
}

#[async_trait]
impl SpeakerEncoder for Metered<dyn SpeakerEncoder> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn version(&self) -> &str {
        self.0.version()
    }

    fn capability(&self) -> diarize::Capability {
        self.0.capability()
    }

    async fn check(&self) -> Result<(), ProviderError> {
        self.0.check().await
    }

    async fn embed(&self, speech: &diarize::Speech) -> Result<Option<diarize::Embedding>, ProviderError> {
        measured(self.name(), "diarization", self.0.embed(speech)).await
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Duration};

    use kernel::ErrorKind;
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    /// What the numbers of calls say after a call.
    fn counted(call: impl Future<Output = Result<(), ProviderError>> + Send) -> String {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        metrics::with_local_recorder(&recorder, || {
            runtime.block_on(async {
                let call = measured("parrot", "speech", call);
                drop(tokio::time::timeout(Duration::from_millis(20), call).await);
            });
        });
        handle.render()
    }

    #[test]
    fn what_came_of_a_call_is_counted_and_how_long_it_took() {
        let refused = ProviderError::new("parrot", ErrorKind::Unavailable, "it sleeps");
        let answered = counted(async { Ok(()) });
        for (numbers, outcome) in [
            (&answered, "answered"),
            (&counted(async { Err(refused) }), "unavailable"),
            (&counted(pending()), "stopped"),
        ] {
            let line = format!(r#"{CALLS}{{provider="parrot",work="speech",outcome="{outcome}"}} 1"#);
            assert!(numbers.contains(&line), "{outcome}: {numbers}");
        }
        assert!(answered.contains(&format!(r#"{DURATION}_count{{provider="parrot",work="speech"}} 1"#)), "{answered}");
    }
}
